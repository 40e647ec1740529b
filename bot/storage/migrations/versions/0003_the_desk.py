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

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index(
            "ix_tickets_incident",
            ["incident"],
            unique=False,
            sqlite_where=sa.text("incident IS NOT NULL"),
            postgresql_where=sa.text("incident IS NOT NULL"),
        )
