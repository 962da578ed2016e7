"""The source objects of resolvers: what these read of them, whichever class they have.

A row of the database, a transaction in memory and an entry's view of its transaction may all be the source of one type.
"""

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from bank_graphql.cards.enums import LimitWindow
from bank_graphql.ledger.enums import TransactionKind, TransactionStatus

if TYPE_CHECKING:
    from bank_graphql.accounts.entries import EntryRow, EntryTransaction
    from bank_graphql.accounts.feed import EventRow
    from bank_graphql.accounts.queries import AccountRow, TransactionRow
    from bank_graphql.cards.queries import CardRow
    from bank_graphql.cards.rules import SpentLimit
    from bank_graphql.identity.queries import SessionRow, UserRow
    from bank_graphql.ledger.rules import TransactionState
    from bank_graphql.statements.queries import StatementRow


class Identified(Protocol):
    """What has a key: a UUID, the number of a row, or the text of a cursor."""

    @property
    def id(self) -> UUID | int | str: ...


class Keyed(Protocol):
    """What has a UUID: a user or a session."""

    @property
    def id(self) -> UUID: ...


class AccountLike(Keyed, Protocol):
    """An account with its balance, in minor units."""

    @property
    def owner_id(self) -> UUID: ...

    @property
    def currency(self) -> str: ...

    @property
    def booked(self) -> int: ...

    @property
    def held(self) -> int: ...

    @property
    def overdraft_limit(self) -> int: ...


class TransactionLike(Keyed, Protocol):
    """A transaction; amounts in minor units."""

    @property
    def kind(self) -> TransactionKind: ...

    @property
    def status(self) -> TransactionStatus: ...

    @property
    def amount(self) -> int: ...

    @property
    def currency(self) -> str: ...

    @property
    def captured(self) -> int: ...

    @property
    def from_account_id(self) -> UUID: ...

    @property
    def to_account_id(self) -> UUID: ...

    @property
    def parent_id(self) -> UUID | None: ...

    @property
    def reverses_id(self) -> UUID | None: ...


class EntryLike(Protocol):
    """An entry and what was read of its transaction; amounts in minor units."""

    @property
    def account_id(self) -> UUID: ...

    @property
    def amount(self) -> int: ...

    @property
    def balance_after(self) -> int: ...

    @property
    def currency(self) -> str: ...

    @property
    def transaction_id(self) -> UUID: ...

    @property
    def transaction_kind(self) -> TransactionKind: ...

    @property
    def counterparty_account_id(self) -> UUID: ...

    @property
    def counterparty_account_number(self) -> str | None: ...


class CardLike(Keyed, Protocol):
    """A card."""

    @property
    def account_id(self) -> UUID: ...

    @property
    def replaces_id(self) -> UUID | None: ...


class SpendingLimitLike(Protocol):
    """A spending limit of a card."""

    @property
    def time_window(self) -> LimitWindow: ...


class StatementLike(Keyed, Protocol):
    """A statement; amounts in minor units."""

    @property
    def account_id(self) -> UUID: ...

    @property
    def currency(self) -> str: ...

    @property
    def from_date(self) -> date: ...

    @property
    def to_date(self) -> date: ...

    @property
    def opening_balance(self) -> int: ...

    @property
    def closing_balance(self) -> int: ...

    @property
    def total_credits(self) -> Decimal: ...

    @property
    def total_debits(self) -> Decimal: ...


class EventLike(Protocol):
    """An event of the transaction feed."""

    @property
    def account_id(self) -> UUID: ...

    @property
    def transaction_id(self) -> UUID: ...


if TYPE_CHECKING:
    # The classes that resolvers are given have all that they read.
    _KEYED: tuple[type[Keyed], ...] = (UserRow, SessionRow)
    _ACCOUNTS: type[AccountLike] = AccountRow
    _TRANSACTIONS: tuple[type[TransactionLike], ...] = (TransactionRow, TransactionState, EntryTransaction)
    _ENTRIES: type[EntryLike] = EntryRow
    _CARDS: type[CardLike] = CardRow
    _LIMITS: type[SpendingLimitLike] = SpentLimit
    _STATEMENTS: type[StatementLike] = StatementRow
    _EVENTS: type[EventLike] = EventRow
