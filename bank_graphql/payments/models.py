"""The tables of outcomes under idempotency keys, of what members and programs pay, what is due, and the bank's clock."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.payments.enums import OutcomeKind, PaymentRequestStatus


class BankTime(SQLModel, table=True):
    """Where the bank's clock stands, in one row, if it was ever moved."""

    __tablename__ = "bank_time"
    __table_args__ = (CheckConstraint("id = 1", name="there_is_one_row"),)

    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    moved_to: datetime = time_field()


class DuePosting(SQLModel, table=True):
    """A fee or interest that the bank posts as soon as the account allows it.

    `amount` is signed: the customer gets a positive one, and pays a negative one. `reason` is unique in its account: it says for
    what the posting is, e.g. a month, so that nothing is posted twice for it.
    """

    __tablename__ = "due_postings"
    __table_args__ = (
        one_of("kind", (TransactionKind.FEE, TransactionKind.INTEREST)),
        CheckConstraint("amount <> 0", name="amount_is_not_zero"),
        UniqueConstraint("account_id", "reason"),
        Index("uq_due_postings_transaction_id", "transaction_id", unique=True),
        Index("ix_due_postings_account_id_id", "account_id", "id", postgresql_where=text("transaction_id IS NULL")),
    )

    id: UUID = key_field()
    account_id: UUID = uuid_field(references="accounts.id")
    kind: TransactionKind = text_field()
    amount: int = amount_field()
    description: str = text_field()
    reason: str = text_field()
    created_at: datetime = time_field()
    transaction_id: UUID | None = uuid_field(nullable=True, references="transactions.id")


class DelegatedPayment(SQLModel, table=True):
    """A payment or a hold that a member or a program made. It counts toward what its membership or grant allows that day."""

    __tablename__ = "delegated_payments"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_is_positive"),
        Index("ix_delegated_payments_delegate_id_day", "delegate_id", "day", postgresql_include=["amount"]),
    )

    transaction_id: UUID = uuid_field(primary_key=True, references="transactions.id")
    delegate_id: UUID = uuid_field()
    day: date = Field(sa_type=Date)
    amount: int = amount_field()


class PaymentRequest(SQLModel, table=True):
    """A payment that a program may not make by itself. Its money is held, `hold_id`, until the account's owner decides.

    What was requested never changes: the application may not write those columns. `to_account_id` is the payee at this bank,
    `to_number` and `to_name` one at another bank.
    """

    __tablename__ = "payment_requests"
    __table_args__ = (
        one_of("status", PaymentRequestStatus),
        CheckConstraint("(to_account_id IS NULL) <> (to_number IS NULL)", name="there_is_one_payee"),
        CheckConstraint("(status = 'PENDING') = (decided_at IS NULL)", name="decision_has_a_time"),
        CheckConstraint("(status = 'APPROVED') = (transaction_id IS NOT NULL)", name="payment_is_known"),
        Index("ix_payment_requests_account_id_id", "account_id", "id"),
        Index("ix_payment_requests_pending", "account_id", "id", postgresql_where=text("status = 'PENDING'")),
        Index("ix_payment_requests_user_id", "user_id"),
        Index("ix_payment_requests_grant_id", "grant_id"),
    )

    id: UUID = key_field()
    grant_id: UUID = uuid_field(references="access_grants.id")
    user_id: UUID = uuid_field(references="users.id")
    account_id: UUID = uuid_field(references="accounts.id")
    hold_id: UUID = uuid_field(references="transactions.id")
    to_account_id: UUID | None = uuid_field(nullable=True, references="accounts.id")
    to_number: str | None = text_field(nullable=True)
    to_name: str | None = text_field(nullable=True)
    amount: int = amount_field()
    currency: str = text_field()
    description: str | None = text_field(nullable=True)
    end_to_end_id: str | None = text_field(nullable=True)
    reason: str = text_field()
    status: PaymentRequestStatus = text_field()
    created_at: datetime = time_field()
    expires_at: datetime = time_field()
    decided_by: UUID | None = uuid_field(nullable=True, references="users.id")
    decided_at: datetime | None = time_field(nullable=True)
    transaction_id: UUID | None = uuid_field(nullable=True, references="transactions.id")


class IdempotencyOutcome(SQLModel, table=True):
    """The outcome of a user's key, written in the transaction of what it did. It never changes, and is deleted when it is old.

    It needs no foreign key to the user, because users are never deleted. What was approved has its approval in the place of a
    user: nobody else can use that key.
    """

    __tablename__ = "idempotency_outcomes"
    __table_args__ = (
        one_of("outcome", OutcomeKind),
        CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_has_a_length"),
        CheckConstraint("(outcome = 'REFUSED') = (refusal IS NOT NULL)", name="refusal_is_told"),
        CheckConstraint("(outcome = 'REFUSED') = (subject_id IS NULL)", name="subject_is_told"),
        Index("ix_idempotency_outcomes_created_at", "created_at"),
    )

    user_id: UUID = uuid_field(primary_key=True)
    key: str = text_field(primary_key=True)
    fingerprint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    outcome: OutcomeKind = text_field()
    subject_id: UUID | None = uuid_field(nullable=True)
    refusal: dict[str, Any] | None = Field(sa_column=Column(JSONB(none_as_null=True), nullable=True))
    created_at: datetime = time_field()
