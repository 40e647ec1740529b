"""Who sees a ticket."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ticket_making import AGENT, filed, riyadh

from bot.tickets.people import Role, Staff, may_see, may_work
from bot.tickets.ticket import Route, Ticket

NOON = riyadh("2026-11-22 12:00")


def _staff(id: str, role: Role, unit: str | None, sees_all: bool = False) -> Staff:
    return Staff(id, f"{id}@example.test", id, role, unit, sees_all)


STAFF = {
    "agent": _staff("agent", Role.AGENT, "contact_centre", sees_all=True),
    "licensing": _staff("licensing", Role.AGENT, "licensing"),
    "jeddah": _staff("jeddah", Role.SUPERVISOR, "branch_jeddah"),
    "audit": _staff("audit", Role.AGENT, "internal_audit"),
    "manager": _staff("manager", Role.MANAGER, None, sees_all=True),
    "oversight": _staff("oversight", Role.OVERSIGHT, None, sees_all=True),
    "admin": _staff("admin", Role.ADMIN, None),
}


def _conduct() -> Ticket:
    return filed(NOON, unit="contact_centre", hidden_from={"branch_jeddah"})


def _conduct_named() -> Ticket:
    ticket = _conduct()
    ticket.apply("assign", AGENT, NOON, staff="jeddah")
    return ticket


def _confidential_later() -> Ticket:
    ticket = filed(NOON, unit="licensing")
    ticket.apply("flag", AGENT, NOON, flag="confidential")
    return ticket


def _named() -> Ticket:
    ticket = filed(NOON, unit="internal_audit", unit_needs_to_know=True)
    ticket.apply("assign", AGENT, NOON, staff="manager")
    return ticket


def _moved_to_audit() -> Ticket:
    ticket = filed(NOON, unit="licensing")
    ticket.apply("assign", AGENT, NOON, staff="licensing")
    ticket.apply(
        "transfer", AGENT, NOON, unit="internal_audit", reason="…", route=Route("internal_audit", needs_to_know=True)
    )
    return ticket


@pytest.mark.parametrize(
    ("ticket", "seen_by"),
    [
        (filed(NOON, unit="licensing"), {"agent", "licensing", "manager", "oversight"}),
        (filed(NOON, unit="branch_jeddah"), {"agent", "jeddah", "manager", "oversight"}),
        (_conduct(), {"agent", "manager", "oversight"}),
        (_conduct_named(), {"agent", "manager", "oversight"}),  # assigned, but of the unit concerned: no
        (filed(NOON, unit="internal_audit", unit_needs_to_know=True), {"audit"}),
        (_named(), {"audit", "manager"}),
        (filed(NOON, unit="licensing", flags={"confidential"}), {"licensing"}),
        (_confidential_later(), {"licensing"}),
        (filed(NOON, unit="licensing", flags={"confidential"}, readers={"oversight"}), {"licensing", "oversight"}),
        (_moved_to_audit(), {"audit"}),
    ],
)
def test_who_sees_it(ticket: Ticket, seen_by: set[str]) -> None:
    assert {name for name, staff in STAFF.items() if may_see(staff, ticket)} == seen_by
    assert not any(may_see(replace(staff, active=False), ticket) for staff in STAFF.values())


def test_the_unit_concerned_does_not_see_it_even_where_it_sees_all() -> None:
    assert not may_see(STAFF["agent"], filed(NOON, unit="internal_audit", hidden_from={"contact_centre"}))


def test_who_works_on_tickets() -> None:
    working = {name for name, staff in STAFF.items() if may_work(staff)}
    assert working == {"agent", "licensing", "jeddah", "audit", "manager"}
    assert not may_work(replace(STAFF["agent"], active=False))
