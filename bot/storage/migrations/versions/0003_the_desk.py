"""The desk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage import tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The schema of this revision."""
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
        batch_op.create_index("ix_tickets_queue", ["lane", "queue_at", "opened_at", "ref"], unique=False)
        batch_op.create_index("ix_tickets_staff_queue", ["staff", "lane", "queue_at", "opened_at", "ref"], unique=False)
        batch_op.create_index("ix_tickets_unit_queue", ["unit", "lane", "queue_at", "opened_at", "ref"], unique=False)
