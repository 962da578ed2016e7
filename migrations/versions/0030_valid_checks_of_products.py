"""The CHECKs of products are validated, in a transaction of their own, so that nobody waits while the rows are read."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
runs_with = "0029"

_CHECKS = (
    ("transactions", "ck_transactions_kind_is_known"),
    ("balances", "ck_balances_purpose_is_known"),
    ("transactions", "ck_transactions_only_holds_and_transfers_wait"),
)


def upgrade() -> None:
    """Upgrade."""
    for table, check in _CHECKS:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}")


def downgrade() -> None:
    """Downgrade: a CHECK that was validated stays so."""
