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
        "recovery_codes",
        sa.Column("staff", tables.Words(), nullable=False, comment="whose"),
        sa.Column("code_hash", tables.Words(), nullable=False, comment="keyed hash of the code; gone once it was used"),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"], name=op.f("fk_recovery_codes_staff")),
        sa.PrimaryKeyConstraint("staff", "code_hash", name=op.f("pk_recovery_codes")),
        comment="What opens the desk once to who has lost the second factor",
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
