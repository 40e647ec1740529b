"""The desk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage import tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The schema of this revision."""
    with op.batch_alter_table("conversations", schema=None) as batch_op:
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
