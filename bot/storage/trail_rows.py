"""What the audit's page reads, and who may know of which row. SELECTs only; `trail.py` adds the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, and_, exists, false, not_, or_, select

from bot.storage.database import unavailable
from bot.storage.sight import visible
from bot.storage.tables import api_tokens, audit, holds, tickets
from bot.storage.tables import staff as people
from bot.tickets.people import Role, Staff

PAGE = 50


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
    """Reads of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, reader: Staff, *, person: str = "", ref: str = "", before: int = 0, limit: int = PAGE) -> Rows:
        """The newest rows that `reader` may know of, older than the row `before`.

        A row about a ticket that does not exist for this reader does not exist either. Who runs the accounts (admin)
        sees who opened ordinary tickets, not what is in them.
        """
        reads = visible(reader) if reader.role is not Role.ADMIN else false()
        opens = exists(select(tickets.c.ref).where(tickets.c.ref == audit.c.ref, reads))
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
    ordinary = not_(tickets.c.need_to_know) if reader.role is Role.ADMIN else false()
    hidden = holds(tickets.c.hidden_from, reader.unit) if reader.unit is not None else false()
    may = or_(visible(reader), and_(ordinary, not_(hidden)))
    return exists(select(tickets.c.ref).where(tickets.c.ref == audit.c.ref, may))
