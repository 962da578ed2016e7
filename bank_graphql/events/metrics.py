"""Metrics of the feed: how late events can be read, and who reads them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.core import Metric
from sqlalchemy import text

from bank_graphql.events.hub import Event, Hub
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.metrics import Metrics, gauge_family
from bank_graphql.kit.statements import Query, Row

_SECONDS = 5.0


class _OldestRow(Row):
    occurred_at: datetime | None


# Events are read when no transaction with a lower id runs any more, so a transaction that stays open holds later events back.
_OLDEST_WAITING = Query(
    text("""
    SELECT min(occurred_at) AS occurred_at FROM transaction_events
    WHERE epoch = (SELECT max(epoch) FROM feed_epochs) AND writer >= pg_snapshot_xmin(pg_current_snapshot())
    """),
    _OldestRow,
)


class FeedMetrics:
    """The metrics of the feed.

    Args:
        metrics: where to declare them.
        clock: gives the time.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._delays = metrics.histogram(
            "bank_feed_delay_seconds", "From a change of a transaction to its hand-over to the subscribers of a process."
        )
        self._events = metrics.counter("bank_feed_events", "Events that processes read for their subscribers.")

    def record(self, events: Sequence[Event]) -> None:
        """Count events that the hub has handed over, in their order, and observe how late the last one is."""
        if events:
            self._events.inc(len(events))
            self._delays.observe(max(0.0, (self._clock() - events[-1].occurred_at).total_seconds()))

    def watch(self, hub: Hub[Any], db: Database) -> None:
        """Sample the subscribers of a hub, and read how far open transactions hold the feed back."""
        subscribers = self._metrics.gauge("bank_feed_subscribers", "Open streams of the feed.", of_processes="livesum")

        async def read() -> Iterable[Metric]:
            lag = gauge_family("bank_feed_lag_seconds", "Age of the oldest event that an open transaction holds back.")
            [oldest] = await db.fetch(_OLDEST_WAITING)
            since = oldest.occurred_at
            lag.add_metric([], 0 if since is None else max(0.0, (self._clock() - since).total_seconds()))
            return [lag]

        self._metrics.sample(lambda: subscribers.set(hub.subscriber_count))
        self._metrics.figures(read, seconds=_SECONDS)
