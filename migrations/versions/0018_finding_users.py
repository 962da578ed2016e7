"""Indexes by which users are found, built while the bank runs: outside a transaction, and from the start if that was cut off."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
runs_with = "0017"

_INDEXES = {
    "ix_users_words": "USING gin (to_tsvector('simple', translate(full_name || ' ' || email, '@._+-', '     ')))",
    "ix_users_active_admins": "(id) WHERE role = 'ADMIN' AND status = 'ACTIVE'",
}


def upgrade() -> None:
    """Upgrade."""
    with op.get_context().autocommit_block():
        for name, of in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON users {of}")


def downgrade() -> None:
    """Downgrade."""
    with op.get_context().autocommit_block():
        for name in _INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
