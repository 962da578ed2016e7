"""Staff are found by an index, built while the bank runs."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None
runs_with = "0024"


def upgrade() -> None:
    """Upgrade."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_users_staff")
        op.execute("CREATE INDEX CONCURRENTLY ix_users_staff ON users (role) WHERE role <> 'CUSTOMER' AND status <> 'CLOSED'")


def downgrade() -> None:
    """Downgrade."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_users_staff")
