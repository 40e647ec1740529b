"""The forms of a ticket's page, made of the lifecycle table: what a row asks for is what its form asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.tickets.lifecycle import VERBS
from bot.tickets.people import Staff
from bot.tickets.ticket import Ticket
from bot.tickets.workload import LEAST
from bot.web.desk.words import Choice, Words

BOXES = ("reply", "ask", "note")
"""Each in a box of its own that nobody mistakes for another."""
LONGEST = 10_000
_MENUS = ("unit", "body", "kind", "category", "subcategory", "service")


@dataclass(frozen=True)
class Field:
    """One thing a form asks for. `how` is the control: words, menu, date, number."""

    name: str
    label: str
    how: str
    required: bool
    value: str = ""
    choices: Sequence[Choice] = ()
    error: str = ""
    at_least: str = ""  # the first date that makes sense


@dataclass(frozen=True)
class Form:
    """One verb that the table allows now, for this person."""

    verb: str
    title: str
    hint: str
    send: str
    fields: Sequence[Field]
    open: bool
    told: bool  # the person hears of it


def forms(
    ticket: Ticket,
    staff: Staff,
    words: Words,
    colleagues: Sequence[Staff],
    channel: str,
    typed: Mapping[str, Mapping[str, str]],
    errors: Mapping[str, str],
    earliest: str,
) -> list[Form]:
    """The forms of the verbs allowed now, in the table's order.

    `typed` keeps what was written into a form that could not be carried out; `errors` names its fields' sentences.
    """
    return [
        _form(verb, ticket, staff, words, colleagues, channel, typed, errors, earliest)
        for verb in ticket.allowed(staff.actor())
        if VERBS[verb].button
    ]


def _form(
    verb: str,
    ticket: Ticket,
    staff: Staff,
    words: Words,
    colleagues: Sequence[Staff],
    channel: str,
    typed: Mapping[str, Mapping[str, str]],
    errors: Mapping[str, str],
    earliest: str,
) -> Form:
    row, kept = VERBS[verb], typed.get(verb)
    fields = []
    for name in row.asks + row.may:
        value = (kept or {}).get(name) or ("" if kept is not None else _now(name, verb, ticket))
        fields.append(
            Field(
                name=name,
                label=words(_specific(words, "field", verb, name)),
                how=_how(name),
                required=name in row.asks,
                value=value,
                choices=_choices(name, verb, ticket, words, colleagues),
                error=words(errors[name]) if kept is not None and name in errors else "",
                at_least=earliest if name == "until" else "",
            )
        )
    told = "beneficiary" in row.tells
    return Form(
        verb=verb,
        title=words(f"verb_{verb}"),
        hint=words(f"hint_{verb}"),
        send=words(f"send_{verb}", channel=words(f"via_{channel or 'nothing'}")),
        fields=fields,
        open=kept is not None,
        told=told,
    )


OWN_LABELS = frozenset(
    {
        ("reply", "text"), ("ask", "text"), ("note", "text"), ("resolve", "text"), ("add", "text"),
        ("accept", "reason"), ("decline", "reason"), ("implement", "text"), ("close", "reason"),
        ("transfer", "reason"), ("extend", "reason"), ("redirect", "text"), ("study", "text"),
    }
)  # fmt: skip


def _specific(words: Words, start: str, verb: str, name: str) -> str:
    return f"{start}_{verb}_{name}" if (verb, name) in OWN_LABELS else f"{start}_{name}"


def _how(name: str) -> str:
    if name in ("text", "reason"):
        return "words"
    if name == "until":
        return "date"
    return "number" if name == "rating" else "menu"


def _now(name: str, verb: str, ticket: Ticket) -> str:
    """What a form starts with: classifying begins at what the ticket is; everything else is chosen anew."""
    if verb == "classify":
        return str(getattr(ticket, name) or "")
    return (ticket.staff or "") if name == "staff" else ""


def _choices(name: str, verb: str, ticket: Ticket, words: Words, colleagues: Sequence[Staff]) -> Sequence[Choice]:
    if name == "staff":
        return [Choice(LEAST, words("assign_least")), *(Choice(each.id, each.name) for each in colleagues)]
    if name not in _MENUS:
        return ()
    offered = words.choices(name)
    if name == "unit":
        return [c for c in offered if c.id != ticket.unit and c.id not in ticket.hidden_from]
    return offered


def said(verb: str, form: Mapping[str, Any], ticket: Ticket) -> dict[str, Any]:
    """What the verb is given: the fields of its row that were filled in, less what a classification leaves as it is."""
    row = VERBS.get(verb)
    if row is None:
        return {}
    given: dict[str, Any] = {}
    for name in row.asks + row.may:
        value = form.get(name)
        value = value.replace("\0", "") if isinstance(value, str) else ""  # no database keeps it
        if not value.strip():
            continue
        if verb == "classify" and value == getattr(ticket, name):
            continue
        given[name] = value.strip().replace("\r\n", "\n")
    if str(given.get("rating", "")).isdecimal():
        given["rating"] = int(given["rating"])
    return given
