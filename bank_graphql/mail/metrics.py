"""Metrics of mails: what became of them."""

from bank_graphql.kit.metrics import Metrics


class MailMetrics:
    """Counts mails.

    Args:
        metrics: where to declare the counter.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._mails = metrics.counter(
            "bank_mails", "Mails that were sent, refused for good, failed and are tried again, or were given up.", "outcome"
        )
        for outcome in ("sent", "refused", "failed", "given_up"):
            self._mails.labels(outcome)

    def count(self, outcome: str) -> None:
        """Count what became of a mail."""
        self._mails.labels(outcome).inc()
