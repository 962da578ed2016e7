"""The clearing's tables."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Index, text
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import key_field, text_field, time_field, uuid_field


class ClearingMessage(SQLModel, table=True):
    """A file of payments for the clearing. `written_at` is null as long as nobody knows that the file was written."""

    __tablename__ = "clearing_messages"
    __table_args__ = (Index("ix_clearing_messages_unwritten", "id", postgresql_where=text("written_at IS NULL")),)

    id: UUID = key_field()
    currency: str = text_field()
    settles_on: date = Field(sa_type=Date)
    created_at: datetime = time_field()
    written_at: datetime | None = time_field(nullable=True)


def _index(column: str, *more: str, unique: bool = False) -> Index:
    """Return an index on a column of `external_transactions` that is null in most rows, and on more columns."""
    name = f"{'uq' if unique else 'ix'}_external_transactions_{column}"
    return Index(name, column, *more, unique=unique, postgresql_where=text(f"{column} IS NOT NULL"))


class ExternalTransaction(SQLModel, table=True):
    """A payment through the clearing: the account at the other bank, and whether the payment leaves, arrives or comes back.

    `bank` is that bank: its country and code, as in its account numbers. References are unique for each bank.
    """

    __tablename__ = "external_transactions"
    __table_args__ = (
        CheckConstraint("num_nonnulls(settles_on, reference, returned_id) = 1", name="leaves_arrives_or_returns"),
        CheckConstraint("returned_id IS NULL OR return_reason IS NOT NULL", name="returns_have_a_reason"),
        CheckConstraint(
            "settles_on IS NOT NULL OR (clears_at IS NULL AND message_id IS NULL)", name="only_what_leaves_is_cleared"
        ),
        _index("reference", "bank", unique=True),
        _index("returned_id", unique=True),
        _index("clears_at", "transaction_id"),
        _index("message_id"),
        Index(
            "ix_external_transactions_unsent",
            "settles_on",
            postgresql_where=text("message_id IS NULL AND return_reason IS NULL AND settles_on IS NOT NULL"),
        ),
    )

    transaction_id: UUID = uuid_field(references="transactions.id", primary_key=True)
    account_number: str = text_field()
    name: str = text_field()
    bank: str = text_field()
    end_to_end_id: str | None = text_field(nullable=True)
    settles_on: date | None = Field(default=None, sa_type=Date, nullable=True)
    clears_at: datetime | None = time_field(nullable=True)
    reference: str | None = text_field(nullable=True)
    returned_id: UUID | None = uuid_field(references="transactions.id", nullable=True)
    return_reason: str | None = text_field(nullable=True)
    message_id: UUID | None = uuid_field(references="clearing_messages.id", nullable=True)
