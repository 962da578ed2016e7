"""Reads of balances and entries, batched. Who may see them is for the rooms above to say."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Select, Uuid, any_, column, func, select, true
from sqlmodel import col

from bank_graphql.kit.db import Database
from bank_graphql.kit.paging import Listing, serial_key
from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.models import Balance, Entry, Transaction, TransactionKind, TransactionNote, TransactionStatus


class EntryRow(Row):
    """An entry, and what `EntryTransaction` tells of its transaction."""

    id: int
    transaction_id: UUID
    account_id: UUID
    amount: int
    balance_after: int
    booked_at: datetime
    currency: str
    transaction_kind: TransactionKind
    transaction_from_account_id: UUID
    transaction_to_account_id: UUID
    transaction_parent_id: UUID | None
    transaction_reverses_id: UUID | None
    transaction_created_at: datetime
    transaction_description: str | None


class _BalanceAtRow(Row):
    position: int
    balance_after: int | None


_READ_OF_TRANSACTION = ("kind", "from_account_id", "to_account_id", "parent_id", "reverses_id", "created_at")
ENTRY_COLUMNS = (
    col(Entry.id),
    col(Entry.transaction_id),
    col(Entry.account_id),
    col(Entry.amount),
    col(Entry.balance_after),
    col(Entry.booked_at),
    col(Transaction.currency),
    *(getattr(Transaction, name).label(f"transaction_{name}") for name in _READ_OF_TRANSACTION),
    col(TransactionNote.description).label("transaction_description"),
)


def with_transactions(entries: Select[Any]) -> Select[Any]:
    """A select of entries, joined with what `ENTRY_COLUMNS` tell of their transactions."""
    return entries.join(Transaction, col(Transaction.id) == Entry.transaction_id).outerjoin(
        TransactionNote, col(TransactionNote.transaction_id) == Entry.transaction_id
    )


ENTRIES = Listing(
    with_transactions(select(*ENTRY_COLUMNS).select_from(Entry)),
    parents=[col(Entry.account_id)],
    by=col(Entry.id),
    key=serial_key("Entry"),
    newest_first=True,
    record=EntryRow,
)
"""The entries of accounts, newest first."""


class EntryTransaction:
    """The transaction that was read along with an entry. It reads like a transaction's own row.

    Whoever may see an entry may see its transaction, for it touches the entry's account. A transaction that has entries is posted
    and no hold, so that much of it need not be read.
    """

    __slots__ = ("_entry",)

    status, captured, expires_at = TransactionStatus.POSTED, 0, None

    def __init__(self, entry: EntryRow) -> None:
        self._entry = entry

    id = property(attrgetter("_entry.transaction_id"))
    currency = property(attrgetter("_entry.currency"))
    posted_at = property(attrgetter("_entry.booked_at"))

    @property
    def amount(self) -> int:
        """How much it moved, in minor units."""
        return abs(self._entry.amount)


for _name in (*_READ_OF_TRANSACTION, "description"):
    setattr(EntryTransaction, _name, property(attrgetter(f"_entry.transaction_{_name}")))

_asked = (
    func.unnest(array_of("accounts", Uuid()), array_of("moments", DateTime(timezone=True)))
    .table_valued(
        column("account_id", Uuid()),
        column("moment", DateTime(timezone=True)),
        with_ordinality="position",
        name="asked",
    )
    .render_derived()
)
_last_entry = (
    select(col(Entry.balance_after))
    .where(col(Entry.account_id) == _asked.c.account_id, col(Entry.booked_at) <= _asked.c.moment)
    .order_by(col(Entry.booked_at).desc(), col(Entry.id).desc())
    .limit(1)
    .correlate(_asked)
    .lateral("last_entry")
)
_BALANCES_AT = Query(
    select(_asked.c.position, _last_entry.c.balance_after)
    .select_from(_asked.outerjoin(_last_entry, true()))
    .order_by(_asked.c.position),
    _BalanceAtRow,
)


class BalanceRow(Row):
    """What an account holds, and whether it is one of the bank's own."""

    account_id: UUID
    currency: str
    purpose: str | None
    booked: int
    held: int
    overdraft_limit: int


BALANCES = Query(
    select(
        col(Balance.account_id),
        col(Balance.currency),
        col(Balance.purpose),
        col(Balance.booked),
        col(Balance.held),
        col(Balance.overdraft_limit),
    ).where(col(Balance.account_id) == any_(array_of("ids", Uuid()))),
    BalanceRow,
)


async def balances_at(db: Database, asked: Sequence[tuple[UUID, datetime]]) -> list[int]:
    """The booked balances of accounts at given moments, in minor units, in the order asked."""
    rows = await db.fetch(_BALANCES_AT, accounts=[a for a, _ in asked], moments=[m for _, m in asked])
    return [row.balance_after or 0 for row in rows]
