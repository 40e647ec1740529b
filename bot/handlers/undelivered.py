"""What happens to words that did not arrive: another address of the same person, an SMS, and at last a person's desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from bot.handlers.house import House
from bot.handlers.ports import Conversation, Say, Transaction
from bot.tickets.people import SYSTEM
from channels.contract import Address


@dataclass(frozen=True)
class Lost:
    """A line that did not arrive: what it said, and of which ticket."""

    conversation: str
    key: str
    name: str
    params: Mapping[str, Any]
    ref: str | None
    notice: bool


class Undelivered:
    """The order of the ways. `sms_to` gives the address for an SMS to a WhatsApp number, None where none can be sent."""

    def __init__(
        self, house: House, carried: Callable[[str], bool], sms_to: Callable[[Address], Address | None]
    ) -> None:
        """`carried` tells whether a scheme has a provider, or needs none."""
        self._house, self._carried, self._sms_to = house, carried, sms_to

    def __call__(self, lost: Lost, stopped: bool = False) -> str:
        """Do the next thing for a line that was lost: `address`, `sms`, `desk`, or nothing where nobody is owed it.

        `stopped`: the provider says that the person wants none there. Calling it twice does it once.
        """
        at = self._house.clock()
        with self._house.store.begin() as tx:
            talk = tx.conversation(lost.conversation)
            assert talk is not None, "a line belongs to a conversation"
            if stopped and talk.stopped_at is None:
                talk.stopped_at = at
                tx.save_conversation(talk)
            if lost.ref is None or not lost.notice or ":to:" in lost.key:
                return self._to_desk(tx, lost, at) if lost.ref else ""
            other = next((o for o in tx.conversations_of(talk.contact) if self._usable(o, talk)), None)
            if other is not None:
                tx.say(
                    other, None, Say(lost.name, f"{lost.key}:to:{talk.id}", lost.params, notice=True, ref=lost.ref), at
                )
                return "address"
            if self._by_sms(tx, talk, lost, at):
                return "sms"
            return self._to_desk(tx, lost, at)

    def _usable(self, other: Conversation, talk: Conversation) -> bool:
        """Another address of the person that can be reached now, of which somebody may look at it."""
        there = other.id != talk.id and other.stopped_at is None and self._carried(other.address.scheme)
        return there and other.address.scheme != "web"

    def _by_sms(self, tx: Transaction, talk: Conversation, lost: Lost, at: datetime) -> bool:
        address = self._sms_to(talk.address)
        if address is None:
            return False
        phone = tx.conversation_at(address)
        if phone is None:
            phone = Conversation(token_hex(16), talk.contact, address, at, talk.language)
            tx.add_conversation(phone)
        if phone.stopped_at is not None:
            return False
        return tx.say(phone, None, short_form(tx, lost, f"{lost.key}:to:{talk.id}"), at)

    def _to_desk(self, tx: Transaction, lost: Lost, at: datetime) -> str:
        """Somebody has to look after it: a question that did not arrive is open work again."""
        assert lost.ref is not None
        ticket = tx.ticket(lost.ref)
        if ticket is None:
            return ""
        verb = "undelivered" if lost.name == "notice_ask" and "undelivered" in ticket.allowed(SYSTEM) else None
        if verb:
            self._house.apply(tx, ticket, verb, SYSTEM, {"reason": "not delivered"}, at)
        if "needs_person" not in ticket.flags:
            self._house.apply(tx, ticket, "flag", SYSTEM, {"flag": "needs_person"}, at)
        tx.staff_tell(ticket.ref, "not_delivered", ticket.unit, ticket.staff, at, {})
        return "desk"


def short_form(tx: Transaction, lost: Lost, key: str) -> Say:
    """The notice as an SMS: what its ticket's state is, never what was written."""
    ticket = tx.ticket(str(lost.ref))
    state = ticket.state if ticket else "open"
    return Say("sms_update", key, {"ref": lost.ref, "state": state}, notice=True, ref=lost.ref)
