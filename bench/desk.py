"""The desk at 100,000 tickets and 500,000 messages: `python -m bench.desk [--tickets 100000] [--database-url postgresql://…]`.

A database is filled with a believable year, and the pages are asked for through the house's own application, signed in:
what is measured is what a browser waits for, less the network. Row I9 of the promises: p95 of a list or a search ≤ 0.3 s.
With --database-url the database must exist and be empty. With --keep FOLDER a filled SQLite file is kept, or used again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from secrets import token_urlsafe
from statistics import median
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import Table, func, insert, select, text

from bot import settings as settings_
from bot import wiring
from bot.storage import rows
from bot.storage.tables import contacts, conversations, entries, inbox, outbox, staff, tickets
from bot.tickets.people import SYSTEM, Actor, Role, Staff
from bot.tickets.promise import promised
from bot.tickets.reference import new_reference
from bot.tickets.ticket import Route, Ticket
from bot.web.app import public_app
from channels.contract import Address
from nlu.arabic.fold import fold

GOAL = 0.3
"""Row I9, seconds."""
YEAR = timedelta(days=365)
BATCH = 5_000
SCHEMES = ("web", "whatsapp", "whatsapp", "whatsapp", "telegram", "sms")
FLAGS = (("urgent", 0.02), ("confidential", 0.02), ("needs_person", 0.05), ("abuse", 0.01), ("my_data", 0.005))
DATA = Path(__file__).parents[1] / "data"


@dataclass
class Year:
    """What tickets are made of."""

    rooms: wiring.Rooms
    now: datetime
    chance: random.Random
    lines: list[dict[str, Any]]
    people: dict[str, list[Staff]]
    taken: set[str] = field(default_factory=set)

    def reference(self) -> str:
        """A fresh one: of 100,000 drawn at random some are drawn twice."""
        ref = new_reference()
        while ref in self.taken:
            ref = new_reference()
        self.taken.add(ref)
        return ref

    def text(self) -> tuple[str, dict[str, Any]]:
        """The words of a ticket: one or two messages that people could have written, and how the first is labelled."""
        first = self.chance.choice(self.lines)
        more = [self.chance.choice(self.lines)["text"] for _ in range(self.chance.choice((0, 1, 1, 2)))]
        return "\n".join([first["text"], *more]), first


def read_lines() -> list[dict[str, Any]]:
    found = []
    for path in sorted((DATA / "nlu").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["intent"] in ("inquiry", "complaint", "suggestion", "report", "observation"):
                found.append(row)
    return found


# Filling


def make_people(rooms: wiring.Rooms, now: datetime) -> dict[str, list[Staff]]:
    """Four agents and a supervisor in every unit, a manager over all; those of the contact centre see all."""
    people: dict[str, list[Staff]] = {}
    for n, unit in enumerate(u for u, row in rooms.register().units.items() if row.role != "branch"):
        roles = [Role.AGENT] * 4 + [Role.SUPERVISOR]
        people[unit] = [
            Staff(f"s-b{n}-{k}", f"b{n}.{k}@example.test", f"موظف {n}.{k}", role, unit, unit == rooms.register().contact_centre)
            for k, role in enumerate(roles)
        ]  # fmt: skip
    people[""] = [Staff("s-b-manager", "b@example.test", "المدير", Role.MANAGER, None, True)]
    for each in sum(people.values(), []):
        rooms.doors.create_staff(each, "", now)
    return people


def make_ticket(year: Year, opened: datetime, talk: dict[str, Any]) -> Ticket:
    """A ticket that was worked on as long ago tells."""
    chance, register = year.chance, year.rooms.register()
    words, label = year.text()
    service = label.get("service") or (chance.choice(list(register.services)) if chance.random() < 0.5 else None)
    unit = chance.choice([register.contact_centre, *(u for u in year.people if u)])
    flags = {flag for flag, share in FLAGS if chance.random() < share}
    kind, category = label["intent"], label["category"] if label["category"] in register.categories else "other"
    known = service if service in register.services else None
    service_class = register.services[known].service_class if known else "C"
    promise = promised(register.policy, year.rooms.house.calendar, kind, category, service_class, opened)
    ticket = Ticket.file(
        by=Actor("beneficiary", talk["contact"]), at=opened, promise=promise, ref=year.reference(), kind=kind, text=words,
        unit=unit, language=label["lang"] if label["lang"] in ("ar", "en", "zh") else "ar", source=talk["scheme"],
        contact=talk["contact"], conversation=talk["id"], category=category, service=known, service_class=service_class,
        flags=flags, reading={"intent": {"name": kind, "confidence": 0.9}},
    )  # fmt: skip
    work(year, ticket, year.now - opened)
    return ticket


def work(year: Year, ticket: Ticket, age: timedelta) -> None:
    """What was done with it: seven in a hundred are forgotten, the others end within three weeks."""
    chance, at = year.chance, ticket.opened_at
    colleague = chance.choice(year.people[ticket.unit])
    by, over = colleague.actor(), chance.random() < 0.93
    hours = lambda most: timedelta(hours=chance.randrange(1, most))  # noqa: E731
    if age > timedelta(days=1) and chance.random() < 0.85:
        ticket.apply("assign", by, at := at + hours(24), staff=colleague.id)
    if chance.random() < 0.06:
        unit = chance.choice([u for u in year.people if u and u != ticket.unit])
        ticket.apply("transfer", by, at := at + hours(9), unit=unit, reason="يخصهم", route=Route(unit))
    if chance.random() < 0.04:
        ticket.apply("escalate", SYSTEM, at := at + hours(9), reason="late")
    if age < timedelta(days=4) and chance.random() < 0.7:
        return
    if chance.random() < 0.1:
        ticket.apply("ask", by, at := at + hours(9), text="ما رقم المعاملة؟")
        if age < timedelta(days=14) or not over:
            return
        ticket.apply("add", Actor("beneficiary", ticket.contact or ""), at := at + hours(50), text="الرقم 44021")
    if age < timedelta(days=21) and chance.random() < age.days / 40:
        return
    if over:
        ticket.apply("resolve", by, at := at + hours(90), text="أُنجزت معاملتك، وشكرًا لصبرك.")
        if age > timedelta(days=12):
            ticket.apply("close", SYSTEM, at + timedelta(days=7), reason="outcome_stands")


def make_talk(year: Year, n: int) -> dict[str, Any]:
    scheme = year.chance.choice(SCHEMES)
    address = Address(scheme, f"+9665{n:08}", "+966110000000" if scheme in ("whatsapp", "sms") else "")
    at, secrets = year.now - YEAR, year.rooms.secrets
    return {
        "id": f"t{n}", "contact": f"c{n}", "scheme": scheme, "account": address.account, "address_enc": b"-",
        "address_hash": secrets.address_hash(address), "language": "ar", "state": {}, "buttons": [], "created_at": at,
        "last_in_at": at, "seq_in": 0, "seq_out": 0,
    }  # fmt: skip


def make_messages(year: Year, ticket: Ticket, talk: dict[str, Any], n: int) -> Iterator[tuple[Table, dict[str, Any]]]:
    """So many messages around a ticket's filing, two in five of them the person's."""
    turn, at = f"turn-{ticket.ref}", ticket.opened_at
    for k in range(n):
        at += timedelta(minutes=year.chance.randrange(1, 600) if k > 1 else 0, seconds=1)
        if k in (0, 2):
            talk["seq_in"] += 1
            words = ticket.text if k == 0 else year.chance.choice(year.lines)["text"]
            yield inbox, {
                "conversation": talk["id"], "seq": talk["seq_in"], "message_id": f"m{talk['seq_in']}", "text": words, "received_at": at,
                "state": "done", "turn": turn if k == 0 else f"{turn}-{k}", "finished_at": at, "reading": {"intent": {"name": "x"}},
            }  # fmt: skip
        else:
            talk["seq_out"] += 1
            name = "utter_filed" if k == 1 else "notice_reply"
            yield outbox, {
                "conversation": talk["id"], "seq": talk["seq_out"], "turn": turn if k == 1 else None, "ref": ticket.ref,
                "name": name, "params": {"ref": ticket.ref}, "text": year.chance.choice(year.lines)["text"], "buttons": [],
                "language": "ar", "key": f"{ticket.ref}:{k}", "notice": k > 1, "state": "delivered", "created_at": at, "sent_at": at,
                "delivered_at": at,
            }  # fmt: skip


def fill(rooms: wiring.Rooms, n_tickets: int, n_messages: int, now: datetime) -> None:
    """The year is in the database, and the database knows how its columns are filled."""
    chance = random.Random(6)
    year = Year(rooms, now, chance, read_lines(), make_people(rooms, now))
    moments = sorted(now - YEAR * chance.random() for _ in range(n_tickets))
    talks = [make_talk(year, n) for n in range(max(1, n_tickets * 6 // 10))]
    folded: dict[str, str] = {}
    begun, done = time.monotonic(), 0
    with rooms.store.writers.begin() as db:
        for part in batched(talks, BATCH):
            db.execute(insert(contacts), [{"id": t["contact"], "language": "ar", "created_at": t["created_at"], "preferred_address": t["id"]} for t in part])  # fmt: skip
            db.execute(insert(conversations), list(part))
    for part in batched(moments, BATCH):
        made: dict[Table, list[dict[str, Any]]] = {tickets: [], entries: [], inbox: [], outbox: []}
        for opened in part:
            talk = chance.choice(talks)
            ticket = make_ticket(year, opened, talk)
            row = rooms_row(ticket, folded)
            made[tickets].append({**row, "turn": f"turn-{ticket.ref}"})
            made[entries] += [rows.entry_row(ticket.ref, entry) for entry in ticket.history]
            n = n_messages * (done + 1) // n_tickets - n_messages * done // n_tickets
            for table, message in make_messages(year, ticket, talk, n):
                made[table].append(message)
            done += 1
        with rooms.store.writers.begin() as db:
            for table, values in made.items():
                db.execute(insert(table), values)
        print(f"\r{done:,} tickets, {time.monotonic() - begun:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    settle(rooms)


def rooms_row(ticket: Ticket, folded: dict[str, str]) -> dict[str, Any]:
    def known(words: str) -> str:
        return "\n".join(folded.setdefault(line, fold(line)) for line in words.split("\n"))

    return rows.ticket_row(ticket, known, lambda _: None)


def settle(rooms: wiring.Rooms) -> None:
    """What the database does by itself in time: statistics, and on PostgreSQL the map of what everybody can see."""
    with rooms.engine.connect() as db:
        if rooms.engine.dialect.name == "postgresql":
            db.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
            return
        raw: Any = db.connection.driver_connection
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# Asking


@dataclass(frozen=True)
class Case:
    name: str
    paths: Sequence[str]
    who: str


def cases(rooms: wiring.Rooms, n: int) -> Iterator[Case]:
    """What clerks ask for, each `n` times with other values."""
    chance, register = random.Random(60), rooms.register()
    with rooms.engine.connect() as db:
        refs = list(db.scalars(select(tickets.c.ref).where(not_confidential()).order_by(tickets.c.ref).limit(4_000)))
        texts = list(db.scalars(select(tickets.c.text).where(tickets.c.language == "ar").order_by(tickets.c.ref).limit(4_000)))  # fmt: skip
    chance.shuffle(refs)
    words = [w for t in texts for w in re.findall(r"[\u0621-\u064a]{4,}", t)]

    def desk(**asked: str) -> str:
        return f"/desk?{urlencode(asked)}"

    def several(*values: str) -> list[str]:
        return [values[k % len(values)] for k in range(n)]

    for who in ("agent", "centre", "manager"):
        for view in ("mine", "unit", "unassigned", "escalated", "at_risk", "waiting", "late", "all"):
            if not (who == "manager" and view == "unit"):
                yield Case(f"view {view}", [desk(view=view)] * n, who)
    kinds, categories, services = several(*register.kinds), several(*register.categories), several(*register.services)
    for who in ("agent", "centre"):
        for state in ("live", "any"):
            pairs = {
                "kind": kinds, "category": categories, "service": services, "class": several("A", "B", "D"),
                "channel": several("sms", "telegram", "web"), "language": several("en", "zh"), "flag": several("urgent", "abuse", "my_data"),
                "age": several("7", "30", "3"),
            }  # fmt: skip
            for name, values in pairs.items():
                yield Case(f"filter {name}, {state}", [desk(view="all", state=state, **{name: v}) for v in values], who)
            yield Case(
                f"filters kind, category, channel, {state}",
                [desk(view="all", state=state, kind=k, category=c, channel="sms") for k, c in zip(kinds, categories, strict=True)], who,
            )  # fmt: skip
            yield Case(f"search one word, {state}", [desk(view="all", state=state, q=chance.choice(words)) for _ in range(n)], who)  # fmt: skip
            yield Case(f"search two words, {state}", [desk(view="all", state=state, q=f"{chance.choice(words)} {chance.choice(words)}") for _ in range(n)], who)  # fmt: skip
            yield Case(f"search nothing has, {state}", [desk(view="all", state=state, q=f"قسطنطينوبل{k}") for k in range(n)], who)  # fmt: skip
            yield Case(f"search two letters, {state}", [desk(view="all", state=state, q=q) for q in several("من", "زق", "xq")], who)  # fmt: skip
            yield Case(f"search a reference, {state}", [desk(view="all", state=state, q=r) for r in refs[:n]], who)
            yield Case(f"search part of a reference, {state}", [desk(view="all", state=state, q=r[2:7]) for r in refs[:n]], who)  # fmt: skip
        yield Case("list, state closed", [desk(view="all", state="closed")] * n, who)
        yield Case("list, state withdrawn", [desk(view="all", state="withdrawn")] * n, who)
        yield Case("counts", ["/desk/counts"] * n, who)
        yield Case("next ticket", ["/desk/next"] * n, who)
    yield Case("one ticket's page", [f"/desk/tickets/{ref}" for ref in refs[:n]], "manager")


def not_confidential() -> Any:
    return tickets.c.need_to_know.is_(False)


async def measure(rooms: wiring.Rooms, n: int, only: str) -> bool:
    """Prints the table; True where every row keeps the goal."""
    people = {
        "agent": "s-b3-1",
        "centre": next(p for p in ids(rooms, rooms.register().contact_centre)),
        "manager": "s-b-manager",
    }
    tokens = {who: token_urlsafe() for who in people}
    for who, id in people.items():
        rooms.doors.open_session(tokens[who], id, rooms.clock(), rooms.clock() + timedelta(hours=8))
    app = public_app(rooms, rooms.assistant(), rooms.dispatcher().news)
    kept = True
    print(f"| {'What':<42} | {'Who':<8} | {'p50, ms':>8} | {'p95, ms':>8} | CPU, ms | Goal, ms | Met |")
    print(f"|{'-' * 44}|{'-' * 10}|{'-' * 10}|{'-' * 10}|{'-' * 9}|{'-' * 10}|-----|")
    url = rooms.settings.public_url
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url) as client:
        for case in cases(rooms, n):
            if not re.search(only, case.name):
                continue
            took: list[float] = []
            busy: list[float] = []
            cookies = dict.fromkeys(("sawt_desk", "__Host-sawt_desk"), tokens[case.who])
            cookie = "; ".join(f"{k}={v}" for k, v in cookies.items())
            for path in case.paths:
                begun, worked = time.perf_counter(), time.process_time()
                answer = await client.get(path, headers={"Cookie": cookie})
                took.append(time.perf_counter() - begun)
                busy.append(time.process_time() - worked)
                assert answer.status_code in (200, 303) and not re.search(
                    "/login|/me", answer.headers.get("location", "")
                ), answer
            p95 = sorted(took)[max(0, int(len(took) * 0.95 + 0.5) - 1)]
            kept = kept and p95 <= GOAL
            print(f"| {case.name:<42} | {case.who:<8} | {median(took) * 1000:8.0f} | {p95 * 1000:8.0f} | {median(busy) * 1000:7.0f} | {GOAL * 1000:8.0f} | {'yes' if p95 <= GOAL else 'NO ':<3} |", flush=True)  # fmt: skip
    return kept


def ids(rooms: wiring.Rooms, unit: str) -> list[str]:
    with rooms.engine.connect() as db:
        query = select(staff.c.id).where(staff.c.unit == unit, staff.c.id.like("s-b%")).order_by(staff.c.id)
        return list(db.scalars(query))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=20, help="how often each page is asked for")
    parser.add_argument("--database-url", default="")
    parser.add_argument("--keep", type=Path, help="a folder for the SQLite file, used again where it is there")
    parser.add_argument("--only", default="", help="a regular expression: only rows whose name has it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = given.keep or Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        rooms = wiring.build(settings_.load(data_dir=where, database_url=given.database_url))
        with rooms.engine.connect() as db:
            there = db.scalar(select(func.count()).select_from(tickets))
        if not there:
            fill(rooms, given.tickets, given.messages, rooms.clock())
        with rooms.engine.connect() as db:
            n = [db.scalar(select(func.count()).select_from(t)) for t in (tickets, entries, inbox, outbox)]
            live = db.scalar(select(func.count()).select_from(tickets).where(tickets.c.lane < 3))
        print(
            f"{rooms.engine.dialect.name}: {n[0]:,} tickets ({live:,} live), {n[1]:,} entries, {n[2] + n[3]:,} messages"
        )
        kept = asyncio.run(measure(rooms, given.times, given.only))
        rooms.engine.dispose()
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
