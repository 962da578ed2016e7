"""Metrics of users: sign-ups, log-ins and refreshed sessions."""

from bank_graphql.identity.enums import IdentityAction
from bank_graphql.kit.metrics import Metrics


class IdentityMetrics:
    """Counts how users signed in, and how they were refused.

    Args:
        metrics: where to declare the counters.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._sign_ins = metrics.counter(
            "bank_sign_ins", "Sign-ups, log-ins and refreshed sessions, and refused ones.", "action", "outcome"
        )
        for action in (
            IdentityAction.SIGN_UP,
            IdentityAction.LOG_IN,
            IdentityAction.COMPLETE_LOG_IN,
            IdentityAction.LOG_IN_WITH_PASSKEY,
            IdentityAction.REFRESH_SESSION,
        ):
            self._sign_ins.labels(action.value, "done")
            self._sign_ins.labels(action.value, "refused")

    def done(self, action: IdentityAction) -> None:
        """Count an action that was executed."""
        self._sign_ins.labels(action.value, "done").inc()

    def refused(self, action: IdentityAction) -> None:
        """Count refused credentials."""
        self._sign_ins.labels(action.value, "refused").inc()
