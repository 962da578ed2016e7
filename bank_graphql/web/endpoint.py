"""GraphQL over HTTP, per its specification (https://graphql.github.io/graphql-over-http/)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bank_graphql.api.context import Context, Services
from bank_graphql.api.scalars import to_json
from bank_graphql.engine.documents import Prepared
from bank_graphql.engine.executor import Request
from bank_graphql.kit.actor import Caller
from bank_graphql.kit.errors import BadRequest, RateLimited, Unavailable
from bank_graphql.web.event_streams import EVENTS, JSON, EventStreams, send_response
from bank_graphql.web.operations import OperationGate, Response
from bank_graphql.web.trusted import TrustedDocuments

MAX_BODY = 1024 * 1024
BODY_SECONDS = 15
_TOO_LARGE = (413, f"The body has more than {MAX_BODY} bytes.")
GRAPHQL = "application/graphql-response+json"
METHODS = "GET, HEAD, POST, OPTIONS"

Identify = Callable[[Scope], Awaitable[Caller]]
"""Returns who sent a request, and from where."""

_NAMES_DOCUMENT = {"query", "documentId", "doc_id", "extensions"}
"""The parameters of a URL by which it is a request, and no visit of a browser."""


class _MalformedError(Exception):
    """The HTTP request is not a GraphQL request."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class GraphQLEndpoint:
    """An ASGI application that answers `POST` with JSON, and `GET` with queries; a browser's `GET` gets the playground."""

    def __init__(
        self,
        gate: OperationGate,
        services: Services,
        identify: Identify,
        playground: ASGIApp,
        trusted: TrustedDocuments,
    ) -> None:
        self._gate = gate
        self._trusted = trusted
        self._stream = EventStreams(gate)
        self._services = services
        self._identify = identify
        self._playground = playground

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        method = scope["method"]
        reads = method in {"GET", "HEAD"}
        accept = headers.get(b"accept", b"").decode("latin-1")
        query = QueryParams(scope["query_string"]) if reads else None
        if query is not None and not _NAMES_DOCUMENT & set(query) and "text/html" in accept:
            await self._playground(scope, receive, send)
            return
        media_type, accepts_events = _negotiate(accept)
        if method == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", METHODS.encode())]})
            await send({"type": "http.response.body", "body": b""})
            return
        admitted: Prepared | Response | None = None
        is_stream = accepts_events and media_type is None
        try:
            _require(media_type is not None or is_stream, 406, f"Accept {GRAPHQL} or {JSON}.")
            _require(reads or method == "POST", 405, "Send GraphQL requests by GET or POST.", Allow=METHODS)
            context = Context.of(self._services, await self._identify(scope))
            if query is not None:
                request = self._request(_of_url(query))
            else:
                body_read = await _read_body(headers, receive)
                await self._gate.charge_for_body(len(body_read), context)
                request = self._request(_parse_json(body_read, "The body"))
            scope.setdefault("state", {})["operation"] = request, context
            if accepts_events and (media_type is not None or context.has_bad_token):
                # Many clients accept both for all they send: the operation decides. A bad token is refused by the status, per
                # RFC 6750, so that is known before a stream starts.
                admitted = await self._gate.admit(request, context, allow_mutation=not reads)
            if not isinstance(admitted, Response) and (is_stream or (admitted is not None and admitted.is_subscription)):
                await self._stream.answer(request, context, receive, send, method, admitted)
                return
            status, more_headers, body = await self._answer(request, context, media_type or JSON, admitted, reads=reads)
        except _MalformedError as error:
            status, more_headers = error.status, error.headers
            body = {"errors": [{"message": str(error), "extensions": {"code": BadRequest.code}}]}
        except RateLimited as fault:
            status, more_headers = 429, {"Retry-After": str(fault.retry_after)}
            body = {"errors": [{"message": str(fault), "extensions": fault.extensions}]}
        except Unavailable as fault:
            status, more_headers = 503, {}
            body = {"errors": [{"message": str(fault), "extensions": fault.extensions}]}
        await send_response(send, status, more_headers, media_type or JSON, to_json(body), with_body=method != "HEAD")

    def _request(self, given: Any) -> Request:
        try:
            return _request(self._trusted.resolve(given) if isinstance(given, Mapping) else given)
        except BadRequest as error:
            raise _MalformedError(400, str(error)) from error

    async def _answer(
        self, request: Request, context: Context, media_type: str, admitted: Prepared | Response | None, *, reads: bool
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        response = await self._gate.run(request, context, allow_mutation=not reads, admitted=admitted)
        headers = dict(response.headers)
        if context.bucket is not None:
            headers["RateLimit-Limit"] = str(context.bucket.limit)
            headers["RateLimit-Remaining"] = str(context.bucket.remaining)
        # With the older media type, a refused document has the status 200; with the newer one, 400.
        status = 200 if media_type == JSON and response.status == 400 else response.status
        return status, headers, response.body


@lru_cache(maxsize=256)
def _negotiate(accept: str) -> tuple[str | None, bool]:
    """Return the media type of a single answer, None if the client accepts none of ours; and whether it accepts event streams."""
    if not accept.strip():
        return JSON, False
    best: tuple[float, int, str] | None = None
    for position, part in enumerate(accept.split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
        if quality <= 0 or any(charset not in {"utf-8", "utf8"} for charset in charsets):
            continue
        media_type = GRAPHQL if name == GRAPHQL else JSON if name in {JSON, "application/*", "*/*"} else None
        if media_type is not None and (best is None or (quality, -position) > best[:2]):
            best = (quality, -position, media_type)
    return best[2] if best else None, EVENTS.accepts(accept)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0
    return 1


def _of_url(query: QueryParams) -> dict[str, Any]:
    """Return the request in the parameters of a GET."""
    given: dict[str, Any] = dict(query)
    for name in ("variables", "extensions"):
        if text := given.get(name):
            given[name] = _parse_json(text.encode(), f"The parameter '{name}'")
        else:
            given.pop(name, None)
    return given


async def _read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Return the body of a POST, if it has the right content type and is not too large."""
    content_type, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if content_type.strip() != JSON:
        raise _MalformedError(415, f"Send the request as {JSON}.")
    if "charset" in parameters and "utf-8" not in parameters:
        raise _MalformedError(415, "Send the request in UTF-8.")
    declared = headers.get(b"content-length", b"0")
    _require(not declared.isdigit() or int(declared[:20]) <= MAX_BODY, *_TOO_LARGE, Connection="close")
    return await _body(receive)


async def _body(receive: Receive) -> bytes:
    """Return the whole body, if it arrives in time."""
    first = await receive()
    received = _piece(first)
    if first.get("more_body", False):
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    received += _piece(message)
                    more = message.get("more_body", False)
                    _require(len(received) <= MAX_BODY, *_TOO_LARGE, Connection="close")
        except TimeoutError:
            raise _MalformedError(408, f"The body did not arrive within {BODY_SECONDS} seconds.", Connection="close") from None
    _require(len(received) <= MAX_BODY, *_TOO_LARGE, Connection="close")
    return received


def _piece(message: Message) -> bytes:
    _require(message["type"] == "http.request", 400, "The connection was closed.")
    piece: bytes = message.get("body", b"")
    return piece


def _require(fits: bool, status: int, message: str, **headers: str) -> None:
    if not fits:
        raise _MalformedError(status, message, **headers)


def _parse_json(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _MalformedError(400, f"{what} is not JSON in UTF-8.") from None


def _request(given: Any) -> Request:
    if not isinstance(given, Mapping):
        raise _MalformedError(400, "A request is a JSON object with 'query', and optionally 'variables' and 'operationName'.")
    query, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    if not isinstance(query, str) or not query.strip():
        raise _MalformedError(400, "'query' is missing: it is a string, the document to run.")
    if name is not None and not isinstance(name, str):
        raise _MalformedError(400, "'operationName' is a string.")
    if variables is not None and not isinstance(variables, dict):
        raise _MalformedError(400, "'variables' is an object.")
    extensions = given.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise _MalformedError(400, "'extensions' is an object.")
    return Request(query, name or None, variables, wants_cost=extensions is not None and extensions.get("cost") is True)
