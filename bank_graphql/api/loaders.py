"""Reads rows for many fields, of many requests, with one statement each, scoped to who asks."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from bank_graphql.accounts import entries
from bank_graphql.accounts import queries as accounts
from bank_graphql.accounts.entries import CounterpartyRow, EntryRow
from bank_graphql.accounts.queries import AccountRow, TransactionRow
from bank_graphql.cards import queries as cards
from bank_graphql.cards.queries import CardRow, MerchantRow
from bank_graphql.cards.rules import Calendar, SpentLimit
from bank_graphql.engine.fields import LoadedFields
from bank_graphql.identity import queries as identity
from bank_graphql.identity.queries import UserRow
from bank_graphql.identity.visibility import sees_all
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.loaders import Loader, Reader, Requested
from bank_graphql.kit.paging import Listing, Page, Slice
from bank_graphql.kit.statements import Row

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
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


_MAX_ROWS = 250
PageKey = tuple[UUID, Page, TransactionFilters | None]
"""The parent, the page, and the filters of a list that has any."""


class PaidByCard(NamedTuple):
    """The merchant's side of a transaction that was made with a card."""

    transaction_id: UUID


class Readers:
    """Everything that can be read by key; one set for the whole process."""

    def __init__(self, db: Database, calendar: Calendar, clock: Clock) -> None:
        self.user: Reader[UUID, UserRow | None] = Reader(partial(identity.users, db))
        self.account: Reader[UUID, AccountRow | None] = Reader(partial(accounts.accounts, db))
        self.account_by_number: Reader[str, AccountRow | None] = Reader(partial(accounts.accounts_by_number, db))
        self.transaction: Reader[UUID, TransactionRow | None] = Reader(partial(accounts.transactions, db))
        self.reversal: Reader[UUID, TransactionRow | None] = Reader(partial(accounts.reversals, db))
        self.entry: Reader[int, EntryRow | None] = Reader(partial(entries.entries, db))
        self.counterparty: Reader[UUID | PaidByCard, CounterpartyRow | MerchantRow | None] = Reader(partial(_counterparties, db))
        self.card: Reader[UUID, CardRow | None] = Reader(partial(cards.cards, db))
        self.card_of_transaction: Reader[UUID, CardRow | None] = Reader(partial(cards.cards_of_transactions, db))
        self.merchant: Reader[UUID, MerchantRow | None] = Reader(partial(cards.merchants, db))
        self.limits_of_card: Reader[UUID, list[SpentLimit]] = Reader(partial(cards.limits, db, calendar, clock))
        self.entries_of_transaction: Reader[UUID, list[EntryRow]] = Reader(partial(entries.entries_of_transactions, db))
        self.balance_at: Reader[tuple[UUID, datetime], int | None] = Reader(partial(accounts.balances_at, db))
        self.accounts_of_user: Reader[PageKey, Slice[AccountRow]] = _lists(db, accounts.ACCOUNTS_OF_USERS)
        self.cards_of_user: Reader[PageKey, Slice[CardRow]] = _lists(db, cards.CARDS_OF_USERS)
        self.cards_of_account: Reader[PageKey, Slice[CardRow]] = _lists(db, cards.CARDS_OF_ACCOUNTS)
        self.transactions_of_card: Reader[PageKey, Slice[TransactionRow]] = _lists(db, cards.TRANSACTIONS_OF_CARDS)
        self.entries_of_account: Reader[PageKey, Slice[EntryRow]] = _lists(db, entries.ENTRIES)
        self.transactions_of_account: Reader[PageKey, Slice[TransactionRow]] = _lists(
            db,
            accounts.TRANSACTIONS_OF_ACCOUNTS,
            max_statements=4,  # a search through a long history takes its time, and others do not wait for it
        )


loaded_field = LoadedFields[Readers]()
"""Declares a field whose value one of the readers reads."""


class Loaders:
    """What one actor reads during one request. What the actor may not see comes back as None."""

    __slots__ = ("_actor", "_loaders")

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._loaders: dict[Reader[Any, Any], Loader[Any, Any]] = {}

    def of(self, reader: Reader[K, V]) -> Loader[K, V]:
        """The request's loader of what the reader reads."""
        loader = self._loaders.get(reader)
        if loader is None:
            loader = self._loaders[reader] = Loader(reader, self._actor)
        return loader


async def _counterparties(db: Database, requested: Sequence[Requested[Any]]) -> list[Any]:
    """Who is behind accounts; and whom transactions paid by card, which are few."""
    wanted = [key for _, keys in requested for key in keys]
    by_card = [index for index, key in enumerate(wanted) if type(key) is PaidByCard]
    if not by_card:
        return list(await entries.counterparties(db, requested))
    others = [(actor, [key for key in keys if type(key) is not PaidByCard]) for actor, keys in requested]
    paid = [(actor, [key.transaction_id for key in keys if type(key) is PaidByCard]) for actor, keys in requested]
    found, merchants = await entries.counterparties(db, others), await cards.merchants(db, paid)
    told: list[Any] = list(found)
    for index, merchant in zip(by_card, merchants, strict=True):
        told.insert(index, merchant)
    return told


def _lists(db: Database, listing: Listing[R], max_statements: int = 3) -> Reader[PageKey, Slice[R]]:
    """Reads pages. While the rows of one statement are worked on, others are under way: so none may be too large."""
    return Reader(
        partial(_pages, db, listing), max_rows=_MAX_ROWS, rows_per_key=lambda key: key[1].size, max_statements=max_statements
    )


async def _pages(db: Database, listing: Listing[R], requested: Sequence[Requested[PageKey]]) -> list[Slice[R]]:
    """Return pages of lists, with one statement for all pages of the same size, direction and filters."""
    wanted = [key for _, keys in requested for key in keys]
    actors = [actor for actor, keys in requested for _ in keys]
    groups: dict[tuple[int, bool, TransactionFilters | None], list[int]] = {}
    for position, (_, page, filters) in enumerate(wanted):
        groups.setdefault((page.size, page.backward, filters), []).append(position)
    found: dict[int, Slice[R]] = {}
    for (_, _, filters), positions in groups.items():
        slices = await listing.fetch(
            db,
            [wanted[position][:2] for position in positions],
            viewers=[actors[position].user_id for position in positions],
            sees_all=[sees_all(actors[position]) for position in positions],
            **_arguments(filters),
        )
        found.update(zip(positions, slices, strict=True))
    return [found[position] for position in range(len(wanted))]


def _arguments(filters: TransactionFilters | None) -> dict[str, Any]:
    return {name: getattr(filters, name) for name in TransactionFilters.__slots__} if filters else {}
