"""A ticket's clock in words: the first reply, what was promised, since when it is paused, how far it was extended."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.tickets.promise import EXTENDED, FILED, Clock, State
from bot.tickets.ticket import Ticket
from bot.web.desk.words import Words


def shown(it: Ticket, clock: Clock, t: Words, zone: ZoneInfo, now: datetime) -> list[tuple[str, str]]:
    """Label and words, in the order in which a clerk asks."""
    due = t.moment(it.promise.due, zone)
    rows = [
        (
            t("time_promised"),
            due if it.promise.why == FILED else t("time_why", when=due, why=t(f"promise_{it.promise.why}")),
        ),
        (t("time_first_reply"), _first_reply(it, t, zone)),
    ]
    first = it.history[0].promise
    if first and first.due != it.promise.due:
        rows.append((t("time_first_promise"), t.moment(first.due, zone)))
    if clock.state is State.PAUSED and it.question:
        asked = it.question
        rows.append((t("time_paused"), _since(asked.at, asked.by.name, t, zone, now)))
    given = next((e for e in reversed(it.history) if e.promise and e.promise.why == EXTENDED), None)
    if given and given.promise:
        until = t.moment(given.promise.due, zone)
        rows.append((t("time_extended"), t("time_by", when=until, who=given.by.name) if given.by.name else until))
    if clock.state is State.LATE:
        rows.append((t("time_late"), _since(clock.target, "", t, zone, now)))
    return rows


def _first_reply(it: Ticket, t: Words, zone: ZoneInfo) -> str:
    """Of what is owed now: what was replied before a reopening is not it."""
    reopened = max((e.seq for e in it.history if e.verb == "reopen"), default=0)
    reply = next((e for e in it.history[reopened:] if e.substance), None)
    if reply is None:
        return t("time_no_reply")
    when = t.moment(reply.at, zone)
    return t("time_by", when=when, who=reply.by.name) if reply.by.name else when


def _since(at: datetime, who: str, t: Words, zone: ZoneInfo, now: datetime) -> str:
    when = t("time_since", when=t.moment(at, zone), age=t.age(at, now))
    return t("time_by", when=when, who=who) if who else when
