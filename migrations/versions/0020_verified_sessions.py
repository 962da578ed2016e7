"""Sessions say when their user last proved who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
runs_with = "0019"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("sessions", sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("sessions", "verified_at")
