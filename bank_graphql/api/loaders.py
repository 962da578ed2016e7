"""Reads rows for many fields with one statement each, scoped to who asks. One set of loaders lives as long as a request."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from bank_graphql.accounts import queries as accounts
from bank_graphql.accounts.queries import AccountRow, CounterpartyRow, TransactionRow
from bank_graphql.identity import queries as identity
from bank_graphql.identity.queries import UserRow
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.paging import EMPTY, Listing, Page, Slice
from bank_graphql.kit.statements import Row
from bank_graphql.ledger import queries as ledger
from bank_graphql.ledger.queries import EntryRow

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class TransactionFilters:
    """Which transactions of an account to list; None does not restrict. Amounts in minor units."""

    kinds: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    least: int | None = None
    most: int | None = None
    search: str | None = None
    search_id: UUID | None = None


class Loaders:
    """Everything that resolvers read. Rows that the actor may not see come back as None."""

    def __init__(self, db: Database, actor: Actor) -> None:
        self.user: DataLoader[UUID, UserRow | None] = _one(lambda ids: identity.users(db, actor, ids), "id")
        self.account: DataLoader[UUID, AccountRow | None] = _one(lambda ids: accounts.accounts(db, actor, ids), "id")
        self.account_by_number: DataLoader[str, AccountRow | None] = _one(
            lambda numbers: accounts.accounts_by_number(db, actor, numbers), "number"
        )
        self.transaction: DataLoader[UUID, TransactionRow | None] = _one(lambda ids: accounts.transactions(db, actor, ids), "id")
        self.reversal: DataLoader[UUID, TransactionRow | None] = _one(
            lambda ids: accounts.reversals(db, actor, ids), "reverses_id"
        )
        self.entry: DataLoader[int, EntryRow | None] = _one(lambda ids: accounts.entries(db, actor, ids), "id")
        self.counterparty: DataLoader[UUID, CounterpartyRow | None] = _one(
            lambda ids: accounts.counterparties(db, actor, ids), "account_id"
        )
        self.entries_of_transaction: DataLoader[UUID, list[EntryRow]] = _many(
            lambda ids: accounts.entries_of_transactions(db, actor, ids), "transaction_id"
        )
        self.balance_at: DataLoader[tuple[UUID, datetime], int] = DataLoader(lambda asked: ledger.balances_at(db, asked))
        self.accounts_of_user = _pages(db, accounts.ACCOUNTS_OF_USERS)
        self.entries_of_account = _pages(db, ledger.ENTRIES)
        self.transactions_of_account = _pages(db, accounts.TRANSACTIONS_OF_ACCOUNTS)


def _one(fetch: Callable[[list[K]], Awaitable[Sequence[R]]], key: str) -> DataLoader[K, R | None]:
    async def load(keys: list[K]) -> list[R | None]:
        rows = {row[key]: row for row in await fetch(keys)}
        return [rows.get(each) for each in keys]

    return DataLoader(load)


def _many(fetch: Callable[[list[K]], Awaitable[Sequence[R]]], key: str) -> DataLoader[K, list[R]]:
    async def load(keys: list[K]) -> list[list[R]]:
        rows: dict[K, list[R]] = {}
        for row in await fetch(keys):
            rows.setdefault(row[key], []).append(row)
        return [rows.get(each, []) for each in keys]

    return DataLoader(load)


PageKey = tuple[UUID, Page, TransactionFilters | None]
"""The parent, the page, and the filters of a list that has any."""


def _pages(db: Database, listing: Listing[R]) -> DataLoader[PageKey, Slice[R]]:
    """Loads pages of a list: one statement for all parents of which the same page is asked."""

    async def load(keys: list[PageKey]) -> list[Slice[R]]:
        asked: dict[tuple[Page, TransactionFilters | None], list[UUID]] = {}
        for parent, page, filters in keys:
            asked.setdefault((page, filters), []).append(parent)
        found: dict[PageKey, Slice[R]] = {}
        for (page, filters), parents in asked.items():
            slices = await listing.fetch(db, parents, page, **_arguments(filters))
            found |= {(parent, page, filters): slices.get(parent, EMPTY) for parent in parents}
        return [found[key] for key in keys]

    return DataLoader(load)


def _arguments(filters: TransactionFilters | None) -> dict[str, Any]:
    return {name: getattr(filters, name) for name in TransactionFilters.__slots__} if filters else {}
