"""Reads of balances, batched. Who may see them is for the rooms above to say."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Uuid, any_, column, func, select
from sqlmodel import col

from bank_graphql.kit.db import Database
from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.models import Balance


class _BalanceAtRow(Row):
    balance: int


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
_BALANCES_AT = Query(
    select(func.balance_at(_asked.c.account_id, _asked.c.moment).label("balance")).order_by(_asked.c.position), _BalanceAtRow
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
    return [row.balance for row in rows]
