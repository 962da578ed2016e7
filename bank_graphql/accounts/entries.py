"""Reads of entries, each joined with its transaction and with the counterparty.

Whoever sees an entry sees its transaction, because that has the entry's account on one side.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Select, Uuid, case, func, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible, of_visible_account
from bank_graphql.identity.models import User
from bank_graphql.identity.queries import fetch_lists, fetch_rows, requested_keys, viewer
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.paging import Listing, serial_key
from bank_graphql.kit.statements import Query, Reads, Row
from bank_graphql.ledger.enums import TransactionKind, TransactionStatus
from bank_graphql.ledger.models import Balance, Entry, Transaction, TransactionNote


class EntryRow(Row):
    """An entry, with the columns that `EntryTransaction` and `EntryCounterparty` read."""

    id: int
    account_id: UUID
    amount: int
    balance_after: int
    booked_at: datetime
    currency: str
    transaction_id: UUID
    transaction_kind: TransactionKind
    transaction_created_at: datetime
    transaction_parent_id: UUID | None
    transaction_reverses_id: UUID | None
    transaction_description: str | None
    counterparty_account_id: UUID
    counterparty_name: str
    counterparty_account_number: str | None


class EntryTransaction:
    """The transaction of an entry, joined with it. It has the attributes of a `TransactionRow`.

    A transaction that has entries is POSTED, is not a hold, and was posted when they were booked. So these values are not read.
    """

    __slots__ = ("_entry",)

    status, captured, expires_at = TransactionStatus.POSTED, 0, None

    def __init__(self, entry: EntryRow) -> None:
        self._entry = entry

    id, kind, created_at, parent_id, reverses_id, description = (
        property(attrgetter(f"_entry.transaction_{name}"))
        for name in ("id", "kind", "created_at", "parent_id", "reverses_id", "description")
    )
    currency = property(attrgetter("_entry.currency"))
    posted_at = property(attrgetter("_entry.booked_at"))

    @property
    def amount(self) -> int:
        """The amount in minor units."""
        return abs(self._entry.amount)

    @property
    def from_account_id(self) -> UUID:
        """The account that was debited."""
        return self._entry.account_id if self._entry.amount < 0 else self._entry.counterparty_account_id

    @property
    def to_account_id(self) -> UUID:
        """The account that was credited."""
        return self._entry.counterparty_account_id if self._entry.amount < 0 else self._entry.account_id


class EntryCounterparty:
    """The counterparty of an entry, joined with it."""

    __slots__ = ("_entry",)

    def __init__(self, entry: EntryRow) -> None:
        self._entry = entry

    name = property(attrgetter("_entry.counterparty_name"))
    account_number = property(attrgetter("_entry.counterparty_account_number"))


class CounterpartyRow(Row):
    """One side of a transaction, as the viewer sees it: a name, and an account number, in full only if it is the viewer's own."""

    name: str
    account_number: str | None


def _counterparty_columns(account_id: Any, account: Any, user: Any) -> tuple[Any, Any]:
    """Return the columns for the name and number of an account's owner, as the viewer sees them."""
    purpose = select(col(Balance.purpose)).where(col(Balance.account_id) == account_id).scalar_subquery()
    return (
        func.coalesce(user.full_name, func.initcap(func.replace(purpose, "_", " ")), "Cash").label("name"),
        case(
            (account.owner_id == viewer, account.number),
            (account.number.is_not(None), func.concat("••••", func.right(account.number, 4))),
        ).label("account_number"),
    )


_other_id = case((col(Entry.amount) < 0, col(Transaction.to_account_id)), else_=col(Transaction.from_account_id))
_other, _owner = aliased(Account), aliased(User)
_name, _number = _counterparty_columns(_other_id, _other, _owner)
_COLUMNS = (
    col(Entry.id),
    col(Entry.account_id),
    col(Entry.amount),
    col(Entry.balance_after),
    col(Entry.booked_at),
    col(Transaction.currency),
    *(
        getattr(Transaction, name).label(f"transaction_{name}")
        for name in ("id", "kind", "created_at", "parent_id", "reverses_id")
    ),
    col(TransactionNote.description).label("transaction_description"),
    _other_id.label("counterparty_account_id"),
    _name.element.label("counterparty_name"),
    _number.element.label("counterparty_account_number"),
)


def _joined(entries: Select[Any]) -> Select[Any]:
    """Return a select of entries, joined with the tables that `_COLUMNS` read."""
    return (
        entries.join(Transaction, col(Transaction.id) == Entry.transaction_id)
        .outerjoin(TransactionNote, col(TransactionNote.transaction_id) == Entry.transaction_id)
        .outerjoin(_other, col(_other.id) == _other_id)
        .outerjoin(_owner, col(_owner.id) == _other.owner_id)
    )


ENTRIES = Listing(
    _joined(select(*_COLUMNS).select_from(Entry)),
    parents=[col(Entry.account_id)],
    by=col(Entry.id),
    key=serial_key("Entry"),
    visible=of_visible_account,
    newest_first=True,
    record=EntryRow,
)
"""The entries of accounts, newest first."""


def _visible(keys: Any, key: Any) -> Query[EntryRow]:
    """Return a query for the entries that have such a key and are visible to the viewer."""
    return Query(
        _joined(select(keys.c.position, *_COLUMNS).select_from(keys).join(Entry, key == keys.c.key))
        .join(Account, col(Account.id) == Entry.account_id)
        .where(account_is_visible(Account, keys))
        .order_by(keys.c.position, col(Entry.id)),
        EntryRow,
    )


_serials, _ids, _sides = requested_keys(BigInteger()), requested_keys(Uuid()), requested_keys(Uuid(), sees_all=False)
_ENTRIES = _visible(_serials, col(Entry.id))
_ENTRIES_OF_TRANSACTIONS = _visible(_ids, col(Entry.transaction_id))
_COUNTERPARTIES = Query(
    select(_sides.c.position, *_counterparty_columns(_sides.c.key, Account, User))
    .select_from(_sides)
    .outerjoin(Account, col(Account.id) == _sides.c.key)
    .outerjoin(User, col(User.id) == Account.owner_id),
    CounterpartyRow,
)


async def entries(db: Reads, requested: Sequence[Requested[int]]) -> list[EntryRow | None]:
    """Return entries by id; None for one that is not visible to the actor."""
    return await fetch_rows(db, _ENTRIES, requested, Scope.TRANSACTIONS_READ)


async def entries_of_transactions(db: Reads, requested: Sequence[Requested[UUID]]) -> list[list[EntryRow]]:
    """Return the entries of each transaction that are visible to the actor."""
    return await fetch_lists(db, _ENTRIES_OF_TRANSACTIONS, requested, Scope.TRANSACTIONS_READ)


async def counterparties(db: Reads, requested: Sequence[Requested[UUID]]) -> list[CounterpartyRow | None]:
    """Return the owner's name and the number of each account, anyone's; of others' numbers only the last four characters."""
    return await fetch_rows(db, _COUNTERPARTIES, requested, Scope.TRANSACTIONS_READ)
