"""The one door for writes: `SqlStore` hands out transactions, and what a transaction does is committed together.

Each method is a few short statements. What many transactions may want at once is taken in one order
(conversation, then ticket), so that they wait for each other instead of locking each other out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, bindparam, delete, func, insert, or_, select, text, update

from bot.handlers.ports import Clock, Conversation, Incoming, Json, Say, Stale
from bot.storage import rows
from bot.storage.crypto import Secrets
from bot.storage.database import Writers, insert_once, unavailable
from bot.storage.incidents import IncidentRows
from bot.storage.signing import signed
from bot.storage.tables import (
    attachments,
    contacts,
    conversations,
    desk_notices,
    dialogue_events,
    entries,
    guesses,
    idempotency,
    inbox,
    link_codes,
    meta,
    one_of,
    outbox,
    storable,
    tickets,
)
from bot.tickets.lifecycle import LIVE
from bot.tickets.ticket import Ticket
from channels.contract import Address

log = logging.getLogger(__name__)

Buttons = list[dict[str, Any]]
Render = Callable[[str, Mapping[str, Json], Sequence[Mapping[str, Json]], str], tuple[str, Buttons]]
"""name, params, buttons, language → the text and its buttons: {"title", "payload"}."""
Sizes = Callable[[Address, str, Buttons], list[str]]
"""address, text, buttons → the texts of the messages that say it there, in order."""

is_open = one_of(inbox.c.state, "waiting", "working")
END_STATES = ("done", "menu", "failed")
FIRST_LANGUAGE = "ar"
STOPPED = "stopped"
"""Why a notice to somebody who asked for none was not sent."""

_id: BindParameter[Any] = bindparam("an_id")
_look_at_conversation = select(conversations).where(conversations.c.id == _id)
_conversation = _look_at_conversation.with_for_update()
_conversation_at = select(conversations).where(conversations.c.address_hash == _id).with_for_update()
_conversations_of = (
    select(conversations).where(conversations.c.contact == _id).order_by(conversations.c.created_at, conversations.c.id)
)
_numbers = select(conversations.c.seq_in, conversations.c.seq_out).where(conversations.c.id == _id).with_for_update()
_save_conversation = update(conversations).where(conversations.c.id == _id)
_waiting = select(inbox).where(inbox.c.conversation == _id, is_open).order_by(inbox.c.seq)
_known_message = select(inbox.c.id).where(
    inbox.c.conversation == _id, inbox.c.message_id == bindparam("a_message", type_=inbox.c.message_id.type)
)
_these_open = inbox.c.id.in_(bindparam("ids", expanding=True)) & is_open
_change_open = update(inbox).where(_these_open)
_start_turn = _change_open.values(state="working", turn=bindparam("a_turn"), attempts=inbox.c.attempts + 1)
_add_message, _add_entries, _add_events = insert(inbox), insert(entries), insert(dialogue_events)
_add_desk_notice, _add_conversation = insert(desk_notices), insert(conversations)
_spoken = select(outbox.c.id).where(outbox.c.conversation == _id, outbox.c.turn == bindparam("a_turn")).limit(1)
_offered = (
    select(outbox.c.buttons)
    .where(outbox.c.conversation == _id, outbox.c.state != "failed")
    .order_by(outbox.c.seq.desc())
    .limit(bindparam("most"))
)
_drop_events = delete(dialogue_events).where(dialogue_events.c.dialogue == _id)
_events = select(dialogue_events.c.event).where(dialogue_events.c.dialogue == _id).order_by(dialogue_events.c.n)
_ticket = select(tickets).where(tickets.c.ref == _id).with_for_update()
_ticket_lock = (
    select(conversations.c.id)
    .where(conversations.c.id == select(tickets.c.conversation).where(tickets.c.ref == _id).scalar_subquery())
    .with_for_update()
)
_entries = select(entries).where(entries.c.ref == _id).order_by(entries.c.seq)
_save_ticket = update(tickets).where(tickets.c.ref == _id, tickets.c.version == bindparam("a_version"))
_tickets_of = select(tickets).where(tickets.c.contact == _id).order_by(tickets.c.opened_at.desc(), tickets.c.ref.desc())
_entries_of = (
    select(entries)
    .join(tickets, tickets.c.ref == entries.c.ref)
    .where(tickets.c.contact == _id)
    .order_by(entries.c.ref, entries.c.seq)
)
_preferred = (
    select(conversations.c.id)
    .join(contacts, contacts.c.preferred_address == conversations.c.id)
    .where(contacts.c.id == _id, contacts.c.chose_address.is_(True), conversations.c.stopped_at.is_(None))
)
_due = select(tickets.c.ref).order_by(tickets.c.due_at, tickets.c.ref)
_advisory = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def whole(address: Address, text: str, buttons: Buttons) -> list[str]:
    """The simplest size: every text is one message."""
    return [text]


def promised(ticket: Ticket) -> datetime | None:
    """The simplest clock: something happens when a promise that is not kept yet falls due."""
    return ticket.promise.due if ticket.state in LIVE and not ticket.answered else None


@dataclass(frozen=True)
class Said:
    """One row of the outbox, as the person gets it."""

    seq: int
    text: str
    buttons: Buttons
    name: str
    language: str
    ref: str | None
    notice: bool
    at: datetime


@dataclass(frozen=True)
class Line:
    """One line of a transcript; `out` is ours."""

    out: bool
    seq: int
    text: str
    at: datetime
    state: str
    name: str = ""  # of our sentence
    buttons: tuple[dict[str, Any], ...] = ()
    payload: str | None = None  # of the button that was pressed
    ref: str | None = None


class SqlStore:
    """The database, for whoever changes something. Reads for pages are in `queries.py`."""

    def __init__(
        self,
        engine: Engine,
        secrets: Secrets,
        render: Render,
        fold: Callable[[str], str],
        clock: Clock,
        on_commit: Callable[[frozenset[str]], None] | None = None,
        due: Callable[[Ticket], datetime | None] = promised,
        sizes: Sizes = whole,
        on_post: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        self.engine, self.secrets, self.render, self.fold, self.clock = engine, secrets, render, fold, clock
        self.due, self.sizes, self.writers = due, sizes, Writers(engine)
        self._on_commit, self._on_post = on_commit, on_post
        self.once_outbox = insert_once(engine, outbox, "conversation", "key")
        self.once_ticket = insert_once(engine, tickets, "ref")
        self.once_contact = insert_once(engine, contacts, "id")
        self.once_meta = insert_once(engine, meta, "key")

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """A write transaction: commits on leaving, rolls back on an exception; raises Unavailable.

        After the commit `on_commit` hears of the conversations that got a message in or out, `on_post` of those for
        which a provider has something to carry.
        """
        with self.writers.begin() as connection:
            transaction = SqlTransaction(self, connection)
            yield transaction
            transaction.settle()
        for heard, whom in ((transaction.touched, self._on_commit), (transaction.posted, self._on_post)):
            if heard and whom:
                try:
                    whom(frozenset(heard))
                except Exception:  # what is committed is committed, whoever could not be told
                    log.exception("somebody could not be told of a commit")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; raises Unavailable."""
        with unavailable(), self.engine.connect() as connection:
            yield connection

    def conversation(self, id: str) -> Conversation | None:
        """The conversation as it is committed, not locked."""
        with self.read() as connection:
            row = connection.execute(_look_at_conversation, {"an_id": id}).mappings().first()
        return rows.conversation(row, self.secrets) if row else None

    def told_at(self, contact: str | None, conversation: str | None) -> tuple[Conversation | None, list[Conversation]]:
        """Where notices of a ticket of this person go as it is committed, and all of the person's addresses."""
        with self.read() as connection:
            where = (connection.scalar(_preferred, {"an_id": contact}) if contact else None) or conversation
            found = connection.execute(_conversations_of, {"an_id": contact}).mappings().all() if contact else []
            known = [rows.conversation(row, self.secrets) for row in found]
            if where and all(each.id != where for each in known):
                row = connection.execute(_look_at_conversation, {"an_id": where}).mappings().first()
                known += [rows.conversation(row, self.secrets)] if row else []
        return next((each for each in known if each.id == where), None), known

    def events(self, dialogue: str) -> list[Json]:
        """The dialogue's events as they are committed, in order."""
        with self.read() as connection:
            return list(connection.scalars(_events, {"an_id": dialogue}))

    def session_generation(self, id: str) -> int | None:
        """Browser sessions of an older generation are void; None where there is no such conversation."""
        with self.read() as connection:
            return connection.scalar(select(conversations.c.session_generation).where(conversations.c.id == id))

    def outgoing(self, conversation: str, after_seq: int = 0, limit: int = 100) -> list[Said]:
        """What was told after `after_seq`, in order: what an event stream sends, and sends again after a break."""
        query = (
            select(outbox)
            .where(outbox.c.conversation == conversation, outbox.c.seq > after_seq, outbox.c.state != "failed")
            .order_by(outbox.c.seq)
            .limit(limit)
        )
        with self.read() as connection:
            found = connection.execute(query).mappings().all()
        return [
            Said(r["seq"], r["text"], r["buttons"], r["name"], r["language"], r["ref"], r["notice"], r["created_at"])
            for r in found
        ]

    def transcript(self, conversation: str, last: int = 200) -> list[Line]:
        """The last lines of the conversation, both ways, in the order in which they happened."""
        came = select(inbox).where(inbox.c.conversation == conversation).order_by(inbox.c.seq.desc()).limit(last)
        went = select(outbox).where(outbox.c.conversation == conversation).order_by(outbox.c.seq.desc()).limit(last)
        with self.read() as connection:
            lines = [
                Line(False, r["seq"], r["text"], r["received_at"], r["state"], payload=r["payload"])
                for r in connection.execute(came).mappings()
            ]
            lines += [
                Line(
                    True, r["seq"], r["text"], r["created_at"], r["state"], r["name"], tuple(r["buttons"]), ref=r["ref"]
                )
                for r in connection.execute(went).mappings()
            ]
        return sorted(lines, key=lambda line: (line.at, line.out, line.seq))[-last:]

    def undecided(self, before: datetime, limit: int = 100) -> list[str]:
        """Conversations in which somebody's words wait undecided, with nothing written since `before`."""
        query = (
            select(conversations.c.id)
            .where(conversations.c.menu.is_(True), conversations.c.last_in_at < before)
            .order_by(conversations.c.last_in_at)
            .limit(limit)
        )
        with self.read() as connection:
            return list(connection.scalars(query))

    def live(self, silent_since: datetime, limit: int = 1_000) -> list[str]:
        """Conversations in which somebody of the staff is and has said nothing since then, the longest first."""
        quiet = conversations.c.live_ref.is_not(None) & (conversations.c.live_at < silent_since)
        query = select(conversations.c.id).where(quiet)
        with self.read() as connection:
            return list(connection.scalars(query.order_by(conversations.c.live_at).limit(limit)))

    def fact(self, key: str) -> str | None:
        """A fact about the installation."""
        with self.read() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == key))

    def note_fact(self, key: str, value: str) -> None:
        """The fact is `value` from now on."""
        with self.writers.begin() as connection:
            if not connection.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount:
                connection.execute(self.once_meta, {"key": key, "value": value})


class SqlTransaction(IncidentRows):
    """`Transaction` of the ports, on one connection, used by one thread."""

    def __init__(self, store: SqlStore, connection: Connection) -> None:
        self._store, self.connection = store, connection
        self._postgresql = connection.dialect.name == "postgresql"
        self._last: dict[str, list[int]] = {}  # conversation → last number in, out; its row is locked
        self._changes: dict[str, dict[str, Any]] = {}  # of conversations, written when they are saved or at the end
        self.touched: set[str] = set()
        self.posted: set[str] = set()

    # Conversations

    def conversation(self, id: str) -> Conversation | None:
        return self._locked_conversation(_conversation, id)

    def conversation_at(self, address: Address) -> Conversation | None:
        """The conversation at this address, locked; where there is none, nobody else can add it meanwhile."""
        hashed = self._store.secrets.address_hash(address)
        found = self._locked_conversation(_conversation_at, hashed)
        if found is None and self._postgresql:
            self._take_turns(hashed)
            found = self._locked_conversation(_conversation_at, hashed)
        return found

    def _locked_conversation(self, query: Any, id: str) -> Conversation | None:
        self.settle()
        row = self.connection.execute(query, {"an_id": id}).mappings().first()
        if row is None:
            return None
        self._last[row["id"]] = [row["seq_in"], row["seq_out"]]
        return rows.conversation(row, self._store.secrets)

    def claim(self, claimable: Any, worker: str, now: datetime, until: datetime) -> Conversation | None:
        """The first conversation that the query finds, its lease this worker's; written with its next change."""
        row = self.connection.execute(claimable, {"now": now}).mappings().first()
        if row is None:
            return None
        self._last[row["id"]] = [row["seq_in"], row["seq_out"]]
        self._changes.setdefault(row["id"], {}).update(worker=worker, lease_until=until)
        return rows.conversation(row, self._store.secrets)

    def add_conversation(self, conversation: Conversation) -> None:
        """Store a new conversation, and the person, where they are new, too."""
        person = {
            "id": conversation.contact,
            "language": conversation.language,
            "created_at": conversation.created_at,
            "preferred_address": conversation.id,
        }
        self.connection.execute(self._store.once_contact, person)
        self.connection.execute(_add_conversation, rows.conversation_row(conversation, self._store.secrets))
        self._last[conversation.id] = [0, 0]

    def save_conversation(self, conversation: Conversation) -> None:
        pending = self._changes.pop(conversation.id, {})
        changes = pending | rows.conversation_changes(conversation)
        self.connection.execute(_save_conversation, {"an_id": conversation.id, **changes})

    def conversations_of(self, contact: str) -> list[Conversation]:
        self.settle()
        found = self.connection.execute(_conversations_of, {"an_id": contact}).mappings()
        return [rows.conversation(row, self._store.secrets) for row in found]

    def end_sessions(self, conversation: str) -> int:
        """All browser sessions of this conversation are void; the new generation."""
        generation = conversations.c.session_generation + 1
        changed = update(conversations).where(conversations.c.id == conversation).values(session_generation=generation)
        return int(self.connection.execute(changed.returning(conversations.c.session_generation)).scalar_one())

    def release(self, conversation: str, worker: str) -> None:
        """This worker is done with the conversation: together with the turn's last words."""
        self.settle()
        self.connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation, conversations.c.worker == worker)
            .values(worker=None, lease_until=None)
        )

    def postpone(self, conversation: str, until: datetime) -> None:
        """Nobody shall work on it before `until` (gathering lines); no effect while somebody does."""
        self.connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation, conversations.c.worker.is_(None))
            .values(lease_until=until)
        )

    def put_off(self, conversation: str, worker: str, now: datetime, until: datetime) -> None:
        """Its messages wait until then, whoever had begun them; no effect where another worker has it now."""
        free = conversations.c.lease_until.is_(None) | (conversations.c.lease_until <= now)
        mine = update(conversations).where(conversations.c.id == conversation, free)
        self.connection.execute(mine.values(worker=worker, lease_until=until))

    def settle(self) -> None:
        """Write what was held back; `begin` does it before the commit."""
        for id, changes in self._changes.items():
            self.connection.execute(_save_conversation, {"an_id": id, **changes})
        self._changes.clear()

    def _numbers(self, conversation: str) -> list[int]:
        """The conversation's last numbers, its row locked until the end: so numbers have no gaps in commit order."""
        last = self._last.get(conversation)
        if last is None:
            row = self.connection.execute(_numbers, {"an_id": conversation}).one()
            last = self._last[conversation] = [row.seq_in, row.seq_out]
        return last

    def _take_turns(self, name: str) -> None:
        """Wait for others who are at the same thing; SQLite has one writer anyway."""
        if self._postgresql:
            self.connection.execute(_advisory, {"name": name})

    # What comes in

    def receive(
        self, conversation: str, message_id: str, text: str, payload: str | None, at: datetime, files: int = 0
    ) -> Incoming | None:
        last = self._numbers(conversation)
        if self.connection.execute(_known_message, {"an_id": conversation, "a_message": message_id}).first():
            return None
        last[0] += 1
        row = {
            "conversation": conversation,
            "seq": last[0],
            "message_id": message_id,
            "text": text,
            "payload": payload,
            "received_at": at,
            "state": "waiting",
            "attempts": 0,
            "files": files,
        }
        key = self.connection.execute(_add_message, row).inserted_primary_key
        assert key is not None
        self._changes.setdefault(conversation, {})["seq_in"] = last[0]
        self.touched.add(conversation)
        kept = None if payload is None else storable(payload)
        return Incoming(key[0], conversation, last[0], storable(text), kept, at, 0, storable(message_id), files)

    def waiting(self, conversation: str) -> list[Incoming]:
        return [rows.incoming(row) for row in self.connection.execute(_waiting, {"an_id": conversation}).mappings()]

    def unfinished_turn(self, conversation: str) -> tuple[str, list[int]] | None:
        """The turn that was being worked on when a process died, and its rows: to be driven under the same id."""
        found = self.connection.execute(_waiting, {"an_id": conversation}).mappings().all()
        turn = next((row["turn"] for row in found if row["state"] == "working"), None)
        return turn and (turn, [row["id"] for row in found if row["turn"] == turn and row["state"] == "working"])

    def start_turn(self, ids: Iterable[int], turn: str, at: datetime) -> None:
        self.connection.execute(_start_turn, {"ids": list(ids), "a_turn": turn})

    def wait_again(self, ids: Iterable[int]) -> None:
        """The rows wait as if their turn had not been begun: it reached nobody, and the attempt does not count."""
        again = _change_open.values(state="waiting", turn=None, attempts=inbox.c.attempts - 1)
        self.connection.execute(again.where(inbox.c.state == "working"), {"ids": list(ids)})

    def finish(
        self, ids: Iterable[int], state: str, reading: Json = None, reason: str = "", vector: bytes | None = None
    ) -> None:
        """Rows reach an end: done, menu, failed. One that has reached another before keeps it.

        What was read of several lines together is kept at the last of them.
        """
        if state not in END_STATES:
            raise ValueError(f"{state!r} is no end: one of {', '.join(END_STATES)}")
        ids = list(ids)
        if not ids:
            return
        ended = {"state": state, "reason": reason, "finished_at": self._store.clock()}
        *others, last = ids
        if others:
            self.connection.execute(_change_open, {"ids": others, **ended})
        self.connection.execute(_change_open, {"ids": [last], **ended, "reading": reading, "vector": vector})

    # What is told

    def say(self, conversation: Conversation, turn: str | None, say: Say, at: datetime) -> bool:
        """Put one reply or notice into the outbox, rendered; False where its key is there already.

        The web is told by being stored. A notice to who asked for none is stored as failed, and never shown.
        The buttons in force become its own: an answer or a question without any leaves none to be typed as a number;
        a notice without any leaves the last ones.
        """
        language = conversation.language or FIRST_LANGUAGE
        words, buttons = self._store.render(say.name, say.params, say.buttons, language)
        last = self._numbers(conversation.id)
        stopped = say.notice and conversation.stopped_at is not None
        told = conversation.address.scheme == "web" and not stopped
        row = {
            "conversation": conversation.id,
            "turn": turn,
            "ref": say.ref,
            "name": say.name,
            "params": dict(say.params),
            "language": language,
            "notice": say.notice,
            "state": "failed" if stopped else "sent" if told else "created",
            "error": STOPPED if stopped else "",
            "failure": STOPPED if stopped else "",
            "attempts": 0,
            "created_at": at,
            "sent_at": at if told else None,
        }
        parts = self._store.sizes(conversation.address, words, buttons)
        for n, part in enumerate(parts, 1):
            of_this = {"text": part, "buttons": buttons if n == len(parts) else [], "seq": last[1] + 1}
            key = say.key if n == 1 else f"{say.key}#{n}"
            if not self.connection.execute(self._store.once_outbox, {**row, **of_this, "key": key}).rowcount:
                return False
            last[1] += 1
        changes = self._changes.setdefault(conversation.id, {})
        changes["seq_out"] = last[1]
        if not stopped and (buttons or say.asks or not say.notice):
            conversation.buttons = changes["buttons"] = buttons
        self.touched.add(conversation.id)
        if row["state"] == "created":
            self.posted.add(conversation.id)
        return True

    def offered(self, conversation: str, payload: str, last: int) -> str | None:
        """The title under which one of the last sentences offered this button; None where none did."""
        lines = self.connection.scalars(_offered, {"an_id": conversation, "most": last})
        return next((str(b["title"]) for buttons in lines for b in buttons or () if b["payload"] == payload), None)

    def pressed(self, conversation: str, row: int, place: int) -> Json | None:
        """The button at this place of this line of this conversation; None where there is none."""
        line = select(outbox.c.buttons).where(outbox.c.id == row, outbox.c.conversation == conversation)
        buttons = self.connection.scalar(line) or []
        return buttons[place] if 0 <= place < len(buttons) else None

    def unhold(self, conversation: str) -> int:
        """What waited for the person to write goes out now, in its order; how many lines that is."""
        held = update(outbox).where(outbox.c.conversation == conversation, one_of(outbox.c.state, "held"))
        released = self.connection.execute(held.values(state="created", next_at=None, error="")).rowcount
        if released:
            self.posted.add(conversation)
        return released

    def has_spoken(self, conversation: str, turn: str) -> bool:
        return self.connection.execute(_spoken, {"an_id": conversation, "a_turn": turn}).first() is not None

    def staff_tell(
        self, ref: str, about: str, unit: str, staff: str | None, at: datetime, params: Mapping[str, Json]
    ) -> None:
        row = {"ref": ref, "about": about, "unit": unit, "staff": staff, "at": at, "params": dict(params)}
        self.connection.execute(_add_desk_notice, row)

    # Files

    def add_files(self, conversation: str, message: int, files: Sequence[Mapping[str, Json]], at: datetime) -> None:
        """Files and places that came with a message: they wait with the draft."""
        rows_ = [{"conversation": conversation, "message": message, "created_at": at, **file} for file in files]
        if rows_:
            for row in rows_:
                self.connection.execute(insert(attachments), row)

    def files_of(self, messages: Sequence[int]) -> list[str]:
        """The kinds of what came with these messages."""
        query = select(attachments.c.kind).where(attachments.c.message.in_(messages)).order_by(attachments.c.id)
        return list(self.connection.scalars(query))

    def take_files(self, conversation: str, ref: str) -> int:
        """What waits with the draft belongs to this ticket from now on; how many that is."""
        waiting = update(attachments).where(attachments.c.conversation == conversation, attachments.c.ref.is_(None))
        return self.connection.execute(waiting.values(ref=ref)).rowcount

    def drop_files(self, conversation: str) -> list[str]:
        """What waits with the draft is not wanted any more; the contents that nothing names from now on."""
        waiting = (attachments.c.conversation == conversation) & attachments.c.ref.is_(None)
        dropped = set(self.connection.scalars(delete(attachments).where(waiting).returning(attachments.c.sha256)))
        named = select(attachments.c.sha256).where(attachments.c.sha256.in_(dropped - {None}))
        return sorted(dropped - {None} - set(self.connection.scalars(named)))

    # The assistant's memory

    def add_events(self, dialogue: str, first: int, events: Sequence[Json]) -> None:
        """Store the events that follow the first `first` ones; the same place twice is an error."""
        at = self._store.clock()
        new = [{"dialogue": dialogue, "n": first + i, "event": event, "at": at} for i, event in enumerate(events)]
        if new:
            self.connection.execute(_add_events, new)

    def events(self, dialogue: str) -> list[Json]:
        return list(self.connection.scalars(_events, {"an_id": dialogue}))

    def drop_events(self, dialogue: str) -> None:
        """A dialogue that has ended is not kept: what it led to is."""
        if dialogue:
            self.connection.execute(_drop_events, {"an_id": dialogue})

    # Tickets

    def add_ticket(self, ticket: Ticket, turn: str | None) -> bool:
        row = rows.ticket_row(ticket, self._store.fold, self._store.due)
        if not self.connection.execute(self._store.once_ticket, {**row, "turn": turn}).rowcount:
            return False
        secrets = self._store.secrets
        history = [signed(secrets, entries, rows.entry_row(ticket.ref, entry)) for entry in ticket.history]
        self.connection.execute(_add_entries, history)
        return True

    def ticket(self, ref: str) -> Ticket | None:
        if self._postgresql:  # its conversation first: the order in which everybody locks
            self.connection.execute(_ticket_lock, {"an_id": ref})
        row = self.connection.execute(_ticket, {"an_id": ref}).mappings().first()
        return rows.ticket(row, self.connection.execute(_entries, {"an_id": ref}).mappings()) if row else None

    def ticket_of_turn(self, turn: str) -> Ticket | None:
        ref = self.connection.scalar(select(tickets.c.ref).where(tickets.c.turn == turn))
        return self.ticket(ref) if ref else None

    def save_ticket(self, ticket: Ticket, version: int) -> None:
        row = rows.ticket_row(ticket, self._store.fold, self._store.due)
        ref = row.pop("ref")
        if not self.connection.execute(_save_ticket, {**row, "an_id": ref, "a_version": version}).rowcount:
            raise Stale(ref, self.connection.scalar(select(tickets.c.version).where(tickets.c.ref == ref)) or 0)
        new = [rows.entry_row(ref, entry) for entry in ticket.history if entry.seq > version]
        if new:
            self.connection.execute(_add_entries, [signed(self._store.secrets, entries, row) for row in new])

    def tickets_of(self, contact: str) -> list[Ticket]:
        found = self.connection.execute(_tickets_of, {"an_id": contact}).mappings().all()
        past = self.connection.execute(_entries_of, {"an_id": contact}).mappings()
        histories = {ref: list(group) for ref, group in groupby(past, key=lambda row: row["ref"])}
        return [rows.ticket(row, histories[row["ref"]]) for row in found]

    def due(self, before: datetime, limit: int = 100) -> list[str]:
        return list(self.connection.scalars(_due.where(tickets.c.due_at < before).limit(limit)))

    def set_due(self, ref: str, at: datetime | None) -> None:
        """Correct the cached clock of a ticket that has not changed."""
        self.connection.execute(update(tickets).where(tickets.c.ref == ref).values(due_at=at))

    # Once only, and not too often

    def guesses(self, who: str, since: datetime) -> int:
        query = select(func.count()).select_from(guesses).where(guesses.c.who == who, guesses.c.at >= since)
        return self.connection.execute(query).scalar_one()

    def guessed(self, who: str, at: datetime) -> None:
        self.connection.execute(insert(guesses), {"who": who, "at": at})

    def add_link_code(self, code_hash: str, contact: str, at: datetime, until: datetime) -> None:
        """A code by which a second address is proved; those that are void, or this person's older ones, are forgotten."""
        old = or_(link_codes.c.until <= at, link_codes.c.contact == contact, link_codes.c.code_hash == code_hash)
        self.connection.execute(delete(link_codes).where(old))
        self.connection.execute(insert(link_codes), {"code_hash": code_hash, "contact": contact, "until": until})

    def spend_link_code(self, code_hash: str, at: datetime) -> str | None:
        """Whose code this is; nobody can use it again. None where there is none, or not any more."""
        spent = delete(link_codes).where(link_codes.c.code_hash == code_hash, link_codes.c.until > at)
        return self.connection.execute(spent.returning(link_codes.c.contact)).scalar_one_or_none()

    def join_contacts(self, contact: str, into: str) -> None:
        """All addresses and tickets of `contact` are those of `into` from now on."""
        for table in (conversations, tickets):
            self.connection.execute(update(table).where(table.c.contact == contact).values(contact=into))

    def prefer(self, contact: str, conversation: str) -> None:
        """Notices for this person go to this conversation from now on, wherever their tickets were filed."""
        chosen = update(contacts).where(contacts.c.id == contact)
        self.connection.execute(chosen.values(preferred_address=conversation, chose_address=True))

    def preferred(self, contact: str) -> str | None:
        """The conversation that the person chose for notices; None where none was chosen, or it is stopped."""
        return self.connection.scalar(_preferred, {"an_id": contact})

    def remembered(self, key: str) -> Json | None:
        """The answer that was given under this key; where there is none, nobody else gives one meanwhile."""
        self._take_turns(f"idempotency {storable(key)}")
        return self.connection.scalar(select(idempotency.c.answer).where(idempotency.c.key == key))

    def remember(self, key: str, answer: Json, at: datetime) -> None:
        self.connection.execute(insert(idempotency), {"key": key, "answer": answer, "at": at})


__all__ = ["FIRST_LANGUAGE", "STOPPED", "Line", "Said", "SqlStore", "SqlTransaction", "is_open", "whole"]
