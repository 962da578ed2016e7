"""The middleware of every HTTP request: an id, security headers, a line in the log, and an answer to an unexpected error."""

import re
import time
from collections.abc import Callable

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bank_graphql.kit.ids import new_hex_id
from bank_graphql.web.draining import Draining
from bank_graphql.web.request_log import RequestLog

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,100}", re.ASCII)
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_log = structlog.get_logger(__name__)


def request_id_of(scope: Scope) -> str | None:
    """Return the id of a request, as in the answer's `X-Request-ID` and in the logs; None outside the middleware."""
    request_id: str | None = scope.get("state", {}).get("request_id")
    return request_id


class RequestMiddleware:
    """Gives each request an id, and each answer its headers.

    Args:
        app: the application behind it.
        https: whether clients use HTTPS, so that browsers should require it.
        log: logs slow requests, or all.
        count: called with the status of each answer.
        draining: whether the process is about to stop, so that answers close their connections.
    """

    def __init__(self, app: ASGIApp, *, https: bool, log: RequestLog, count: Callable[[int], None], draining: Draining) -> None:
        self._app = app
        self._draining = draining
        self._request_log = log
        self._count = count
        headers = _SECURITY_HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else new_hex_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                names = {name for name, _ in headers}
                headers += [header for header in self._headers if header[0] not in names]
                headers.append((b"x-request-id", request_id.encode()))
                if self._draining.has_begun:
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)  # each request has a task, and so a context, of its own
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            _log.exception("a request failed", path=scope["path"])
            if status:
                raise
            error = {
                "message": "Something went wrong on our side. If it happens again, report this request id.",
                "extensions": {"code": "INTERNAL", "requestId": request_id},
            }
            await JSONResponse({"errors": [error]}, status_code=500)(scope, receive, send_with_headers)
        finally:
            self._count(status)
            seconds = time.perf_counter() - started
            self._request_log.request(scope["method"], scope["path"], status, seconds, scope["state"].get("operation"))
