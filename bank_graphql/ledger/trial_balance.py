"""The trial balance: what all accounts owe and are owed, by purpose and currency. Debits equal credits in each currency."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import DateTime, bindparam, case, func, literal, select
from sqlmodel import col

from bank_graphql.kit.money import Money
from bank_graphql.kit.statements import Query, Reads, Row
from bank_graphql.ledger.models import Balance

CUSTOMERS = "CUSTOMERS"
"""Stands for the purpose of customers' accounts, which have none in the ledger."""


class _LineRow(Row):
    purpose: str
    currency: str
    debits: Decimal
    credits: Decimal


class Line(NamedTuple):
    """The accounts of a purpose in a currency.

    Attributes:
        purpose: a `Purpose`, or `CUSTOMERS`.
        debits: the sum of the balances below zero, as a positive amount.
        credits: the sum of the balances above zero.
    """

    purpose: str
    debits: Money
    credits: Money


def _lines(*, at_a_time: bool) -> Query[_LineRow]:
    moment = bindparam("at", type_=DateTime(timezone=True))
    balances = select(
        func.coalesce(col(Balance.purpose), literal(CUSTOMERS)).label("purpose"),
        col(Balance.currency).label("currency"),
        (func.balance_at(Balance.account_id, moment) if at_a_time else col(Balance.booked)).label("booked"),
    ).subquery()
    booked = balances.c.booked
    return Query(
        select(
            balances.c.purpose,
            balances.c.currency,
            func.sum(case((booked < 0, -booked), else_=0)).label("debits"),
            func.sum(case((booked > 0, booked), else_=0)).label("credits"),
        )
        .where(booked != 0)
        .group_by(balances.c.purpose, balances.c.currency)
        .order_by(balances.c.currency, balances.c.purpose),
        _LineRow,
    )


_NOW, _AT = _lines(at_a_time=False), _lines(at_a_time=True)


async def trial_balance(db: Reads, at: datetime | None) -> list[Line]:
    """Return the trial balance, by currency and purpose, without what is zero.

    It reads the balance of each account, and for a time in the past some of its entries, too.

    Args:
        db: the database.
        at: the time; None for the present.
    """
    rows = await (db.fetch(_NOW) if at is None else db.fetch(_AT, at=at))
    return [Line(row.purpose, Money(int(row.debits), row.currency), Money(int(row.credits), row.currency)) for row in rows]
