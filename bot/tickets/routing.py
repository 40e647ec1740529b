"""Which unit a ticket belongs to, and which must not see it: never to the one complained of."""

from __future__ import annotations

from collections.abc import Iterable

from bot.tickets.taxonomy import ANY, NAMED_UNIT, SERVICE_AND_NAMED_UNIT, SERVICE_UNIT, Register, Rule
from bot.tickets.ticket import Route


def route(
    register: Register,
    kind: str,
    category: str | None = None,
    subcategory: str | None = None,
    service: str | None = None,
    text_folded: str = "",
    flags: Iterable[str] = (),
    hidden_from: Iterable[str] = (),
) -> Route:
    """The unit of a ticket with this matter, the units it is hidden from, and whether it is read on need to know.

    The guarding rules come first: they say who is concerned, and those units neither receive nor see it. A confidential
    ticket goes to internal audit. Then the first rule whose every word fits; the contact centre where none does.
    `hidden_from` are the units that an existing ticket is hidden from already.
    """
    known = register.service(service)
    words = {"kind": kind, "category": category, "subcategory": subcategory, "service": known.id if known else None}
    named = {branch.unit for branch in register.branches_named(text_folded)}
    service_unit = known.unit if known else None

    guard = next((r for r in register.guarded if _fits(r, words, bool(named))), None)
    if (guard and not guard.names_branch) or "confidential" in flags:
        named |= {u.id for u in register.units_named(text_folded)}
    hidden = set(hidden_from) | (_hidden(guard, named, service_unit) if guard else set())
    if "confidential" in flags:
        hidden |= named | ({service_unit} if service_unit else set())
        unit = register.internal_audit
    elif guard:
        unit = guard.unit
    else:
        rule = next((r for r in register.rules if _fits(r, words, bool(named))), None)
        unit = rule.unit if rule else register.contact_centre
        if unit == SERVICE_UNIT:
            unit = service_unit or register.contact_centre
    candidates = (unit, register.internal_audit, register.contact_centre)
    unit = next((u for u in candidates if u not in hidden), register.internal_audit)
    return Route(unit, frozenset(hidden - {unit}), register.route_of_unit(unit).needs_to_know)


def _fits(rule: Rule, words: dict[str, str | None], names_branch: bool) -> bool:
    if rule.names_branch and not names_branch:
        return False
    return all(words[w] is not None and (words[w] in ids or ANY in ids) for w, ids in rule.when.items())


def _hidden(rule: Rule, named: set[str], service_unit: str | None) -> set[str]:
    """The units that a guarding rule keeps out."""
    hidden = set(rule.also_hidden_from)
    if rule.hidden_from in (NAMED_UNIT, SERVICE_AND_NAMED_UNIT):
        hidden |= named
    if rule.hidden_from == SERVICE_AND_NAMED_UNIT and service_unit:
        hidden.add(service_unit)
    return hidden


__all__ = ["Route", "route"]
