"""Cards: issuing, the vault, limits, and what is paid with them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KINDS = "'DEPOSIT', 'WITHDRAWAL', 'TRANSFER', 'HOLD'"
KNOWN = (
    ("transactions", "kind", f"{_KINDS}, 'REVERSAL'", f"{_KINDS}, 'CARD_PAYMENT', 'CARD_REFUND', 'REVERSAL'"),
    (
        "transactions",
        "status",
        "'PENDING', 'POSTED', 'VOIDED', 'EXPIRED'",
        "'PENDING', 'POSTED', 'VOIDED', 'EXPIRED', 'DECLINED'",
    ),
    (
        "transaction_events",
        "kind",
        "'PENDING', 'POSTED', 'CAPTURED', 'VOIDED', 'EXPIRED', 'REVERSED'",
        "'PENDING', 'POSTED', 'CAPTURED', 'VOIDED', 'EXPIRED', 'REVERSED', 'DECLINED'",
    ),
    ("balances", "purpose", "'CASH'", "'CASH', 'CARD_SETTLEMENT'"),
    ("idempotency_outcomes", "outcome", "'MOVED', 'OPENED', 'REFUSED'", "'MOVED', 'OPENED', 'ISSUED', 'REFUSED'"),
)
KEPT = ("cards", "card_secrets", "card_transactions")
UNCHANGED = {
    "cards": "id, account_id, series_id, replaces_id, kind, form, last4",
    "card_secrets": "card_id, number_hash, sealed_number",
    "card_transactions": "transaction_id, card_id, series_id, authorized_at, decline_reason",
}
AUTHORIZED = "kind NOT IN ('CARD_PAYMENT', 'CARD_REFUND') OR parent_id IS NOT NULL"


def upgrade() -> None:
    """Upgrade."""
    for table, column, _, values in KNOWN:
        _replace_known(table, column, values)
    op.create_check_constraint(op.f("ck_transactions_card_payments_are_authorized"), "transactions", AUTHORIZED)
    _create_cards()
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER is_kept BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, columns in UNCHANGED.items():
        op.execute(
            f"CREATE TRIGGER keeps_its_identity BEFORE UPDATE OF {columns} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Downgrade; refused by the CHECKs once there are transactions of cards."""
    for table in ("card_transactions", "card_secrets", "card_limits", "card_blocks", "cards", "vault_keys"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_transactions_card_payments_are_authorized"), "transactions")
    for table, column, values, _ in KNOWN:
        _replace_known(table, column, values)


def _create_cards() -> None:
    op.create_table(
        "vault_keys",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("master_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_vault_keys")),
    )
    op.create_table(
        "cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("frozen_by", sa.Text(), nullable=True),
        sa.Column("holder_name", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("expiry_month", sa.Integer(), nullable=False),
        sa.Column("expiry_year", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status <> 'FROZEN' OR frozen_by IS NOT NULL", name=op.f("ck_cards_frozen_by_is_told")),
        sa.CheckConstraint(
            "frozen_by IS NULL OR status NOT IN ('INACTIVE', 'ACTIVE')", name=op.f("ck_cards_frozen_by_has_its_time")
        ),
        sa.CheckConstraint("form IN ('VIRTUAL', 'PHYSICAL')", name=op.f("ck_cards_form_is_known")),
        sa.CheckConstraint("frozen_by IN ('OWNER', 'STAFF')", name=op.f("ck_cards_frozen_by_is_known")),
        sa.CheckConstraint("kind IN ('DEBIT', 'CREDIT')", name=op.f("ck_cards_kind_is_known")),
        sa.CheckConstraint("last4 ~ '^[0-9]{4}$'", name=op.f("ck_cards_last4_are_digits")),
        sa.CheckConstraint(
            "status IN ('INACTIVE', 'ACTIVE', 'FROZEN', 'CANCELLED', 'EXPIRED')", name=op.f("ck_cards_status_is_known")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_cards_account_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["cards.id"], name=op.f("fk_cards_replaces_id")),
        sa.ForeignKeyConstraint(["series_id"], ["cards.id"], name=op.f("fk_cards_series_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
    )
    op.create_index("ix_cards_account_id_id", "cards", ["account_id", "id"], unique=False)
    op.create_index("ix_cards_series_id", "cards", ["series_id"], unique=False)
    op.create_index(
        "ix_cards_expires_at",
        "cards",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('INACTIVE', 'ACTIVE', 'FROZEN')"),
    )
    op.create_index(
        "uq_cards_replaces_id", "cards", ["replaces_id"], unique=True, postgresql_where=sa.text("replaces_id IS NOT NULL")
    )
    op.create_table(
        "card_blocks",
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.CheckConstraint("category ~ '^[0-9]{4}$'", name=op.f("ck_card_blocks_category_is_four_digits")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_blocks_card_id")),
        sa.PrimaryKeyConstraint("card_id", "category", name=op.f("pk_card_blocks")),
    )
    op.create_table(
        "card_limits",
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("time_window", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "time_window IN ('TRANSACTION', 'DAY', 'WEEK', 'MONTH')", name=op.f("ck_card_limits_time_window_is_known")
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_card_limits_amount_is_not_negative")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_limits_card_id")),
        sa.PrimaryKeyConstraint("card_id", "time_window", name=op.f("pk_card_limits")),
    )
    op.create_table(
        "card_secrets",
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("number_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_number", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("master_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_secrets_card_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_card_secrets")),
        sa.UniqueConstraint("number_hash", name=op.f("uq_card_secrets_number_hash")),
    )
    op.create_table(
        "card_transactions",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("authorized_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("merchant_name", sa.Text(), nullable=False),
        sa.Column("merchant_category", sa.Text(), nullable=False),
        sa.Column("merchant_country", sa.Text(), nullable=False),
        sa.Column("decline_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("counted >= 0", name=op.f("ck_card_transactions_counted_is_not_negative")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_transactions_card_id")),
        sa.ForeignKeyConstraint(["series_id"], ["cards.id"], name=op.f("fk_card_transactions_series_id")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("fk_card_transactions_transaction_id")),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_card_transactions")),
    )
    op.create_index(
        "ix_card_transactions_card_id_transaction_id", "card_transactions", ["card_id", "transaction_id"], unique=False
    )
    op.create_index(
        "ix_card_transactions_series_id_authorized_at",
        "card_transactions",
        ["series_id", "authorized_at"],
        unique=False,
        postgresql_include=["counted"],
    )


def _replace_known(table: str, column: str, values: str) -> None:
    name = op.f(f"ck_{table}_{column}_is_known")
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, f"{column} IN ({values})")
