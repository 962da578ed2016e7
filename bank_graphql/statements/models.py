"""The statements' tables. Rows are never changed, so that documents can be made again, byte for byte."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, Numeric, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import amount_field, key_field, text_field, time_field, uuid_field


class Statement(SQLModel, table=True):
    """The statement of an account for a month. It covers the entries with ids above `after_entry_id`, up to `last_entry_id`.

    What documents show and people may change later is frozen in it: the names of the bank, the holder, the account and the
    counterparties (`counterparties`: a name and a number or null, by the account's id in hexadecimal digits). `layout` is the
    version of the layout and the wording of its documents.
    """

    __tablename__ = "statements"
    __table_args__ = (
        UniqueConstraint("account_id", "number"),
        UniqueConstraint("account_id", "month"),
        Index("ix_statements_account_id_id", "account_id", "id"),
        CheckConstraint("opening_balance + total_credits - total_debits = closing_balance", name="adds_up"),
        CheckConstraint("total_credits >= 0 AND total_debits >= 0 AND entry_count >= 0", name="sums_are_not_negative"),
        CheckConstraint("from_date <= to_date AND month <= to_date", name="period_is_a_period"),
        CheckConstraint("number > 0", name="number_is_positive"),
    )

    id: UUID = key_field()
    account_id: UUID = uuid_field(references="accounts.id")
    number: int = Field(sa_type=BigInteger)
    month: date = Field(sa_type=Date)
    from_date: date = Field(sa_type=Date)
    to_date: date = Field(sa_type=Date)
    after_entry_id: int = Field(sa_type=BigInteger)
    last_entry_id: int = Field(sa_type=BigInteger)
    opening_balance: int = amount_field()
    closing_balance: int = amount_field()
    total_credits: Decimal = Field(sa_type=Numeric(40, 0))  # a turnover has no limit, as a balance has
    total_debits: Decimal = Field(sa_type=Numeric(40, 0))
    entry_count: int = Field(sa_type=BigInteger)
    issued_at: datetime = time_field()
    layout: int = Field(sa_type=BigInteger)
    bank_name: str = text_field()
    bic: str = text_field()
    holder_name: str = text_field()
    account_name: str = text_field()
    time_zone: str = text_field()
    counterparties: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class StatementMonth(SQLModel, table=True):
    """A month of which all statements were issued."""

    __tablename__ = "statement_months"

    month: date = Field(sa_type=Date, primary_key=True)
    completed_at: datetime = time_field()
