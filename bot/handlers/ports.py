"""What the handlers need from the world: storage, words, time. Implemented elsewhere, faked in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.tickets.people import Actor
from bot.tickets.ticket import Ticket
from channels.contract import Address

Json = Any


@dataclass
class Conversation:
    """One address of one person, and where the talk with it stands. `id` is random and holds nothing personal."""

    id: str
    contact: str
    address: Address
    created_at: datetime
    language: str | None = None  # ar, en, zh; None until it is known
    language_chosen: bool = False  # the person asked for it: nothing but asking changes it
    notice_version: str | None = None  # of the privacy sentence that was shown, and when
    notice_at: datetime | None = None
    stopped_at: datetime | None = None  # no notices until START
    state: dict[str, Json] = field(default_factory=dict)  # the draft, the open question, counters: see handlers/talk.py
    buttons: list[dict[str, Json]] = field(
        default_factory=list
    )  # last offered: {"title", "payload"}, so that a number is understood
    dialogue: str = ""  # the assistant's sender id; a fresh one after a ticket or an hour
    dialogue_at: datetime | None = None
    dialogue_events: int = 0
    menu: bool = False  # somebody's words wait undecided: kept by the menu, or of one in danger
    last_in_at: datetime | None = None
    live_ref: str | None = (
        None  # the ticket for which somebody of the staff is in the conversation: see handlers/live.py
    )
    live_staff: str | None = None
    live_at: datetime | None = None  # when they last said something
    limited_until: datetime | None = None  # the numbered menu alone answers before then


@dataclass(frozen=True)
class Incoming:
    """A message that was stored. `seq` orders it within its conversation."""

    id: int
    conversation: str
    seq: int
    text: str
    payload: str | None  # of a button that this house issued
    received_at: datetime
    attempts: int = 0
    message_id: str = ""  # the provider's or the client's: first time only
    files: int = 0  # that came with it


@dataclass(frozen=True)
class Say:
    """Something to tell: a name in the catalogues with parameters; never text.

    `key` makes it once-only: a second one with the same key in the same conversation is not stored.
    """

    name: str
    key: str
    params: Mapping[str, Json] = field(default_factory=dict)
    buttons: Sequence[Mapping[str, Json]] = ()  # {"title": name, "params"?: {}, "payload": "/press{...}"}
    notice: bool = False  # not an answer to what the person just wrote: not sent after a stop
    asks: bool = False  # what is written next is taken for its answer: a number is none of the buttons before it
    ref: str | None = None


@dataclass(frozen=True)
class Update:
    """What everybody of an incident is told: `verb` (reply, resolve) on each of `refs`, once."""

    n: int  # position, from 1
    verb: str
    text: str
    refs: Sequence[str]
    by: Actor
    at: datetime

    def key(self, incident: str, ref: str) -> str:
        """Under which it is remembered that this ticket got it: given to `House.act`."""
        return f"incident {incident} {self.n} {ref}"


@dataclass(frozen=True)
class Incident:
    """One cause of many tickets."""

    id: str
    title: str
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    updates: Sequence[Update] = ()


class Transaction(Protocol):
    """One transaction. Everything in it is committed together, or nothing."""

    def conversation(self, id: str) -> Conversation | None:
        """The conversation, locked against other writers until the transaction ends."""

    def conversation_at(self, address: Address) -> Conversation | None: ...
    def add_conversation(self, conversation: Conversation) -> None: ...
    def save_conversation(self, conversation: Conversation) -> None: ...
    def conversations_of(self, contact: str) -> list[Conversation]: ...

    def receive(
        self, conversation: str, message_id: str, text: str, payload: str | None, at: datetime, files: int = 0
    ) -> Incoming | None:
        """Store a message as waiting; None where this message id was stored before."""

    def add_files(self, conversation: str, message: int, files: Sequence[Mapping[str, Json]], at: datetime) -> None:
        """Files and places that came with a message: they wait with the draft."""

    def take_files(self, conversation: str, ref: str) -> int:
        """What waits with the draft belongs to this ticket from now on; how many that is."""

    def unhold(self, conversation: str) -> int:
        """What waited for the person to write goes out now, in its order; how many lines that is."""

    def pressed(self, conversation: str, row: int, place: int) -> Json | None:
        """The button at this place of this line of this conversation; None where there is none."""

    def waiting(self, conversation: str) -> list[Incoming]:
        """What waits or was being worked on when a process died, in order."""

    def start_turn(self, ids: Iterable[int], turn: str, at: datetime) -> None:
        """Mark rows as being worked on under one turn id, and count the attempt."""

    def finish(
        self, ids: Iterable[int], state: str, reading: Json = None, reason: str = "", vector: bytes | None = None
    ) -> None:
        """Rows reach an end: done, menu (the numbered menu handled them), failed."""

    def say(self, conversation: Conversation, turn: str | None, say: Say, at: datetime) -> bool:
        """Put one reply or notice into the outbox, rendered in the conversation's language; False where its key is there already."""

    def offered(self, conversation: str, payload: str, last: int) -> str | None:
        """The title under which one of the last sentences offered this button; None where none did."""

    def has_spoken(self, conversation: str, turn: str) -> bool:
        """True where this turn has already put something into the outbox."""

    def add_events(self, dialogue: str, first: int, events: Sequence[Json]) -> None: ...
    def events(self, dialogue: str) -> list[Json]: ...
    def drop_events(self, dialogue: str) -> None:
        """A dialogue that has ended is not kept: what it led to is."""

    def add_ticket(self, ticket: Ticket, turn: str | None) -> bool:
        """Store a new ticket with its history; False where the reference is taken (draw again)."""

    def ticket(self, ref: str) -> Ticket | None:
        """The ticket with its whole history, locked against other writers."""

    def ticket_of_turn(self, turn: str) -> Ticket | None: ...
    def save_ticket(self, ticket: Ticket, version: int) -> None:
        """Store new entries and the row; raises Stale where the stored version is not `version`."""

    def tickets_of(self, contact: str) -> list[Ticket]:
        """All of a contact's tickets, newest first."""

    def guesses(self, who: str, since: datetime) -> int:
        """Failed guesses at references or receipts by `who` (a contact or session id) since then."""

    def guessed(self, who: str, at: datetime) -> None: ...

    def add_link_code(self, code_hash: str, contact: str, at: datetime, until: datetime) -> None:
        """A code by which a second address is proved; those that are void are forgotten."""

    def spend_link_code(self, code_hash: str, at: datetime) -> str | None:
        """Whose code this is; nobody can use it again. None where there is none, or not any more."""

    def join_contacts(self, contact: str, into: str) -> None:
        """All addresses and tickets of `contact` are those of `into` from now on."""

    def prefer(self, contact: str, conversation: str) -> None: ...
    def preferred(self, contact: str) -> str | None:
        """The conversation that the person chose for notices; None where none was chosen, or it is stopped."""

    def remembered(self, key: str) -> Json | None:
        """The answer that was given under this idempotency key, or None."""

    def remember(self, key: str, answer: Json, at: datetime) -> None: ...

    def due(self, before: datetime, limit: int = 100) -> list[str]:
        """References of live tickets whose cached clock says something happens before `before`."""

    def set_due(self, ref: str, at: datetime | None) -> None:
        """Correct the cached clock of a ticket that has not changed."""

    def add_incident(self, id: str, title: str, by: str, at: datetime) -> None: ...
    def incident(self, id: str) -> Incident | None:
        """The incident with all that was told of it, locked against other writers; None where there is none."""

    def has_incident(self, id: str) -> bool: ...
    def add_update(self, id: str, told: Update) -> None:
        """What everybody of the incident is told next; a resolving one ends the incident."""

    def of_incident(self, id: str) -> list[str]:
        """References of the live tickets that are joined to it."""

    def staff_tell(
        self, ref: str, about: str, unit: str, staff: str | None, at: datetime, params: Mapping[str, Json]
    ) -> None:
        """A notice at the desk for a unit or a member of staff."""


class Stale(Exception):
    """Somebody else changed the ticket first; `current` is the version now."""

    def __init__(self, ref: str, current: int) -> None:
        super().__init__(f"{ref} is at version {current}")
        self.ref, self.current = ref, current


class Unavailable(Exception):
    """Storage cannot take a write now (locked, full, down): nothing was stored."""


class Store(Protocol):
    """The one door to the database for writes."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A write transaction: commits on leaving, rolls back on an exception; raises Unavailable."""

    def conversation(self, id: str) -> Conversation | None:
        """The conversation as it is committed, not locked."""


Clock = Callable[[], datetime]
"""The time now, aware, UTC."""
