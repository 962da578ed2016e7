"""What users let programs do, and the payments of programs that wait for a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None
runs_with = "0031"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "access_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("payees", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("daily_limit", sa.BigInteger(), nullable=True),
        sa.Column("approval_above", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('AGENT', 'API_KEY')", name=op.f("ck_access_grants_kind_is_known")),
        sa.CheckConstraint("daily_limit >= 0 AND approval_above >= 0", name=op.f("ck_access_grants_limits_are_not_negative")),
        sa.CheckConstraint("(daily_limit IS NULL) = (currency IS NULL)", name=op.f("ck_access_grants_limit_has_a_currency")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_access_grants_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_grants")),
    )
    op.create_index("ix_access_grants_user_id_id", "access_grants", ["user_id", "id"])
    op.create_table(
        "grant_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grants.id"], name=op.f("fk_grant_tokens_grant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_grant_tokens_token_hash")),
    )
    op.create_index("ix_grant_tokens_grant_id", "grant_tokens", ["grant_id"])
    op.create_table(
        "granted_accounts",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_granted_accounts_account_id")),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grants.id"], name=op.f("fk_granted_accounts_grant_id")),
        sa.PrimaryKeyConstraint("grant_id", "account_id", name=op.f("pk_granted_accounts")),
    )
    op.create_index("ix_granted_accounts_account_id", "granted_accounts", ["account_id"])
    op.create_table(
        "payment_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("to_account_id", sa.Uuid(), nullable=True),
        sa.Column("to_number", sa.Text(), nullable=True),
        sa.Column("to_name", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("end_to_end_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'APPROVED', 'REJECTED')", name=op.f("ck_payment_requests_status_is_known")),
        sa.CheckConstraint("(to_account_id IS NULL) <> (to_number IS NULL)", name=op.f("ck_payment_requests_there_is_one_payee")),
        sa.CheckConstraint("(status = 'PENDING') = (decided_at IS NULL)", name=op.f("ck_payment_requests_decision_has_a_time")),
        sa.CheckConstraint(
            "(status = 'APPROVED') = (transaction_id IS NOT NULL)", name=op.f("ck_payment_requests_payment_is_known")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_payment_requests_account_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_payment_requests_decided_by")),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grants.id"], name=op.f("fk_payment_requests_grant_id")),
        sa.ForeignKeyConstraint(["hold_id"], ["transactions.id"], name=op.f("fk_payment_requests_hold_id")),
        sa.ForeignKeyConstraint(["to_account_id"], ["accounts.id"], name=op.f("fk_payment_requests_to_account_id")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_payment_requests_transaction_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_payment_requests_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_requests")),
    )
    op.create_index("ix_payment_requests_account_id_id", "payment_requests", ["account_id", "id"])
    op.create_index(
        "ix_payment_requests_pending", "payment_requests", ["account_id", "id"], postgresql_where=sa.text("status = 'PENDING'")
    )
    op.create_index("ix_payment_requests_user_id", "payment_requests", ["user_id"])
    op.create_index("ix_payment_requests_grant_id", "payment_requests", ["grant_id"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("payment_requests")
    op.drop_table("granted_accounts")
    op.drop_table("grant_tokens")
    op.drop_table("access_grants")
