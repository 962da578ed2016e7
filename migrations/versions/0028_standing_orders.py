"""Standing orders."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
runs_with = "0027"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "scheduled_transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("from_account_id", sa.Uuid(), nullable=False),
        sa.Column("to_account_id", sa.Uuid(), nullable=True),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("to_number", sa.Text(), nullable=False),
        sa.Column("to_name", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("recurrence", sa.Text(), nullable=False),
        sa.Column("day_rule", sa.Text(), nullable=False),
        sa.Column("missed_runs", sa.Text(), nullable=False),
        sa.Column("sweep", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("planned_for", sa.Date(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'PAUSED', 'COMPLETED', 'CANCELLED')", name=op.f("ck_scheduled_transfers_status_is_known")
        ),
        sa.CheckConstraint("day_rule IN ('AS_IS', 'NEXT', 'PREVIOUS')", name=op.f("ck_scheduled_transfers_day_rule_is_known")),
        sa.CheckConstraint("missed_runs IN ('ALL', 'LAST')", name=op.f("ck_scheduled_transfers_missed_runs_is_known")),
        sa.CheckConstraint("sweep IN ('ABOVE', 'UP_TO')", name=op.f("ck_scheduled_transfers_sweep_is_known")),
        sa.ForeignKeyConstraint(["from_account_id"], ["accounts.id"], name=op.f("fk_scheduled_transfers_from_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_scheduled_transfers_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_transfers")),
    )
    op.create_index("ix_scheduled_transfers_owner_id_id", "scheduled_transfers", ["owner_id", "id"])
    op.create_index("ix_scheduled_transfers_from_account_id", "scheduled_transfers", ["from_account_id"])
    op.create_index("uq_scheduled_transfers_request_key", "scheduled_transfers", ["owner_id", "request_key"], unique=True)
    op.create_index(
        "ix_scheduled_transfers_due_at", "scheduled_transfers", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_table(
        "scheduled_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("planned_for", sa.Date(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('MOVED', 'RETRYING', 'REFUSED', 'SKIPPED')", name=op.f("ck_scheduled_runs_status_is_known")
        ),
        sa.ForeignKeyConstraint(["schedule_id"], ["scheduled_transfers.id"], name=op.f("fk_scheduled_runs_schedule_id")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_scheduled_runs_transaction_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_runs")),
    )
    op.create_index("uq_scheduled_runs_schedule_id_planned_for", "scheduled_runs", ["schedule_id", "planned_for"], unique=True)
    op.create_index("ix_scheduled_runs_schedule_id_id", "scheduled_runs", ["schedule_id", "id"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("scheduled_runs")
    op.drop_table("scheduled_transfers")
