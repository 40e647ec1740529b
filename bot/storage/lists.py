"""The lists of the desk: which tickets a view holds, what they are filtered by, and in which order they come.

The order is that of an index (`place.py`): late first, then the next promise to fall due, then the newest.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, false, or_, true

from bot.storage.place import ENDED, IDLE
from bot.storage.tables import holds, tickets
from bot.tickets.lifecycle import LIVE, STATES, WAITING
from bot.tickets.people import Staff

View = Literal["mine", "unit", "unassigned", "escalated", "at_risk", "waiting", "late", "all"]
VIEWS: tuple[View, ...] = ("mine", "unit", "unassigned", "escalated", "at_risk", "waiting", "late", "all")
ORDER = (tickets.c.lane, tickets.c.queue_at, tickets.c.opened_at, tickets.c.ref)


class BadCursor(ValueError):
    """The cursor is none of ours."""


@dataclass(frozen=True)
class Counts:
    """Live tickets in each view, of those that one may see."""

    mine: int
    unit: int
    unassigned: int
    escalated: int
    at_risk: int
    waiting: int
    late: int
    all: int


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed down to; an empty value leaves it open."""

    kind: str = ""
    category: str = ""
    subcategory: str = ""
    service: str = ""
    service_class: str = ""
    unit: str = ""
    source: str = ""
    language: str = ""
    flag: str = ""
    filed_before: datetime | None = None

    def conditions(self, states: Iterable[str]) -> list[ColumnElement[bool]]:
        plain = ("kind", "category", "subcategory", "service", "service_class", "unit", "source", "language")
        found = [tickets.c[name] == value for name in plain if (value := getattr(self, name))]
        if self.flag:
            found.append(holds(tickets.c.flags, self.flag))
        if self.filed_before:
            found.append(tickets.c.opened_at <= self.filed_before)
        if given := {state for state in states if state in STATES}:
            found.append(live() if given == LIVE else tickets.c.state.in_(sorted(given)))
            if given <= LIVE and given != LIVE:
                found.append(live())  # where the index has them together
        return found


def live() -> ColumnElement[bool]:
    """Work is owed: `lifecycle.LIVE`, as the index has it."""
    return tickets.c.lane < ENDED


def in_view(view: View, staff: Staff, now: datetime, soon: datetime) -> ColumnElement[bool]:
    """The tickets of a view; `soon` is the date up to which a promise that is not broken yet is at risk."""
    match view:
        case "mine":
            return tickets.c.staff == staff.id
        case "unit":
            return tickets.c.unit == staff.unit if staff.unit is not None else false()
        case "unassigned":
            return and_(live(), tickets.c.staff.is_(None))
        case "escalated":
            return and_(live(), tickets.c.escalated)
        case "at_risk":
            return and_(runs(), tickets.c.queue_at > now, tickets.c.queue_at <= soon)
        case "waiting":
            return and_(live(), tickets.c.state == WAITING)
        case "late":
            return and_(runs(), tickets.c.queue_at <= now)
    return true()


def runs() -> ColumnElement[bool]:
    """In the lanes where a promise may run; `queue_at` says whether it does."""
    return tickets.c.lane < IDLE


def late(row: Any, now: datetime) -> bool:
    """A promise of this row runs and was not kept."""
    return bool(row.lane < IDLE and row.queue_at <= now)


@dataclass(frozen=True)
class Place:
    """Where a page ended: the keys of its last row."""

    lane: int
    queue_at: datetime
    opened_at: datetime
    ref: str

    @classmethod
    def of(cls, row: Any) -> Place:
        return cls(row.lane, row.queue_at, row.opened_at, row.ref)

    def written(self) -> str:
        keys = [self.lane, self.queue_at.isoformat(), self.opened_at.isoformat(), self.ref]
        return urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str) -> Place:
        """The place a cursor names; raises BadCursor."""
        try:
            if len(cursor) > 400:
                raise ValueError
            lane, queue_at, opened_at, ref = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            times = [datetime.fromisoformat(t).astimezone(UTC) for t in (queue_at, opened_at)]
            if not abs(number := int(lane)) < 10:
                raise ValueError
            return cls(number, times[0], times[1], str(ref))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise BadCursor("this cursor is not one that a page of tickets ended with") from None

    def beyond(self) -> ColumnElement[bool]:
        """What comes after this place."""
        lane, queue_at, opened, ref = ORDER
        return and_(
            lane >= self.lane,  # says no more than the rest, and lets the index begin here
            or_(
                lane > self.lane,
                and_(lane == self.lane, queue_at > self.queue_at),
                and_(lane == self.lane, queue_at == self.queue_at, opened > self.opened_at),
                and_(lane == self.lane, queue_at == self.queue_at, opened == self.opened_at, ref > self.ref),
            ),
        )
