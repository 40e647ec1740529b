"""What a clerk need not write: answers that are written already, and the cards of the register."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.tickets.people import Staff
from bot.tickets.taxonomy import Register, in_language
from bot.tickets.ticket import Ticket
from bot.web.desk.words import Words
from bot.wording.values import day_short

CARD = ("documents", "steps", "fee", "duration", "conditions", "hours")
_ISOLATES = re.compile("[\u2066-\u2069]")

Card = Callable[[str, str, str], str]
"""part, service, language → the card as the public reads it."""


@dataclass(frozen=True)
class Option:
    """One text that can be put into a box."""

    id: str
    name: str
    text: str


@dataclass(frozen=True)
class Group:
    """Options under one heading of the menu."""

    name: str
    options: Sequence[Option]


def offered(it: Ticket, staff: Staff, register: Register, card: Card, t: Words, zone: ZoneInfo) -> list[Group]:
    """What fits the ticket's kind, filled in, in its language; headings and names in the clerk's."""
    filled = values(it, staff, register, zone)
    answers = [
        Option(f"answer-{each.id}", in_language(each.name, t.language), in_language(each.text, it.language))
        for each in register.canned.values()
        if not each.kinds or it.kind in each.kinds
    ]
    groups = [Group(t("canned_answers"), [fill(each, filled) for each in answers if fits(each, filled)])]
    if it.service:
        parts = [part for part in CARD if register.card(part, it.service, it.language)]
        cards = [Option(f"card-{p}", t(f"card_{p}"), _plain(card(p, it.service, it.language))) for p in parts]
        groups.append(Group(t("canned_card", service=t.name("service", it.service)), cards))
    return [group for group in groups if group.options]


def values(it: Ticket, staff: Staff, register: Register, zone: ZoneInfo) -> dict[str, str]:
    """What the placeholders stand for; empty where there is nothing.

    The reference is one number: spaces in it would change their order within Arabic.
    """
    return {
        "ref": it.ref,
        "unit": register.name("unit", it.unit, it.language),
        "due": day_short(it.promise.due.astimezone(zone).date(), it.language if it.language in ("en", "zh") else "ar"),
        "service": register.name("service", it.service, it.language),
        "clerk": staff.name,
    }


def fits(option: Option, filled: dict[str, str]) -> bool:
    """True where everything that the text names is known."""
    return all(filled.get(name) for name in re.findall(r"\{(\w+)\}", option.text))


def fill(option: Option, filled: dict[str, str]) -> Option:
    """The option with its placeholders written out; nothing that was filled in is filled in again."""
    text = re.sub(r"\{(\w+)\}", lambda found: filled.get(found[1], found[0]), option.text)
    return Option(option.id, option.name, text)


def _plain(text: str) -> str:
    return _ISOLATES.sub("", text)
