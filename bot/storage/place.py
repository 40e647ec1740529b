"""Where a ticket stands in the lists: written with the ticket, so that a list is read in the order of an index."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal_column, not_, or_, select, update

from bot.storage.tables import Time, entries, tickets
from bot.tickets.lifecycle import LIVE, VERBS, WAITING
from bot.tickets.ticket import Ticket

URGENT, RUNS, IDLE, ENDED = 0, 1, 2, 3
"""The lanes: urgent and unanswered; a promise runs; live without one (answered, or waiting for the person); ended."""
FAR, EPOCH = datetime(9999, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)
"""`queue_at` of what no promise runs for lies as long before FAR as it was filed after EPOCH: so the newest comes first."""
_NEWEST_FIRST = {
    "postgresql": "timestamptz '9999-01-01 00:00:00+00' - (opened_at - timestamptz '1970-01-01 00:00:00+00')",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', julianday('9999-01-01') + julianday('1970-01-01') - julianday(opened_at)) || '000'",
}
_SUBSTANCE = tuple(verb.name for verb in VERBS.values() if verb.substance)


def place(ticket: Ticket, answered_at: datetime | None) -> dict[str, Any]:
    """The columns of its row that lists are ordered by and views are made of.

    `queue_at` of a promise that runs is the date that is to be kept, or, once it was broken, the moment it was: a second date told with the
    apology moves nobody back.
    """
    live = ticket.state in LIVE
    runs = live and answered_at is None and ticket.state != WAITING
    urgent = live and answered_at is None and "urgent" in ticket.flags
    broken = _broken(ticket)
    return {
        "lane": URGENT if urgent else RUNS if runs else IDLE if live else ENDED,
        "queue_at": min(filter(None, (ticket.promise.due, broken))) if runs else FAR - (ticket.opened_at - EPOCH),
        "escalated": live and _escalated(ticket),
    }


def _broken(ticket: Ticket) -> datetime | None:
    """When a promise was first broken since the ticket was filed or last reopened."""
    broken = None
    for entry in ticket.history:
        if entry.verb == "reopen":
            broken = None
        elif entry.verb == "break" and broken is None:
            broken = entry.at
    return broken


def _escalated(ticket: Ticket) -> bool:
    """The last escalation was not followed by a reply of substance."""
    for entry in reversed(ticket.history):
        if entry.substance or entry.verb == "escalate":
            return entry.verb == "escalate"
    return False


def fill(connection: Connection) -> None:
    """The same for rows that were written before there were these columns, from their entries."""
    live, open_ = tickets.c.state.in_(LIVE), tickets.c.answered_at.is_(None)
    runs = and_(live, open_, tickets.c.state != WAITING)
    broken = _broken_promise()
    due = case((broken < tickets.c.promised_for, broken), else_=tickets.c.promised_for)
    connection.execute(
        update(tickets).values(
            lane=case((and_(live, open_, tickets.c.urgent), URGENT), (runs, RUNS), (live, IDLE), else_=ENDED),
            queue_at=case((runs, due), else_=literal_column(_NEWEST_FIRST[connection.dialect.name], Time())),
            escalated=and_(live, _open_escalation()),
        )
    )


def _broken_promise() -> ColumnElement[Any]:
    later = entries.alias()
    reopened = exists().where(later.c.ref == entries.c.ref, later.c.verb == "reopen", later.c.seq > entries.c.seq)
    found = select(func.min(entries.c.at)).where(entries.c.ref == tickets.c.ref, entries.c.verb == "break")
    return found.where(not_(reopened)).correlate(tickets).scalar_subquery()


def _open_escalation() -> ColumnElement[bool]:
    later = entries.alias()
    answered = or_(later.c.by_kind == "staff", later.c.by_kind == "program")
    replied = exists().where(
        later.c.ref == entries.c.ref, later.c.seq > entries.c.seq, later.c.verb.in_(_SUBSTANCE), answered
    )
    found = select(entries.c.ref).where(entries.c.ref == tickets.c.ref, entries.c.verb == "escalate", not_(replied))
    return found.correlate(tickets).exists()
