"""Metrics of requests and operations, and the page that exposes all metrics to Prometheus."""

import hmac
from collections import Counter

from graphql import OperationType
from prometheus_client import Counter as PrometheusCounter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bank_graphql.api.context import Context
from bank_graphql.engine.executor import Executor
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.metrics import CONTENT_TYPE, Increments, Metrics
from bank_graphql.kit.rate_limiter import RateLimiter
from bank_graphql.web.rejections import rejections_of


class WebMetrics:
    """The metrics of what clients send. No label is taken from a request.

    Args:
        metrics: where to declare them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._durations = metrics.histogram(
            "bank_operation_duration_seconds",
            "How long queries and mutations took, by the code of their first error, or OK.",
            *("kind", "outcome"),
        )
        self._subscriptions = metrics.counter(
            "bank_subscriptions", "Subscriptions that ended, by the code of the error, or OK.", "outcome"
        )
        statuses = _Counts(metrics.counter("bank_http_responses", "Answers to HTTP requests, by status.", "status"))
        self._statuses: Counter[str] = Counter()
        metrics.sample(lambda: statuses.update(self._statuses))
        self._rejections = metrics.counter("bank_rejections", "Rejections of mutations and of items of batches, by type.", "type")
        for code in ("INTERNAL", Unavailable.code):  # rates need the zero before the first one
            for kind in ("query", "mutation"):
                self._durations.labels(kind, code)
        # Looking a label up takes as long as observing.
        self._ok_by_kind = {kind: self._durations.labels(kind, "OK") for kind in ("query", "mutation")}

    def operation(self, context: Context, seconds: float) -> None:
        """Observe a query, a mutation or an operation of unknown kind, or count a subscription that ended."""
        kind, outcome = context.kind, context.outcome
        if kind == OperationType.SUBSCRIPTION.value:
            self._subscriptions.labels(outcome).inc()
            return
        for rejection in rejections_of(context):
            self._rejections.labels(rejection).inc()
        known = self._ok_by_kind.get(kind) if outcome == "OK" else None
        (known or self._durations.labels(kind, outcome)).observe(seconds)

    def response(self, status: int) -> None:
        """Count an answer to an HTTP request; 0 where the client went away before it began."""
        self._statuses["200" if status == 200 else str(status)] += 1

    def watch(self, executor: Executor, limiter: RateLimiter) -> None:
        """Sample what an executor and a rate limiter count themselves."""
        documents = self._metrics.counter("bank_documents", "Documents, by whether they were known or had to be parsed.", "found")
        found = Increments(documents.labels("cached").inc)
        parsed = Increments(documents.labels("parsed").inc)
        fallbacks = _Counts(
            self._metrics.counter("bank_reference_executions", "Fallbacks to the reference executor, by reason.", "reason")
        )
        limited = _Counts(self._metrics.counter("bank_rate_limited", "Refusals by a rate limit, by kind of bucket.", "bucket"))

        def sample() -> None:
            found.update(executor.documents_found)
            parsed.update(executor.documents_parsed)
            fallbacks.update(executor.fallbacks)
            limited.update(limiter.refusals)

        self._metrics.sample(sample)


class _Counts:
    """Adds the increases of several numbers to a counter with one label."""

    def __init__(self, counter: PrometheusCounter) -> None:
        self._counter = counter
        self._increments: dict[str, Increments] = {}

    def update(self, counts: Counter[str]) -> None:
        for name, count in counts.items():
            if name not in self._increments:
                self._increments[name] = Increments(self._counter.labels(name).inc)
            self._increments[name].update(count)


class MetricsPage:
    """Serves `/metrics` to whoever has the token.

    Args:
        metrics: what to expose.
        token: the token; None to require none.
    """

    def __init__(self, metrics: Metrics, token: str | None) -> None:
        self._metrics = metrics
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def answer(self, request: Request) -> Response:
        """Answer with the metrics of all processes of this server."""
        given = request.headers.get("authorization", "").encode("latin-1")
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            text = "The metrics need the token in BANK_METRICS_TOKEN, as 'Authorization: Bearer …'.\n"
            return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})
        return Response(await self._metrics.expose(), headers={"Content-Type": CONTENT_TYPE})
