"""The only writer of balances, transactions and entries."""

from collections.abc import Iterable
from operator import attrgetter
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, any_, bindparam, update
from sqlmodel import col

from bank_graphql.kit.db import Connection
from bank_graphql.kit.ids import lock_key
from bank_graphql.kit.statements import Insert, Query, Row, Update, Writes, array_of
from bank_graphql.ledger.models import Balance, Entry, Transaction, TransactionNote
from bank_graphql.ledger.rules import Book, EntryDraft

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
_INSERT_ENTRIES = Insert(Entry, *EntryDraft._fields, shared=["booked_at"])
_UPDATE_BALANCES = Update(Balance, "account_id", "booked", "held", "updated_at", shared=["updated_at"])
_UPDATE_HOLDS = Update(Transaction, "id", "status", "captured", "posted_at")
_SET_OVERDRAFT_LIMIT = Query(
    update(Balance)
    .where(col(Balance.account_id) == any_(array_of("ids", Uuid())))
    .values(overdraft_limit=bindparam("overdraft_limit", type_=BigInteger())),
    Row,
)


def account_lock(account_id: UUID) -> int:
    """The advisory lock that must be held to change an account."""
    return lock_key("account", account_id)


async def lock(connection: Connection, keys: Iterable[int]) -> None:
    """Take advisory locks until the transaction ends.

    Before anything is read or written in the transaction: what is read afterwards, in a new statement, is then the truth.
    """
    await connection.lock(keys)


def write(writes: Writes, book: Book) -> None:
    """Write a book down, with one statement a table. Its accounts' locks must be held."""
    opened = {state.account_id for state in book.opened}
    moved = dict.fromkeys(i for t in (c.transaction for c in book.changes) for i in (t.from_account_id, t.to_account_id))
    writes.insert(
        _INSERT_BALANCES,
        [
            (s.account_id, s.currency, s.purpose, s.booked, s.held, s.overdraft_limit, s.changed_at)
            for s in book.opened
            if s.purpose is None or s.account_id in moved  # what only a dry run looked at is not written
        ],
    )
    writes.insert(_INSERT_TRANSACTIONS, list(map(attrgetter(*_TRANSACTION_COLUMNS), book.made)))
    writes.insert(_INSERT_NOTES, [(t.id, t.description) for t in book.made if t.description is not None])
    writes.insert(_INSERT_ENTRIES, book.entries)
    made = {t.id for t in book.made}
    changed = {c.transaction.id: c.transaction for c in book.changes if c.kind != "REVERSED"}
    holds = [t for key, t in changed.items() if key not in made]
    writes.update(_UPDATE_HOLDS, [(t.id, t.status, t.captured, t.posted_at) for t in holds])
    touched = [book.accounts[i] for i in moved if i not in opened]
    writes.update(_UPDATE_BALANCES, [(s.account_id, s.booked, s.held, s.changed_at) for s in touched])


async def set_overdraft_limit(connection: Connection, account_id: UUID, limit: int) -> None:
    """Change how far an account may go below zero, in minor units. Its lock must be held."""
    await connection.execute(_SET_OVERDRAFT_LIMIT, ids=[account_id], overdraft_limit=limit)
