"""The people of the desk as their administrator sees them. Reads, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, func, not_, select

from bot.storage.queries import _staff
from bot.storage.tables import staff, tickets
from bot.tickets.lifecycle import LIVE
from bot.tickets.people import Staff


@dataclass(frozen=True)
class Colleague:
    """A member of staff as the list of people shows them."""

    staff: Staff
    second_factor: bool
    must_change: bool
    last_seen: datetime | None


class Colleagues:
    """Reads, and nothing else."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def everybody(self) -> list[Colleague]:
        """Active ones first, by name."""
        return self._read(select(staff).order_by(staff.c.active.desc(), staff.c.name, staff.c.id))

    def one(self, id: str) -> Colleague | None:
        found = self._read(select(staff).where(staff.c.id == id))
        return found[0] if found else None

    def live_tickets(self, id: str) -> int:
        """How many tickets this person works on. Need to know: who may not see one is not told that it is there."""
        theirs = (tickets.c.staff == id) & tickets.c.state.in_(sorted(LIVE)) & not_(tickets.c.need_to_know)
        with self._engine.connect() as db:
            return int(db.execute(select(func.count()).select_from(tickets).where(theirs)).scalar_one())

    def _read(self, query: Select[Any]) -> list[Colleague]:
        with self._engine.connect() as db:
            return [
                Colleague(_staff(row), row.totp_secret is not None, row.must_change, row.last_seen)
                for row in db.execute(query)
            ]
