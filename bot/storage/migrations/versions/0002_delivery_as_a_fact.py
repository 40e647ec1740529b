"""Delivery as a fact"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The schema of this revision."""
    op.create_table(
        "late_news",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("provider_id", tables.Words(), nullable=False, comment="id of the message at the provider"),
        sa.Column("state", tables.Words(), nullable=False, comment="sent, delivered, read, failed"),
        sa.Column("failure", tables.Words(), server_default="", nullable=False, comment="why, where it failed"),
        sa.Column("code", tables.Words(), server_default="", nullable=False, comment="the provider's error code"),
        sa.Column("at", tables.Time(), nullable=False, comment="when it came; forgotten after a day"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_news")),
        sa.UniqueConstraint("provider_id", "state", name=op.f("uq_late_news_provider_id_state")),
        comment="What providers tell of messages whose id is not known yet",
    )
    with op.batch_alter_table("late_news", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_late_news_at"), ["at"], unique=False)

    op.create_table(
        "link_codes",
        sa.Column("code_hash", tables.Words(), nullable=False, comment="keyed hash of the one-time code"),
        sa.Column("contact", tables.Words(), nullable=False, comment="whose addresses are joined by it"),
        sa.Column("until", tables.Time(), nullable=False, comment="void from then on"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_link_codes")),
        comment="Codes by which a person proves that a second address is theirs",
    )
    with op.batch_alter_table("link_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_codes_until"), ["until"], unique=False)

    op.create_table(
        "set_aside",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("provider", tables.Words(), nullable=False, comment="twilio, telegram"),
        sa.Column(
            "digest", tables.Words(), nullable=False, comment="keyed hash of the call: the same again is the same row"
        ),
        sa.Column("body_enc", sa.LargeBinary(), nullable=False, comment="the call as it came, encrypted"),
        sa.Column("reason", tables.Words(), nullable=False, comment="what went wrong, without a person's words"),
        sa.Column("at", tables.Time(), nullable=False, comment="when it first came"),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False, comment="how often it came"),
        sa.Column("seen_at", tables.Time(), nullable=True, comment="when somebody at the desk dealt with it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sa.UniqueConstraint("digest", name=op.f("uq_set_aside_digest")),
        comment="Updates of providers that could not be dealt with: shown at the desk, the next ones go on",
    )
    op.create_table(
        "attachments",
        sa.Column("id", tables.Id, autoincrement=True, nullable=False, comment="row number"),
        sa.Column("conversation", tables.Words(), nullable=False, comment="who sent it"),
        sa.Column("message", tables.Id, nullable=True, comment="row of the inbox it came with"),
        sa.Column(
            "ref", tables.Words(), nullable=True, comment="the ticket it belongs to; null while it waits with the draft"
        ),
        sa.Column("kind", tables.Words(), nullable=False, comment="photo, voice, video, document, place"),
        sa.Column("name", tables.Words(), server_default="", nullable=False, comment="as it is shown and downloaded"),
        sa.Column(
            "declared", tables.Words(), server_default="", nullable=False, comment="the media type its sender claimed"
        ),
        sa.Column(
            "source",
            tables.Words(),
            server_default="",
            nullable=False,
            comment="where the provider has it; empty once it is here",
        ),
        sa.Column("place", tables.Json, nullable=True, comment="of a location: latitude, longitude, name"),
        sa.Column(
            "state",
            tables.Words(),
            server_default="waiting",
            nullable=False,
            comment="waiting, kept, quarantined, refused",
        ),
        sa.Column("reason", tables.Words(), server_default="", nullable=False, comment="why it was refused"),
        sa.Column("sha256", tables.Words(), nullable=True, comment="of the content: its name in DATA_DIR/files"),
        sa.Column("size", sa.Integer(), nullable=True, comment="bytes"),
        sa.Column("type", tables.Words(), server_default="", nullable=False, comment="media type by its content"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="how often fetching was tried"),
        sa.Column("next_at", tables.Time(), nullable=True, comment="not to be tried before"),
        sa.Column("created_at", tables.Time(), nullable=False, comment="when it came"),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name=op.f("fk_attachments_conversation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        comment="Files and places that people sent",
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index("ix_attachments_conversation", ["conversation"], unique=False)
        batch_op.create_index("ix_attachments_message", ["message"], unique=False)
        batch_op.create_index("ix_attachments_ref", ["ref"], unique=False)
        batch_op.create_index(
            "ix_attachments_waiting",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'quarantined')"),
            postgresql_where=sa.text("state IN ('waiting', 'quarantined')"),
        )

    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "chose_address",
                sa.Boolean(),
                server_default=sa.text("(false)"),
                nullable=False,
                comment="the person asked for that address",
            )
        )

    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("files", sa.Integer(), server_default="0", nullable=False, comment="how many files came with it")
        )

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "failure",
                tables.Words(),
                server_default="",
                nullable=False,
                comment="of a failed one: temporary, permanent, technical, stopped",
            )
        )
        batch_op.add_column(
            sa.Column(
                "uncertain",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="how often it was handed over and no answer came",
            )
        )
        batch_op.add_column(
            sa.Column(
                "form",
                tables.Words(),
                server_default="text",
                nullable=False,
                comment="text, or the template it went as",
            )
        )
        batch_op.add_column(
            sa.Column(
                "segments",
                sa.Integer(),
                server_default="0",
                nullable=False,
                comment="SMS parts it is paid as; 0 elsewhere",
            )
        )
        batch_op.add_column(sa.Column("provider_id", tables.Words(), nullable=True, comment="its id at the provider"))
        batch_op.add_column(
            sa.Column(
                "spent_id",
                tables.Words(),
                nullable=True,
                comment="its id there of a try that came too late and was made again",
            )
        )
        batch_op.add_column(
            sa.Column(
                "owed",
                sa.Boolean(),
                server_default=sa.text("(false)"),
                nullable=False,
                comment="it failed, and what follows from that is not done yet",
            )
        )
        batch_op.add_column(
            sa.Column(
                "tried_at",
                tables.Time(),
                nullable=True,
                comment="when it was first handed over, with or without an answer",
            )
        )
        batch_op.add_column(sa.Column("delivered_at", tables.Time(), nullable=True, comment="when it arrived"))
        batch_op.add_column(sa.Column("read_at", tables.Time(), nullable=True, comment="when it was opened"))
        batch_op.create_index(
            "ix_outbox_held",
            ["conversation"],
            unique=False,
            sqlite_where=sa.text("state = 'held'"),
            postgresql_where=sa.text("state = 'held'"),
        )
        batch_op.create_index(
            "ix_outbox_owed", ["id"], unique=False, sqlite_where=sa.text("owed"), postgresql_where=sa.text("owed")
        )
        batch_op.create_index("ix_outbox_provider_id", ["provider_id"], unique=False)
        batch_op.create_index("ix_outbox_sent_at", ["sent_at"], unique=False)
        batch_op.create_index(
            "ix_outbox_spent_id",
            ["spent_id"],
            unique=False,
            sqlite_where=sa.text("spent_id IS NOT NULL"),
            postgresql_where=sa.text("spent_id IS NOT NULL"),
        )
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        told = "created, held, sending, sent, delivered, read, failed"
        op.alter_column("outbox", "state", existing_type=tables.Words(), comment=told)
