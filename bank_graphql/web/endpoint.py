"""GraphQL over HTTP, after its specification (https://graphql.github.io/graphql-over-http/)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http.streaming import SSETransport

from bank_graphql.api.context import Context, Services
from bank_graphql.api.scalars import to_json
from bank_graphql.engine.executor import Request
from bank_graphql.events.errors import RESUMABLE, SessionEnded
from bank_graphql.kit.actor import Caller
from bank_graphql.kit.errors import BadRequest, RateLimited, Unavailable
from bank_graphql.web.operations import OperationGate, Response

MAX_BODY = 1024 * 1024
BODY_SECONDS = 15
_TOO_LARGE = (413, f"The body has more than {MAX_BODY} bytes.")
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
METHODS = "GET, HEAD, POST, OPTIONS"

Identify = Callable[[Scope], Awaitable[Caller]]
"""Tells who sent a request, and from where."""


class _MalformedError(Exception):
    """The HTTP request is not a GraphQL request."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class GraphQLEndpoint:
    """Answers `GET` (queries; the playground to a browser) and `POST` with JSON. An ASGI application."""

    def __init__(self, gate: OperationGate, services: Services, identify: Identify, playground: ASGIApp) -> None:
        self._gate = gate
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
        if query is not None and "query" not in query and "text/html" in accept:
            await self._playground(scope, receive, send)
            return
        media_type = _negotiate(accept)
        if method == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", METHODS.encode())]})
            await send({"type": "http.response.body", "body": b""})
            return
        if events_are_wanted := media_type == EVENT_STREAM:
            media_type = JSON  # for what is refused before it begins
        try:
            _require(media_type is not None, 406, f"Accept {GRAPHQL} or {JSON}.")
            _require(reads or method == "POST", 405, "GraphQL is asked for by GET or POST.", Allow=METHODS)
            context = Context.of(self._services, await self._identify(scope))
            if query is not None:
                request = _request(_of_url(query))
            else:
                body_read = await _read_body(headers, receive)
                await self._gate.require_size(len(body_read), context)
                request = _request(_parse_json(body_read, "The body"))
            if events_are_wanted:
                await self._stream(request, context, receive, send, method)
                return
            status, told, body = await self._answer(request, context, media_type or JSON, reads=reads)
        except _MalformedError as error:
            status, told = error.status, error.headers
            body = {"errors": [{"message": str(error), "extensions": {"code": BadRequest.code}}]}
        except RateLimited as fault:
            status, told = 429, {"Retry-After": str(fault.retry_after)}
            body = {"errors": [{"message": str(fault), "extensions": fault.extensions}]}
        except Unavailable as fault:
            status, told = 503, {}
            body = {"errors": [{"message": str(fault), "extensions": fault.extensions}]}
        await _send(send, status, told, media_type or JSON, to_json(body), with_body=method != "HEAD")

    async def _answer(
        self, request: Request, context: Context, media_type: str, *, reads: bool
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        response = await self._gate.run(request, context, allow_mutation=not reads)
        headers = dict(response.headers)
        if context.bucket is not None:
            headers["RateLimit-Limit"] = str(context.bucket.limit)
            headers["RateLimit-Remaining"] = str(context.bucket.remaining)
        # The older media type says 200 even where the document is refused; the newer one tells the difference.
        status = 200 if media_type == JSON and response.status == 400 else response.status
        return status, headers, response.body

    async def _stream(self, request: Request, context: Context, receive: Receive, send: Send, method: str) -> None:
        """Answer with server-sent events, after graphql-sse's protocol in its mode of distinct connections.

        A stream that may be taken up again ends without the event `complete`, and clients connect again.
        """
        allow_mutation = method == "POST"
        # A bad token is refused by the status, per RFC 6750, so the operation is admitted before the stream starts.
        admitted = self._gate.admit(request, context, allow_mutation=allow_mutation) if context.has_bad_token else None
        if isinstance(admitted, Response):
            body, with_body = to_json(admitted.body), method != "HEAD"
            await _send(send, admitted.status, dict(admitted.headers), JSON, body, with_body=with_body)
            return
        if method == "HEAD":  # nobody would receive the stream, so it does not start
            await _send(send, 200, {}, EVENT_STREAM, b"", with_body=False)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in EVENTS.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        responses = self._gate.stream(request, context, allow_mutation=allow_mutation, admitted=admitted)
        gone = asyncio.ensure_future(_gone(receive))
        coming: asyncio.Future[Any] = asyncio.ensure_future(anext(responses))
        try:
            while True:
                both: set[asyncio.Future[Any]] = {coming, gone}
                await asyncio.wait(both, timeout=EVENTS.heartbeat_interval, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return
                if not coming.done():
                    await _write(send, EVENTS.heartbeat_message(_text))
                elif isinstance(coming.exception(), StopAsyncIteration):
                    break
                elif isinstance(coming.result().ended_by, RESUMABLE):
                    await _write(send, "", is_last=True)
                    return
                else:
                    context.require_session()
                    await _write(send, EVENTS.encode_next(coming.result().body, _text))
                    coming = asyncio.ensure_future(anext(responses))
            await _write(send, EVENTS.encode_complete(), is_last=True)
        except TimeoutError:
            return  # the client does not read: it may resume
        except SessionEnded:
            await _write(send, "", is_last=True)
        finally:
            gone.cancel()
            coming.cancel()
            await asyncio.gather(gone, coming, return_exceptions=True)
            await responses.aclose()


EVENTS = SSETransport()
SEND_SECONDS = 10.0
"""How long a client may take to accept a piece of a stream before it is cut off."""


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, text: str, *, is_last: bool = False) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": not is_last})


def _text(answer: object) -> str:
    return to_json(answer).decode()


async def _send(send: Send, status: int, headers: Mapping[str, str], media_type: str, body: bytes, *, with_body: bool) -> None:
    raw = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body if with_body else b""})


@lru_cache(maxsize=256)
def _negotiate(accept: str) -> str | None:
    """The media type to answer in; None if the client takes none."""
    if not accept.strip():
        return JSON
    if EVENTS.accepts(accept):
        return EVENT_STREAM
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
    return best[2] if best else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0
    return 1


def _of_url(query: QueryParams) -> dict[str, Any]:
    """The request that the parameters of a GET make."""
    given: dict[str, Any] = dict(query)
    for name in ("variables", "extensions"):
        if text := given.get(name):
            given[name] = _parse_json(text.encode(), f"The parameter '{name}'")
        else:
            given.pop(name, None)
    return given


async def _read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """The body of a POST, if it is of the right kind and not too large."""
    content_type, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if content_type.strip() != JSON:
        raise _MalformedError(415, f"Send the request as {JSON}.")
    if "charset" in parameters and "utf-8" not in parameters:
        raise _MalformedError(415, "Send the request in UTF-8.")
    declared = headers.get(b"content-length", b"0")
    _require(not declared.isdigit() or int(declared[:20]) <= MAX_BODY, *_TOO_LARGE, Connection="close")
    return await _body(receive)


async def _body(receive: Receive) -> bytes:
    """All of the body, if it arrives in time."""
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
    if given.get("extensions") is not None and not isinstance(given["extensions"], dict):
        raise _MalformedError(400, "'extensions' is an object.")
    return Request(query, name or None, variables)
