"""Holds and reversals: transactions that wait, and transactions that take others back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KINDS = ("transactions", "kind_is_known", "kind", "'DEPOSIT', 'WITHDRAWAL', 'TRANSFER'", "'HOLD', 'REVERSAL'")
STATUSES = ("transactions", "status_is_known", "status", "'POSTED'", "'PENDING', 'VOIDED', 'EXPIRED'")
EVENTS = (
    "transaction_events",
    "kind_is_known",
    "kind",
    "'POSTED'",
    "'PENDING', 'CAPTURED', 'VOIDED', 'EXPIRED', 'REVERSED'",
)
CHECKS = {
    "only_holds_wait": "kind = 'HOLD' OR status = 'POSTED'",
    "captured_is_of_a_hold": "captured >= 0 AND (kind = 'HOLD' OR captured = 0)",
    "only_holds_expire": "expires_at IS NULL OR kind = 'HOLD'",
    "reversals_reverse": "(kind = 'REVERSAL') = (reverses_id IS NOT NULL)",
}

# Only a pending hold changes, and of that only where it stands. IS DISTINCT FROM, so that NULLs are no way around.
CHECK_STANDING = """
CREATE FUNCTION check_standing() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.status IS DISTINCT FROM 'PENDING'
        OR (NEW.id, NEW.kind, NEW.amount, NEW.currency, NEW.from_account_id, NEW.to_account_id, NEW.parent_id,
            NEW.reverses_id, NEW.created_at, NEW.expires_at)
        IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.amount, OLD.currency, OLD.from_account_id, OLD.to_account_id, OLD.parent_id,
            OLD.reverses_id, OLD.created_at, OLD.expires_at)
        OR NEW.captured < OLD.captured
    THEN
        RAISE EXCEPTION 'UPDATE of transactions refused: the books are corrected by new transactions'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Upgrade."""
    op.add_column("transactions", sa.Column("captured", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("transactions", "captured", server_default=None)
    op.add_column("transactions", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column("transactions", sa.Column("reverses_id", sa.Uuid(), nullable=True))
    op.add_column("transactions", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    for column in ("parent_id", "reverses_id"):
        op.create_foreign_key(f"fk_transactions_{column}", "transactions", "transactions", [column], ["id"])
    for known in (KINDS, STATUSES, EVENTS):
        _replace_known(*known)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_transactions_{name}"), "transactions", condition)
    op.create_index("ix_transactions_parent_id", "transactions", ["parent_id"], postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.create_index(
        "uq_transactions_reverses_id",
        "transactions",
        ["reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.create_index("ix_transactions_expires_at", "transactions", ["expires_at"], postgresql_where=sa.text("status = 'PENDING'"))
    op.execute("DROP TRIGGER is_append_only ON transactions")
    op.execute(
        "CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON transactions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(CHECK_STANDING)
    op.execute(
        "CREATE TRIGGER changes_while_pending BEFORE UPDATE ON transactions FOR EACH ROW EXECUTE FUNCTION check_standing()"
    )


def downgrade() -> None:
    """Downgrade; refused by the CHECKs if there are holds or reversals."""
    op.execute("DROP TRIGGER changes_while_pending ON transactions")
    op.execute("DROP FUNCTION check_standing()")
    op.execute("DROP TRIGGER is_kept ON transactions")
    op.execute(
        "CREATE TRIGGER is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    for index in ("ix_transactions_expires_at", "uq_transactions_reverses_id", "ix_transactions_parent_id"):
        op.drop_index(index, table_name="transactions")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_transactions_{name}"), "transactions")
    for table, name, column, before, _ in (KINDS, STATUSES, EVENTS):
        _replace_known(table, name, column, before, "")
    for column in ("expires_at", "reverses_id", "parent_id", "captured"):
        op.drop_column("transactions", column)


def _replace_known(table: str, name: str, column: str, before: str, more: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    values = f"{before}, {more}" if more else before
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, f"{column} IN ({values})")
