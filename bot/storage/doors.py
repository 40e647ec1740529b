"""What the doors of the desk write: sessions and failed sign-ins, and which notices were seen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update

from bot.storage.factors import Factors
from bot.storage.tables import desk_notices, guesses, set_aside
from bot.storage.trail import Trail
from bot.tickets.people import Staff


class Doors(Factors, Trail):
    """Accounts and second factors, with the memory of wrong passwords and of what was seen, and the audit."""

    def guesses(self, who: str, since: datetime) -> int:
        """How often `who` was wrong since then."""
        query = select(func.count()).select_from(guesses).where(guesses.c.who == who, guesses.c.at > since)
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def guessed(self, who: Iterable[str], at: datetime) -> None:
        """Each of them was wrong once more."""
        with self._store.begin() as tx:
            for each in who:
                tx.guessed(each, at)

    def notices_seen(self, staff: Staff, until: int, at: datetime) -> None:
        """What was told to this member of staff, or to the whole of their unit, up to this notice is seen."""
        mine = desk_notices.c.staff == staff.id
        if staff.unit is not None:
            mine = or_(mine, and_(desk_notices.c.staff.is_(None), desk_notices.c.unit == staff.unit))
        unseen = (desk_notices.c.id <= until) & desk_notices.c.seen_at.is_(None) & mine
        with self._store.writers.begin() as connection:
            connection.execute(update(desk_notices).where(unseen).values(seen_at=at))

    def aside_seen(self, id: int, at: datetime) -> bool:
        """Somebody has dealt with what was set aside under this number; False where there is no such thing."""
        this = update(set_aside).where(set_aside.c.id == id)
        with self._store.writers.begin() as connection:
            return connection.execute(this.values(seen_at=at)).rowcount == 1
