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
