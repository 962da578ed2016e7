"""The only writer of balances, transactions and entries."""

from collections.abc import Collection, Iterable
from operator import attrgetter
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, any_, bindparam, delete, select, update
from sqlmodel import col

from bank_graphql.kit.db import Connection
from bank_graphql.kit.ids import lock_key
from bank_graphql.kit.statements import Insert, Query, Row, Update, Writes, any_of, array_of
from bank_graphql.ledger.enums import ChangeKind
from bank_graphql.ledger.models import Balance, Entry, Transaction, TransactionNote
from bank_graphql.ledger.rules import LedgerState, NewEntry

_INSERT_BALANCES = Insert(Balance, "account_id", "currency", "purpose", "booked", "held", "overdraft_limit", "updated_at")
_TRANSACTION_COLUMNS = (
    "id",
    "kind",
    "status",
    "amount",
    "currency",
    "from_account_id",
    "to_account_id",
    "captured",
    "parent_id",
    "reverses_id",
    "created_at",
    "posted_at",
    "expires_at",
)
_INSERT_TRANSACTIONS = Insert(
    Transaction,
    *_TRANSACTION_COLUMNS,
    shared=["captured", "parent_id", "reverses_id", "created_at", "posted_at", "expires_at"],
)
_INSERT_NOTES = Insert(TransactionNote, "transaction_id", "description")
_INSERT_ENTRIES = Insert(Entry, *NewEntry._fields, shared=["booked_at"])
_UPDATE_BALANCES = Update(Balance, "account_id", "booked", "held", "updated_at", shared=["updated_at"])
_UPDATE_PENDING = Update(Transaction, "id", "status", "captured", "posted_at")
_ERASE_NOTES = Query(
    delete(TransactionNote).where(
        any_of(
            col(TransactionNote.transaction_id),
            select(col(Transaction.id)).where(col(Transaction.from_account_id) == any_(array_of("ids", Uuid()))),
        )
    ),
    Row,
)
_SET_OVERDRAFT_LIMIT = Query(
    update(Balance)
    .where(col(Balance.account_id) == any_(array_of("ids", Uuid())))
    .values(overdraft_limit=bindparam("overdraft_limit", type_=BigInteger())),
    Row,
)


def account_lock(account_id: UUID) -> int:
    """Return the key of the advisory lock that must be held to change an account."""
    return lock_key("account", account_id)


async def lock(connection: Connection, keys: Iterable[int]) -> None:
    """Take advisory locks until the transaction ends.

    Take them before anything is read or written in the transaction, and read in a new statement: only then is what is read
    up to date.
    """
    await connection.lock(keys)


def write(writes: Writes, state: LedgerState) -> None:
    """Add what a batch changed in the ledger, one statement a table. The locks of its accounts must be held."""
    touched = dict.fromkeys(
        account_id
        for change in state.changes
        for account_id in (change.transaction.from_account_id, change.transaction.to_account_id)
    )
    _write_balances(writes, state, touched)
    new = state.new_transactions
    writes.insert(_INSERT_TRANSACTIONS, list(map(attrgetter(*_TRANSACTION_COLUMNS), new)))
    writes.insert(_INSERT_NOTES, [(t.id, t.description) for t in new if t.description is not None])
    writes.insert(_INSERT_ENTRIES, state.new_entries)
    new_ids = {transaction.id for transaction in new}
    changed = {
        change.transaction.id: change.transaction for change in state.changes if change.kind != ChangeKind.REVERSED
    }  # a reversed transaction's own row stays as it is
    pending = [transaction for key, transaction in changed.items() if key not in new_ids]
    writes.update(_UPDATE_PENDING, [(t.id, t.status, t.captured, t.posted_at) for t in pending])


def _write_balances(writes: Writes, state: LedgerState, touched: Collection[UUID]) -> None:
    writes.insert(
        _INSERT_BALANCES,
        [
            (a.account_id, a.currency, a.purpose, a.booked, a.held, a.overdraft_limit, a.changed_at)
            for a in state.new_accounts
            if a.purpose is None or a.account_id in touched  # an internal account that only a refused command used is not written
        ],
    )
    new_ids = {account.account_id for account in state.new_accounts}
    updated = [state.accounts[account_id] for account_id in touched if account_id not in new_ids]
    writes.update(_UPDATE_BALANCES, [(a.account_id, a.booked, a.held, a.changed_at) for a in updated])


async def set_overdraft_limit(connection: Connection, account_id: UUID, limit: int) -> None:
    """Set how far an account may go below zero, in minor units. Its lock must be held."""
    await connection.execute(_SET_OVERDRAFT_LIMIT, ids=[account_id], overdraft_limit=limit)


async def erase_notes(connection: Connection, account_ids: Collection[UUID]) -> None:
    """Erase what was written about the transactions from these accounts. The transactions stay as they are."""
    await connection.execute(_ERASE_NOTES, ids=list(account_ids))
