"""The log's line for a request: what kind it was, how it ended and what it took, and nothing that the client wrote.

Only the path of an HTTP request, and the id that the client may give it in fixed letters, are the client's.
"""

import hashlib

import structlog

from bank_graphql.api.context import Context
from bank_graphql.engine.executor import Request
from bank_graphql.web.rejections import rejections_of

_MAX_PATH = 100
_log = structlog.get_logger(__name__)
Operation = tuple[Request, Context]
"""An operation: its request, and the context, which says how it ended."""


class RequestLog:
    """Logs slow requests, or all.

    Args:
        all_requests: whether to log all.
        slow_seconds: from how many seconds on a request is slow. A stream never is, however long it was open.
    """

    def __init__(self, *, all_requests: bool, slow_seconds: float) -> None:
        self._all_requests = all_requests
        self._slow_seconds = slow_seconds

    def request(self, method: str, path: str, status: int, seconds: float, operation: Operation | None) -> None:
        """Log an HTTP request; `operation` is what it had executed, if anything."""
        if self._is_logged(seconds, operation):
            fields = _fields(*operation) if operation else {}
            _log.info("request", method=method, path=path[:_MAX_PATH], status=status, milliseconds=_round(seconds), **fields)

    def operation(self, seconds: float, operation: Operation) -> None:
        """Log an operation of a socket."""
        if self._is_logged(seconds, operation):
            request_id = operation[1].origin.request_id
            _log.info("operation", request_id=request_id, milliseconds=_round(seconds), **_fields(*operation))

    def _is_logged(self, seconds: float, operation: Operation | None) -> bool:
        is_stream = operation is not None and operation[1].kind == "subscription"
        return self._all_requests or (seconds >= self._slow_seconds and not is_stream)


def _fields(request: Request, context: Context) -> dict[str, object]:
    return {
        "operation": context.kind,
        "document": hashlib.sha256(request.query.encode()).hexdigest()[:16],
        "outcome": context.outcome,
        "rejections": sorted(set(rejections_of(context))) or None,
        "actor_id": str(context.bearer.user_id) if context.bearer else None,
        "cost": context.bucket.cost if context.bucket else None,
        "statements": context.statements,
        "batch": context.batch_size,
    }


def _round(seconds: float) -> float:
    """Return milliseconds, with one digit after the point."""
    return round(seconds * 1000, 1)
