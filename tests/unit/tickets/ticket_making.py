"""What the tests of the ticket room are made of: one calendar, one policy, and tickets filed on a chosen day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.tickets import calendar, promise
from bot.tickets.people import SYSTEM, Actor, Role
from bot.tickets.ticket import Entry, Route, Ticket

RIYADH, AMMAN = ZoneInfo("Asia/Riyadh"), ZoneInfo("Asia/Amman")
WEEK = ("sun", "mon", "tue", "wed", "thu")
NAME = {"ar": "عيد", "en": "Eid", "zh": "节日"}

SA_DATA: dict[str, Any] = {
    "id": "sa", "country": "SA", "zone": "Asia/Riyadh", "weekend": ["fri", "sat"],
    "hours": {day: ["07:30-14:30"] for day in WEEK},
    "ramadan_hours": {day: ["10:00-15:00"] for day in WEEK},
}  # fmt: skip
JO_DATA: dict[str, Any] = SA_DATA | {
    "id": "jo", "country": "JO", "zone": "Asia/Amman", "hours": {day: ["08:30-15:30"] for day in WEEK},
}  # fmt: skip
POLICY_DATA: dict[str, Any] = {
    "version": 1,
    "terms": {k: {"A": 1, "B": 2, "C": 2, "D": 2} for k in ("complaint", "report", "inquiry", "observation")}
    | {"suggestion": {"A": 10, "B": 10, "C": 10, "D": 10}},
    "category": {"accessibility": 1},
    "unknown_service_class": "C",
    "my_data_days": 30,
    "warn_before_working_hours": 4,
    "close_after_resolved_working_days": 5,
    "reopen_within_days": 30,
    "waiting": {"remind_after": [2, 5], "close_after": 10},
}
SA, JO = calendar.parse(SA_DATA), calendar.parse(JO_DATA)
POLICY = promise.Policy.parse(POLICY_DATA)

PERSON = Actor("beneficiary", "contact-1")
AGENT = Actor("staff", "s1", "سارة", Role.AGENT)
SUPERVISOR = Actor("staff", "s2", "خالد", Role.SUPERVISOR)
MANAGER = Actor("staff", "s3", "نورة", Role.MANAGER)
OVERSIGHT = Actor("staff", "s4", "هيا", Role.OVERSIGHT)
ADMIN = Actor("staff", "s5", "فهد", Role.ADMIN)
PROGRAM = Actor("program", "token-1")
ACTORS = (PERSON, AGENT, SUPERVISOR, MANAGER, OVERSIGHT, ADMIN, PROGRAM, SYSTEM)


def riyadh(text: str) -> datetime:
    """`2026-11-19 15:00` on the clock of Riyadh."""
    return datetime.fromisoformat(text).replace(tzinfo=RIYADH).astimezone(UTC)


def filed(at: datetime, kind: str = "complaint", **fields: Any) -> Ticket:
    """A ticket filed at that moment with the promise that the policy makes."""
    fields = {"unit": "contact_centre", "contact": "contact-1", **fields}
    made = promise.promised(
        POLICY, SA, kind, fields.get("category"), fields.get("service_class", "C"), at,
        my_data="my_data" in fields.get("flags", ()),
    )  # fmt: skip
    return Ticket.file(
        by=PERSON, at=at, promise=made, ref="6821093659", kind=kind, text="تأخرت معاملتي", language="ar",
        source="web", **fields,
    )  # fmt: skip


def do(ticket: Ticket, verb: str, by: Actor, at: datetime, **said: Any) -> Entry:
    """The verb with the promise that it makes: what a handler does."""
    made = promise.promise_for(verb, ticket, said, at, SA, POLICY)
    return ticket.apply(verb, by, at, promise=made, **said)


def tick(ticket: Ticket, now: datetime) -> list[str]:
    """What the worker does."""
    done = promise.due_verbs(ticket, SA, POLICY, now)
    for verb, reason in done:
        do(ticket, verb, SYSTEM, now, reason=reason)
    return [verb for verb, _ in done]


def clock(ticket: Ticket, now: datetime) -> promise.Clock:
    return promise.reading(ticket, SA, POLICY, now)


def replayed(ticket: Ticket, as_filed: dict[str, Any]) -> Ticket:
    """A ticket made of the first fields and the history alone."""
    first = ticket.history[0]
    assert first.promise
    again = Ticket.file(by=first.by, at=first.at, promise=first.promise, **as_filed)
    for entry in ticket.history[1:]:
        said = dict(entry.said)
        route = said.pop("route", None)
        again.apply(
            entry.verb, entry.by, entry.at, promise=entry.promise,
            route=route and Route(route["unit"], frozenset(route["hidden_from"]), route["needs_to_know"]),
            **said,
        )  # fmt: skip
    return again
