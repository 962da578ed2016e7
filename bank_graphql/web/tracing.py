"""Traced requests and operations, used only when traces are on."""

import structlog
from graphql import ExecutionResult
from graphql.execution.values import VariableValues
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry import Schema

from bank_graphql.api.errors import rejection_of
from bank_graphql.engine.context import ExecutionContext
from bank_graphql.engine.executor import Executor, Request
from bank_graphql.engine.plan import Operation
from bank_graphql.kit.tracing import Tracing


class TracedRequests:
    """Makes a span of each HTTP request, below that of the client if the request names one (W3C Trace Context).

    Args:
        app: the application behind it.
        tracing: the traces.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and have the log's lines about it name its trace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"], "url.scheme": scope.get("scheme", "http")}
        with self._tracing.request(scope["method"], headers, attributes) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        self._tracing.fail(span)
                await send(message)

            structlog.contextvars.bind_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}")
            await self._app(scope, receive, send_and_note)


class TracedExecutor(Executor):
    """An executor that makes a span of each query, mutation and event of a subscription.

    Args:
        schema: the schema.
        tracing: the traces.
        shows_schema: as for `Executor`.
    """

    def __init__(self, schema: Schema, tracing: Tracing, *, shows_schema: bool = True) -> None:
        super().__init__(schema, to_result=rejection_of, shows_schema=shows_schema)
        self._tracing = tracing

    async def execute(self, operation: Operation, request: Request, context: ExecutionContext) -> ExecutionResult:
        """Execute a query or a mutation of a valid document."""
        kind = operation.node.operation.value
        with self._tracing.operation(f"GraphQL {kind}", {"graphql.operation.type": kind}) as span:
            result = await super().execute(operation, request, context)
            if result.errors:
                self._tracing.fail(span)
            return result

    async def execute_event(
        self, operation: Operation, variables: VariableValues, context: ExecutionContext, event: object
    ) -> ExecutionResult:
        """Execute a subscription for one of its events."""
        with self._tracing.operation("GraphQL event", {"graphql.operation.type": "subscription"}) as span:
            result = await super().execute_event(operation, variables, context, event)
            if result.errors:
                self._tracing.fail(span)
            return result
