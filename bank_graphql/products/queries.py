"""Reads of products, and what is read to accrue interest and to close months. Everyone who is signed in may read products."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Uuid,
    any_,
    bindparam,
    func,
    select,
    true,
)
from sqlmodel import col

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible
from bank_graphql.identity.queries import fetch_lists, fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.months import Months
from bank_graphql.kit.statements import Query, Reads, Row, array_of
from bank_graphql.ledger.models import Balance
from bank_graphql.products.enums import DayCount
from bank_graphql.products.models import (
    AccountProduct,
    InterestAccrual,
    InterestPosting,
    Product,
    ProductTerms,
)
from bank_graphql.products.rules import Catalog, DatedProduct, Terms, tiers_of


class ProductRow(Row):
    """A product."""

    id: UUID
    name: str
    kind: AccountKind
    currency: str
    day_count: DayCount
    default_from: date | None


class TermsRow(Row):
    """The terms of a product from a day on; the tiers as JSON."""

    currency: str
    product_id: UUID
    since: date
    credit_tiers: str
    debit_tiers: str
    monthly_fee: int
    waived_above: int | None
    external_transfer_fee: int
    card_replacement_fee: int


class FeesRow(Row):
    """The fees that payments charge an account, in minor units."""

    account_id: UUID
    external_transfer_fee: int
    card_replacement_fee: int


class InterestAccountRow(Row):
    """An account, its latest accrual, and the day through which its interest was posted; None before there are any."""

    id: UUID
    kind: AccountKind
    currency: str
    opened_at: datetime
    closed_at: datetime | None
    accrual_id: UUID | None
    first_day: date | None
    last_day: date | None
    balance: int
    product_id: UUID
    terms_since: date
    posted_through: date | None


class AssignmentRow(Row):
    """The product that was assigned to an account from a day on."""

    account_id: UUID
    since: date
    product_id: UUID


_PRODUCT_COLUMNS = tuple(col(getattr(Product, name)) for name in ProductRow.__annotations__)
_TERMS_COLUMNS = tuple(col(getattr(Product if name == "currency" else ProductTerms, name)) for name in TermsRow.__annotations__)
PRODUCTS = Query(select(*_PRODUCT_COLUMNS).order_by(col(Product.kind), col(Product.currency), col(Product.id)), ProductRow)
"""All products: there are few."""
_TERMS = Query(
    select(*_TERMS_COLUMNS)
    .join(Product, col(Product.id) == ProductTerms.product_id)
    .order_by(col(ProductTerms.product_id), col(ProductTerms.since)),
    TermsRow,
)
_accounts = any_(array_of("accounts", Uuid()))


def posted_through(account_id: Any, of: Any) -> ColumnElement[Any]:
    """Return the day through which the interest of an account of the table `of` was posted."""
    found = select(func.max(InterestPosting.last_day)).where(col(InterestPosting.account_id) == account_id)
    return found.correlate(of).scalar_subquery()


_ACCRUAL = ("first_day", "last_day", "balance", "product_id", "terms_since")
_latest = (
    select(col(InterestAccrual.id).label("accrual_id"), *(col(getattr(InterestAccrual, name)) for name in _ACCRUAL))
    .where(col(InterestAccrual.account_id) == Account.id)
    .order_by(col(InterestAccrual.first_day).desc())
    .limit(1)
    .correlate(Account)
    .lateral("latest")
)
ACCOUNTS = Query(
    select(
        *(col(getattr(Account, name)) for name in ("id", "kind")),
        col(Balance.currency),
        *(col(getattr(Account, name)) for name in ("opened_at", "closed_at")),
        *(_latest.c[name] for name in ("accrual_id", *_ACCRUAL)),
        posted_through(col(Account.id), Account).label("posted_through"),
    )
    .join(Balance, col(Balance.account_id) == Account.id)
    .outerjoin(_latest, true())
    .where(col(Account.id) == _accounts),
    InterestAccountRow,
)
ASSIGNMENTS = Query(
    select(col(AccountProduct.account_id), col(AccountProduct.since), col(AccountProduct.product_id))
    .where(col(AccountProduct.account_id) == _accounts)
    .order_by(col(AccountProduct.since)),
    AssignmentRow,
)
_ids = requested_keys(Uuid(), sees_all=False)
_PRODUCTS_BY_ID = Query(
    select(_ids.c.position, *_PRODUCT_COLUMNS).select_from(_ids).join(Product, col(Product.id) == _ids.c.key), ProductRow
)
_TERMS_OF_PRODUCTS = Query(
    select(_ids.c.position, *_TERMS_COLUMNS)
    .select_from(_ids)
    .join(ProductTerms, col(ProductTerms.product_id) == _ids.c.key)
    .join(Product, col(Product.id) == ProductTerms.product_id)
    .order_by(_ids.c.position, col(ProductTerms.since)),
    TermsRow,
)
_keys = requested_keys(Uuid())
_day = bindparam("day", type_=Date())
_assigned_id = (
    select(col(AccountProduct.product_id))
    .where(col(AccountProduct.account_id) == Account.id, col(AccountProduct.since) <= _day)
    .order_by(col(AccountProduct.since).desc())
    .limit(1)
    .correlate(Account)
    .scalar_subquery()
)
_default_id = (
    select(col(Product.id))
    .where(col(Product.kind) == Account.kind, col(Product.currency) == Balance.currency, col(Product.default_from) <= _day)
    .order_by(col(Product.default_from).desc())
    .limit(1)
    .correlate(Account, Balance)
    .scalar_subquery()
)
_PRODUCTS_OF_ACCOUNTS = Query(
    select(_keys.c.position, *_PRODUCT_COLUMNS)
    .select_from(_keys)
    .join(Account, col(Account.id) == _keys.c.key)
    .join(Balance, col(Balance.account_id) == Account.id)
    .join(Product, col(Product.id) == func.coalesce(_assigned_id, _default_id))
    .where(account_is_visible(Account, _keys)),
    ProductRow,
)

_current = (
    select(col(ProductTerms.external_transfer_fee), col(ProductTerms.card_replacement_fee))
    .where(col(ProductTerms.product_id) == func.coalesce(_assigned_id, _default_id), col(ProductTerms.since) <= _day)
    .order_by(col(ProductTerms.since).desc())
    .limit(1)
    .correlate(Account, Balance)
    .lateral("current")
)
FEES = Query(
    select(col(Account.id).label("account_id"), *_current.c)
    .join(Balance, col(Balance.account_id) == Account.id)
    .join(_current, true())
    .where(col(Account.id) == _accounts),
    FeesRow,
)
"""The fees that payments charge accounts on a day, of those that have a product."""


def terms_of(row: TermsRow) -> Terms:
    """Return the terms of a row."""
    fees = {name: getattr(row, name) for name in ("monthly_fee", "waived_above", "external_transfer_fee", "card_replacement_fee")}
    return Terms(row.since, tiers_of(row.credit_tiers), tiers_of(row.debit_tiers), **fees)


async def catalog(db: Reads | Connection) -> Catalog:
    """Return all products with all their terms."""
    rows, terms = await db.fetch(PRODUCTS), await db.fetch(_TERMS)
    of_product: dict[UUID, list[Terms]] = {}
    for each in terms:
        of_product.setdefault(each.product_id, []).append(terms_of(each))
    products = {row.id: DatedProduct(row.id, DayCount(row.day_count), tuple(of_product[row.id])) for row in rows}
    defaults: dict[tuple[str, str], dict[date, DatedProduct]] = {}
    for row in rows:
        if row.default_from is not None:
            defaults.setdefault((row.kind, row.currency), {})[row.default_from] = products[row.id]
    return Catalog(products, defaults)


async def with_assignments(
    connection: Connection, accounts: Sequence[UUID]
) -> list[tuple[InterestAccountRow, list[tuple[date, UUID]]]]:
    """Return accounts, each with the products that were assigned to it from days on."""
    assigned: dict[UUID, list[tuple[date, UUID]]] = {}
    for each in await connection.fetch(ASSIGNMENTS, accounts=list(accounts)):
        assigned.setdefault(each.account_id, []).append((each.since, each.product_id))
    return [(row, assigned.get(row.id, [])) for row in await connection.fetch(ACCOUNTS, accounts=list(accounts))]


async def products(db: Reads, requested: Sequence[Requested[UUID]]) -> list[ProductRow | None]:
    """Return products by id."""
    return await fetch_rows(db, _PRODUCTS_BY_ID, requested, None)


async def terms_of_products(db: Reads, requested: Sequence[Requested[UUID]]) -> list[list[TermsRow]]:
    """Return all terms of products, the earliest first."""
    return await fetch_lists(db, _TERMS_OF_PRODUCTS, requested, None)


async def current_terms(db: Reads, months: Months, clock: Clock, requested: Sequence[Requested[UUID]]) -> list[TermsRow | None]:
    """Return the terms that products have today; None for a product whose first terms begin later."""
    today = months.day(clock())
    return [
        next((each for each in reversed(terms) if each.since <= today), None) for terms in await terms_of_products(db, requested)
    ]


async def products_of_accounts(
    db: Reads, months: Months, clock: Clock, requested: Sequence[Requested[UUID]]
) -> list[ProductRow | None]:
    """Return the products that accounts have today; None for an account that has none, or is not visible to the actor."""
    found: list[ProductRow | None] = [
        each[0] if each else None
        for each in await fetch_lists(db, _PRODUCTS_OF_ACCOUNTS, requested, Scope.ACCOUNTS_READ, day=months.day(clock()))
    ]
    return found
