"""Metrics of the payments: what was posted and reserved, and how commands were batched. Amounts are in minor units."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bank_graphql.kit.batch import Batcher
from bank_graphql.kit.metrics import SECONDS, SIZES, Increments, Metrics
from bank_graphql.ledger.rules import Change


class PaymentMetrics:
    """The metrics of the payments of one process.

    Args:
        metrics: where to declare them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._transactions = metrics.counter(
            "bank_transactions", "Changes of transactions, by what happened.", "event", "kind", "currency"
        )
        self._amounts = metrics.counter(
            "bank_transaction_minor_units", "The amounts of these transactions.", "event", "kind", "currency"
        )
        self._sizes = metrics.histogram("bank_batch_size", "Commands of one database transaction.", bounds=SIZES)
        self._waits = metrics.histogram("bank_batch_wait_seconds", "How long the oldest command of a batch was queued.")
        self._durations = metrics.histogram("bank_batch_duration_seconds", "How long a batch took.", bounds=SECONDS)

    def batch_started(self, size: int, waited: float) -> None:
        """Observe a batch that starts: its number of commands, and for how many seconds the oldest one was queued."""
        self._sizes.observe(size)
        self._waits.observe(waited)

    def batch_ended(self, seconds: float) -> None:
        """Observe how long a batch took."""
        self._durations.observe(seconds)

    def record(self, changes: Sequence[Change]) -> None:
        """Count the changes of transactions that a batch has committed."""
        counts: Counter[tuple[str, str, str]] = Counter()
        amounts: Counter[tuple[str, str, str]] = Counter()
        for change in changes:
            transaction = change.transaction
            labels = (change.kind.value, transaction.kind.value, transaction.currency)
            counts[labels] += 1
            amounts[labels] += transaction.amount
        for labels, count in counts.items():
            self._transactions.labels(*labels).inc(count)
            self._amounts.labels(*labels).inc(amounts[labels])

    def watch_queue(self, batcher: Batcher[Any, Any]) -> None:
        """Sample the queue of commands: how many wait, and how many were refused because it was full or too slow."""
        size = self._metrics.gauge("bank_queued_commands", "Commands that wait for a batch.", of_processes="livesum")
        refusals = self._metrics.counter("bank_queue_refusals", "Commands that were refused because of the queue.")
        increments = Increments(refusals.inc)

        def sample() -> None:
            size.set(batcher.queue_size)
            increments.update(batcher.refusals)

        self._metrics.sample(sample)
