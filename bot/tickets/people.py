"""Who acts on a ticket, and who may see one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol


class Role(StrEnum):
    """What a member of staff may do; the table in `lifecycle.py` names these."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    OVERSIGHT = "oversight"  # reads everything that is not confidential, changes nothing
    ADMIN = "admin"  # people and settings, no work on tickets


ActorKind = Literal["beneficiary", "staff", "system", "program"]


@dataclass(frozen=True)
class Actor:
    """Who did something. `id` is a staff, contact or token id, never an address."""

    kind: ActorKind
    id: str = ""
    name: str = ""
    role: Role | None = None


SYSTEM = Actor("system", "clock")


@dataclass(frozen=True)
class Staff:
    """A member of staff. `unit` None belongs to the ministry as a whole."""

    id: str
    email: str
    name: str
    role: Role
    unit: str | None
    sees_all: bool = False  # contact centre agents, managers, oversight: every unit's ordinary tickets
    active: bool = True
    language: str = "ar"

    def actor(self) -> Actor:
        return Actor("staff", self.id, self.name, self.role)


class Guarded(Protocol):
    """What visibility is decided on: a ticket, or the row of a list."""

    @property
    def unit(self) -> str: ...
    @property
    def staff(self) -> str | None: ...
    @property
    def readers(self) -> Iterable[str]: ...
    @property
    def hidden_from(self) -> Iterable[str]: ...
    @property
    def need_to_know(self) -> bool: ...


def may_see(staff: Staff, ticket: Guarded) -> bool:
    """True where `staff` may read `ticket`.

    Named for it (assigned, or among its readers): yes, unless the unit concerned is theirs.
    Need to know (confidential, or a unit that works so): its unit and the named only.
    Otherwise one's own unit, or everything for who works for the whole ministry.
    """
    if not staff.active:
        return False
    if staff.unit is not None and staff.unit in set(ticket.hidden_from):
        return False
    if staff.id == ticket.staff or staff.id in set(ticket.readers):
        return True
    if staff.unit is not None and staff.unit == ticket.unit:
        return True
    return staff.sees_all and not ticket.need_to_know


def may_work(staff: Staff) -> bool:
    """True where the role may change tickets at all."""
    return staff.active and staff.role in (Role.AGENT, Role.SUPERVISOR, Role.MANAGER)
