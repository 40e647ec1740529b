"""The audit: who read what, unmasked numbers, signed in, changed settings. Rows are added and never changed.

What is done to a ticket is in its history and not here. Lists at the desk show a line of each ticket, numbers masked:
opening one is what is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Engine, and_, exists, insert, literal, not_, or_, select, true

from bot.storage.database import unavailable
from bot.storage.sight import visible
from bot.storage.signing import signed
from bot.storage.store import SqlStore
from bot.storage.tables import api_tokens, audit, holds, tickets
from bot.storage.tables import staff as people
from bot.tickets.people import Actor, Role, Staff

READ_TICKET, READ_FILE, READ_LIST, UNMASKED = "read_ticket", "read_file", "read_list", "unmasked"
SIGNED_IN, SIGN_IN_FAILED, SIGNED_OUT = "signed_in", "sign_in_failed", "signed_out"
ONCE_IN = timedelta(minutes=10)
"""One row for each reader and ticket (or file) in so long: a page that is loaded again is not a new reading."""
PAGE = 50


class Trail:
    """Adds to the audit. Each method is one transaction, and raises Unavailable where nothing could be written."""

    _store: SqlStore

    def audit(self, by: Actor, what: str, at: datetime, ref: str | None = None, **details: Any) -> None:
        """It is written down. `details` are ids and counts: never words of a message, never an address."""
        with self._store.writers.begin() as connection:
            self._add(connection, by, what, at, [(ref, details)])

    def audit_reading(self, by: Actor, what: str, at: datetime, refs: Iterable[str], **details: Any) -> None:
        """That `by` has read these tickets, or of one this file, is written down: once in ten minutes, see ONCE_IN."""
        fresh = self._not_yet(by, what, at, list(dict.fromkeys(refs)), details)
        if fresh:
            with self._store.writers.begin() as connection:
                self._add(connection, by, what, at, [(ref, details) for ref in fresh])

    def _not_yet(self, by: Actor, what: str, at: datetime, refs: list[str], details: Mapping[str, Any]) -> list[str]:
        same = select(audit.c.ref, audit.c.details).where(
            audit.c.ref.in_(refs), audit.c.by_id == by.id, audit.c.at > at - ONCE_IN,
            audit.c.what == what, audit.c.by_kind == by.kind,
        )  # fmt: skip
        with self._store.read() as connection:
            known = {row.ref for row in connection.execute(same) if row.details == details}
        return [ref for ref in refs if ref not in known]

    def _add(
        self, connection: Connection, by: Actor, what: str, at: datetime, of: list[tuple[str | None, Mapping[str, Any]]]
    ) -> None:
        who = {"by_kind": by.kind, "by_id": by.id, "by_name": by.name, "at": at, "what": what}
        rows = [{**who, "ref": ref, "details": dict(details), "nonce": token_hex(12)} for ref, details in of]
        connection.execute(insert(audit), [signed(self._store.secrets, audit, row) for row in rows])


@dataclass(frozen=True)
class Row:
    """A line of the audit."""

    id: int
    at: datetime
    by_kind: str
    by_id: str
    by_name: str
    what: str
    ref: str | None
    may_open: bool
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """A page of it; `next` is the id that the following page begins before, None on the last one."""

    rows: list[Row]
    next: int | None


class TrailRows:
    """What the audit's page reads. SELECTs only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, reader: Staff, *, person: str = "", ref: str = "", before: int = 0, limit: int = PAGE) -> Rows:
        """The newest rows that `reader` may know of, older than the row `before`.

        A row about a ticket that does not exist for this reader does not exist either. Who runs the accounts (admin)
        sees who opened ordinary tickets, not what is in them.
        """
        opens = exists(select(tickets.c.ref).where(tickets.c.ref == audit.c.ref, visible(reader)))
        query = select(audit, opens.label("may_open")).where(or_(audit.c.ref.is_(None), _may_know(reader)))
        if person:
            query = query.where(audit.c.by_id == person)
        if ref:
            query = query.where(audit.c.ref == ref)
        if before:
            query = query.where(audit.c.id < before)
        with unavailable(), self._engine.connect() as db:
            found = db.execute(query.order_by(audit.c.id.desc()).limit(limit + 1)).all()
        rows = [
            Row(r.id, r.at, r.by_kind, r.by_id, r.by_name, r.what, r.ref, bool(r.may_open), r.details or {})
            for r in found[:limit]
        ]
        return Rows(rows, rows[-1].id if len(found) > limit else None)

    def people(self) -> list[tuple[str, str]]:
        """Ids and names of staff and programs, by name: whom the page can be filtered by."""
        staff = select(people.c.id, people.c.name)
        with unavailable(), self._engine.connect() as db:
            found = db.execute(staff.union_all(select(api_tokens.c.id, api_tokens.c.name))).all()
        return sorted(((row.id, row.name) for row in found), key=lambda each: (each[1], each[0]))


def _may_know(reader: Staff) -> Any:
    """The row's ticket may be known to `reader`: they may open it, or they run the accounts and it is an ordinary one."""
    ordinary = not_(tickets.c.need_to_know) if reader.role is Role.ADMIN else literal(False)
    hidden = holds(tickets.c.hidden_from, reader.unit) if reader.unit is not None else not_(true())
    may = or_(visible(reader), and_(ordinary, not_(hidden)))
    return exists(select(tickets.c.ref).where(tickets.c.ref == audit.c.ref, may))
