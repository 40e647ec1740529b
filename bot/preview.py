"""How words will reach their person, told before they are sent: by the very functions that send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.handlers import notifications
from bot.handlers.house import House
from bot.handlers.ports import Clock, Conversation, Say
from bot.handlers.replies import Preview, rehearsed
from bot.sending import Sizes, SmsBudget, Windows, is_number, time_left
from bot.storage.store import FIRST_LANGUAGE, Render
from bot.tickets.people import Staff
from bot.tickets.ticket import Ticket
from channels.contract import Address, Limits
from channels.lengths import segments

SOMETHING = "…"
"""Stands for words that are not typed yet."""
_DIGITS_SHOWN = 4


@dataclass(frozen=True)
class Unsent:
    """A line as it would be in the outbox."""

    name: str
    ref: str | None
    params: Mapping[str, Any]
    language: str
    last_in_at: datetime | None
    address: Address
    error: str = ""


@dataclass(frozen=True)
class Previews:
    """What a verb with these words would tell, and how. Reads only; blocks: call it in a thread.

    `told_at(contact, conversation)` is where notices go and all of the person's addresses; `sms_to` where an SMS reaches
    a WhatsApp number.
    """

    house: House
    told_at: Callable[[str | None, str | None], tuple[Conversation | None, list[Conversation]]]
    render: Render
    limits: Mapping[str, Limits]
    windows: Windows
    sms_to: Callable[[Address], Address | None]
    budget: SmsBudget
    price: float
    clock: Clock

    def __call__(self, ticket: Ticket, verb: str, staff: Staff, text: str) -> Preview:
        """Raises NotAllowed where the verb is not possible now."""
        now = self.clock()
        talk, all_ = self.told_at(ticket.contact, ticket.conversation)
        trial, entry = rehearsed(ticket, verb, staff.actor(), {"text": text.strip() or SOMETHING}, now)
        notice = notifications.to_person(entry, trial)
        if talk is None or notice is None:
            return Preview("", "", "nothing", None)
        return self._at(talk, all_, self.house.worded(trial, notice, talk), _mask(talk.address, ticket), now)

    def _at(self, talk: Conversation, all_: Sequence[Conversation], say: Say, mask: str, now: datetime) -> Preview:
        scheme = talk.address.scheme
        if talk.stopped_at is not None:
            return Preview(scheme, mask, "nothing", None, stopped=True)
        if scheme == "web":
            return Preview(scheme, mask, "text", None)
        limits = self.limits.get(scheme)
        if limits is None:
            return Preview(scheme, mask, "unset", None)
        left = time_left(limits, talk.last_in_at, now)
        form = self.windows(self._line(talk, say), limits, now).state
        if form == "none":
            return self._next_way(talk, all_, say, mask, left, now)
        if scheme == "sms":
            return self._sms(talk, say, scheme, mask, "notice" if say.name == "sms_update" else "text", left, now)
        return Preview(scheme, mask, form, left, len(self._texts(talk, say)))

    def _next_way(
        self,
        talk: Conversation,
        all_: Sequence[Conversation],
        say: Say,
        mask: str,
        left: timedelta | None,
        now: datetime,
    ) -> Preview:
        """The order of `handlers/undelivered.py`: another address, an SMS that tells the state, a person's desk."""
        if any(o.id != talk.id and o.stopped_at is None and o.address.scheme in self.limits for o in all_):
            return Preview(talk.address.scheme, mask, "elsewhere", left)
        address = self.sms_to(talk.address)
        if address is None:
            return Preview(talk.address.scheme, mask, "lost", left)
        phone = next((o for o in all_ if o.address == address), None)
        phone = phone or Conversation("", talk.contact, address, now, talk.language)
        short = Say("sms_update", say.key, {"ref": say.ref, "state": say.params.get("state", "open")}, ref=say.ref)
        return self._sms(phone, short, talk.address.scheme, mask, "notice", left, now)

    def _sms(
        self, talk: Conversation, say: Say, scheme: str, mask: str, form: str, left: timedelta | None, now: datetime
    ) -> Preview:
        texts = self._texts(talk, say)
        parts = sum(segments(text) for text in texts)
        refused = self.budget.refuses(self._line(talk, say), parts, now)
        why = ("cap" if "CAP" in refused else "country") if refused else ""
        return Preview(scheme, mask, form, left, len(texts), parts, parts * self.price, why)

    def _texts(self, talk: Conversation, say: Say) -> list[str]:
        text, buttons = self.render(say.name, say.params, say.buttons, talk.language or FIRST_LANGUAGE)
        return Sizes(self.limits)(talk.address, text, buttons)

    def _line(self, talk: Conversation, say: Say) -> Unsent:
        return Unsent(say.name, say.ref, say.params, talk.language or FIRST_LANGUAGE, talk.last_in_at, talk.address)


def _mask(address: Address, ticket: Ticket) -> str:
    """The last digits of a telephone number; nothing of whoever reported in confidence, or is no number."""
    if "confidential" in ticket.flags or not is_number(address.identifier):
        return ""
    return f"•••{address.identifier[-_DIGITS_SHOWN:]}"
