"""The CHECK of the kinds of access grants is validated, in a transaction of its own, so that nobody waits while rows are read."""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None
runs_with = "0033"


def upgrade() -> None:
    """Upgrade."""
    op.execute("ALTER TABLE access_grants VALIDATE CONSTRAINT ck_access_grants_kind_is_known")


def downgrade() -> None:
    """Downgrade: a CHECK that was validated stays so."""
