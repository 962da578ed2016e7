"""The bank opens: users, sessions, accounts, the ledger, idempotency, the feed's outbox, the audit."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: the books are corrected by new transactions', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""
# The search path is fixed, so that no table of somebody's own is taken for one of the bank's.
# All entries of a transaction are inserted by one statement, so the statement's own rows tell whether they balance.
CHECK_ZERO_SUM = """
CREATE FUNCTION check_zero_sum() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT FROM inserted JOIN balances USING (account_id)
        GROUP BY transaction_id, currency HAVING sum(amount) IS DISTINCT FROM 0
    ) THEN
        RAISE EXCEPTION 'the entries of a transaction do not sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
ZERO_SUM = """
CREATE TRIGGER zero_sum AFTER INSERT ON entries
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION check_zero_sum()
"""
REFUSALS = (
    ("is_append_only", "UPDATE OR DELETE OR TRUNCATE", "entries"),
    ("is_append_only", "UPDATE OR DELETE OR TRUNCATE", "transactions"),
    ("is_append_only", "UPDATE OR DELETE OR TRUNCATE", "audit_events"),
    ("is_kept", "DELETE OR TRUNCATE", "balances"),
    ("keeps_its_identity", "UPDATE OF account_id, currency, purpose", "balances"),
    ("is_not_rewritten", "UPDATE OR TRUNCATE", "idempotency_outcomes"),
    ("is_not_rewritten", "UPDATE OR TRUNCATE", "transaction_events"),
)


class Xid8(sa.types.UserDefinedType[Any]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "xid8"


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_actor_id_id", "audit_events", ["actor_id", "id"], unique=False)
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("booked", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("overdraft_limit", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose IN ('CASH')", name=op.f("ck_balances_purpose_is_known")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_balances_held_is_not_negative")),
        sa.CheckConstraint("overdraft_limit >= 0", name=op.f("ck_balances_overdraft_limit_is_not_negative")),
        sa.CheckConstraint(
            "purpose IS NOT NULL OR booked - held + overdraft_limit >= 0",
            name=op.f("ck_balances_available_is_not_negative"),
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_balances")),
        sa.UniqueConstraint("purpose", "currency", name=op.f("uq_balances_purpose_currency")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('CUSTOMER', 'TELLER', 'AUDITOR', 'PROCESSOR', 'ADMIN')", name=op.f("ck_users_role_is_known")
        ),
        sa.CheckConstraint("status IN ('ACTIVE', 'SUSPENDED', 'CLOSED')", name=op.f("ck_users_status_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("frozen_by", sa.Text(), nullable=True),
        sa.Column("freeze_reason", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'CLOSED') = (closed_at IS NOT NULL)", name=op.f("ck_accounts_closed_at_is_told")),
        sa.CheckConstraint("freeze_reason IS NULL OR status = 'FROZEN'", name=op.f("ck_accounts_freeze_reason_has_its_time")),
        sa.CheckConstraint("(status = 'FROZEN') = (frozen_by IS NOT NULL)", name=op.f("ck_accounts_frozen_by_is_told")),
        sa.CheckConstraint("frozen_by IN ('OWNER', 'STAFF')", name=op.f("ck_accounts_frozen_by_is_known")),
        sa.CheckConstraint("kind IN ('CHECKING', 'SAVINGS', 'CREDIT')", name=op.f("ck_accounts_kind_is_known")),
        sa.CheckConstraint("status IN ('ACTIVE', 'FROZEN', 'CLOSED')", name=op.f("ck_accounts_status_is_known")),
        sa.ForeignKeyConstraint(["id"], ["balances.account_id"], name=op.f("fk_accounts_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_accounts_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("number", name=op.f("uq_accounts_number")),
    )
    op.create_index("ix_accounts_owner_id_id", "accounts", ["owner_id", "id"], unique=False)
    op.create_table(
        "idempotency_outcomes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("refusal", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(outcome = 'REFUSED') = (refusal IS NOT NULL)", name=op.f("ck_idempotency_outcomes_refusal_is_told")),
        sa.CheckConstraint("(outcome = 'REFUSED') = (subject_id IS NULL)", name=op.f("ck_idempotency_outcomes_subject_is_told")),
        sa.CheckConstraint("outcome IN ('MOVED', 'OPENED', 'REFUSED')", name=op.f("ck_idempotency_outcomes_outcome_is_known")),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 255", name=op.f("ck_idempotency_outcomes_key_has_a_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_outcomes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_outcomes")),
    )
    op.create_index("ix_idempotency_outcomes_created_at", "idempotency_outcomes", ["created_at"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("from_account_id", sa.Uuid(), nullable=False),
        sa.Column("to_account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'POSTED') = (posted_at IS NOT NULL)", name=op.f("ck_transactions_posted_at_is_told")),
        sa.CheckConstraint("kind IN ('DEPOSIT', 'WITHDRAWAL', 'TRANSFER')", name=op.f("ck_transactions_kind_is_known")),
        sa.CheckConstraint("status IN ('POSTED')", name=op.f("ck_transactions_status_is_known")),
        sa.CheckConstraint("amount > 0 AND amount <= 1000000000000000", name=op.f("ck_transactions_amount_is_in_range")),
        sa.CheckConstraint("from_account_id <> to_account_id", name=op.f("ck_transactions_accounts_differ")),
        sa.ForeignKeyConstraint(["from_account_id"], ["balances.account_id"], name=op.f("fk_transactions_from_account_id")),
        sa.ForeignKeyConstraint(["to_account_id"], ["balances.account_id"], name=op.f("fk_transactions_to_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
    )
    op.create_index("ix_transactions_from_account_id_id", "transactions", ["from_account_id", "id"], unique=False)
    op.create_index("ix_transactions_to_account_id_id", "transactions", ["to_account_id", "id"], unique=False)
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_entries_amount_is_not_zero")),
        sa.ForeignKeyConstraint(["account_id"], ["balances.account_id"], name=op.f("fk_entries_account_id")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_entries_transaction_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
    )
    op.create_index("ix_entries_account_id_booked_at", "entries", ["account_id", "booked_at"], unique=False)
    op.create_index("ix_entries_account_id_id", "entries", ["account_id", "id"], unique=False)
    op.create_index("ix_entries_transaction_id", "entries", ["transaction_id"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_refresh_tokens_session_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"], unique=False)
    op.create_table(
        "transaction_events",
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("writer", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('POSTED')", name=op.f("ck_transaction_events_kind_is_known")),
        sa.ForeignKeyConstraint(["account_id"], ["balances.account_id"], name=op.f("fk_transaction_events_account_id")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_transaction_events_transaction_id")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_transaction_events")),
    )
    op.create_index(
        "ix_transaction_events_account_id_writer_sequence",
        "transaction_events",
        ["account_id", "writer", "sequence"],
        unique=False,
    )
    op.create_table(
        "transaction_notes",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_transaction_notes_transaction_id")),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_transaction_notes")),
    )
    op.execute(sa.schema.CreateSequence(sa.Sequence("account_serials", data_type=sa.BigInteger)))
    for statement in (REFUSE_CHANGE, CHECK_ZERO_SUM, ZERO_SUM):
        op.execute(statement)
    for name, change, table in REFUSALS:
        op.execute(f"CREATE TRIGGER {name} BEFORE {change} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")


def downgrade() -> None:
    op.drop_table("transaction_notes")
    op.drop_index("ix_transaction_events_account_id_writer_sequence", table_name="transaction_events")
    op.drop_table("transaction_events")
    op.drop_index("ix_refresh_tokens_session_id", table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_index("ix_entries_transaction_id", table_name="entries")
    op.drop_index("ix_entries_account_id_id", table_name="entries")
    op.drop_index("ix_entries_account_id_booked_at", table_name="entries")
    op.drop_table("entries")
    op.drop_index("ix_transactions_to_account_id_id", table_name="transactions")
    op.drop_index("ix_transactions_from_account_id_id", table_name="transactions")
    op.drop_table("transactions")
    op.drop_index("ix_sessions_user_id", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("ix_idempotency_outcomes_created_at", table_name="idempotency_outcomes")
    op.drop_table("idempotency_outcomes")
    op.drop_index("ix_accounts_owner_id_id", table_name="accounts")
    op.drop_table("accounts")
    op.drop_table("users")
    op.drop_table("balances")
    op.drop_index("ix_audit_events_actor_id_id", table_name="audit_events")
    op.drop_table("audit_events")
    op.execute("DROP SEQUENCE account_serials")
    op.execute("DROP FUNCTION check_zero_sum(), refuse_change()")
