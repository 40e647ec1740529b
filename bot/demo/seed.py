"""`python -m bot seed --demo`: makes the month, once, where nothing can be harmed by it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from bot import wiring
from bot.demo.matters import Texts
from bot.demo.month import Clock, Month
from bot.demo.people import Crowd, hire
from bot.demo.stories import Stories
from bot.process import seed_people
from bot.settings import Settings
from bot.storage.demo import FACT, standing

TICKETS, DAYS, TODAY = 220, 30, 14
"""So many tickets in so many days, the last ones within the last hours."""
BEGUN = "begun"
_BY_HOUR = (1, 1, 0, 0, 1, 2, 4, 8, 14, 18, 20, 18, 15, 12, 10, 9, 9, 9, 10, 12, 12, 10, 6, 3)
"""How many write in each hour of the ministry's day."""
_CLOSED_DAYS = 0.35
"""How many write on a day on which the offices are closed, against a working day."""


class Refused(Exception):
    """No month is made here; says why, in a sentence for the operator."""


def seed(settings: Settings, until: datetime | None = None) -> int:
    """The exit code of the command. Where the month is there already nothing is changed."""
    until = until or wiring.now()
    try:
        made = _made_before(settings)
        if made:
            print(f"The demo month is there already; it ends at {made}. Nothing was changed.")
            return 0
        rooms, tickets = month(settings, until)
    except Refused as refused:
        print(f"No demo month was made:\n  - {refused}", file=sys.stderr)
        return 2
    rooms.engine.dispose()
    print(f"{tickets} tickets of the last {DAYS} days are at /desk. Nothing was sent to anybody.")
    return 0


def _made_before(settings: Settings) -> str | None:
    """When the month that is here ends, None where the database has no tickets; raises Refused."""
    if not settings.on_loopback:
        raise Refused("HOST or PUBLIC_URL can be reached by others: a demo belongs into a development database only.")
    if not settings.simulated:
        raise Refused("An account at Twilio or Telegram is set: what follows from a demo must not be sent to anybody.")
    engine = wiring.database(settings)
    try:
        found = standing(engine, wiring.now())
    finally:
        engine.dispose()
    if found.made and found.made != BEGUN:
        return found.made
    if found.made:
        raise Refused("A demo was begun here and did not come to its end. Begin with an empty DATA_DIR or database.")
    if found.tickets:
        raise Refused(f"There are {found.tickets} tickets here already. Begin with an empty DATA_DIR or database.")
    if found.running:
        raise Refused("A house works on this database. Stop it, wait a quarter of a minute, and try again.")
    return None


def month(settings: Settings, until: datetime, count: int = TICKETS) -> tuple[wiring.Rooms, int]:
    """The house with a month behind it that ends at `until`, and how many tickets it has. The same every time."""
    clock, chance = Clock(until - timedelta(days=DAYS)), Random("sawt")
    rooms = wiring.build(settings, clock)
    rooms.store.note_fact(FACT, BEGUN)
    seed_people(rooms)
    hire(rooms.doors, clock())
    senders = {
        "whatsapp": settings.twilio_whatsapp_from, "sms": settings.twilio_sms_from,
        "telegram": settings.telegram_bot_token.partition(":")[0],
    }  # fmt: skip
    passing = Month(rooms, clock, chance, until)
    texts = Texts(wiring.DATA / "demo.yml", chance)
    stories = Stories(passing, texts, Crowd(chance, senders))
    for at in sorted(_arrivals(rooms, chance, until, count)):
        passing.plan(at, stories.of(texts.draw()))
    passing.pass_()
    rooms.store.note_fact(FACT, until.isoformat(timespec="minutes"))
    return rooms, standing(rooms.engine, until).tickets


def _arrivals(rooms: wiring.Rooms, chance: Random, until: datetime, count: int) -> Iterator[datetime]:
    """When people write: by day and hour as they do, and some just now."""
    calendar = rooms.house.calendar
    today = min(TODAY, count)
    for n in range(today):
        yield until - timedelta(minutes=12 + 31 * n + chance.randint(0, 20))
    left = count - today
    while left:
        at = until - timedelta(minutes=chance.uniform(300, DAYS * 24 * 60 - 10))
        here = at.astimezone(calendar.zone)
        busy = _BY_HOUR[here.hour] / max(_BY_HOUR) * (1 if calendar.is_working_day(here.date()) else _CLOSED_DAYS)
        if chance.random() < busy:
            left -= 1
            yield at
