"""Metrics of standing orders: how late the bank is with them."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from sqlalchemy import text

from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.metrics import Metrics, gauge_family
from bank_graphql.kit.statements import Query, Row

_SECONDS = 30.0


class _OverdueRow(Row):
    orders: int
    seconds: float


_OVERDUE = Query(
    text("""
    SELECT count(*) AS orders, coalesce(extract(epoch FROM :now - min(due_at)), 0)::float8 AS seconds
    FROM scheduled_transfers WHERE due_at <= :now
    """),
    _OverdueRow,
)


def declare(metrics: Metrics, db: Database, clock: Clock) -> None:
    """Declare the metrics of standing orders in a database."""

    async def read() -> Iterable[Metric]:
        orders = gauge_family("bank_scheduled_transfers_overdue", "Standing orders whose transfer is due and not tried yet.")
        seconds = gauge_family("bank_scheduled_transfers_lateness_seconds", "For how long the first of them has been due.")
        [row] = await db.fetch(_OVERDUE, now=clock())
        orders.add_metric([], row.orders)
        seconds.add_metric([], row.seconds)
        return [orders, seconds]

    metrics.figures(read, seconds=_SECONDS)
