"""The only writer of balances, transactions and entries."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Uuid, any_, bindparam, column, func, select, update
from sqlmodel import col

from bank_graphql.kit.db import Connection, Insert, Query, Row, array_of
from bank_graphql.kit.ids import lock_key
from bank_graphql.ledger.models import Balance, Entry, Transaction, TransactionNote, TransactionStatus
from bank_graphql.ledger.rules import Book

_LOCK = Query(
    select(func.count(func.pg_advisory_xact_lock(column("key", BigInteger())))).select_from(
        func.unnest(array_of("keys", BigInteger())).table_valued(column("key", BigInteger()), name="locks").render_derived()
    ),
    Row,
)
_INSERT_BALANCES = Insert(Balance, "account_id", "currency", "purpose", "booked", "held", "overdraft_limit", "updated_at")
_INSERT_TRANSACTIONS = Insert(
    Transaction,
    "id",
    "kind",
    "status",
    "amount",
    "currency",
    "from_account_id",
    "to_account_id",
    "created_at",
    "posted_at",
)
_INSERT_NOTES = Insert(TransactionNote, "transaction_id", "description")
_INSERT_ENTRIES = Insert(Entry, "transaction_id", "account_id", "amount", "balance_after", "booked_at")
_new = (
    func.unnest(array_of("ids", Uuid()), array_of("booked", BigInteger()), array_of("changed", DateTime(timezone=True)))
    .table_valued(
        column("account_id", Uuid()),
        column("booked", BigInteger()),
        column("changed_at", DateTime(timezone=True)),
        name="new",
    )
    .render_derived()
)
_UPDATE_BALANCES = Query(
    update(Balance)
    .where(col(Balance.account_id) == _new.c.account_id)
    .values(booked=_new.c.booked, updated_at=_new.c.changed_at),
    Row,
)
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
    """Take advisory locks, always in the same order, until the transaction ends.

    Before anything is read or written in the transaction: what is read afterwards, in a new statement, is then the truth.
    """
    await connection.execute(_LOCK, keys=sorted(set(keys)))


async def write(connection: Connection, book: Book) -> None:
    """Write a book down, with one statement a table. Its accounts' locks must be held."""
    touched = dict.fromkeys(entry.account_id for entry in book.entries)
    opened = {state.account_id for state in book.opened}
    await connection.insert(
        _INSERT_BALANCES,
        [
            (s.account_id, s.currency, s.purpose, s.booked, s.held, s.overdraft_limit, s.changed_at)
            for s in book.opened
            if s.purpose is None or s.account_id in touched  # what only a dry run looked at is not written
        ],
    )
    await connection.insert(
        _INSERT_TRANSACTIONS,
        [
            (
                p.transaction_id,
                p.kind,
                TransactionStatus.POSTED,
                p.amount.minor,
                p.amount.currency,
                p.from_account_id,
                p.to_account_id,
                p.booked_at,
                p.booked_at,
            )
            for p in book.postings
        ],
    )
    await connection.insert(
        _INSERT_NOTES, [(p.transaction_id, p.description) for p in book.postings if p.description is not None]
    )
    await connection.insert(
        _INSERT_ENTRIES,
        [(e.transaction_id, e.account_id, e.amount, e.balance_after, e.booked_at) for e in book.entries],
    )
    changed = [book.accounts[i] for i in touched if i not in opened]
    if changed:
        await connection.execute(
            _UPDATE_BALANCES,
            ids=[s.account_id for s in changed],
            booked=[s.booked for s in changed],
            changed=[s.changed_at for s in changed],
        )


async def set_overdraft_limit(connection: Connection, account_id: UUID, limit: int) -> None:
    """Change how far an account may go below zero, in minor units. Its lock must be held."""
    await connection.execute(_SET_OVERDRAFT_LIMIT, ids=[account_id], overdraft_limit=limit)
