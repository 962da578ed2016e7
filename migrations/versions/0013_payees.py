"""Payees."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
runs_with = "0012"


def upgrade() -> None:
    op.create_table(
        "payees",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payees")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_payees_owner_id_users")),
    )
    op.create_index("ix_payees_owner_id_id", "payees", ["owner_id", "id"])
    op.create_index(
        "uq_payees_owner_id_account_number",
        "payees",
        ["owner_id", "account_number"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("payees")
