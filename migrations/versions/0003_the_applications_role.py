"""The application's role, which cannot rewrite the books; and the record of verifications.

A role belongs to the whole server. Where this user may not make one, the application goes on as whoever it connects as.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MAKE_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank_app') THEN
        CREATE ROLE bank_app LOGIN;
    END IF;
    IF NOT pg_has_role('bank_app', 'MEMBER') THEN
        GRANT bank_app TO CURRENT_USER;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'no role bank_app: this user may not make roles';
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server was first
END $$
"""
IF_THERE = "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank_app') THEN {} END IF; END $$"
GRANTS = (
    "GRANT USAGE ON SCHEMA public TO bank_app;",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO bank_app;",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO bank_app;",
    "GRANT INSERT ON balances, transactions, transaction_notes, entries, transaction_events TO bank_app;",
    "GRANT INSERT ON audit_events, users, sessions, refresh_tokens, accounts TO bank_app;",
    "GRANT INSERT ON idempotency_outcomes, verification_runs TO bank_app;",
    "GRANT UPDATE ON balances, users, sessions, refresh_tokens, accounts TO bank_app;",
    "GRANT UPDATE (status, captured, posted_at) ON transactions TO bank_app;",
    "GRANT DELETE ON idempotency_outcomes TO bank_app;",
)


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "verification_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_runs")),
    )
    op.execute(MAKE_ROLE)
    for grant in GRANTS:
        op.execute(IF_THERE.format(grant))


def downgrade() -> None:
    """Downgrade; the role stays, for other databases may use it."""
    op.execute(IF_THERE.format("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM bank_app;"))
    op.execute(IF_THERE.format("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM bank_app;"))
    op.execute(IF_THERE.format("REVOKE ALL ON SCHEMA public FROM bank_app;"))
    op.drop_table("verification_runs")
