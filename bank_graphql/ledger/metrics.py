"""Metrics of the books: the trial balance, what holds reserve, and what the latest verification found.

Amounts are in minor units of their currency. All are read from the database.
"""

from collections.abc import Iterable

from prometheus_client.core import Metric
from sqlalchemy import text

from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.metrics import Metrics, gauge_family
from bank_graphql.kit.statements import Query, Row
from bank_graphql.ledger import backups, verification

_SECONDS = 60.0


class _BalanceRow(Row):
    currency: str
    purpose: str
    booked: float
    accounts: int


class _HoldRow(Row):
    currency: str
    holds: int
    held: float


_TRIAL_BALANCE = Query(
    text("""
    SELECT currency, coalesce(purpose, 'CUSTOMERS') AS purpose, sum(booked)::float8 AS booked, count(*) AS accounts
    FROM balances GROUP BY 1, 2
    """),
    _BalanceRow,
)
_HOLDS = Query(
    text("""
    SELECT currency, count(*) AS holds, sum(amount - least(captured, amount))::float8 AS held
    FROM transactions WHERE status = 'PENDING' GROUP BY 1
    """),
    _HoldRow,
)


def declare(metrics: Metrics, db: Database) -> None:
    """Declare the metrics of the books in a database."""

    async def read() -> Iterable[Metric]:
        return await db.snapshot(_read)

    async def read_records() -> Iterable[Metric]:
        at = gauge_family("bank_verification_timestamp_seconds", "When the ledger was last verified, in Unix time.")
        problems = gauge_family("bank_verification_problems", "Checks of the latest verification that found a discrepancy.")
        backup_at = gauge_family("bank_backup_timestamp_seconds", "When the latest backup was complete, in Unix time.", ["kind"])
        for backup in await db.fetch(backups.LATEST):
            backup_at.add_metric([backup.kind], backup.finished_at.timestamp())
        if (latest := await verification.latest(db)) is not None:
            at.add_metric([], latest[0].timestamp())
            problems.add_metric([], sum(not finding.ok for finding in latest[1]))
        return [at, problems, backup_at]

    metrics.figures(read, seconds=_SECONDS)
    metrics.figures(read_records, seconds=10)


async def _read(connection: Connection) -> Iterable[Metric]:
    balances = gauge_family(
        "bank_trial_balance_minor_units",
        "Booked balances by currency and purpose of the account. The sum of each currency is zero.",
        ["currency", "purpose"],
    )
    accounts = gauge_family("bank_accounts", "Accounts, by currency and purpose.", ["currency", "purpose"])
    for balance in await connection.fetch(_TRIAL_BALANCE):
        balances.add_metric([balance.currency, balance.purpose], balance.booked)
        accounts.add_metric([balance.currency, balance.purpose], balance.accounts)
    open_holds = gauge_family("bank_holds_open", "Holds that are neither captured in full nor released or expired.", ["currency"])
    held = gauge_family("bank_held_minor_units", "What open holds still reserve.", ["currency"])
    for row in await connection.fetch(_HOLDS):
        open_holds.add_metric([row.currency], row.holds)
        held.add_metric([row.currency], row.held)
    return [balances, accounts, open_holds, held]
