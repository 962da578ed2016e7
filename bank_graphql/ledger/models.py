"""The ledger's tables.

What the database itself enforces beside the CHECKs here is in the migrations: entries and posted transactions never change,
and the entries that one statement inserts for a transaction sum to zero in each currency.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field
from bank_graphql.kit.money import MAX_AMOUNT
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus


class Balance(SQLModel, table=True):
    """The balance of an account: the sum of its entries, what holds reserve, and how far it may go below zero.

    The bank's internal accounts have a purpose and no floor. Customers' accounts have a floor and no purpose.
    """

    __tablename__ = "balances"
    __table_args__ = (
        UniqueConstraint("purpose", "currency"),
        CheckConstraint("held >= 0", name="held_is_not_negative"),
        CheckConstraint("overdraft_limit >= 0", name="overdraft_limit_is_not_negative"),
        CheckConstraint("purpose IS NOT NULL OR booked - held + overdraft_limit >= 0", name="available_is_not_negative"),
        one_of("purpose", Purpose),
    )

    account_id: UUID = key_field()
    currency: str = text_field()
    purpose: Purpose | None = text_field(nullable=True)
    booked: int = amount_field(default=0)
    held: int = amount_field(default=0)
    overdraft_limit: int = amount_field(default=0)
    updated_at: datetime = time_field()


class Transaction(SQLModel, table=True):
    """One movement of money from one account to another, or a hold that reserves one."""

    __tablename__ = "transactions"
    __table_args__ = (
        CheckConstraint(f"amount > 0 AND amount <= {MAX_AMOUNT}", name="amount_is_in_range"),
        CheckConstraint("from_account_id <> to_account_id", name="accounts_differ"),
        CheckConstraint("(status = 'POSTED') = (posted_at IS NOT NULL)", name="posted_at_is_told"),
        CheckConstraint(
            "kind = 'HOLD' OR status = 'POSTED' OR (kind = 'TRANSFER' AND status IN ('PENDING', 'VOIDED', 'DECLINED'))",
            name="only_holds_and_transfers_wait",
        ),
        CheckConstraint("captured >= 0 AND (kind = 'HOLD' OR captured = 0)", name="captured_is_of_a_hold"),
        CheckConstraint("expires_at IS NULL OR kind = 'HOLD'", name="only_holds_expire"),
        CheckConstraint("(kind = 'REVERSAL') = (reverses_id IS NOT NULL)", name="reversals_reverse"),
        CheckConstraint(
            "kind NOT IN ('CARD_PAYMENT', 'CARD_REFUND') OR parent_id IS NOT NULL", name="card_payments_are_authorized"
        ),
        one_of("kind", TransactionKind),
        one_of("status", TransactionStatus),
        Index("ix_transactions_from_account_id_id", "from_account_id", "id"),
        Index("ix_transactions_to_account_id_id", "to_account_id", "id"),
        Index("ix_transactions_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("uq_transactions_reverses_id", "reverses_id", unique=True, postgresql_where=text("reverses_id IS NOT NULL")),
        Index("ix_transactions_expires_at", "expires_at", postgresql_where=text("status = 'PENDING'")),
    )

    id: UUID = key_field()
    kind: TransactionKind = text_field()
    status: TransactionStatus = text_field()
    amount: int = amount_field()
    currency: str = text_field()
    from_account_id: UUID = uuid_field(references="balances.account_id")
    to_account_id: UUID = uuid_field(references="balances.account_id")
    captured: int = amount_field(default=0)
    parent_id: UUID | None = uuid_field(references="transactions.id", nullable=True)
    reverses_id: UUID | None = uuid_field(references="transactions.id", nullable=True)
    created_at: datetime = time_field()
    posted_at: datetime | None = time_field(nullable=True)
    expires_at: datetime | None = time_field(nullable=True)


class TransactionNote(SQLModel, table=True):
    """What a person wrote about a transaction. It has a table of its own, so that it can be erased without changing the books."""

    __tablename__ = "transaction_notes"

    transaction_id: UUID = uuid_field(references="transactions.id", primary_key=True)
    description: str = text_field()


class Entry(SQLModel, table=True):
    """The effect of a transaction on one account. Ids rise in the order in which the account was changed.

    Instead of foreign keys there is a trigger, which checks all entries of a statement at once: the transaction exists, the
    account is one of its two, and the entries sum to zero.
    """

    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount_is_not_zero"),
        Index("ix_entries_account_id_id", "account_id", "id"),
        Index("ix_entries_transaction_id", "transaction_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    transaction_id: UUID = uuid_field()
    account_id: UUID = uuid_field()
    amount: int = amount_field()
    balance_after: int = amount_field()
    booked_at: datetime = time_field()


class Backup(SQLModel, table=True):
    """A backup that was completed: when, of which kind (`dump` or `base`), and how large it is."""

    __tablename__ = "backups"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    finished_at: datetime = time_field()
    kind: str = text_field()
    size: int = Field(sa_type=BigInteger)


class VerificationRun(SQLModel, table=True):
    """A verification: when it ran, and the finding of each check."""

    __tablename__ = "verification_runs"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    checked_at: datetime = time_field()
    checks: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
