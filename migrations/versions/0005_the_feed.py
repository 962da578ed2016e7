"""The feed: epochs, the order of commits across them, and where it starts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The epoch of whoever writes without naming it; the application names it.
FEED_EPOCH = """
CREATE FUNCTION feed_epoch() RETURNS integer LANGUAGE sql STABLE
    SET search_path FROM CURRENT
    RETURN coalesce((SELECT max(epoch) FROM feed_epochs), 0)
"""


class Xid8(sa.types.UserDefinedType[Any]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "xid8"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "feed_epochs",
        sa.Column("epoch", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_feed_epochs")),
    )
    op.create_table(
        "feed_start",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("writer", Xid8(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("deleted_until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_feed_start_is_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_start")),
    )
    op.execute(FEED_EPOCH)
    op.add_column("transaction_events", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("transaction_events", "epoch", server_default=sa.text("feed_epoch()"))
    op.drop_index("ix_transaction_events_account_id_writer_sequence", table_name="transaction_events")
    op.create_index("ix_transaction_events_epoch_writer_sequence", "transaction_events", ["epoch", "writer", "sequence"])
    op.create_index(
        "ix_transaction_events_account_id_epoch_writer_sequence",
        "transaction_events",
        ["account_id", "epoch", "writer", "sequence"],
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_transaction_events_account_id_epoch_writer_sequence", table_name="transaction_events")
    op.drop_index("ix_transaction_events_epoch_writer_sequence", table_name="transaction_events")
    op.create_index(
        "ix_transaction_events_account_id_writer_sequence", "transaction_events", ["account_id", "writer", "sequence"]
    )
    op.drop_column("transaction_events", "epoch")
    op.execute("DROP FUNCTION feed_epoch()")
    op.drop_table("feed_start")
    op.drop_table("feed_epochs")
