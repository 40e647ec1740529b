"""The desk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage import tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "audit",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.Column("by_kind", tables.Words(), nullable=False, comment="staff, program, system"),
        sa.Column(
            "by_id",
            tables.Words(),
            server_default="",
            nullable=False,
            comment="staff or token id; empty where nobody is known",
        ),
        sa.Column("by_name", tables.Words(), server_default="", nullable=False, comment="name as it was then"),
        sa.Column(
            "what",
            tables.Words(),
            nullable=False,
            comment="read_ticket, read_file, unmasked, signed_in, changed_person …",
        ),
        sa.Column("ref", tables.Words(), nullable=True, comment="the ticket"),
        sa.Column(
            "details",
            tables.Json,
            nullable=False,
            comment="ids and names of settings: never a person's words, never an address",
        ),
        sa.Column("nonce", tables.Words(), nullable=False, comment="random: no row can be put in a second time"),
        sa.Column("mac", tables.Words(), nullable=True, comment="keyed hash of the row by the house that wrote it"),
        sa.Column(
            "sealed",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="the sealer has looked at it",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("nonce", name=op.f("uq_audit_nonce")),
        comment="Who read, unmasked, signed in, changed settings: append only",
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_by_id", ["by_id", "id"], unique=False)
        batch_op.create_index("ix_audit_ref", ["ref", "by_id", "at"], unique=False)
        batch_op.create_index(
            "ix_audit_unsealed",
            ["id"],
            unique=False,
            sqlite_where=sa.text("NOT sealed"),
            postgresql_where=sa.text("NOT sealed"),
        )

    op.create_table(
        "incidents",
        sa.Column("id", tables.Words(), nullable=False, comment="random id"),
        sa.Column("title", tables.Words(), nullable=False, comment="what happened, in a colleague's words"),
        sa.Column("opened_at", tables.Time(), nullable=False, comment="when it was made"),
        sa.Column("opened_by", tables.Words(), nullable=False, comment="who made it"),
        sa.Column("closed_at", tables.Time(), nullable=True, comment="when all were told that it is over; null before"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        comment="One cause of many tickets",
    )
    op.create_table(
        "seals",
        sa.Column(
            "n", tables.Id, autoincrement=False, nullable=False, comment="position in the chain, from 1, without gaps"
        ),
        sa.Column(
            "what",
            tables.Words(),
            nullable=False,
            comment="entry, audit; began: from here on only rows with a keyed hash are sealed",
        ),
        sa.Column(
            "key", tables.Words(), nullable=False, comment="which row: reference/seq of an entry, id of an audit row"
        ),
        sa.Column("digest", tables.Words(), nullable=False, comment="keyed hash of the whole row"),
        sa.Column("chain", tables.Words(), nullable=False, comment="keyed hash of the link before and of this one"),
        sa.Column("at", tables.Time(), nullable=False, comment="when it was sealed"),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_seals")),
        sa.UniqueConstraint("what", "key", name=op.f("uq_seals_what_key")),
        comment="The chain over history and audit: what was there, in which order, and has not changed since",
    )
    op.create_table(
        "half_sessions",
        sa.Column("token_hash", tables.Words(), nullable=False, comment="keyed hash of the cookie"),
        sa.Column("staff", tables.Words(), nullable=False, comment="whose password it was"),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when the password was given"),
        sa.Column("expires_at", tables.Time(), nullable=False, comment="void from then on"),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_half_sessions_staff")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_half_sessions")),
        comment="Who gave a right password and owes the second factor",
    )
    with op.batch_alter_table("half_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_half_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_half_sessions_staff"), ["staff"], unique=False)

    op.create_table(
        "incident_updates",
        sa.Column("incident", tables.Words(), nullable=False, comment="the incident"),
        sa.Column("n", sa.Integer(), nullable=False, comment="position, from 1, without gaps"),
        sa.Column("verb", tables.Words(), nullable=False, comment="reply, resolve: what each of its tickets gets"),
        sa.Column("text", tables.Words(), nullable=False, comment="what everybody is told"),
        sa.Column("refs", tables.Json, nullable=False, comment="the tickets it is owed to"),
        sa.Column("by_id", tables.Words(), nullable=False, comment="who wrote it"),
        sa.Column("by_name", tables.Words(), server_default="", nullable=False, comment="their name, as it was then"),
        sa.Column("by_role", tables.Words(), nullable=True, comment="their role, as it was then"),
        sa.Column("at", tables.Time(), nullable=False, comment="when"),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name=op.f("fk_incident_updates_incident")),
        sa.PrimaryKeyConstraint("incident", "n", name=op.f("pk_incident_updates")),
        comment="What everybody of an incident is told, once each",
    )
    op.create_table(
        "recovery_codes",
        sa.Column("staff", tables.Words(), nullable=False, comment="whose"),
        sa.Column("code_hash", tables.Words(), nullable=False, comment="keyed hash of the code; gone once it was used"),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_recovery_codes_staff")),
        sa.PrimaryKeyConstraint("staff", "code_hash", name=op.f("pk_recovery_codes")),
        comment="What opens the desk once to who has lost the second factor",
    )
    op.create_table(
        "desk_drafts",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("ref", tables.Words(), nullable=False, comment="the ticket it is about"),
        sa.Column("staff", tables.Words(), nullable=False, comment="who writes it, and alone may read it"),
        sa.Column("verb", tables.Words(), nullable=False, comment="the box it stands in: reply, ask, note, resolve"),
        sa.Column("said", tables.Json, nullable=False, comment="what was typed, by field"),
        sa.Column(
            "state",
            tables.Words(),
            server_default="draft",
            nullable=False,
            comment="draft, waiting (goes out at send_at), going",
        ),
        sa.Column("seen", sa.Integer(), nullable=True, comment="version of the ticket that the form showed"),
        sa.Column("key", tables.Words(), nullable=True, comment="makes the sending once-only"),
        sa.Column("send_at", tables.Time(), nullable=True, comment="until then it can be taken back"),
        sa.Column(
            "refused",
            tables.Words(),
            server_default="",
            nullable=False,
            comment="why it did not go out: name of a sentence",
        ),
        sa.Column(
            "saved_at", tables.Time(), nullable=False, comment="when it was last typed in; forgotten after 30 days"
        ),
        sa.ForeignKeyConstraint(["ref"], ["tickets.ref"], name=op.f("fk_desk_drafts_ref")),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_desk_drafts_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_drafts")),
        sa.UniqueConstraint("staff", "ref", "verb", name=op.f("uq_desk_drafts_staff_ref_verb")),
        comment="What clerks are writing, and what waits ten seconds before it is done",
    )
    with op.batch_alter_table("desk_drafts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_drafts_saved_at"), ["saved_at"], unique=False)
        batch_op.create_index(
            "ix_desk_drafts_waiting",
            ["send_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'going')"),
            postgresql_where=sa.text("state IN ('waiting', 'going')"),
        )

    op.create_table(
        "looking",
        sa.Column("ref", tables.Words(), nullable=False, comment="the ticket"),
        sa.Column("staff", tables.Words(), nullable=False, comment="who has its page open"),
        sa.Column("at", tables.Time(), nullable=False, comment="when the page last said so; forgotten within an hour"),
        sa.ForeignKeyConstraint(["ref"], ["tickets.ref"], name=op.f("fk_looking_ref")),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_looking_staff")),
        sa.PrimaryKeyConstraint("ref", "staff", name=op.f("pk_looking")),
        comment="Who has a ticket before them now",
    )
    with op.batch_alter_table("looking", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_looking_at"), ["at"], unique=False)

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "limited_until", tables.Time(), nullable=True, comment="the numbered menu alone answers before then"
            )
        )
        batch_op.add_column(
            sa.Column(
                "live_ref", tables.Words(), nullable=True, comment="the ticket for which somebody of the staff is in it"
            )
        )
        batch_op.add_column(sa.Column("live_staff", tables.Words(), nullable=True, comment="who that is"))
        batch_op.add_column(sa.Column("live_at", tables.Time(), nullable=True, comment="when they last said something"))
        batch_op.create_index(
            "ix_conversations_live",
            ["live_at"],
            unique=False,
            sqlite_where=sa.text("live_ref IS NOT NULL"),
            postgresql_where=sa.text("live_ref IS NOT NULL"),
        )

    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("mac", tables.Words(), nullable=True, comment="keyed hash of the row by the house that wrote it")
        )
        batch_op.add_column(
            sa.Column(
                "sealed",
                sa.Boolean(),
                server_default=sa.text("(false)"),
                nullable=False,
                comment="the sealer has looked at it",
            )
        )
        batch_op.create_index(
            "ix_entries_unsealed",
            ["at"],
            unique=False,
            sqlite_where=sa.text("NOT sealed"),
            postgresql_where=sa.text("NOT sealed"),
        )

    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "totp_pending",
                sa.LargeBinary(),
                nullable=True,
                comment="second factor that no code has confirmed, encrypted",
            )
        )
        batch_op.add_column(
            sa.Column(
                "totp_step",
                sa.BigInteger(),
                nullable=True,
                comment="time step of the last code used: a code is good once",
            )
        )
        batch_op.add_column(
            sa.Column(
                "must_change",
                sa.Boolean(),
                server_default=sa.text("(false)"),
                nullable=False,
                comment="the password is somebody else's choice",
            )
        )
        batch_op.add_column(sa.Column("last_seen", tables.Time(), nullable=True, comment="last request of any session"))

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "lane",
                sa.Integer(),
                server_default="3",
                nullable=False,
                comment="order of lists: 0 urgent, 1 a promise runs, 2 live, 3 ended",
            )
        )
        batch_op.add_column(
            sa.Column(
                "queue_at",
                tables.Time(),
                server_default=sa.text("'9999-01-01 00:00:00.000000'"),
                nullable=False,
                comment="order of lists: the date to be kept; beyond 9900 where none runs",
            )
        )
        batch_op.add_column(
            sa.Column(
                "escalated",
                sa.Boolean(),
                server_default=sa.text("(false)"),
                nullable=False,
                comment="not answered since it was last escalated",
            )
        )
        batch_op.create_index(
            "ix_tickets_incident",
            ["incident"],
            unique=False,
            sqlite_where=sa.text("incident IS NOT NULL"),
            postgresql_where=sa.text("incident IS NOT NULL"),
        )
        batch_op.create_index("ix_tickets_queue", ["lane", "queue_at", "opened_at", "ref"], unique=False)
        batch_op.create_index("ix_tickets_staff_queue", ["staff", "lane", "queue_at", "opened_at", "ref"], unique=False)
        batch_op.create_index("ix_tickets_unit_queue", ["unit", "lane", "queue_at", "opened_at", "ref"], unique=False)
