"""Lighter entries: one look-up says that an entry fits its transaction and its account, in place of two foreign keys.

The check is stricter than the keys were: an entry is on one of its transaction's two accounts. What it refers to can be
neither deleted nor given another key, which triggers refuse. Events, which are deleted again, get one key for two; what is
remembered of keys does without the user's, for users are kept.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE OR REPLACE FUNCTION check_zero_sum() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
{checks}
    RETURN NULL;
END $$
"""
_REFUSAL = """    IF EXISTS ({query}) THEN
        RAISE EXCEPTION '{message}' USING ERRCODE = '{code}';
    END IF;
"""
SUMS = _REFUSAL.format(
    query="""
        SELECT FROM (
            SELECT transaction_id, amount, (SELECT currency FROM balances b WHERE b.account_id = i.account_id) AS currency
            FROM inserted i
        ) entry
        GROUP BY transaction_id, currency HAVING sum(amount) IS DISTINCT FROM 0
    """,
    message="the entries of a transaction do not sum to zero",
    code="check_violation",
)
# By looking up as well: a join, or an EXISTS, might be planned as one that reads the whole table.
PLACES = _REFUSAL.format(
    query="""
        SELECT FROM inserted i
        WHERE (
            SELECT id FROM transactions t
            WHERE t.id = i.transaction_id AND i.account_id IN (t.from_account_id, t.to_account_id)
        ) IS NULL
    """,
    message="an entry is on neither account of its transaction",
    code="foreign_key_violation",
)
KEYS = (
    ("entries", "transaction_id", "transactions", "id"),
    ("entries", "account_id", "balances", "account_id"),
    ("idempotency_outcomes", "user_id", "users", "id"),
)


def upgrade() -> None:
    """Upgrade. What takes its time comes first, while others may still read."""
    op.create_index("ix_entries_account_id_booked_at_id", "entries", ["account_id", "booked_at", "id"])
    op.create_index("pk_transaction_events_new", "transaction_events", ["epoch", "writer", "sequence"], unique=True)
    op.execute(_FUNCTION.format(checks=SUMS + PLACES))
    op.drop_index("ix_entries_account_id_booked_at", table_name="entries")
    op.drop_index("ix_transaction_events_epoch_writer_sequence", table_name="transaction_events")
    op.drop_constraint(op.f("pk_transaction_events"), "transaction_events", type_="primary")
    op.execute(
        "ALTER TABLE transaction_events ADD CONSTRAINT pk_transaction_events PRIMARY KEY USING INDEX pk_transaction_events_new"
    )
    op.execute("CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")
    for table, column, _, _ in KEYS:
        op.drop_constraint(op.f(f"fk_{table}_{column}"), table, type_="foreignkey")


def downgrade() -> None:
    """Downgrade."""
    op.execute("DROP TRIGGER is_kept ON users")
    op.drop_constraint(op.f("pk_transaction_events"), "transaction_events", type_="primary")
    op.create_primary_key(op.f("pk_transaction_events"), "transaction_events", ["sequence"])
    op.create_index("ix_transaction_events_epoch_writer_sequence", "transaction_events", ["epoch", "writer", "sequence"])
    op.drop_index("ix_entries_account_id_booked_at_id", table_name="entries")
    op.create_index("ix_entries_account_id_booked_at", "entries", ["account_id", "booked_at"])
    for table, column, target, key in KEYS:
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, target, [column], [key])
    op.execute(_FUNCTION.format(checks=SUMS))
