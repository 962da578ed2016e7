"""Batched reads of balances. Which of them are visible to whom is for the rooms above to decide."""

from uuid import UUID

from sqlalchemy import Uuid, any_, select
from sqlmodel import col

from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.models import Balance


class BalanceRow(Row):
    """The balance of an account; `purpose` is None for a customer's account."""

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
