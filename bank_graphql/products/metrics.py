"""Metrics of interest and fees: how late the bank is with them, and what is due."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from sqlalchemy import text

from bank_graphql.kit.db import Database
from bank_graphql.kit.metrics import Metrics, gauge_family
from bank_graphql.kit.statements import Query, Row
from bank_graphql.products.interest import Interest

_SECONDS = 60.0


class _DueRow(Row):
    kind: str
    postings: int


_DUE = Query(text("SELECT kind, count(*) AS postings FROM due_postings WHERE transaction_id IS NULL GROUP BY 1"), _DueRow)


def declare(metrics: Metrics, db: Database, interest: Interest) -> None:
    """Declare the metrics of interest and fees in a database."""

    async def read() -> Iterable[Metric]:
        days = gauge_family("bank_interest_days_missing", "Days that have ended, and through which no interest has accrued.")
        months = gauge_family("bank_months_not_closed", "Months that have ended, and whose interest and fees are not due yet.")
        due = gauge_family("bank_due_postings", "Fees and interest that wait for money, or to be posted.", ["kind"])
        days.add_metric([], await interest.count_missing_days())
        months.add_metric([], len(await interest.missing_months()))
        for row in await db.fetch(_DUE):
            due.add_metric([row.kind], row.postings)
        return [days, months, due]

    metrics.figures(read, seconds=_SECONDS)
