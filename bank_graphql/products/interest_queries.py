"""Reads of interest: what is read to accrue it and to close months, and what the API shows of it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlmodel import col

from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible
from bank_graphql.identity.queries import fetch_lists, fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.statements import Query, Reads, Row, array_of
from bank_graphql.ledger.models import Balance
from bank_graphql.payments.models import DuePosting
from bank_graphql.products.enums import DayCount, InterestSide
from bank_graphql.products.models import (
    AccountProduct,
    AccrualDay,
    ClosedMonth,
    InterestAccrual,
    InterestPosting,
    Product,
    ProductTerms,
)
from bank_graphql.products.queries import posted_through
from bank_graphql.products.rules import UNIT

_UNIT: ColumnElement[Any] = literal_column(f"{UNIT}::numeric")
_accounts = any_(array_of("accounts", Uuid()))
_keys = requested_keys(Uuid())


class AccountIdRow(Row):
    """The id of an account."""

    id: UUID


class DayBalanceRow(Row):
    """The balance of an account at the end of a day, in minor units."""

    position: int
    balance: int


class UnpostedRow(Row):
    """Interest of an account that is not posted, on one side, in units: what accrued, and what was carried from before."""

    account_id: UUID
    side: InterestSide
    first_day: date
    accrued: Decimal
    carried: Decimal


class DateRow(Row):
    """A date; None if there is none."""

    date: date | None


FIRST_TERMS = Query(select(func.min(ProductTerms.since).label("date")), DateRow)
LAST_ACCRUAL_DAY = Query(select(func.max(AccrualDay.day).label("date")), DateRow)
LAST_CLOSED_MONTH = Query(select(func.max(ClosedMonth.month).label("date")), DateRow)

_assigned = select(col(AccountProduct.account_id)).where(col(AccountProduct.account_id) == Account.id).correlate(Account)
_default = (
    select(col(Product.id))
    .where(col(Product.kind) == Account.kind, col(Product.currency) == Balance.currency, col(Product.default_from).is_not(None))
    .correlate(Account, Balance)
)
WITH_PRODUCT = Query(
    select(col(Account.id))
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(
        col(Account.id) > bindparam("after", type_=Uuid()),
        or_(col(Account.closed_at).is_(None), col(Account.closed_at) >= bindparam("since", type_=DateTime(timezone=True))),
        or_(_assigned.exists(), _default.exists()),
    )
    .order_by(col(Account.id))
    .limit(bindparam("maximum", type_=BigInteger())),
    AccountIdRow,
)
"""Accounts that have a product or may have one, and that were open at a time or later."""

_days = (
    func.unnest(array_of("accounts", Uuid()), array_of("ends", DateTime(timezone=True)))
    .table_valued(column("account_id", Uuid()), column("end", DateTime(timezone=True)), with_ordinality="position", name="days")
    .render_derived()
)
BALANCES = Query(
    select(_days.c.position, func.balance_at(_days.c.account_id, _days.c["end"]).label("balance")).order_by(_days.c.position),
    DayBalanceRow,
)
"""The balances of accounts at times."""
_side = case((col(InterestAccrual.amount) > 0, InterestSide.CREDIT.value), else_=InterestSide.DEBIT.value)


def _carried_on(account_id: Any, side: Any, of: Any) -> ColumnElement[Any]:
    """Return what is carried on of an account of the table `of` on a side, in units."""
    found = (
        select(col(InterestPosting.carried) + col(InterestPosting.accrued) - col(InterestPosting.posted) * _UNIT)
        .where(col(InterestPosting.account_id) == account_id, col(InterestPosting.side) == side)
        .order_by(col(InterestPosting.last_day).desc())
        .limit(1)
        .correlate(of)
        .scalar_subquery()
    )
    return func.coalesce(found, 0)


def _is_unposted(account_id: Any, of: Any) -> ColumnElement[bool]:
    """Return the condition that an accrual of an account of the table `of` was not posted."""
    through = posted_through(account_id, of)
    return or_(through.is_(None), col(InterestAccrual.first_day) > through)


_accrued = (
    select(
        col(InterestAccrual.account_id),
        _side.label("side"),
        func.min(InterestAccrual.first_day).label("first_day"),
        func.sum(func.abs(InterestAccrual.amount)).label("accrued"),
    )
    .where(
        col(InterestAccrual.account_id) == _accounts,
        col(InterestAccrual.last_day) <= bindparam("through", type_=Date()),
        _is_unposted(col(InterestAccrual.account_id), InterestAccrual),
    )
    .group_by(col(InterestAccrual.account_id), _side)
    .cte("accrued")
)
UNPOSTED = Query(
    select(
        _accrued.c.account_id,
        _accrued.c.side,
        _accrued.c.first_day,
        _accrued.c.accrued,
        _carried_on(_accrued.c.account_id, _accrued.c.side, _accrued).label("carried"),
    ),
    UnpostedRow,
)


class AccruedRow(Row):
    """The interest of an account that is not posted, in units: negative if it is owed."""

    position: int
    net: Decimal


class PostingRow(Row):
    """How posted interest came about, in units, and an accrual of it."""

    position: int
    side: InterestSide
    carried: Decimal
    posted: int
    currency: str
    first_day: date
    last_day: date
    balance: int
    terms_since: date
    amount: Decimal
    credit_tiers: str
    debit_tiers: str
    day_count: DayCount


_unposted = (
    select(func.sum(InterestAccrual.amount))
    .where(
        col(InterestAccrual.account_id) == Account.id,
        _is_unposted(col(Account.id), Account),
    )
    .correlate(Account)
    .scalar_subquery()
)


_ACCRUED = Query(
    select(
        _keys.c.position,
        (
            func.coalesce(_unposted, 0)
            + _carried_on(col(Account.id), InterestSide.CREDIT, Account)
            - _carried_on(col(Account.id), InterestSide.DEBIT, Account)
        ).label("net"),
    )
    .select_from(_keys)
    .join(Account, col(Account.id) == _keys.c.key)
    .where(account_is_visible(Account, _keys)),
    AccruedRow,
)
_POSTINGS = Query(
    select(
        _keys.c.position,
        *(col(getattr(InterestPosting, name)) for name in ("side", "carried", "posted")),
        col(Balance.currency),
        *(col(getattr(InterestAccrual, name)) for name in ("first_day", "last_day", "balance", "terms_since", "amount")),
        col(ProductTerms.credit_tiers),
        col(ProductTerms.debit_tiers),
        col(Product.day_count),
    )
    .select_from(_keys)
    .join(DuePosting, col(DuePosting.transaction_id) == _keys.c.key)
    .join(InterestPosting, col(InterestPosting.due_posting_id) == DuePosting.id)
    .join(Account, col(Account.id) == DuePosting.account_id)
    .join(Balance, col(Balance.account_id) == Account.id)
    .join(
        InterestAccrual,
        and_(
            col(InterestAccrual.account_id) == Account.id,
            col(InterestAccrual.first_day).between(InterestPosting.first_day, InterestPosting.last_day),
            (col(InterestAccrual.amount) > 0) == (col(InterestPosting.side) == InterestSide.CREDIT),
        ),
    )
    .join(Product, col(Product.id) == InterestAccrual.product_id)
    .join(
        ProductTerms,
        and_(col(ProductTerms.product_id) == Product.id, col(ProductTerms.since) == InterestAccrual.terms_since),
    )
    .where(account_is_visible(Account, _keys))
    .order_by(_keys.c.position, col(InterestAccrual.first_day)),
    PostingRow,
)


async def accrued(db: Reads, requested: Sequence[Requested[UUID]]) -> list[AccruedRow | None]:
    """Return the interest of accounts that is not posted; None for an account that is not visible to the actor."""
    return await fetch_rows(db, _ACCRUED, requested, Scope.ACCOUNTS_READ)


async def postings(db: Reads, requested: Sequence[Requested[UUID]]) -> list[list[PostingRow]]:
    """Return how the interest of transactions came about: a row for each accrual; none for a transaction that is not visible."""
    return await fetch_lists(db, _POSTINGS, requested, Scope.TRANSACTIONS_READ)


class AccrualRow(Row):
    """Interest of an account that accrued on successive days, in units."""

    account_id: UUID
    first_day: date
    last_day: date
    balance: int
    product_id: UUID
    terms_since: date
    amount: Decimal


FIRST_ACCRUAL: dict[str, Any] = {"account": UUID(int=0), "day": date.min}
"""The arguments for the first page of `ACCRUALS`."""
ACCRUALS = Query(
    select(*(col(getattr(InterestAccrual, name)) for name in AccrualRow.__annotations__))
    .where(
        tuple_(col(InterestAccrual.account_id), col(InterestAccrual.first_day))
        > tuple_(bindparam("account", type_=Uuid()), bindparam("day", type_=Date()))
    )
    .order_by(col(InterestAccrual.account_id), col(InterestAccrual.first_day))
    .limit(bindparam("maximum", type_=BigInteger())),
    AccrualRow,
)
"""All accruals, by account and day, a page at a time."""
