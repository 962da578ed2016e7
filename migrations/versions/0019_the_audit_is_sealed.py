"""The audit is sealed: a chain of hashes over its events. And they say to what something was changed."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
runs_with = "0018"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("audit_events", sa.Column("detail", sa.Text(), nullable=True))
    op.create_table(
        "audit_seals",
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_event_id", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("last_sequence", name=op.f("pk_audit_seals")),
    )
    op.execute(
        "CREATE TRIGGER is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("audit_seals")
    op.drop_column("audit_events", "detail")
