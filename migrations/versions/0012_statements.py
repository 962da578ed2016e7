"""Statements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
runs_with = "0011"


def upgrade() -> None:
    op.create_table(
        "statements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("to_date", sa.Date(), nullable=False),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("last_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("opening_balance", sa.BigInteger(), nullable=False),
        sa.Column("closing_balance", sa.BigInteger(), nullable=False),
        sa.Column("total_credits", sa.Numeric(40, 0), nullable=False),
        sa.Column("total_debits", sa.Numeric(40, 0), nullable=False),
        sa.Column("entry_count", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("layout", sa.BigInteger(), nullable=False),
        sa.Column("bank_name", sa.Text(), nullable=False),
        sa.Column("bic", sa.Text(), nullable=False),
        sa.Column("holder_name", sa.Text(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("counterparties", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint(
            "opening_balance + total_credits - total_debits = closing_balance", name=op.f("ck_statements_adds_up")
        ),
        sa.CheckConstraint(
            "total_credits >= 0 AND total_debits >= 0 AND entry_count >= 0", name=op.f("ck_statements_sums_are_not_negative")
        ),
        sa.CheckConstraint("from_date <= to_date AND month <= to_date", name=op.f("ck_statements_period_is_a_period")),
        sa.CheckConstraint("number > 0", name=op.f("ck_statements_number_is_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
        sa.UniqueConstraint("account_id", "number", name=op.f("uq_statements_account_id_number")),
        sa.UniqueConstraint("account_id", "month", name=op.f("uq_statements_account_id_month")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_statements_account_id_accounts")),
    )
    op.create_index("ix_statements_account_id_id", "statements", ["account_id", "id"])
    op.create_table(
        "statement_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_statement_months")),
    )
    op.execute(
        "CREATE TRIGGER is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON statements "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("statement_months")
    op.drop_table("statements")
