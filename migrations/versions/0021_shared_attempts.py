"""Attempts to sign in are counted for all processes together."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
runs_with = "0020"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "attempt_buckets",
        sa.Column("name_hash", sa.LargeBinary(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name_hash", name=op.f("pk_attempt_buckets")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_attempt_buckets_updated_at", "attempt_buckets", ["updated_at"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("attempt_buckets")
