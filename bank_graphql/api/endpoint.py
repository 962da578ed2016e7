"""GraphQL over HTTP, after its specification (https://graphql.github.io/graphql-over-http/)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HTTPRequest
from starlette.responses import Response as HTTPResponse

from bank_graphql.api.context import Context, Services
from bank_graphql.api.executor import Executor, Request, Response
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.errors import BadRequest, Unavailable

MAX_BODY = 1024 * 1024
BODY_SECONDS = 15
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"

Identify = Callable[[HTTPRequest], Awaitable[tuple[Actor | None, Origin]]]
"""Tells who sent a request, and from where."""
Playground = Callable[[], HTTPResponse]
"""The page for people."""


class _MalformedError(Exception):
    """The HTTP request is not a GraphQL request."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class GraphQLEndpoint:
    """Answers `GET` (queries; the playground to a browser) and `POST` with JSON."""

    def __init__(self, executor: Executor, services: Services, identify: Identify, playground: Playground) -> None:
        self._executor = executor
        self._services = services
        self._identify = identify
        self._playground = playground

    async def __call__(self, http: HTTPRequest) -> HTTPResponse:
        """Answer one HTTP request."""
        accept = http.headers.get("accept", "")
        if http.method in {"GET", "HEAD"} and "query" not in http.query_params and "text/html" in accept:
            return self._playground()
        media_type = _negotiate(accept)
        if media_type is None:
            return _malformed(_MalformedError(406, f"Accept {GRAPHQL} or {JSON}."), JSON)
        try:
            request = await _read(http)
            actor, origin = await self._identify(http)
        except _MalformedError as error:
            return _malformed(error, media_type)
        except Unavailable as fault:
            body = {"errors": [{"message": str(fault), "extensions": fault.extensions}]}
            return HTTPResponse(orjson.dumps(body), 503, media_type=media_type)
        context = Context(self._services, actor, origin)
        response = await self._executor.run(request, context, allow_mutation=http.method == "POST")
        http_response = _http_response(response, media_type)
        if context.allowance is not None:
            http_response.headers["RateLimit-Limit"] = str(context.allowance.limit)
            http_response.headers["RateLimit-Remaining"] = str(context.allowance.remaining)
        return http_response


def _malformed(error: _MalformedError, media_type: str) -> HTTPResponse:
    body = {"errors": [{"message": str(error), "extensions": {"code": BadRequest.code}}]}
    return HTTPResponse(orjson.dumps(body), error.status, error.headers, media_type)


def _http_response(response: Response, media_type: str) -> HTTPResponse:
    # The older media type says 200 even where the document is refused; the newer one tells the difference.
    status = 200 if media_type == JSON and response.status == 400 else response.status
    return HTTPResponse(orjson.dumps(response.body), status, dict(response.headers), media_type)


def _negotiate(accept: str) -> str | None:
    """The media type to answer in; None if the client takes neither."""
    if not accept.strip():
        return JSON
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


async def _read(http: HTTPRequest) -> Request:
    if http.method == "POST":
        content_type, _, parameters = http.headers.get("content-type", "").partition(";")
        if content_type.strip().lower() != JSON:
            raise _MalformedError(415, f"Send the request as {JSON}.")
        if "charset" in parameters.lower() and "utf-8" not in parameters.lower():
            raise _MalformedError(415, "Send the request in UTF-8.")
        return _request(_parse_json(await _body(http), "The body"))
    parameters_given: dict[str, Any] = dict(http.query_params)
    for name in ("variables", "extensions"):
        if text := parameters_given.get(name):
            parameters_given[name] = _parse_json(text.encode(), f"The parameter '{name}'")
        else:
            parameters_given.pop(name, None)
    return _request(parameters_given)


async def _body(http: HTTPRequest) -> bytes:
    declared = http.headers.get("content-length", "0")
    if declared.isdigit() and int(declared[:20]) > MAX_BODY:
        raise _MalformedError(413, f"The body has more than {MAX_BODY} bytes.", Connection="close")
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in http.stream():
                received += chunk
                if len(received) > MAX_BODY:
                    raise _MalformedError(413, f"The body has more than {MAX_BODY} bytes.", Connection="close")
    except TimeoutError:
        raise _MalformedError(408, f"The body did not arrive within {BODY_SECONDS} seconds.", Connection="close") from None
    except ClientDisconnect:
        raise _MalformedError(400, "The connection was closed.") from None
    return bytes(received)


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
