"""Every table of the house, in one place: what is kept, why, and which of it is about a person.

Each column says its purpose (`comment`) and its class of personal data (`info["personal"]`, one of PERSONAL): this
file is the registry of personal data. Times are aware and UTC; text is whatever a person wrote, less what no
database takes; JSON is plain JSON.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

PERSONAL = {
    "none": "not about a person",
    "pseudonym": "a random id that stands for a person: personal only together with the row it points to",
    "address": "where a person can be reached: encrypted, or a keyed hash",
    "words": "what a person wrote, was told, or what was read out of it (the vector of a text, too)",
    "about": "a fact about a person: language, kind of beneficiary, what the matter is",
    "staff": "who of the ministry's staff did something",
    "secret": "proves who somebody is: a hash, or encrypted",
}

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: str) -> str:
    """The text as both databases take it: without NUL, lone surrogates replaced by U+FFFD."""
    if not _UNSTORABLE.search(value):
        return value
    return "".join("" if c == "\0" else "\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)


class Time(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC in the database, ordered and equal on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: only aware times are stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text that both databases take, whatever was given: see `storable`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value if value is None else storable(value)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""Plain JSON; written by `database.dumps`, which keeps it storable."""
Id = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class holds(FunctionElement[bool]):
    """True where a JSON list column holds this text: `holds(tickets.c.readers, staff.id)`, on both databases."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], value: str) -> None:
        super().__init__(column, literal(value, Words()))


@compiles(holds, "sqlite")
def _holds_sqlite(element: holds, compiler: Any, **kw: Any) -> str:
    column, value = (compiler.process(c, **kw) for c in element.clauses)
    # most lists are empty: that is seen without opening them
    return f"({column} <> '[]' AND EXISTS (SELECT 1 FROM json_each({column}) WHERE json_each.value = {value}))"


@compiles(holds, "postgresql")
def _holds_postgresql(element: holds, compiler: Any, **kw: Any) -> str:
    column, value = (compiler.process(c, **kw) for c in element.clauses)
    return f"jsonb_exists({column}, {value})"


def one_of(column: ColumnElement[Any], *values: str) -> ColumnElement[bool]:
    """The column has one of these values, written out as in the partial indexes: else neither database uses them."""
    written: list[ColumnElement[Any]] = [literal_column(f"'{value}'") for value in values]
    return column.in_(written) if len(written) > 1 else column == written[0]


_FAR = text("'9999-01-01 00:00:00.000000'")


def _column(
    name: str, type_: TypeEngine[Any] | type[TypeEngine[Any]], personal: str, comment: str, *args: Any, **kw: Any
) -> Column[Any]:
    """A column that says what it is for and how personal it is; NOT NULL unless it says otherwise."""
    if personal not in PERSONAL:
        raise ValueError(f"{name}: {personal!r} is no class of personal data: one of {', '.join(PERSONAL)}")
    kw.setdefault("nullable", False)
    return Column(name, type_, *args, comment=comment, info={"personal": personal}, **kw)


contacts = Table(
    "contacts",
    metadata,
    _column("id", Words, "pseudonym", "random id of a person, over all of their addresses", primary_key=True),
    _column("language", Words, "about", "language to speak where a conversation has none: ar, en, zh", nullable=True),
    _column("beneficiary_type", Words, "about", "citizen, resident, visitor, company", nullable=True),
    _column("preferred_address", Words, "pseudonym", "id of the conversation that notices go to", nullable=True),
    _column("chose_address", Boolean, "about", "the person asked for that address", server_default=text("false")),
    _column("created_at", Time, "about", "when the person first wrote"),
    comment="A person, as far as the house knows one",
)

conversations = Table(
    "conversations",
    metadata,
    _column("id", Words, "pseudonym", "random id, also in logs and with the assistant", primary_key=True),
    _column("contact", Words, "pseudonym", "whose address this is", ForeignKey("contacts.id"), index=True),
    _column("scheme", Words, "none", "web, whatsapp, sms, telegram"),
    _column("account", Words, "none", "our own number or bot, where a scheme has several", server_default=""),
    _column("address_enc", LargeBinary, "address", "the identifier, encrypted"),
    _column("address_hash", Words, "address", "keyed hash of scheme, account and identifier, for look-up", unique=True),
    _column("language", Words, "about", "ar, en, zh; null until it is known", nullable=True),
    _column("language_chosen", Boolean, "about", "the person asked for this language", server_default=text("false")),
    _column("notice_version", Words, "about", "version of the privacy sentence that was shown", nullable=True),
    _column("notice_at", Time, "about", "when the privacy sentence was shown", nullable=True),
    _column("stopped_at", Time, "about", "no notices since then, until START", nullable=True),
    _column("state", Json, "words", "the draft, the open question, counters"),
    _column("buttons", Json, "words", "last offered, so that a number typed back is understood"),
    _column("dialogue", Words, "pseudonym", "the assistant's sender id", server_default=""),
    _column("dialogue_at", Time, "none", "when this dialogue began", nullable=True),
    _column("dialogue_events", Integer, "none", "how many events of it the house holds", server_default="0"),
    _column("menu", Boolean, "none", "the numbered menu has the conversation", server_default=text("false")),
    _column("last_in_at", Time, "about", "when the person last wrote (reply windows)", nullable=True),
    _column("seq_in", Integer, "none", "number of the last message in", server_default="0"),
    _column("seq_out", Integer, "none", "number of the last message out", server_default="0"),
    _column("created_at", Time, "about", "when this address first wrote"),
    _column("session_generation", Integer, "none", "browser sessions of an older one are void", server_default="0"),
    _column("limited_until", Time, "about", "the numbered menu alone answers before then", nullable=True),
    _column("worker", Words, "none", "who works on the waiting messages", nullable=True),
    _column("lease_until", Time, "none", "nobody else may work on it before then", nullable=True),
    _column("live_ref", Words, "pseudonym", "the ticket for which somebody of the staff is in it", nullable=True),
    _column("live_staff", Words, "staff", "who that is", nullable=True),
    _column("live_at", Time, "about", "when they last said something", nullable=True),
    comment="One address of one person, and where the talk with it stands",
)
Index(
    "ix_conversations_live",
    conversations.c.live_at,
    sqlite_where=text("live_ref IS NOT NULL"),
    postgresql_where=text("live_ref IS NOT NULL"),
)

inbox = Table(
    "inbox",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("conversation", Words, "pseudonym", "who wrote", ForeignKey("conversations.id")),
    _column("seq", Integer, "none", "order within the conversation, without gaps"),
    _column("message_id", Words, "pseudonym", "the provider's or the client's id: first time only"),
    _column("text", Words, "words", "what was written"),
    _column("payload", Words, "words", "of a button that this house issued", nullable=True),
    _column("received_at", Time, "about", "when it was stored"),
    _column("state", Words, "none", "waiting, working, done, menu, failed", server_default="waiting"),
    _column("turn", Words, "none", "the turn that worked on it: the key of all it did", nullable=True),
    _column("attempts", Integer, "none", "how often a turn was begun", server_default="0"),
    _column("reading", Json, "words", "what the assistant read: intent, category, flags", nullable=True),
    _column("vector", LargeBinary, "words", "the message's vector (int8), as personal as the text", nullable=True),
    _column("reason", Words, "none", "why it failed or went to the menu", server_default=""),
    _column("finished_at", Time, "none", "when it reached an end", nullable=True),
    _column("files", Integer, "about", "how many files came with it", server_default="0"),
    UniqueConstraint("conversation", "message_id"),
    UniqueConstraint("conversation", "seq"),
    comment="What came in. The row is the queue",
    sqlite_autoincrement=True,  # a number is never given twice: turns are named after it
)
Index(
    "ix_inbox_open",
    inbox.c.conversation,
    inbox.c.seq,
    sqlite_where=text("state IN ('waiting', 'working')"),
    postgresql_where=text("state IN ('waiting', 'working')"),
)
Index(
    "ix_inbox_failed",
    inbox.c.received_at,
    sqlite_where=text("state = 'failed'"),
    postgresql_where=text("state = 'failed'"),
)
Index("ix_inbox_turn", inbox.c.turn)
Index("ix_inbox_received_at", inbox.c.received_at)

outbox = Table(
    "outbox",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("conversation", Words, "pseudonym", "who is told", ForeignKey("conversations.id")),
    _column("seq", Integer, "none", "order within the conversation, without gaps, in commit order"),
    _column("turn", Words, "none", "the turn that says it; null for a notice", nullable=True),
    _column("ref", Words, "pseudonym", "the ticket it tells of", nullable=True),
    _column("name", Words, "none", "name of the sentence in the catalogues"),
    _column("params", Json, "words", "what is inserted into the sentence"),
    _column("text", Words, "words", "the sentence as it was rendered"),
    _column("buttons", Json, "words", "rendered: title, payload"),
    _column("language", Words, "about", "language it was rendered in"),
    _column("key", Words, "none", "makes it once-only within the conversation"),
    _column("notice", Boolean, "none", "not an answer: not sent after a stop", server_default=text("false")),
    _column("state", Words, "none", "created, held, sending, sent, delivered, read, failed", server_default="created"),
    _column("attempts", Integer, "none", "how often sending was tried", server_default="0"),
    _column("next_at", Time, "none", "not to be tried before", nullable=True),
    _column("lease_until", Time, "none", "being sent by somebody until then", nullable=True),
    _column("error", Words, "none", "why it was not sent", server_default=""),
    _column("failure", Words, "none", "of a failed one: temporary, permanent, technical, stopped", server_default=""),
    _column("uncertain", Integer, "none", "how often it was handed over and no answer came", server_default="0"),
    _column("form", Words, "none", "text, or the template it went as", server_default="text"),
    _column("segments", Integer, "none", "SMS parts it is paid as; 0 elsewhere", server_default="0"),
    _column("provider_id", Words, "pseudonym", "its id at the provider", nullable=True),
    _column(
        "spent_id", Words, "pseudonym", "its id there of a try that came too late and was made again", nullable=True
    ),
    _column(
        "owed", Boolean, "none", "it failed, and what follows from that is not done yet", server_default=text("false")
    ),
    _column("created_at", Time, "about", "when it was decided"),
    _column("tried_at", Time, "none", "when it was first handed over, with or without an answer", nullable=True),
    _column("sent_at", Time, "about", "when it was handed over", nullable=True),
    _column("delivered_at", Time, "about", "when it arrived", nullable=True),
    _column("read_at", Time, "about", "when it was opened", nullable=True),
    UniqueConstraint("conversation", "seq"),
    UniqueConstraint("conversation", "key"),
    comment="What is told to people: rendered once, in the transaction that made it true",
)
Index("ix_outbox_conversation_turn", outbox.c.conversation, outbox.c.turn)
Index("ix_outbox_ref", outbox.c.ref)
Index("ix_outbox_provider_id", outbox.c.provider_id)
Index(
    "ix_outbox_spent_id",
    outbox.c.spent_id,
    sqlite_where=text("spent_id IS NOT NULL"),
    postgresql_where=text("spent_id IS NOT NULL"),
)
Index("ix_outbox_sent_at", outbox.c.sent_at)
Index("ix_outbox_owed", outbox.c.id, sqlite_where=text("owed"), postgresql_where=text("owed"))
Index(
    "ix_outbox_held",
    outbox.c.conversation,
    sqlite_where=text("state = 'held'"),
    postgresql_where=text("state = 'held'"),
)
Index(
    "ix_outbox_unsent",
    outbox.c.conversation,
    outbox.c.seq,
    sqlite_where=text("state IN ('created', 'sending')"),
    postgresql_where=text("state IN ('created', 'sending')"),
)

Index(
    "ix_outbox_failed",
    outbox.c.created_at,
    sqlite_where=text("state = 'failed'"),
    postgresql_where=text("state = 'failed'"),
)

dialogue_events = Table(
    "dialogue_events",
    metadata,
    _column("dialogue", Words, "pseudonym", "the assistant's sender id", primary_key=True),
    _column("n", Integer, "none", "position, from 0", primary_key=True),
    _column("event", Json, "words", "the event as the assistant wrote it"),
    _column("at", Time, "none", "when the house stored it"),
    comment="The assistant's memory, kept by the house",
)

tickets = Table(
    "tickets",
    metadata,
    _column("ref", Words, "pseudonym", "the reference: ten digits, random", primary_key=True),
    _column("kind", Words, "about", "inquiry, complaint, suggestion, report, observation"),
    _column("text", Words, "words", "the words as they were filed"),
    _column("text_folded", Words, "words", "folded for search, with what was added later"),
    _column("opened_at", Time, "about", "when it was filed"),
    _column("unit", Words, "about", "the unit that owes the answer"),
    _column("language", Words, "about", "language to answer in"),
    _column("source", Words, "about", "web, whatsapp, sms, telegram, phone, counter, email"),
    _column("contact", Words, "pseudonym", "whose it is; null where unknown", ForeignKey("contacts.id"), nullable=True),
    _column("conversation", Words, "pseudonym", "where notices go", ForeignKey("conversations.id"), nullable=True),
    _column("category", Words, "about", "what it is about", nullable=True),
    _column("subcategory", Words, "about", "more closely", nullable=True),
    _column("service", Words, "about", "the service concerned", nullable=True),
    _column("service_class", Words, "none", "A, B, C: shortens the term", server_default="C"),
    _column("state", Words, "about", "state in the lifecycle: the last entry's `after`"),
    _column("staff", Words, "staff", "who works on it", nullable=True),
    _column("flags", Json, "about", "confidential, urgent, needs_person, my_data, language, abuse"),
    _column("readers", Json, "staff", "staff named for it"),
    _column("hidden_from", Json, "about", "units that must not see it"),
    _column(
        "unit_needs_to_know", Boolean, "none", "the unit works on a need-to-know basis", server_default=text("false")
    ),
    _column("confidential", Boolean, "about", "copy of the flag", server_default=text("false")),
    _column("urgent", Boolean, "about", "copy of the flag", server_default=text("false")),
    _column("needs_person", Boolean, "about", "copy of the flag", server_default=text("false")),
    _column("need_to_know", Boolean, "about", "confidential, or its unit works so", server_default=text("false")),
    _column("beneficiary_type", Words, "about", "citizen, resident, visitor, company", nullable=True),
    _column("on_behalf", Boolean, "about", "filed for somebody else", server_default=text("false")),
    _column("stage", Words, "about", "before, during or after the service", nullable=True),
    _column("governorate", Words, "about", "where", nullable=True),
    _column("receipt_hash", Words, "secret", "keyed hash of the receipt code shown once", nullable=True),
    _column("reading", Json, "words", "what the assistant read"),
    _column("promised_for", Time, "about", "the promise in force"),
    _column("due_at", Time, "none", "cache: when the clock next has something to do", nullable=True),
    _column("answered_at", Time, "about", "reply of substance since it was filed or reopened", nullable=True),
    _column("closed_at", Time, "about", "when work ended; null while it is live", nullable=True),
    _column("version", Integer, "none", "number of entries"),
    _column("turn", Words, "none", "the turn that filed it: at most one", nullable=True, unique=True),
    _column("incident", Words, "none", "the common cause it was joined to", nullable=True),
    _column("lane", Integer, "none", "order of lists: 0 urgent, 1 a promise runs, 2 live, 3 ended", server_default="3"),
    _column(
        "queue_at",
        Time,
        "about",
        "order of lists: the date to be kept; beyond 9900 where none runs",
        server_default=_FAR,
    ),
    _column("escalated", Boolean, "about", "not answered since it was last escalated", server_default=text("false")),
    comment="Where each ticket stands: a reading of its entries, for lists and search",
)
Index("ix_tickets_unit_state", tickets.c.unit, tickets.c.state)
Index("ix_tickets_staff_state", tickets.c.staff, tickets.c.state)
Index("ix_tickets_contact", tickets.c.contact, tickets.c.opened_at)
Index("ix_tickets_conversation", tickets.c.conversation)
Index("ix_tickets_opened_at", tickets.c.opened_at)
Index("ix_tickets_due_at", tickets.c.due_at)
_as_listed = (tickets.c.lane, tickets.c.queue_at, tickets.c.opened_at, tickets.c.ref)
Index("ix_tickets_queue", *_as_listed)
Index("ix_tickets_unit_queue", tickets.c.unit, *_as_listed)
Index("ix_tickets_staff_queue", tickets.c.staff, *_as_listed)

entries = Table(
    "entries",
    metadata,
    _column("ref", Words, "pseudonym", "the ticket", ForeignKey("tickets.ref"), primary_key=True),
    _column("seq", Integer, "none", "position, from 1, without gaps", primary_key=True),
    _column("verb", Words, "about", "what was done: a row of the lifecycle table"),
    _column("at", Time, "about", "when"),
    _column("by_kind", Words, "staff", "beneficiary, staff, system, program"),
    _column("by_id", Words, "staff", "staff, contact or token id", server_default=""),
    _column("by_name", Words, "staff", "name of the member of staff, as it was then", server_default=""),
    _column("by_role", Words, "staff", "role, as it was then", nullable=True),
    _column("before", Words, "about", "state before"),
    _column("after", Words, "about", "state after"),
    _column("said", Json, "words", "what the verb was given"),
    _column("promise", Json, "about", "a new promise: due, policy, calendar, why", nullable=True),
    _column("mac", Words, "none", "keyed hash of the row by the house that wrote it", nullable=True),
    _column("sealed", Boolean, "none", "the sealer has looked at it", server_default=text("false")),
    comment="The history of tickets: append only, and the record",
)
Index("ix_entries_at", entries.c.at)
Index("ix_entries_unsealed", entries.c.at, sqlite_where=text("NOT sealed"), postgresql_where=text("NOT sealed"))

attachments = Table(
    "attachments",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("conversation", Words, "pseudonym", "who sent it", ForeignKey("conversations.id")),
    _column("message", Id, "pseudonym", "row of the inbox it came with", nullable=True),
    _column("ref", Words, "pseudonym", "the ticket it belongs to; null while it waits with the draft", nullable=True),
    _column("kind", Words, "about", "photo, voice, video, document, place"),
    _column("name", Words, "words", "as it is shown and downloaded", server_default=""),
    _column("declared", Words, "none", "the media type its sender claimed", server_default=""),
    _column("source", Words, "pseudonym", "where the provider has it; empty once it is here", server_default=""),
    _column("place", Json, "words", "of a location: latitude, longitude, name", nullable=True),
    _column("state", Words, "none", "waiting, kept, quarantined, refused", server_default="waiting"),
    _column("reason", Words, "none", "why it was refused", server_default=""),
    _column("sha256", Words, "words", "of the content: its name in DATA_DIR/files", nullable=True),
    _column("size", Integer, "none", "bytes", nullable=True),
    _column("type", Words, "none", "media type by its content", server_default=""),
    _column("attempts", Integer, "none", "how often fetching was tried", server_default="0"),
    _column("next_at", Time, "none", "not to be tried before", nullable=True),
    _column("created_at", Time, "about", "when it came"),
    comment="Files and places that people sent",
)
Index("ix_attachments_conversation", attachments.c.conversation)
Index("ix_attachments_ref", attachments.c.ref)
Index("ix_attachments_message", attachments.c.message)
Index(
    "ix_attachments_waiting",
    attachments.c.id,
    sqlite_where=text("state IN ('waiting', 'quarantined')"),
    postgresql_where=text("state IN ('waiting', 'quarantined')"),
)

set_aside = Table(
    "set_aside",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("provider", Words, "none", "twilio, telegram"),
    _column("digest", Words, "none", "keyed hash of the call: the same again is the same row", unique=True),
    _column("body_enc", LargeBinary, "words", "the call as it came, encrypted"),
    _column("reason", Words, "none", "what went wrong, without a person's words"),
    _column("at", Time, "none", "when it first came"),
    _column("times", Integer, "none", "how often it came", server_default="1"),
    _column("seen_at", Time, "staff", "when somebody at the desk dealt with it", nullable=True),
    comment="Updates of providers that could not be dealt with: shown at the desk, the next ones go on",
)

late_news = Table(
    "late_news",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("provider_id", Words, "pseudonym", "id of the message at the provider"),
    _column("state", Words, "none", "sent, delivered, read, failed"),
    _column("failure", Words, "none", "why, where it failed", server_default=""),
    _column("code", Words, "none", "the provider's error code", server_default=""),
    _column("at", Time, "none", "when it came; forgotten after a day", index=True),
    UniqueConstraint("provider_id", "state"),
    comment="What providers tell of messages whose id is not known yet",
)

link_codes = Table(
    "link_codes",
    metadata,
    _column("code_hash", Words, "secret", "keyed hash of the one-time code", primary_key=True),
    _column("contact", Words, "pseudonym", "whose addresses are joined by it"),
    _column("until", Time, "none", "void from then on", index=True),
    comment="Codes by which a person proves that a second address is theirs",
)

guesses = Table(
    "guesses",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("who", Words, "pseudonym", "contact or session that guessed"),
    _column("at", Time, "about", "when"),
    comment="Failed guesses at references and receipts",
)
Index("ix_guesses_who_at", guesses.c.who, guesses.c.at)

idempotency = Table(
    "idempotency",
    metadata,
    _column("key", Words, "none", "who asked, and the key they gave", primary_key=True),
    _column("answer", Json, "words", "what was answered"),
    _column("at", Time, "none", "when", index=True),
    comment="Answers to requests that carry a key: the second time, the same",
)

desk_notices = Table(
    "desk_notices",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("ref", Words, "pseudonym", "the ticket"),
    _column("about", Words, "about", "name of what happened"),
    _column("unit", Words, "none", "the unit that is told"),
    _column("staff", Words, "staff", "the member of staff who is told; null for the whole unit", nullable=True),
    _column("params", Json, "words", "what is inserted into the sentence"),
    _column("at", Time, "none", "when"),
    _column("seen_at", Time, "staff", "when somebody saw it", nullable=True),
    comment="What the desk is told",
)
Index("ix_desk_notices_unit_at", desk_notices.c.unit, desk_notices.c.at)
Index("ix_desk_notices_staff_at", desk_notices.c.staff, desk_notices.c.at)

staff = Table(
    "staff",
    metadata,
    _column("id", Words, "staff", "random id", primary_key=True),
    _column("email", Words, "staff", "sign-in name, lower case", unique=True),
    _column("name", Words, "staff", "as colleagues and the history show it"),
    _column("password_hash", Words, "secret", "Argon2; empty: no sign-in by password", server_default=""),
    _column("role", Words, "staff", "agent, supervisor, manager, oversight, admin"),
    _column("unit", Words, "staff", "null: the ministry as a whole", nullable=True),
    _column("sees_all", Boolean, "staff", "reads every unit's ordinary tickets", server_default=text("false")),
    _column("active", Boolean, "staff", "may sign in", server_default=text("true")),
    _column("language", Words, "staff", "language of the desk", server_default="ar"),
    _column("totp_secret", LargeBinary, "secret", "second factor, encrypted", nullable=True),
    _column(
        "totp_pending", LargeBinary, "secret", "second factor that no code has confirmed, encrypted", nullable=True
    ),
    _column("totp_step", BigInteger, "staff", "time step of the last code used: a code is good once", nullable=True),
    _column("must_change", Boolean, "staff", "the password is somebody else's choice", server_default=text("false")),
    _column("last_seen", Time, "staff", "last request of any session", nullable=True),
    _column("failed", Integer, "staff", "failed sign-ins in a row", server_default="0"),
    _column("locked_until", Time, "staff", "no sign-in before then", nullable=True),
    _column("created_at", Time, "staff", "when the account was made"),
    comment="Who works at the desk",
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    _column("token_hash", Words, "secret", "keyed hash of the cookie", primary_key=True),
    _column("staff", Words, "staff", "whose", ForeignKey("staff.id"), index=True),
    _column("created_at", Time, "staff", "when they signed in"),
    _column("seen_at", Time, "staff", "last request"),
    _column("expires_at", Time, "staff", "void from then on", index=True),
    comment="Who is signed in",
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _column("id", Words, "none", "random id: the program in the history", primary_key=True),
    _column("name", Words, "none", "what the program is called"),
    _column("token_hash", Words, "secret", "keyed hash of the token", unique=True),
    _column("scopes", Json, "none", "what it may do"),
    _column("created_at", Time, "none", "when it was issued"),
    _column("revoked_at", Time, "none", "void from then on", nullable=True),
    comment="Programs of other systems",
)

register = Table(
    "register",
    metadata,
    _column("kind", Words, "none", "category, service, unit, body, branch, routing …", primary_key=True),
    _column("key", Words, "none", "id of the row within its kind", primary_key=True),
    _column("position", Integer, "none", "order of menus", server_default="0"),
    _column("data", Json, "none", "the row"),
    _column(
        "active", Boolean, "none", "offered; old tickets still understand an inactive one", server_default=text("true")
    ),
    _column("version", Integer, "none", "counts the changes", server_default="1"),
    comment="Whatever a linguist, a clerk or a manager may change: seeded from data/, then this rules",
)

register_history = Table(
    "register_history",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("kind", Words, "none", "kind of the row"),
    _column("key", Words, "none", "id of the row"),
    _column("at", Time, "none", "when"),
    _column("by", Words, "staff", "who changed it"),
    _column("old", Json, "none", "before; null where it was added", nullable=True),
    _column("new", Json, "none", "after", nullable=True),
    comment="Who changed what in the register",
)
Index("ix_register_history_kind_key", register_history.c.kind, register_history.c.key)

leases = Table(
    "leases",
    metadata,
    _column("name", Words, "none", "the job that one process at a time does", primary_key=True),
    _column("holder", Words, "none", "process that does it"),
    _column("until", Time, "none", "somebody else may, from then on"),
    comment="Periodic jobs of which only one may run",
)

incidents = Table(
    "incidents",
    metadata,
    _column("id", Words, "none", "random id", primary_key=True),
    _column("title", Words, "none", "what happened, in a colleague's words"),
    _column("opened_at", Time, "none", "when it was made"),
    _column("opened_by", Words, "staff", "who made it"),
    _column("closed_at", Time, "none", "when all were told that it is over; null before", nullable=True),
    comment="One cause of many tickets",
)

incident_updates = Table(
    "incident_updates",
    metadata,
    _column("incident", Words, "none", "the incident", ForeignKey("incidents.id"), primary_key=True),
    _column("n", Integer, "none", "position, from 1, without gaps", primary_key=True),
    _column("verb", Words, "none", "reply, resolve: what each of its tickets gets"),
    _column("text", Words, "words", "what everybody is told"),
    _column("refs", Json, "pseudonym", "the tickets it is owed to"),
    _column("by_id", Words, "staff", "who wrote it"),
    _column("by_name", Words, "staff", "their name, as it was then", server_default=""),
    _column("by_role", Words, "staff", "their role, as it was then", nullable=True),
    _column("at", Time, "none", "when"),
    comment="What everybody of an incident is told, once each",
)
Index(
    "ix_tickets_incident",
    tickets.c.incident,
    sqlite_where=text("incident IS NOT NULL"),
    postgresql_where=text("incident IS NOT NULL"),
)

audit = Table(
    "audit",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("at", Time, "staff", "when"),
    _column("by_kind", Words, "staff", "staff, program, system"),
    _column("by_id", Words, "staff", "staff or token id; empty where nobody is known", server_default=""),
    _column("by_name", Words, "staff", "name as it was then", server_default=""),
    _column("what", Words, "staff", "read_ticket, read_file, unmasked, signed_in, changed_person …"),
    _column("ref", Words, "pseudonym", "the ticket", nullable=True),
    _column("details", Json, "staff", "ids and names of settings: never a person's words, never an address"),
    _column("nonce", Words, "none", "random: no row can be put in a second time", unique=True),
    _column("mac", Words, "none", "keyed hash of the row by the house that wrote it", nullable=True),
    _column("sealed", Boolean, "none", "the sealer has looked at it", server_default=text("false")),
    comment="Who read, unmasked, signed in, changed settings: append only",
    sqlite_autoincrement=True,
)
Index("ix_audit_ref", audit.c.ref, audit.c.by_id, audit.c.at)
Index("ix_audit_by_id", audit.c.by_id, audit.c.id)
Index("ix_audit_unsealed", audit.c.id, sqlite_where=text("NOT sealed"), postgresql_where=text("NOT sealed"))

seals = Table(
    "seals",
    metadata,
    _column("n", Id, "none", "position in the chain, from 1, without gaps", primary_key=True, autoincrement=False),
    _column("what", Words, "none", "entry, audit; began: from here on only rows with a keyed hash are sealed"),
    _column("key", Words, "pseudonym", "which row: reference/seq of an entry, id of an audit row"),
    _column("digest", Words, "none", "keyed hash of the whole row"),
    _column("chain", Words, "none", "keyed hash of the link before and of this one"),
    _column("at", Time, "none", "when it was sealed"),
    UniqueConstraint("what", "key"),
    comment="The chain over history and audit: what was there, in which order, and has not changed since",
)

desk_drafts = Table(
    "desk_drafts",
    metadata,
    _column("id", Id, "none", "row number", primary_key=True, autoincrement=True),
    _column("ref", Words, "pseudonym", "the ticket it is about", ForeignKey("tickets.ref")),
    _column("staff", Words, "staff", "who writes it, and alone may read it", ForeignKey("staff.id")),
    _column("verb", Words, "none", "the box it stands in: reply, ask, note, resolve"),
    _column("said", Json, "words", "what was typed, by field"),
    _column("state", Words, "none", "draft, waiting (goes out at send_at), going", server_default="draft"),
    _column("seen", Integer, "none", "version of the ticket that the form showed", nullable=True),
    _column("key", Words, "none", "makes the sending once-only", nullable=True),
    _column("send_at", Time, "none", "until then it can be taken back", nullable=True),
    _column("refused", Words, "none", "why it did not go out: name of a sentence", server_default=""),
    _column("saved_at", Time, "staff", "when it was last typed in; forgotten after 30 days", index=True),
    UniqueConstraint("staff", "ref", "verb"),
    comment="What clerks are writing, and what waits ten seconds before it is done",
)
Index(
    "ix_desk_drafts_waiting",
    desk_drafts.c.send_at,
    sqlite_where=text("state IN ('waiting', 'going')"),
    postgresql_where=text("state IN ('waiting', 'going')"),
)

looking = Table(
    "looking",
    metadata,
    _column("ref", Words, "pseudonym", "the ticket", ForeignKey("tickets.ref"), primary_key=True),
    _column("staff", Words, "staff", "who has its page open", ForeignKey("staff.id"), primary_key=True),
    _column("at", Time, "staff", "when the page last said so; forgotten within an hour", index=True),
    comment="Who has a ticket before them now",
)

half_sessions = Table(
    "half_sessions",
    metadata,
    _column("token_hash", Words, "secret", "keyed hash of the cookie", primary_key=True),
    _column("staff", Words, "staff", "whose password it was", ForeignKey("staff.id"), index=True),
    _column("created_at", Time, "staff", "when the password was given"),
    _column("expires_at", Time, "staff", "void from then on", index=True),
    comment="Who gave a right password and owes the second factor",
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    _column("staff", Words, "staff", "whose", ForeignKey("staff.id"), primary_key=True),
    _column("code_hash", Words, "secret", "keyed hash of the code; gone once it was used", primary_key=True),
    comment="What opens the desk once to who has lost the second factor",
)

meta = Table(
    "meta",
    metadata,
    _column("key", Words, "none", "name", primary_key=True),
    _column("value", Words, "none", "value"),
    comment="Facts about the installation itself",
)
