"""The bank's clock, which can be moved in a sandbox."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
runs_with = "0010"


def upgrade() -> None:
    op.create_table(
        "bank_time",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("moved_to", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_bank_time_there_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_time")),
    )


def downgrade() -> None:
    op.drop_table("bank_time")
