"""Every change to a person of the desk: one function, one transaction, one place for its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from bot.handlers.people import LastAdmin, Taken
from bot.storage.accounts import Also, EmailTaken, end_sessions
from bot.storage.factors import Factors
from bot.storage.tables import staff
from bot.storage.trail import Trail
from bot.tickets.people import Role, Staff


class Directory(Factors, Trail):
    """Every change to a person, each in one transaction with its row of the audit: who did what to whom, and when."""

    def add(self, person: Staff, password_hash: str, by: Staff, at: datetime) -> None:
        """The account exists, with a password that must be changed; raises Taken."""
        try:
            also = self._record(by, at, person.id, "added")
            self.create_staff(person, password_hash, at, must_change=True, also=also)
        except EmailTaken:
            raise Taken from None

    def change(self, id: str, changes: Mapping[str, Any], by: Staff, at: datetime) -> bool:
        """Name, role, unit, sees_all and active are these; raises LastAdmin where nobody would be left to manage people.

        Who is given another role, unit or sight, or is no longer active, is signed out. False where there is no such person.
        """
        with self._store.writers.begin() as connection:
            admins = select(staff.c.id).where(staff.c.role == Role.ADMIN.value, staff.c.active).with_for_update()
            active = set(connection.execute(admins).scalars())
            if active == {id} and _no_admin(changes):
                raise LastAdmin
            if changes.keys() - {"name"}:
                end_sessions(connection, id)
            changed = connection.execute(update(staff).where(staff.c.id == id).values(**changes)).rowcount == 1
            if changed:
                self._record(by, at, id, "changed", *changes)(connection)
            return changed

    def give_password(self, id: str, password_hash: str, by: Staff, at: datetime) -> bool:
        """Somebody else has chosen a password for this person: it must be changed, and they are signed out."""
        return self.change_staff(
            id, self._record(by, at, id, "password"), password_hash=password_hash, must_change=True
        )

    def reset_second_factor(self, id: str, by: Staff, at: datetime) -> bool:
        """Somebody else has taken the second factor away; they are signed out."""
        return self.drop_factor(id, self._record(by, at, id, "factor_reset"))

    def sign_out(self, id: str, by: Staff, at: datetime) -> int:
        """They are signed out everywhere; how many sessions there were."""
        return self.close_sessions_of(id, self._record(by, at, id, "signed_out"))

    # What everybody changes about themselves

    def own_password(self, who: Staff, password_hash: str, at: datetime) -> None:
        """A password of one's own choice; signed out everywhere."""
        also = self._record(who, at, who.id, "own_password")
        self.change_staff(who.id, also, password_hash=password_hash, must_change=False)

    def own_language(self, who: Staff, language: str) -> None:
        """The desk speaks this language to them."""
        self.change_staff(who.id, language=language)

    def own_factor_on(self, who: Staff, secret: str, step: int, codes: Iterable[str], at: datetime) -> bool:
        """The second factor is on, unless it was on before; signed out everywhere."""
        return self.confirm_factor(who.id, secret, step, codes, self._record(who, at, who.id, "own_factor_on"))

    def own_factor_off(self, who: Staff, at: datetime) -> None:
        """The second factor is off; signed out everywhere."""
        self.drop_factor(who.id, self._record(who, at, who.id, "own_factor_off"))

    def _record(self, by: Staff, at: datetime, person: str, did: str, *fields: str) -> Also:
        """The row of the audit, to be written with the change: ids and names of fields, never what they hold."""
        details = {"person": person, "did": did} | ({"fields": sorted(fields)} if fields else {})
        return lambda connection: self._add(connection, by.actor(), "changed_person", at, [(None, details)])


def _no_admin(changes: Mapping[str, Any]) -> bool:
    return changes.get("role", Role.ADMIN) != Role.ADMIN or changes.get("active") is False
