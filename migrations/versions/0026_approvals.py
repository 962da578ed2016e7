"""What members of staff propose, and others decide."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
runs_with = "0025"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("is_finished", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('SET_USER_ROLE', 'SET_OVERDRAFT_LIMIT', 'REVERSE_TRANSACTION')", name=op.f("ck_approvals_kind_is_known")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'APPROVED', 'EXECUTED', 'FAILED', 'REJECTED', 'EXPIRED')",
            name=op.f("ck_approvals_status_is_known"),
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_approvals_decided_by")),
        sa.ForeignKeyConstraint(["hold_id"], ["transactions.id"], name=op.f("fk_approvals_hold_id")),
        sa.ForeignKeyConstraint(["proposed_by"], ["users.id"], name=op.f("fk_approvals_proposed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "uq_approvals_pending", "approvals", ["subject_id", "kind"], unique=True, postgresql_where=sa.text("status = 'PENDING'")
    )
    op.create_index("ix_approvals_subject_id", "approvals", ["subject_id"])
    op.create_index("uq_approvals_request_key", "approvals", ["proposed_by", "request_key"], unique=True)
    op.create_index("ix_approvals_pending", "approvals", ["expires_at"], postgresql_where=sa.text("status = 'PENDING'"))
    op.create_index(
        "ix_approvals_unfinished",
        "approvals",
        ["decided_at"],
        postgresql_where=sa.text("NOT is_finished AND decided_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("approvals")
