"""The last sessions of a user are found by one index, built while the bank runs. The older one is a part of it."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
runs_with = "0022"


def upgrade() -> None:
    """Upgrade."""
    _replace("ix_sessions_user_id", "ix_sessions_user_id_id", "user_id, id")


def downgrade() -> None:
    """Downgrade."""
    _replace("ix_sessions_user_id_id", "ix_sessions_user_id", "user_id")


def _replace(old: str, new: str, columns: str) -> None:
    """Build an index in place of another one. What was cut off is begun anew."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {new}")
        op.execute(f"CREATE INDEX CONCURRENTLY {new} ON sessions ({columns})")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old}")
