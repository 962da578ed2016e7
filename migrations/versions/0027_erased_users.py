"""Users who were erased."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None
runs_with = "0026"


# The application may not change addresses, so that nobody who has its rights gives an account to somebody else. This it may do.
_FUNCTION = """
    CREATE FUNCTION erase_address(erased uuid, at timestamptz) RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
        UPDATE users
        SET email = translate(erased::text, '-', '') || '@erased.invalid', email_verified_at = NULL, erased_at = at,
            email_key = translate(erased::text, '-', '') || '@erased.invalid'
        WHERE id = erased AND status = 'CLOSED' AND erased_at IS NULL
        RETURNING id
    $$
"""


def upgrade() -> None:
    """Upgrade."""
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_FUNCTION)
    op.execute("REVOKE ALL ON FUNCTION erase_address FROM PUBLIC")


def downgrade() -> None:
    """Downgrade."""
    op.execute("DROP FUNCTION erase_address")
    op.drop_column("users", "erased_at")
