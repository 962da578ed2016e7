"""The only writer of products and of which account has which. Each change is audited, and so is each refusal.

What was accrued or charged never changes: rates and fees hold from today on at the earliest. Whoever accrues interest takes the
same lock, so that today's change cannot come after today's interest.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlmodel import col

from bank_graphql.accounts.access import NONE
from bank_graphql.accounts.enums import AccountKind, AccountStatus
from bank_graphql.accounts.history import LAST_YEAR
from bank_graphql.accounts.member_queries import access_to
from bank_graphql.accounts.models import Account
from bank_graphql.audit import service as audit
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, lock_key, new_id
from bank_graphql.kit.months import Months
from bank_graphql.kit.statements import Insert, Query, Row
from bank_graphql.ledger.models import Balance
from bank_graphql.products import queries
from bank_graphql.products.enums import DayCount
from bank_graphql.products.models import AccountProduct, Product, ProductTerms
from bank_graphql.products.queries import ProductRow
from bank_graphql.products.rules import Terms

LOCK = lock_key("products", UUID(int=0))
"""The lock of whoever changes products or accrues interest."""
_INSERT = Insert(Product, "id", "name", "kind", "currency", "day_count", "default_from", "created_at")
_TERMS = tuple(ProductTerms.model_fields)
_INSERT_TERMS = Insert(ProductTerms, *_TERMS)
_ASSIGN = Insert(AccountProduct, "account_id", "since", "product_id", "created_at")


class _AccountRow(Row):
    owner_id: UUID
    kind: AccountKind
    currency: str
    status: AccountStatus


_ACCOUNT = Query(
    select(col(Account.owner_id), col(Account.kind), col(Balance.currency), col(Account.status))
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(col(Account.id) == bindparam("account", type_=Uuid())),
    _AccountRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProduct:
    """A product to make. From `default_from` on it is that of all accounts of its kind and currency to which none is assigned."""

    name: str
    kind: AccountKind
    currency: str
    day_count: DayCount
    default_from: date | None
    terms: Terms


class Products:
    """What administrators do with products.

    Args:
        db: the database.
        months: the days of the bank's time zone.
        clock: gives the bank's time.
    """

    def __init__(self, db: Database, months: Months, clock: Clock) -> None:
        self._db = db
        self._months = months
        self._clock = clock

    @property
    def today(self) -> date:
        """The present day, in the bank's time zone."""
        return self._months.day(self._clock())

    async def create(self, actor: Actor, new: NewProduct) -> UUID:
        """Make a product, and return its id.

        Raises:
            Forbidden: the actor is no administrator.
            ValidationFailed: `PAST`: it begins before today. `TOO_FAR`, `BEFORE_TERMS`, `TAKEN`: see the messages.
        """
        product_id = new_id()

        async def work(connection: Connection) -> None:
            await self._begin(connection, actor, new.terms.since, ("terms", "from"))
            if new.default_from is not None and new.default_from.year > LAST_YEAR:
                raise ValidationFailed.of("defaultFrom", "TOO_FAR", f"Choose a day in the year {LAST_YEAR} or before.")
            if new.default_from is not None and new.default_from < new.terms.since:
                raise ValidationFailed.of("defaultFrom", "BEFORE_TERMS", "It cannot be the default before it has terms.")
            for other in await connection.fetch(queries.PRODUCTS):
                if (other.kind, other.currency) != (new.kind, new.currency):
                    continue
                if other.name == new.name:
                    raise ValidationFailed.of("name", "TAKEN", "Another product of this kind and currency has the name.")
                if new.default_from is not None and other.default_from == new.default_from:
                    raise ValidationFailed.of("defaultFrom", "TAKEN", "Another product is the default from this day on.")
            now = self._clock()
            row = (product_id, new.name, new.kind, new.currency, new.day_count, new.default_from, now)
            await connection.insert(_INSERT, [row])
            await self._insert_terms(connection, product_id, new.terms)

        await audit.execute_audited(self._db, actor, "createProduct", product_id, work)
        return product_id

    async def set_terms(self, actor: Actor, product_id: UUID, since: date, terms_in: Callable[[str], Terms]) -> None:
        """Change the rates and fees of a product from a day on.

        Args:
            actor: an administrator.
            product_id: the product.
            since: the day.
            terms_in: returns the terms, in the currency of the product. It may raise ValidationFailed.

        Raises:
            Forbidden, NotFound: the actor is no administrator; there is no such product.
            ValidationFailed: `PAST`: the day is before today. `TOO_FAR`; `TAKEN`: other terms begin on it.
        """

        async def work(connection: Connection) -> None:
            await self._begin(connection, actor, since, ("terms", "from"))
            product = await self._product(connection, product_id)
            terms = terms_in(product.currency)
            dated = (await queries.catalog(connection)).products[product_id]
            if any(each.since == since for each in dated.terms):
                raise ValidationFailed.of(
                    ("terms", "from"), "TAKEN", "Other rates and fees begin on this day. They cannot change any more."
                )
            await self._insert_terms(connection, product_id, terms)

        await audit.execute_audited(self._db, actor, "setProductTerms", product_id, work)

    async def assign(self, actor: Actor, account_id: UUID, product_id: UUID, since: date) -> None:
        """Give an account a product from a day on.

        Raises:
            Forbidden, NotFound: the actor is no administrator, or owns the account; there is no such account or product.
            ValidationFailed: `PAST`, `TOO_FAR`; `WRONG_KIND`, `BEFORE_TERMS`, `TAKEN`: see the messages.
            StateConflict: the account is closed.
        """

        async def work(connection: Connection) -> None:
            account = await connection.fetch_one(_ACCOUNT, account=account_id)
            access = NONE if account is None else await access_to(connection, actor, account_id, account.owner_id)
            if account is None or not access.is_visible:
                raise NotFound("account", global_id("Account", account_id))
            await self._begin(connection, actor, since, ("from",))
            if access.is_party:
                raise Forbidden("Nobody may give a product to an account of their own.")
            product = await self._product(connection, product_id)
            if (product.kind, product.currency) != (account.kind, account.currency):
                raise ValidationFailed.of("productId", "WRONG_KIND", "The product is for accounts of another kind or currency.")
            if (await queries.catalog(connection)).products[product_id].terms_on(since) is None:
                raise ValidationFailed.of("from", "BEFORE_TERMS", "The product has no rates and fees on this day yet.")
            if account.status == AccountStatus.CLOSED:
                raise StateConflict(StateConflictCode.WRONG_STATUS, account.status, "The account is closed.")
            others = await connection.fetch(queries.ASSIGNMENTS, accounts=[account_id])
            if any(each.since == since for each in others):
                raise ValidationFailed.of("from", "TAKEN", "A product was given to the account from this day on already.")
            await connection.insert(_ASSIGN, [(account_id, since, product_id, self._clock())])

        await audit.execute_audited(self._db, actor, "setAccountProduct", account_id, work)

    async def _product(self, connection: Connection, product_id: UUID) -> ProductRow:
        found = next((each for each in await connection.fetch(queries.PRODUCTS) if each.id == product_id), None)
        if found is None:
            raise NotFound("product", global_id("Product", product_id))
        return found

    async def _begin(self, connection: Connection, actor: Actor, since: date, path: tuple[str, ...]) -> None:
        """Take the lock, and check who changes something, and from when on."""
        if not actor.is_allowed(Permission.MANAGE_PRODUCTS):
            raise Forbidden("Only administrators may do this.")
        await connection.lock([LOCK])
        if since < self.today:
            raise ValidationFailed.of(path, "PAST", "What was charged and accrued does not change: choose today or later.")
        if since.year > LAST_YEAR:
            raise ValidationFailed.of(path, "TOO_FAR", f"Choose a day in the year {LAST_YEAR} or before.")

    async def _insert_terms(self, connection: Connection, product_id: UUID, terms: Terms) -> None:
        tiers = {"credit_tiers": json.dumps(terms.credit), "debit_tiers": json.dumps(terms.debit)}
        row = {**asdict(terms), **tiers, "product_id": product_id, "created_at": self._clock()}
        await connection.insert(_INSERT_TERMS, [[row[name] for name in _TERMS]])
