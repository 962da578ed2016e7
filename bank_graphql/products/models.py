"""The tables of products, of which account has which, and of interest.

Interest is kept unrounded, in whole units of which `rules.UNIT` are one minor unit of the currency.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Date, Index, Numeric, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field
from bank_graphql.products.enums import DayCount, InterestSide

_UNITS = Numeric(60, 0)


class Product(SQLModel, table=True):
    """A product. From `default_from` on it is that of all accounts of its kind and currency to which none was assigned."""

    __tablename__ = "products"
    __table_args__ = (
        one_of("kind", AccountKind),
        one_of("day_count", DayCount),
        UniqueConstraint("kind", "currency", "name"),
        UniqueConstraint("kind", "currency", "default_from"),
    )

    id: UUID = key_field()
    name: str = text_field()
    kind: AccountKind = text_field()
    currency: str = text_field()
    day_count: DayCount = text_field()
    default_from: date | None = Field(sa_type=Date, nullable=True)
    created_at: datetime = time_field()


class ProductTerms(SQLModel, table=True):
    """The rates and fees of a product from a day on. They never change: others follow them.

    Tiers are pairs: above which balance in minor units, and the rate a year in units of 10^-8.
    """

    __tablename__ = "product_terms"
    __table_args__ = (
        CheckConstraint(
            "monthly_fee >= 0 AND external_transfer_fee >= 0 AND card_replacement_fee >= 0", name="fees_are_not_negative"
        ),
    )

    product_id: UUID = uuid_field(references="products.id", primary_key=True)
    since: date = Field(sa_type=Date, primary_key=True)
    credit_tiers: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    debit_tiers: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    monthly_fee: int = amount_field()
    waived_above: int | None = amount_field(nullable=True)
    external_transfer_fee: int = amount_field()
    card_replacement_fee: int = amount_field()
    created_at: datetime = time_field()


class AccountProduct(SQLModel, table=True):
    """The product that was assigned to an account, from a day on."""

    __tablename__ = "account_products"

    account_id: UUID = uuid_field(references="accounts.id", primary_key=True)
    since: date = Field(sa_type=Date, primary_key=True)
    product_id: UUID = uuid_field(references="products.id")
    created_at: datetime = time_field()


class InterestAccrual(SQLModel, table=True):
    """Interest of successive days on which an account had the same balance and terms: earned, or if negative owed."""

    __tablename__ = "interest_accruals"
    __table_args__ = (
        UniqueConstraint("account_id", "first_day"),
        CheckConstraint("first_day <= last_day", name="days_are_in_order"),
        CheckConstraint("amount <> 0 AND (amount > 0) = (balance > 0)", name="amount_has_the_sign_of_the_balance"),
    )

    id: UUID = key_field()
    account_id: UUID = uuid_field(references="accounts.id")
    first_day: date = Field(sa_type=Date)
    last_day: date = Field(sa_type=Date)
    balance: int = amount_field()
    product_id: UUID = uuid_field(references="products.id")
    terms_since: date = Field(sa_type=Date)
    amount: Decimal = Field(sa_type=_UNITS)


class InterestPosting(SQLModel, table=True):
    """The interest of an account up to a day, as it was rounded.

    What accrued from `first_day` to `last_day` and what was carried from before come to `posted` minor units and what is carried
    on. Nothing is due if that is less than half a minor unit.
    """

    __tablename__ = "interest_postings"
    __table_args__ = (
        one_of("side", InterestSide),
        CheckConstraint("first_day <= last_day AND posted >= 0", name="is_in_range"),
        Index("uq_interest_postings_due_posting_id", "due_posting_id", unique=True),
    )

    account_id: UUID = uuid_field(references="accounts.id", primary_key=True)
    side: InterestSide = text_field(primary_key=True)
    last_day: date = Field(sa_type=Date, primary_key=True)
    first_day: date = Field(sa_type=Date)
    carried: Decimal = Field(sa_type=_UNITS)
    accrued: Decimal = Field(sa_type=_UNITS)
    posted: int = amount_field()
    due_posting_id: UUID | None = uuid_field(nullable=True, references="due_postings.id")


class AccrualDay(SQLModel, table=True):
    """A day through which the interest of all accounts has accrued."""

    __tablename__ = "accrual_days"

    day: date = Field(sa_type=Date, primary_key=True)
    completed_at: datetime = time_field()


class ClosedMonth(SQLModel, table=True):
    """A month of which all interest and fees were made due."""

    __tablename__ = "closed_months"

    month: date = Field(sa_type=Date, primary_key=True)
    completed_at: datetime = time_field()
