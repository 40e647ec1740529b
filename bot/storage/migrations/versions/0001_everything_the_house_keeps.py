"""Everything the house keeps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "api_tokens",
        sa.Column("id", tables.Words(), nullable=False, comment="random id: the program in the history"),
        sa.Column("name", tables.Words(), nullable=False, comment="what the program is called"),
        sa.Column("token_hash", tables.Words(), nullable=False, comment="keyed hash of the token"),
        sa.Column("scopes", tables.Json, nullable=False, comment="what it may do"),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when it was issued"),
        sa.Column("revoked_at", tables.Time(), nullable=True, comment="void from then on"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
        comment="Programs of other systems",
    )
    op.create_table(
        "contacts",
        sa.Column("id", tables.Words(), nullable=False, comment="random id of a person, over all of their addresses"),
        sa.Column(
            "language",
            tables.Words(),
            nullable=True,
            comment="language to speak where a conversation has none: ar, en, zh",
        ),
        sa.Column("beneficiary_type", tables.Words(), nullable=True, comment="citizen, resident, visitor, company"),
        sa.Column(
            "preferred_address", tables.Words(), nullable=True, comment="id of the conversation that notices go to"
        ),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when the person first wrote"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        comment="A person, as far as the house knows one",
    )
    op.create_table(
        "desk_notices",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("ref", tables.Words(), nullable=False, comment="the ticket"),
        sa.Column("about", tables.Words(), nullable=False, comment="name of what happened"),
        sa.Column("unit", tables.Words(), nullable=False, comment="the unit that is told"),
        sa.Column(
            "staff", tables.Words(), nullable=True, comment="the member of staff who is told; null for the whole unit"
        ),
        sa.Column("params", tables.Json, nullable=False, comment="what is inserted into the sentence"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.Column("seen_at", tables.Time(), nullable=True, comment="when somebody saw it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_notices")),
        comment="What the desk is told",
    )
    with op.batch_alter_table("desk_notices", schema=None) as batch_op:
        batch_op.create_index("ix_desk_notices_staff_at", ["staff", "at"], unique=False)
        batch_op.create_index("ix_desk_notices_unit_at", ["unit", "at"], unique=False)

    op.create_table(
        "dialogue_events",
        sa.Column("dialogue", tables.Words(), nullable=False, comment="the assistant's sender id"),
        sa.Column("n", sa.Integer(), nullable=False, comment="position, from 0"),
        sa.Column("event", tables.Json, nullable=False, comment="the event as the assistant wrote it"),
        sa.Column("at", tables.Time(), nullable=False, comment="when the house stored it"),
        sa.PrimaryKeyConstraint("dialogue", "n", name=op.f("pk_dialogue_events")),
        comment="The assistant's memory, kept by the house",
    )
    op.create_table(
        "guesses",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("who", tables.Words(), nullable=False, comment="contact or session that guessed"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guesses")),
        comment="Failed guesses at references and receipts",
    )
    with op.batch_alter_table("guesses", schema=None) as batch_op:
        batch_op.create_index("ix_guesses_who_at", ["who", "at"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("key", tables.Words(), nullable=False, comment="who asked, and the key they gave"),
        sa.Column("answer", tables.Json, nullable=False, comment="what was answered"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
        comment="Answers to requests that carry a key: the second time, the same",
    )
    with op.batch_alter_table("idempotency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_at"), ["at"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", tables.Words(), nullable=False, comment="the job that one process at a time does"),
        sa.Column("holder", tables.Words(), nullable=False, comment="process that does it"),
        sa.Column("until", tables.Time(), nullable=False, comment="somebody else may, from then on"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        comment="Periodic jobs of which only one may run",
    )
    op.create_table(
        "meta",
        sa.Column("key", tables.Words(), nullable=False, comment="name"),
        sa.Column("value", tables.Words(), nullable=False, comment="value"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
        comment="Facts about the installation itself",
    )
    op.create_table(
        "register",
        sa.Column("kind", tables.Words(), nullable=False, comment="category, service, unit, body, branch, routing …"),
        sa.Column("key", tables.Words(), nullable=False, comment="id of the row within its kind"),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False, comment="order of menus"),
        sa.Column("data", tables.Json, nullable=False, comment="the row"),
        sa.Column(
            "active",
            sa.Boolean(),
            server_default=sa.text("(true)"),
            nullable=False,
            comment="offered; old tickets still understand an inactive one",
        ),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="counts the changes"),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_register")),
        comment="Whatever a linguist, a clerk or a manager may change: seeded from data/, then this rules",
    )
    op.create_table(
        "register_history",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("kind", tables.Words(), nullable=False, comment="kind of the row"),
        sa.Column("key", tables.Words(), nullable=False, comment="id of the row"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.Column("by", tables.Words(), nullable=False, comment="who changed it"),
        sa.Column("old", tables.Json, nullable=True, comment="before; null where it was added"),
        sa.Column("new", tables.Json, nullable=True, comment="after"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_history")),
        comment="Who changed what in the register",
    )
    with op.batch_alter_table("register_history", schema=None) as batch_op:
        batch_op.create_index("ix_register_history_kind_key", ["kind", "key"], unique=False)

    op.create_table(
        "staff",
        sa.Column("id", tables.Words(), nullable=False, comment="random id"),
        sa.Column("email", tables.Words(), nullable=False, comment="sign-in name, lower case"),
        sa.Column("name", tables.Words(), nullable=False, comment="as colleagues and the history show it"),
        sa.Column(
            "password_hash",
            tables.Words(),
            server_default="",
            nullable=False,
            comment="Argon2; empty: no sign-in by password",
        ),
        sa.Column("role", tables.Words(), nullable=False, comment="agent, supervisor, manager, oversight, admin"),
        sa.Column("unit", tables.Words(), nullable=True, comment="null: the ministry as a whole"),
        sa.Column(
            "sees_all",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="reads every unit's ordinary tickets",
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False, comment="may sign in"),
        sa.Column("language", tables.Words(), server_default="ar", nullable=False, comment="language of the desk"),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True, comment="second factor, encrypted"),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False, comment="failed sign-ins in a row"),
        sa.Column("locked_until", tables.Time(), nullable=True, comment="no sign-in before then"),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when the account was made"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
        comment="Who works at the desk",
    )
    op.create_table(
        "conversations",
        sa.Column("id", tables.Words(), nullable=False, comment="random id, also in logs and with the assistant"),
        sa.Column("contact", tables.Words(), nullable=False, comment="whose address this is"),
        sa.Column("scheme", tables.Words(), nullable=False, comment="web, whatsapp, sms, telegram"),
        sa.Column(
            "account",
            tables.Words(),
            server_default="",
            nullable=False,
            comment="our own number or bot, where a scheme has several",
        ),
        sa.Column("address_enc", sa.LargeBinary(), nullable=False, comment="the identifier, encrypted"),
        sa.Column(
            "address_hash",
            tables.Words(),
            nullable=False,
            comment="keyed hash of scheme, account and identifier, for look-up",
        ),
        sa.Column("language", tables.Words(), nullable=True, comment="ar, en, zh; null until it is known"),
        sa.Column(
            "language_chosen",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="the person asked for this language",
        ),
        sa.Column(
            "notice_version", tables.Words(), nullable=True, comment="version of the privacy sentence that was shown"
        ),
        sa.Column("notice_at", tables.Time(), nullable=True, comment="when the privacy sentence was shown"),
        sa.Column("stopped_at", tables.Time(), nullable=True, comment="no notices since then, until START"),
        sa.Column("state", tables.Json, nullable=False, comment="the draft, the open question, counters"),
        sa.Column(
            "buttons", tables.Json, nullable=False, comment="last offered, so that a number typed back is understood"
        ),
        sa.Column("dialogue", tables.Words(), server_default="", nullable=False, comment="the assistant's sender id"),
        sa.Column("dialogue_at", tables.Time(), nullable=True, comment="when this dialogue began"),
        sa.Column(
            "dialogue_events",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="how many events of it the house holds",
        ),
        sa.Column(
            "menu",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="the numbered menu has the conversation",
        ),
        sa.Column("last_in_at", tables.Time(), nullable=True, comment="when the person last wrote (reply windows)"),
        sa.Column("seq_in", sa.Integer(), server_default="0", nullable=False, comment="number of the last message in"),
        sa.Column(
            "seq_out", sa.Integer(), server_default="0", nullable=False, comment="number of the last message out"
        ),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when this address first wrote"),
        sa.Column(
            "session_generation",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="browser sessions of an older one are void",
        ),
        sa.Column("worker", tables.Words(), nullable=True, comment="who works on the waiting messages"),
        sa.Column("lease_until", tables.Time(), nullable=True, comment="nobody else may work on it before then"),
        sa.ForeignKeyConstraint(["contact"], ["contacts.id"], name=op.f("fk_conversations_contact")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_conversations_address_hash")),
        comment="One address of one person, and where the talk with it stands",
    )
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_conversations_contact"), ["contact"], unique=False)

    op.create_table(
        "staff_sessions",
        sa.Column("token_hash", tables.Words(), nullable=False, comment="keyed hash of the cookie"),
        sa.Column("staff", tables.Words(), nullable=False, comment="whose"),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when they signed in"),
        sa.Column("seen_at", tables.Time(), nullable=False, comment="last request"),
        sa.Column("expires_at", tables.Time(), nullable=False, comment="void from then on"),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_staff_sessions_staff")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_staff_sessions")),
        comment="Who is signed in",
    )
    with op.batch_alter_table("staff_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_staff_sessions_staff"), ["staff"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("conversation", tables.Words(), nullable=False, comment="who wrote"),
        sa.Column("seq", sa.Integer(), nullable=False, comment="order within the conversation, without gaps"),
        sa.Column(
            "message_id", tables.Words(), nullable=False, comment="the provider's or the client's id: first time only"
        ),
        sa.Column("text", tables.Words(), nullable=False, comment="what was written"),
        sa.Column("payload", tables.Words(), nullable=True, comment="of a button that this house issued"),
        sa.Column("received_at", tables.Time(), nullable=False, comment="when it was stored"),
        sa.Column(
            "state",
            tables.Words(),
            server_default="waiting",
            nullable=False,
            comment="waiting, working, done, menu, failed",
        ),
        sa.Column("turn", tables.Words(), nullable=True, comment="the turn that worked on it: the key of all it did"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="how often a turn was begun"),
        sa.Column("reading", tables.Json, nullable=True, comment="what the assistant read: intent, category, flags"),
        sa.Column(
            "vector", sa.LargeBinary(), nullable=True, comment="the message's vector (int8), as personal as the text"
        ),
        sa.Column(
            "reason", tables.Words(), server_default="", nullable=False, comment="why it failed or went to the menu"
        ),
        sa.Column("finished_at", tables.Time(), nullable=True, comment="when it reached an end"),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name=op.f("fk_inbox_conversation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("conversation", "message_id", name=op.f("uq_inbox_conversation_message_id")),
        sa.UniqueConstraint("conversation", "seq", name=op.f("uq_inbox_conversation_seq")),
        comment="What came in. The row is the queue",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(
            "ix_inbox_failed",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("state = 'failed'"),
            postgresql_where=sa.text("state = 'failed'"),
        )
        batch_op.create_index(
            "ix_inbox_open",
            ["conversation", "seq"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'working')"),
            postgresql_where=sa.text("state IN ('waiting', 'working')"),
        )
        batch_op.create_index("ix_inbox_received_at", ["received_at"], unique=False)
        batch_op.create_index("ix_inbox_turn", ["turn"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("conversation", tables.Words(), nullable=False, comment="who is told"),
        sa.Column(
            "seq", sa.Integer(), nullable=False, comment="order within the conversation, without gaps, in commit order"
        ),
        sa.Column("turn", tables.Words(), nullable=True, comment="the turn that says it; null for a notice"),
        sa.Column("ref", tables.Words(), nullable=True, comment="the ticket it tells of"),
        sa.Column("name", tables.Words(), nullable=False, comment="name of the sentence in the catalogues"),
        sa.Column("params", tables.Json, nullable=False, comment="what is inserted into the sentence"),
        sa.Column("text", tables.Words(), nullable=False, comment="the sentence as it was rendered"),
        sa.Column("buttons", tables.Json, nullable=False, comment="rendered: title, payload"),
        sa.Column("language", tables.Words(), nullable=False, comment="language it was rendered in"),
        sa.Column("key", tables.Words(), nullable=False, comment="makes it once-only within the conversation"),
        sa.Column(
            "notice",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="not an answer: not sent after a stop",
        ),
        sa.Column(
            "state",
            tables.Words(),
            server_default="created",
            nullable=False,
            comment="created, sending, sent, delivered, failed",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="how often sending was tried"),
        sa.Column("next_at", tables.Time(), nullable=True, comment="not to be tried before"),
        sa.Column("lease_until", tables.Time(), nullable=True, comment="being sent by somebody until then"),
        sa.Column("error", tables.Words(), server_default="", nullable=False, comment="why it was not sent"),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when it was decided"),
        sa.Column("sent_at", tables.Time(), nullable=True, comment="when it was handed over"),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name=op.f("fk_outbox_conversation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("conversation", "key", name=op.f("uq_outbox_conversation_key")),
        sa.UniqueConstraint("conversation", "seq", name=op.f("uq_outbox_conversation_seq")),
        comment="What is told to people: rendered once, in the transaction that made it true",
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_conversation_turn", ["conversation", "turn"], unique=False)
        batch_op.create_index(
            "ix_outbox_failed",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("state = 'failed'"),
            postgresql_where=sa.text("state = 'failed'"),
        )
        batch_op.create_index("ix_outbox_ref", ["ref"], unique=False)
        batch_op.create_index(
            "ix_outbox_unsent",
            ["conversation", "seq"],
            unique=False,
            sqlite_where=sa.text("state IN ('created', 'sending')"),
            postgresql_where=sa.text("state IN ('created', 'sending')"),
        )

    op.create_table(
        "tickets",
        sa.Column("ref", tables.Words(), nullable=False, comment="the reference: ten digits, random"),
        sa.Column(
            "kind", tables.Words(), nullable=False, comment="inquiry, complaint, suggestion, report, observation"
        ),
        sa.Column("text", tables.Words(), nullable=False, comment="the words as they were filed"),
        sa.Column(
            "text_folded", tables.Words(), nullable=False, comment="folded for search, with what was added later"
        ),
        sa.Column("opened_at", tables.Time(), nullable=False, comment="when it was filed"),
        sa.Column("unit", tables.Words(), nullable=False, comment="the unit that owes the answer"),
        sa.Column("language", tables.Words(), nullable=False, comment="language to answer in"),
        sa.Column(
            "source", tables.Words(), nullable=False, comment="web, whatsapp, sms, telegram, phone, counter, email"
        ),
        sa.Column("contact", tables.Words(), nullable=True, comment="whose it is; null where unknown"),
        sa.Column("conversation", tables.Words(), nullable=True, comment="where notices go"),
        sa.Column("category", tables.Words(), nullable=True, comment="what it is about"),
        sa.Column("subcategory", tables.Words(), nullable=True, comment="more closely"),
        sa.Column("service", tables.Words(), nullable=True, comment="the service concerned"),
        sa.Column(
            "service_class", tables.Words(), server_default="C", nullable=False, comment="A, B, C: shortens the term"
        ),
        sa.Column("state", tables.Words(), nullable=False, comment="state in the lifecycle: the last entry's `after`"),
        sa.Column("staff", tables.Words(), nullable=True, comment="who works on it"),
        sa.Column(
            "flags", tables.Json, nullable=False, comment="confidential, urgent, needs_person, my_data, language, abuse"
        ),
        sa.Column("readers", tables.Json, nullable=False, comment="staff named for it"),
        sa.Column("hidden_from", tables.Json, nullable=False, comment="units that must not see it"),
        sa.Column(
            "unit_needs_to_know",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="the unit works on a need-to-know basis",
        ),
        sa.Column(
            "confidential", sa.Boolean(), server_default=sa.text("(false)"), nullable=False, comment="copy of the flag"
        ),
        sa.Column(
            "urgent", sa.Boolean(), server_default=sa.text("(false)"), nullable=False, comment="copy of the flag"
        ),
        sa.Column(
            "needs_person", sa.Boolean(), server_default=sa.text("(false)"), nullable=False, comment="copy of the flag"
        ),
        sa.Column(
            "need_to_know",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="confidential, or its unit works so",
        ),
        sa.Column("beneficiary_type", tables.Words(), nullable=True, comment="citizen, resident, visitor, company"),
        sa.Column(
            "on_behalf",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="filed for somebody else",
        ),
        sa.Column("stage", tables.Words(), nullable=True, comment="before, during or after the service"),
        sa.Column("governorate", tables.Words(), nullable=True, comment="where"),
        sa.Column("receipt_hash", tables.Words(), nullable=True, comment="keyed hash of the receipt code shown once"),
        sa.Column("reading", tables.Json, nullable=False, comment="what the assistant read"),
        sa.Column("promised_for", tables.Time(), nullable=False, comment="the promise in force"),
        sa.Column("due_at", tables.Time(), nullable=True, comment="cache: when the clock next has something to do"),
        sa.Column(
            "answered_at", tables.Time(), nullable=True, comment="reply of substance since it was filed or reopened"
        ),
        sa.Column("closed_at", tables.Time(), nullable=True, comment="when work ended; null while it is live"),
        sa.Column("version", sa.Integer(), nullable=False, comment="number of entries"),
        sa.Column("turn", tables.Words(), nullable=True, comment="the turn that filed it: at most one"),
        sa.Column("incident", tables.Words(), nullable=True, comment="the common cause it was joined to"),
        sa.ForeignKeyConstraint(["contact"], ["contacts.id"], name=op.f("fk_tickets_contact")),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name=op.f("fk_tickets_conversation")),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_tickets")),
        sa.UniqueConstraint("turn", name=op.f("uq_tickets_turn")),
        comment="Where each ticket stands: a reading of its entries, for lists and search",
    )
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index("ix_tickets_contact", ["contact", "opened_at"], unique=False)
        batch_op.create_index("ix_tickets_conversation", ["conversation"], unique=False)
        batch_op.create_index("ix_tickets_due_at", ["due_at"], unique=False)
        batch_op.create_index("ix_tickets_opened_at", ["opened_at"], unique=False)
        batch_op.create_index("ix_tickets_staff_state", ["staff", "state"], unique=False)
        batch_op.create_index("ix_tickets_unit_state", ["unit", "state"], unique=False)

    op.create_table(
        "entries",
        sa.Column("ref", tables.Words(), nullable=False, comment="the ticket"),
        sa.Column("seq", sa.Integer(), nullable=False, comment="position, from 1, without gaps"),
        sa.Column("verb", tables.Words(), nullable=False, comment="what was done: a row of the lifecycle table"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.Column("by_kind", tables.Words(), nullable=False, comment="beneficiary, staff, system, program"),
        sa.Column("by_id", tables.Words(), server_default="", nullable=False, comment="staff, contact or token id"),
        sa.Column(
            "by_name",
            tables.Words(),
            server_default="",
            nullable=False,
            comment="name of the member of staff, as it was then",
        ),
        sa.Column("by_role", tables.Words(), nullable=True, comment="role, as it was then"),
        sa.Column("before", tables.Words(), nullable=False, comment="state before"),
        sa.Column("after", tables.Words(), nullable=False, comment="state after"),
        sa.Column("said", tables.Json, nullable=False, comment="what the verb was given"),
        sa.Column("promise", tables.Json, nullable=True, comment="a new promise: due, policy, calendar, why"),
        sa.ForeignKeyConstraint(["ref"], ["tickets.ref"], name=op.f("fk_entries_ref")),
        sa.PrimaryKeyConstraint("ref", "seq", name=op.f("pk_entries")),
        comment="The history of tickets: append only, and the record",
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.create_index("ix_entries_at", ["at"], unique=False)
