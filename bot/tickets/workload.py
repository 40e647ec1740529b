"""Who gets a ticket: the colleague of its unit who has least to do, of those who may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.tickets.people import Guarded, Role, Staff, may_see, may_work

LEAST = "least"
"""Chosen in place of a colleague's id."""


def may_have(colleague: Staff, ticket: Guarded) -> bool:
    """They work on tickets, and may read this one by the rules: giving it to them tells them nothing they must not know."""
    return may_work(colleague) and may_see(colleague, ticket)


def least_loaded(ticket: Guarded, colleagues: Iterable[Staff], loads: Mapping[str, int]) -> Staff | None:
    """Of the ticket's own unit, agents before their seniors, who has the fewest live tickets; None where nobody may have it."""
    own = [each for each in colleagues if each.unit == ticket.unit and may_have(each, ticket)]
    return min(own, key=lambda each: (each.role != Role.AGENT, loads.get(each.id, 0), each.id), default=None)
