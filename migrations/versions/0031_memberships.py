"""People who may use an account beside its owner, and what they pay from it."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None
runs_with = "0030"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "memberships",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("may_pay", sa.Boolean(), nullable=False),
        sa.Column("daily_limit", sa.BigInteger(), nullable=True),
        sa.Column("may_manage_cards", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('OWNER', 'MEMBER')", name=op.f("ck_memberships_role_is_known")),
        sa.CheckConstraint("status IN ('INVITED', 'ACTIVE', 'ENDED')", name=op.f("ck_memberships_status_is_known")),
        sa.CheckConstraint("(status = 'INVITED') = (accepted_at IS NULL)", name=op.f("ck_memberships_acceptance_has_a_time")),
        sa.CheckConstraint("(status = 'ENDED') = (ended_at IS NOT NULL)", name=op.f("ck_memberships_end_has_a_time")),
        sa.CheckConstraint("(status = 'INVITED') = (user_id IS NULL)", name=op.f("ck_memberships_member_is_known")),
        sa.CheckConstraint(
            "role = 'MEMBER' OR (may_pay AND may_manage_cards AND daily_limit IS NULL)",
            name=op.f("ck_memberships_owners_may_all"),
        ),
        sa.CheckConstraint(
            "daily_limit >= 0 AND (may_pay OR daily_limit IS NULL)", name=op.f("ck_memberships_limit_is_of_payments")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_memberships_account_id")),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name=op.f("fk_memberships_invited_by")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
    )
    is_active, is_invited = sa.text("status = 'ACTIVE'"), sa.text("status = 'INVITED'")
    op.create_index("uq_memberships_active", "memberships", ["user_id", "account_id"], unique=True, postgresql_where=is_active)
    op.create_index(
        "uq_memberships_invited", "memberships", ["email_key", "account_id"], unique=True, postgresql_where=is_invited
    )
    op.create_index("ix_memberships_account_id_id", "memberships", ["account_id", "id"])
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "delegated_payments",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("delegate_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_delegated_payments_amount_is_positive")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_delegated_payments_transaction_id")),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_delegated_payments")),
    )
    op.create_index(
        "ix_delegated_payments_delegate_id_day", "delegated_payments", ["delegate_id", "day"], postgresql_include=["amount"]
    )
    op.add_column("scheduled_transfers", sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("scheduled_transfers", "hidden_at")
    op.drop_table("delegated_payments")
    op.drop_table("memberships")
