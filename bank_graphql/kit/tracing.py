"""Traces by OpenTelemetry, of requests, operations, batches and statements. Off unless there is an endpoint to send them to.

What is off costs nothing: OpenTelemetry, an extra that need not be installed, is imported only by `open_tracing`. Spans have no
arguments, no text of a client and no message of an error. Their attributes follow OpenTelemetry's semantic conventions for HTTP,
GraphQL and databases.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bank_graphql.kit.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_MAX_STATEMENT = 2000
_SEND_SECONDS = 3
"""How long a collector may take. A process that stops waits for it."""


class Tracing:
    """The traces of one process.

    Args:
        provider: makes the spans, and sends them.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("bank_graphql", version("bank-graphql"))
        self._api = import_module("opentelemetry.trace")
        # Not the default one, which also reads the header `baggage`, and writes it into the log if it is malformed.
        self._context_of = import_module("opentelemetry.trace.propagation.tracecontext").TraceContextTextMapPropagator().extract

    def request(self, name: str, headers: Mapping[str, str], attributes: Mapping[str, str]) -> "AbstractContextManager[Span]":
        """Return a context manager that makes the span of a request, below that of the client which the headers name."""
        return self._tracer.start_as_current_span(
            name, self._context_of(headers), self._api.SpanKind.SERVER, attributes, record_exception=False
        )

    def operation(self, name: str, attributes: Mapping[str, str]) -> "AbstractContextManager[Span]":
        """Return a context manager that makes the span of an operation."""
        return self._tracer.start_as_current_span(name, attributes=attributes, record_exception=False)

    def batch(self, size: int, spans: "Sequence[Span | None]") -> "AbstractContextManager[Span]":
        """Return a context manager that makes the span of a batch: below the first request's, and linked to the others'.

        Args:
            size: the number of commands.
            spans: the spans of the requests.
        """
        links = [self._api.Link(span.get_span_context()) for span in spans[1:] if span is not None]
        return self._tracer.start_as_current_span(
            "batch", links=links, attributes={"messaging.batch.message_count": size}, record_exception=False
        )

    def statement(self, logged: "LoggedQuery") -> None:
        """Add a span for a statement that has ended. asyncpg calls this, in the context of who ran the statement."""
        text = " ".join(logged.query.split())
        command = text.partition(" ")[0].upper() or "SQL"
        ended_at = time.time_ns()
        span = self._tracer.start_span(
            command,
            kind=self._api.SpanKind.CLIENT,
            start_time=ended_at - int(logged.elapsed * 1e9),
            attributes={"db.system.name": "postgresql", "db.operation.name": command, "db.query.text": text[:_MAX_STATEMENT]},
        )
        if logged.exception is not None:
            span.set_attribute("error.type", type(logged.exception).__name__)
            self.fail(span)
        span.end(ended_at)

    def current(self) -> "Span":
        """Return the span of what is going on now."""
        span: Span = self._api.get_current_span()
        return span

    def fail(self, span: "Span") -> None:
        """Mark a span as failed."""
        span.set_status(self._api.Status(self._api.StatusCode.ERROR))

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
        exporters, sdk = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter"), "opentelemetry.sdk"
        resources, trace = import_module(f"{sdk}.resources"), import_module(f"{sdk}.trace")
        export, sampling = import_module(f"{sdk}.trace.export"), import_module(f"{sdk}.trace.sampling")
    except ImportError as error:
        raise ConfigurationError("BANK_OTLP_ENDPOINT needs OpenTelemetry: pip install 'bank-graphql[traces]'.") from error
    resource = resources.Resource.create({"service.name": "bank_graphql", "service.version": version("bank-graphql")})
    sampler: Any = sampling.ParentBased(sampling.TraceIdRatioBased(ratio))
    provider = trace.TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(export.BatchSpanProcessor(exporters.OTLPSpanExporter(endpoint, timeout=_SEND_SECONDS)))
    return Tracing(provider)
