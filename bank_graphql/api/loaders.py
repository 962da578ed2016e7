"""Readers and loaders: rows for the fields of many requests, read in batches, as each request's actor may see them."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from bank_graphql.accounts import entries, history
from bank_graphql.accounts import member_queries as members
from bank_graphql.accounts import queries as accounts
from bank_graphql.accounts.entries import CounterpartyRow, EntryRow
from bank_graphql.accounts.history import DayBalanceRow
from bank_graphql.accounts.member_queries import MAX_MEMBERS, HoldersRow, MembershipRow
from bank_graphql.accounts.queries import AccountRow, TransactionRow
from bank_graphql.cards import queries as cards
from bank_graphql.cards.queries import CardRow, MerchantRow
from bank_graphql.cards.rules import Calendar, SpentLimit
from bank_graphql.clearing import queries as clearing
from bank_graphql.clearing.queries import ExternalPartyRow, ExternalTransactionRow
from bank_graphql.engine.fields import LoadedFields
from bank_graphql.identity import queries as identity
from bank_graphql.identity.queries import UserRow
from bank_graphql.identity.scopes import Scope, viewer_of
from bank_graphql.identity.visibility import sees_all
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.links import Links
from bank_graphql.kit.loaders import Loader, Reader, Requested
from bank_graphql.kit.months import Months
from bank_graphql.kit.paging import Listing, Page, Slice
from bank_graphql.kit.statements import Reads, Row
from bank_graphql.payees import queries as payees
from bank_graphql.payees.queries import MatchRow, PayeeRow
from bank_graphql.payments import queries as payments
from bank_graphql.payments.queries import AmountDueRow
from bank_graphql.products import interest_queries
from bank_graphql.products import queries as products
from bank_graphql.products.explanations import Explanation, explanations
from bank_graphql.products.interest_queries import AccruedRow
from bank_graphql.products.queries import ProductRow, TermsRow
from bank_graphql.schedules import queries as schedules
from bank_graphql.schedules.queries import RunRow, ScheduleRow
from bank_graphql.statements import queries as statements
from bank_graphql.statements.documents.paths import path_of_statement
from bank_graphql.statements.enums import ExportFormat
from bank_graphql.statements.queries import StatementRow

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class TransactionFilters:
    """Which transactions of an account to list. Amounts in minor units; what is None does not restrict.

    Attributes:
        since: the transaction was made at this time or later.
        until: it was made before this time.
        least: it moves at least this.
        most: it moves at most this.
        search: text in its description.
        search_id: its id, if the search is a reference.
    """

    kinds: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    least: int | None = None
    most: int | None = None
    search: str | None = None
    search_id: UUID | None = None


_MAX_ROWS = 250
"""Rows that one statement for lists reads."""
PageKey = tuple[UUID, Page, TransactionFilters | None]
"""The list's parent, the page, and the filters if the list has any."""


class PaidByCard(NamedTuple):
    """The key of a merchant as the counterparty of a transaction made with a card."""

    transaction_id: UUID
    kind: str = "card"


class Cleared(NamedTuple):
    """The key of an account at another bank as the counterparty of a transaction through the clearing."""

    transaction_id: UUID
    kind: str = "clearing"


CounterpartyKey = UUID | PaidByCard | Cleared
"""The key of a counterparty: an account, or what is behind the bank's account for cards or for the clearing."""


class Readers:
    """All readers of the schema. One instance serves the whole process."""

    def __init__(self, db: Reads, calendar: Calendar, clock: Clock, links: Links, months: Months) -> None:
        self.user: Reader[UUID, UserRow | None] = Reader(partial(identity.users, db))
        self.owner: Reader[UUID, UserRow | None] = Reader(partial(members.owners, db))
        self.holders: Reader[UUID, HoldersRow | None] = Reader(partial(members.holders, db))
        self.membership: Reader[UUID, MembershipRow | None] = Reader(partial(members.memberships, db, clock))
        self.own_membership: Reader[UUID, MembershipRow | None] = Reader(partial(members.own_memberships, db))
        self.memberships_of_account: Reader[UUID, list[MembershipRow]] = Reader(
            partial(members.memberships_of_accounts, db, clock), rows_per_key=lambda _: MAX_MEMBERS
        )
        self.account: Reader[UUID, AccountRow | None] = Reader(partial(accounts.accounts, db))
        self.account_by_number: Reader[str, AccountRow | None] = Reader(partial(accounts.accounts_by_number, db))
        self.transaction: Reader[UUID, TransactionRow | None] = Reader(partial(accounts.transactions, db))
        self.reversal: Reader[UUID, TransactionRow | None] = Reader(partial(accounts.reversals, db))
        self.entry: Reader[int, EntryRow | None] = Reader(partial(entries.entries, db))
        self.returned_by: Reader[UUID, TransactionRow | None] = Reader(partial(accounts.returns, db))
        self.external: Reader[UUID, ExternalTransactionRow | None] = Reader(partial(clearing.payments, db))
        self.counterparty: Reader[CounterpartyKey, CounterpartyRow | MerchantRow | ExternalPartyRow | None] = Reader(
            partial(_counterparties, db)
        )
        self.card: Reader[UUID, CardRow | None] = Reader(partial(cards.cards, db))
        self.card_of_transaction: Reader[UUID, CardRow | None] = Reader(partial(cards.cards_of_transactions, db))
        self.merchant: Reader[UUID, MerchantRow | None] = Reader(partial(cards.merchants, db))
        self.limits_of_card: Reader[UUID, list[SpentLimit]] = Reader(partial(cards.limits, db, calendar, clock))
        self.entries_of_transaction: Reader[UUID, list[EntryRow]] = Reader(partial(entries.entries_of_transactions, db))
        self.balance_at: Reader[tuple[UUID, datetime], int | None] = Reader(partial(accounts.balances_at, db))
        self.payee: Reader[UUID, PayeeRow | None] = Reader(partial(payees.payees, db))
        self.payee_match: Reader[UUID, MatchRow | None] = Reader(partial(payees.matches, db))
        self.balance_history: Reader[tuple[UUID, date, date], list[DayBalanceRow]] = Reader(
            partial(history.balance_histories, db, months.zone, clock), rows_per_key=lambda key: (key[2] - key[1]).days + 1
        )
        self.schedule: Reader[UUID, ScheduleRow | None] = Reader(partial(schedules.schedules, db))
        self.product: Reader[UUID, ProductRow | None] = Reader(partial(products.products, db))
        self.product_of_account: Reader[UUID, ProductRow | None] = Reader(
            partial(products.products_of_accounts, db, months, clock)
        )
        self.terms_of_product: Reader[UUID, list[TermsRow]] = Reader(partial(products.terms_of_products, db))
        self.current_terms: Reader[UUID, TermsRow | None] = Reader(partial(products.current_terms, db, months, clock))
        self.accrued: Reader[UUID, AccruedRow | None] = Reader(partial(interest_queries.accrued, db))
        self.amount_due: Reader[UUID, AmountDueRow | None] = Reader(partial(payments.amounts_due, db))
        self.fee: Reader[UUID, TransactionRow | None] = Reader(partial(accounts.fees, db))
        self.explanation: Reader[UUID, Explanation | None] = Reader(partial(explanations, db))
        self.runs_of_schedule: Reader[PageKey, Slice[RunRow]] = _lists(db, schedules.RUNS_OF_SCHEDULES, None)
        self.statement: Reader[UUID, StatementRow | None] = Reader(partial(statements.statements, db))
        self.statement_link: Reader[tuple[UUID, ExportFormat], str | None] = Reader(partial(_links_to_statements, db, links))
        self.statements_of_account: Reader[PageKey, Slice[StatementRow]] = _lists(
            db, statements.STATEMENTS_OF_ACCOUNTS, Scope.TRANSACTIONS_READ
        )
        self.accounts_of_user: Reader[PageKey, Slice[AccountRow]] = _lists(db, accounts.ACCOUNTS_OF_USERS, None)
        self.cards_of_user: Reader[PageKey, Slice[CardRow]] = _lists(db, cards.CARDS_OF_USERS, None)
        self.cards_of_account: Reader[PageKey, Slice[CardRow]] = _lists(db, cards.CARDS_OF_ACCOUNTS, Scope.CARDS_READ)
        self.transactions_of_card: Reader[PageKey, Slice[TransactionRow]] = _lists(
            db, cards.TRANSACTIONS_OF_CARDS, Scope.TRANSACTIONS_READ
        )
        self.entries_of_account: Reader[PageKey, Slice[EntryRow]] = _lists(db, entries.ENTRIES, Scope.TRANSACTIONS_READ)
        self.transactions_of_account: Reader[PageKey, Slice[TransactionRow]] = _lists(
            db,
            accounts.TRANSACTIONS_OF_ACCOUNTS,
            Scope.TRANSACTIONS_READ,
            max_statements=4,  # a search through a long history takes its time, and others do not wait for it
        )


loaded_field = LoadedFields[Readers]()
"""Declares a field whose value one of the readers reads."""


class Loaders:
    """The loaders of one actor during one request. A row that is not visible to the actor is loaded as None."""

    __slots__ = ("_actor", "_loaders")

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._loaders: dict[Reader[Any, Any], Loader[Any, Any]] = {}

    def of(self, reader: Reader[K, V]) -> Loader[K, V]:
        """Return the request's loader for what `reader` reads."""
        loader = self._loaders.get(reader)
        if loader is None:
            loader = self._loaders[reader] = Loader(reader, self._actor)
        return loader

    @property
    def statements(self) -> int:
        """How many reads the loaders have requested: about as many statements."""
        return sum(loader.requests for loader in self._loaders.values())


async def _counterparties(
    db: Reads, requested: Sequence[Requested[CounterpartyKey]]
) -> list[CounterpartyRow | MerchantRow | ExternalPartyRow | None]:
    """Return the counterparties: mostly the owners of accounts, sometimes merchants, or holders of accounts at other banks."""
    wanted = [key for _, keys in requested for key in keys]
    found: dict[type, Iterator[CounterpartyRow | MerchantRow | ExternalPartyRow | None]] = {}
    for kind in {type(key) for key in wanted}:
        of_kind: list[Requested[Any]] = [(actor, [key for key in keys if type(key) is kind]) for actor, keys in requested]
        if kind is PaidByCard:
            found[kind] = iter(await cards.merchants(db, _transactions(of_kind)))
        elif kind is Cleared:
            found[kind] = iter(await clearing.parties(db, _transactions(of_kind)))
        else:
            found[kind] = iter(await entries.counterparties(db, of_kind))
    return [next(found[type(key)]) for key in wanted]


def _transactions(requested: Sequence[Requested[Any]]) -> list[Requested[UUID]]:
    return [(actor, [key.transaction_id for key in keys]) for actor, keys in requested]


async def _links_to_statements(
    db: Reads, links: Links, requested: Sequence[Requested[tuple[UUID, ExportFormat]]]
) -> list[str | None]:
    """Return links to documents of statements; None for a statement that is not visible to the actor."""
    found = await statements.statements(db, [(actor, [key for key, _ in keys]) for actor, keys in requested])
    wanted = [key for _, keys in requested for key in keys]
    return [links.make(path_of_statement(*key))[0] if row else None for key, row in zip(wanted, found, strict=True)]


def _lists(db: Reads, listing: Listing[R], scope: Scope | None, max_statements: int = 3) -> Reader[PageKey, Slice[R]]:
    """Reads pages. While the rows of one statement are worked on, others are under way: so none may be too large."""
    return Reader(
        partial(_pages, db, listing, scope),
        max_rows=_MAX_ROWS,
        rows_per_key=lambda key: key[1].size,
        max_statements=max_statements,
    )


async def _pages(db: Reads, listing: Listing[R], scope: Scope | None, requested: Sequence[Requested[PageKey]]) -> list[Slice[R]]:
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
            viewers=[viewer_of(actors[position], scope) for position in positions],
            sees_all=[sees_all(actors[position]) for position in positions],
            **_arguments(filters),
        )
        found.update(zip(positions, slices, strict=True))
    return [found[position] for position in range(len(wanted))]


def _arguments(filters: TransactionFilters | None) -> dict[str, Any]:
    return {name: getattr(filters, name) for name in TransactionFilters.__slots__} if filters else {}
