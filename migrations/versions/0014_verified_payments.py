"""Verifications of payees, with the payments that were made on them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
runs_with = "0013"


def upgrade() -> None:
    op.create_table(
        "verified_payments",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "match IN ('MATCH', 'CLOSE_MATCH', 'NO_MATCH', 'NOT_POSSIBLE')", name=op.f("ck_verified_payments_match_is_known")
        ),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_verified_payments")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("fk_verified_payments_transaction_id_transactions")
        ),
    )


def downgrade() -> None:
    op.drop_table("verified_payments")
