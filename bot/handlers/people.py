"""Who may come to the desk: what an administrator decides about people, and what nobody may decide about themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from secrets import choice, token_hex
from typing import Any, Protocol

from bot.handlers.ports import Clock
from bot.tickets.people import Role, Staff

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for each other."""
LONGEST_NAME = 120


class Taken(Exception):
    """Somebody else has this e-mail address."""


class LastAdmin(Exception):
    """Nobody would be left who manages people."""


class OneselfOnly(Exception):
    """Nobody locks themselves out: one's own role, access, password and second factor are not changed here."""


class BadField(Exception):
    """A field that cannot be so."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Directory(Protocol):
    """What is needed of storage: each of them one transaction that keeps the record, too."""

    def add(self, person: Staff, password_hash: str, by: Staff, at: datetime) -> None: ...
    def change(self, id: str, changes: Mapping[str, Any], by: Staff, at: datetime) -> bool: ...
    def give_password(self, id: str, password_hash: str, by: Staff, at: datetime) -> bool: ...
    def reset_second_factor(self, id: str, by: Staff, at: datetime) -> bool: ...
    def sign_out(self, id: str, by: Staff, at: datetime) -> int: ...


class People:
    """The administrator's doings. What is told of a person (a new password) is told once, and kept nowhere."""

    def __init__(
        self, directory: Directory, units: Callable[[], Mapping[str, Any]], hashed: Callable[[str], str], clock: Clock
    ) -> None:
        self._directory, self._units, self._hashed, self._clock = directory, units, hashed, clock

    def add(self, given: Mapping[str, Any], by: Staff) -> tuple[Staff, str]:
        """Somebody new, and the password for their first sign-in; raises BadField or Taken."""
        email = str(given.get("email", "")).strip().casefold()
        local, at, domain = email.rpartition("@")
        if not (local and at and "." in domain) or len(email) > 200 or any(c.isspace() for c in email):
            raise BadField("email")
        fields = self._checked({"name": "", "role": "", "unit": None, "sees_all": False} | dict(given))
        person = Staff(f"p-{token_hex(6)}", email, fields["name"], fields["role"], fields["unit"], fields["sees_all"])
        password = one_time_password()
        self._directory.add(person, self._hashed(password), by, self._clock())
        return person, password

    def change(self, person: Staff, given: Mapping[str, Any], by: Staff) -> bool:
        """What differs is changed, and its owner signs in anew; False where nothing does. Raises BadField, LastAdmin, OneselfOnly."""
        wanted = self._checked({name: value for name, value in given.items() if name in _FIELDS})
        changes = {name: value for name, value in wanted.items() if value != getattr(person, name)}
        if person.id == by.id and {"role", "active"} & changes.keys():
            raise OneselfOnly
        return bool(changes) and self._directory.change(person.id, changes, by, self._clock())

    def reset_password(self, person: Staff, by: Staff) -> str:
        """A password for one sign-in; raises OneselfOnly."""
        self._another(person, by)
        password = one_time_password()
        self._directory.give_password(person.id, self._hashed(password), by, self._clock())
        return password

    def reset_second_factor(self, person: Staff, by: Staff) -> None:
        """They sign in with the password alone, and are led to a new second factor where their role needs one."""
        self._another(person, by)
        self._directory.reset_second_factor(person.id, by, self._clock())

    def sign_out(self, person: Staff, by: Staff) -> int:
        """They are signed out everywhere."""
        return self._directory.sign_out(person.id, by, self._clock())

    def _another(self, person: Staff, by: Staff) -> None:
        if person.id == by.id:
            raise OneselfOnly

    def _checked(self, given: dict[str, Any]) -> dict[str, Any]:
        """The fields as they are kept; raises BadField for the first that cannot be so."""
        if "name" in given:
            given["name"] = " ".join(str(given["name"]).split())
            if not given["name"] or len(given["name"]) > LONGEST_NAME or not given["name"].isprintable():
                raise BadField("name")
        if "role" in given:
            if given["role"] not in {*Role}:
                raise BadField("role")
            given["role"] = Role(given["role"])
        if "unit" in given:
            given["unit"] = given["unit"] or None
            if given["unit"] is not None and given["unit"] not in self._units():
                raise BadField("unit")
        return given


_FIELDS = ("name", "role", "unit", "sees_all", "active")


def one_time_password() -> str:
    """Sixteen letters and digits in groups, easily read aloud: nobody guesses them."""
    return "-".join("".join(choice(_LETTERS) for _ in range(4)) for _ in range(4))
