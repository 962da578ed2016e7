"""Reads of balances and entries, batched. Who may see them is for the rooms above to say."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Uuid, any_, column, func, select, true
from sqlmodel import col

from bank_graphql.kit.db import Database
from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.models import Balance, Entry


class _BalanceAtRow(Row):
    position: int
    balance_after: int | None


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
