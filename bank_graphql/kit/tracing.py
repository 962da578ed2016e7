"""Traces by OpenTelemetry, of requests, operations, batches and statements. Off unless there is an endpoint to send them to.

What is off costs nothing: the traced classes are used only when traces are on. Spans have no arguments, no text of a client and
no message of an error. Their attributes follow OpenTelemetry's semantic conventions for HTTP, GraphQL and databases.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bank_graphql.kit.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_MAX_STATEMENT = 2000


class Tracing:
    """The traces of one process.

    Args:
        provider: makes the spans, and sends them.

    Attributes:
        tracer: starts spans.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self.tracer: Tracer = provider.get_tracer("bank_graphql", version("bank-graphql"))

    def statement(self, logged: "LoggedQuery") -> None:
        """Add a span for a statement that has ended. asyncpg calls this, in the context of who ran the statement."""
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - an extra, which need not be installed

        text = " ".join(logged.query.split())
        ended_at = time.time_ns()
        span = self.tracer.start_span(
            text.partition(" ")[0].upper() or "SQL",
            kind=SpanKind.CLIENT,
            start_time=ended_at - int(logged.elapsed * 1e9),
            attributes={
                "db.system.name": "postgresql",
                "db.operation.name": text.partition(" ")[0].upper(),
                "db.query.text": text[:_MAX_STATEMENT],
            },
        )
        if logged.exception is not None:
            span.set_attribute("error.type", type(logged.exception).__name__)
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended_at)

    def span(self) -> "Span":
        """Return the span of what is going on now."""
        from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra

        return get_current_span()

    def batch(self, size: int, spans: "Sequence[Span | None]") -> "AbstractContextManager[Span]":
        """Return a context manager that makes the span of a batch: below the first request's, and linked to the others'.

        Args:
            size: the number of commands.
            spans: the spans of the requests.
        """
        from opentelemetry.trace import Link  # noqa: PLC0415 - an extra

        links = [Link(span.get_span_context()) for span in spans[1:] if span is not None]
        return self.tracer.start_as_current_span(
            "batch", links=links, attributes={"messaging.batch.message_count": size}, record_exception=False
        )

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def open_tracing(endpoint: str, ratio: float) -> Tracing:
    """Return traces that are sent by OTLP over HTTP.

    Args:
        endpoint: where to, such as `http://localhost:4318/v1/traces`.
        ratio: the part of the traces that is sent, from 0 to 1, unless the client's request says whether to.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("BANK_OTLP_ENDPOINT needs OpenTelemetry: pip install 'bank-graphql[traces]'.") from error
    resource = Resource.create({"service.name": "bank_graphql", "service.version": version("bank-graphql")})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False)
    exporter: Any = OTLPSpanExporter(endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)
