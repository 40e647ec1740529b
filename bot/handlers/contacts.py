"""What came by telephone, letter, e-mail or at the counter: a clerk files it, and it is a ticket like every other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

import phonenumbers

from bot.handlers.draft import Draft
from bot.handlers.house import PRIVACY, House
from bot.handlers.ports import Conversation, Say, Transaction
from bot.tickets.lifecycle import LIVE
from bot.tickets.people import Staff, may_see, may_work
from bot.tickets.taxonomy import LANGUAGES
from bot.tickets.ticket import NotAllowed, Ticket, Wrong
from channels.contract import Address
from nlu.arabic.flags import danger_kind, flags

SOURCES = ("phone", "counter", "email", "letter")
BENEFICIARIES = ("citizen", "resident", "visitor", "company")
SHOWN_FOR = timedelta(minutes=10)
"""How long the receipt code is shown again to who sends the same form again: the first answer may not have arrived."""


@dataclass(frozen=True)
class Contact:
    """What a person said, as a clerk wrote it down."""

    text: str
    kind: str
    category: str
    source: str
    language: str = "ar"
    subcategory: str = ""
    service: str = ""
    beneficiary_type: str = ""
    on_behalf: bool = False
    confidential: bool = False
    phone: str = ""


@dataclass(frozen=True)
class Logged:
    """A filing, to be read out. `receipt` is empty where it was shown before; `told` the channel that carries it, too."""

    ticket: Ticket
    receipt: str
    told: str
    why_not: str  # no_number, no_channel, stopped; empty where the person is told
    danger: str | None  # the number to call
    filed: Say  # what the person is told, to be read out


class ContactLog:
    """Files contacts. `ways(number)` are the addresses at which a number can be told, the best first."""

    def __init__(self, house: House, ways: Callable[[str], Sequence[Address]]) -> None:
        self._house, self._ways = house, ways

    def number(self, typed: str) -> str:
        """The number as providers write it; Wrong where it is no telephone number."""
        try:
            parsed = phonenumbers.parse(typed, self._house.country)
        except phonenumbers.NumberParseException:
            parsed = None
        if parsed is None or not phonenumbers.is_valid_number(parsed):
            raise Wrong("file", "phone", "is a telephone number")
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    def same(self, said: Contact, staff: Staff) -> list[Ticket]:
        """Open tickets of this number on the same service, else category, that this member of staff may see."""
        if not said.phone:
            return []
        number = self.number(said.phone)
        with self._house.store.begin() as tx:
            talks = [talk for talk in map(tx.conversation_at, self._ways(number)) if talk]
            theirs = [t for contact in dict.fromkeys(talk.contact for talk in talks) for t in tx.tickets_of(contact)]
        return [t for t in theirs if t.state in LIVE and may_see(staff, t) and _same_matter(t, said)]

    def log(self, said: Contact, staff: Staff, key: str) -> Logged:
        """The contact is a ticket with reference, receipt, clock and route, and its person is told; the same key files once.

        Wrong names the field that cannot be so; NotAllowed where the role files nothing.
        """
        house, at = self._house, self._house.clock()
        if not may_work(staff):
            raise NotAllowed("file", f"a {staff.role} files nothing", [])
        self._check(said)
        number = self.number(said.phone) if said.phone else ""
        once, receipt = _once(staff, key), _receipt(house.digest(_once(staff, key)))
        with house.store.begin() as tx:
            if known := tx.remembered(once):
                return self._again(tx, known, receipt)
            talk = self._talk(tx, number, said.language, at) if number else None
            ticket = self._ticket(said, staff, talk, receipt, at)
            house.add(tx, ticket, None)
            told = talk is not None and self._tell(tx, talk, house.filed(ticket, receipt, at), ticket, at)
            house.tell_desk(tx, ticket, at)
            why = "" if told else "stopped" if talk else "no_channel" if number else "no_number"
            scheme = talk.address.scheme if talk and told else ""
            tx.remember(once, {"ref": ticket.ref, "told": scheme, "why_not": why}, at)
        return Logged(ticket, receipt, scheme, why, self._danger(ticket), house.filed(ticket, receipt, at))

    def again(self, staff: Staff, key: str) -> Logged | None:
        """What this form has filed already; None where it has not."""
        house = self._house
        with house.store.begin() as tx:
            known = tx.remembered(_once(staff, key))
            return self._again(tx, known, _receipt(house.digest(_once(staff, key)))) if known else None

    def _check(self, said: Contact) -> None:
        register = self._house.register()
        if not said.text.strip():
            raise Wrong("file", "text", "is what the person said")
        known: dict[str, Any] = {
            "kind": register.kinds, "category": register.categories, "subcategory": ("", *register.subcategories),
            "service": ("", *register.services), "source": SOURCES, "language": LANGUAGES,
            "beneficiary_type": ("", *BENEFICIARIES),
        }  # fmt: skip
        for name, rows in known.items():
            if getattr(said, name) not in rows:
                raise Wrong("file", name, "is one of the menu")
        if said.subcategory and register.subcategories[said.subcategory].category != said.category:
            raise Wrong("file", "subcategory", "belongs to the category")

    def _ticket(self, said: Contact, staff: Staff, talk: Conversation | None, receipt: str, at: datetime) -> Ticket:
        found = flags(said.text)
        draft = Draft(
            kind=said.kind, category=said.category, service=said.service or None, text=said.text.strip(),
            urgent="danger" in found, confidential=said.confidential or "confidential" in found,
        )  # fmt: skip
        about: dict[str, Any] = {"channel": said.source}
        about |= {"beneficiary_type": said.beneficiary_type} if said.beneficiary_type else {}
        about |= {"on_behalf": True} if said.on_behalf else {}
        return self._house.new_ticket(
            draft, receipt, at, by=staff.actor(), subcategory=said.subcategory or None, language=said.language,
            source=said.source, contact=talk and talk.contact, conversation=talk and talk.id,
            beneficiary_type=said.beneficiary_type or None, on_behalf=said.on_behalf, said=about,
        )  # fmt: skip

    def _talk(self, tx: Transaction, number: str, language: str, at: datetime) -> Conversation | None:
        """Where the person is told: an address they wrote from, else the first that can be; None where there is none."""
        ways = self._ways(number)
        known = [talk for talk in map(tx.conversation_at, ways) if talk]
        known.sort(key=lambda each: each.last_in_at or each.created_at, reverse=True)
        talk = next((each for each in known if each.stopped_at is None), None)
        if talk or not ways:
            return talk
        if stopped := [each for each in known if each.address == ways[0]]:
            return stopped[0]
        contact = known[0].contact if known else token_hex(16)
        new = Conversation(token_hex(16), contact, ways[0], at, language)
        tx.add_conversation(new)
        return new

    @staticmethod
    def _tell(tx: Transaction, talk: Conversation, filed: Say, ticket: Ticket, at: datetime) -> bool:
        """The filing goes out as a notice; before it, at a new address, who we are and what we keep."""
        if talk.notice_version is None:
            talk.notice_version, talk.notice_at = PRIVACY, at
            tx.save_conversation(talk)
            tx.say(talk, None, Say("notice_contact", "welcome", {"version": PRIVACY}, notice=True), at)
        params = {**filed.params, "state": ticket.state}
        tx.say(talk, None, replace(filed, params=params, notice=True), at)
        return talk.stopped_at is None

    def _again(self, tx: Transaction, known: dict[str, Any], receipt: str) -> Logged:
        ticket = tx.ticket(known["ref"])
        assert ticket is not None, "what was remembered was filed"
        filed, first = self._house.filed(ticket, receipt, ticket.opened_at), ticket.opened_at
        shown = receipt if self._house.clock() - first <= SHOWN_FOR else ""
        return Logged(ticket, shown, known["told"], known["why_not"], self._danger(ticket), filed)

    def _danger(self, ticket: Ticket) -> str | None:
        return self._house.emergency(danger_kind(ticket.text) or "other") if "urgent" in ticket.flags else None


def _same_matter(ticket: Ticket, said: Contact) -> bool:
    if ticket.service and said.service:
        return ticket.service == said.service
    return ticket.category == said.category


def _once(staff: Staff, key: str) -> str:
    return f"log {staff.id} {key}"


def _receipt(digest: str) -> str:
    """Twelve digits of a keyed hash, the first one 1 to 5: the same form has the same code, and nobody keeps it."""
    number = int(digest, 16)
    return f"{1 + number % 5}{number // 5 % 10**11:011d}"
