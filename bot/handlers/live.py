"""Somebody of the staff in the conversation itself: the assistant is silent until they leave, and both ends are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.handlers.draft import ONLY_FILES
from bot.handlers.ports import Conversation, Say, Transaction
from bot.tickets.lifecycle import ANSWERED, ENDED, LIVE
from bot.tickets.people import SYSTEM, Actor
from bot.tickets.ticket import Entry, NotAllowed, Ticket
from nlu.arabic.flags import danger_kind, flags

if TYPE_CHECKING:
    from bot.handlers.house import House

UNANSWERED = timedelta(minutes=15)
"""So long a person waits for who is in the conversation; then the assistant is back."""
IDLE = timedelta(minutes=60)
"""So long nobody has said anything; then it is over."""
LEAVE = "leave_live"


def enter(house: House, tx: Transaction, ticket: Ticket, by: Actor, at: datetime) -> None:
    """The conversation is theirs once the entry is written. NotAllowed where nobody is there, or a colleague is."""
    talk = place(tx, ticket)
    if talk is None or talk.stopped_at or house.one_way(talk.address):
        raise NotAllowed("join", "nobody can be spoken with there", ticket.allowed(by))
    if talk.live_ref and (talk.live_ref, talk.live_staff) != (ticket.ref, by.id):
        raise NotAllowed("join", "a colleague is in the conversation", ticket.allowed(by))
    talk.live_ref, talk.live_staff, talk.live_at = ticket.ref, by.id, at
    tx.save_conversation(talk)


def place(tx: Transaction, ticket: Ticket) -> Conversation | None:
    """Where the person of a ticket is spoken with: the address they chose, else the one they filed from."""
    where = (tx.preferred(ticket.contact) if ticket.contact else None) or ticket.conversation
    return tx.conversation(where) if where else None


def ends_with(ticket: Ticket, entry: Entry) -> bool:
    """True where the work is done, or is another unit's: nobody stays in the conversation for it."""
    return entry.verb in ("leave", "transfer") or (entry.after not in LIVE and entry.before != entry.after)


def end(tx: Transaction, ticket: Ticket) -> None:
    """The assistant is back wherever somebody was in a conversation for this ticket."""
    talks = tx.conversations_of(ticket.contact) if ticket.contact else []
    for talk in talks:
        if talk.live_ref == ticket.ref:
            talk.live_ref = talk.live_staff = talk.live_at = None
            tx.save_conversation(talk)


def spoken(say: Say) -> Say:
    """A reply as one hears it in a conversation: who, and what; a number that follows is an answer to it.

    By the first name: nobody needs to give the whole of it to who is angry.
    """
    who = str(say.params["who"])
    params: dict[str, Any] = {"who": who.split()[0] if who.split() else who, "text": say.params["text"]}
    return Say("notice_live", say.key, params, notice=True, asks=True, ref=say.ref)


def hear(
    house: House,
    tx: Transaction,
    talk: Conversation,
    turn: str,
    text: str,
    pressed: dict[str, Any] | None,
    at: datetime,
    *,
    files: bool = False,
    stop: bool = False,
) -> bool:
    """What a person says to who is in the conversation is the ticket's. False where it is the assistant's to answer.

    That is: somebody has stopped, or pressed a button of the house, or the ticket can take no more. One in danger is
    given the number at once, whoever listens.
    """
    ticket = tx.ticket(talk.live_ref or "")
    by = Actor("beneficiary", talk.contact)
    if ticket is None or ticket.contact != talk.contact or ticket.state in ANSWERED | ENDED or stop:
        _leave(house, tx, talk, ticket, by, at)
        return False
    if pressed and pressed.get("do") == LEAVE:
        house.apply(tx, ticket, "leave", by, {}, at)
        return True
    if pressed and not files:
        return False
    if "danger" in flags(text):
        kind = danger_kind(text) or "other"
        tx.say(talk, turn, Say(f"utter_danger_{kind}", f"{turn}:danger", {"number": house.emergency(kind)}), at)
    house.apply(tx, ticket, "add", by, {"text": text.strip() or ONLY_FILES}, at, turn)
    return True


def _leave(house: House, tx: Transaction, talk: Conversation, ticket: Ticket | None, by: Actor, at: datetime) -> None:
    if ticket is not None and ticket.contact == talk.contact and "leave" in ticket.allowed(by):
        house.apply(tx, ticket, "leave", by, {}, at)
        return
    talk.live_ref = talk.live_staff = talk.live_at = None
    tx.save_conversation(talk)


def forsaken(talk: Conversation, now: datetime) -> str:
    """Why it is over: `unanswered` where the person waits for long, `idle` where nobody says anything; else ''."""
    if talk.live_ref is None or talk.live_at is None:
        return ""
    wrote = talk.last_in_at or talk.live_at
    if wrote > talk.live_at and now - wrote > UNANSWERED:
        return "unanswered"
    return "idle" if now - max(wrote, talk.live_at) > IDLE else ""


def give_back(house: House, conversation: str) -> None:
    """The assistant is back where the person has waited too long; they are told, and so is the desk."""
    at = house.clock()
    with house.store.begin() as tx:
        talk = tx.conversation(conversation)
        why = forsaken(talk, at) if talk else ""
        if talk is None or not why:
            return
        ticket = tx.ticket(talk.live_ref or "")
        if ticket is not None and "leave" in ticket.allowed(SYSTEM):
            house.apply(tx, ticket, "leave", SYSTEM, {"reason": why}, at)
        else:
            _leave(house, tx, talk, None, SYSTEM, at)
