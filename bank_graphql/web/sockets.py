"""GraphQL over WebSocket, per the protocol `graphql-transport-ws` (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

Strawberry's handler implements the protocol. Here each message is checked before the handler gets it, and operations go through
the gate that all transports share.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any, cast

import orjson
import structlog
from starlette.types import Receive, Scope, Send
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation

from bank_graphql.api.context import Context, Services
from bank_graphql.api.scalars import to_json
from bank_graphql.engine.executor import Request
from bank_graphql.events.errors import RESUMABLE, SessionEnded, TooSlow
from bank_graphql.kit.actor import Caller
from bank_graphql.kit.errors import BadRequest, Fault, RateLimited, Unavailable
from bank_graphql.web.authentication import PROVED
from bank_graphql.web.endpoint import MAX_BODY, Identify
from bank_graphql.web.operations import OperationGate
from bank_graphql.web.request_log import RequestLog
from bank_graphql.web.trusted import TrustedDocuments, id_in

PROTOCOL = "graphql-transport-ws"
MAX_OPERATIONS = 100
"""Maximum operations in progress on one socket."""
MAX_OPENING = 200
"""Maximum sockets of one address that have not sent `connection_init` yet."""
MAX_BEFORE_INIT = 10
"""Maximum messages that a client may send before its connection is acknowledged."""
INIT_SECONDS = 10
SEND_SECONDS = 10.0
"""How long a client may take to accept a message before it is disconnected."""
ANSWER_SECONDS = 1.0
"""How long operations in progress may take to be answered after their session has ended."""
BAD_REQUEST, FORBIDDEN, NOT_ACCEPTABLE = 4400, 4403, 4406
RESTART, TRY_AGAIN = 1012, 1013
_MAX_ID_LENGTH = 200
_log = structlog.get_logger(__name__)


class GraphQLSockets:
    """Serves sockets. An ASGI application.

    Args:
        gate: admits and executes what they send.
        services: the rooms.
        identify: returns who sent a handshake, or to whom a token belongs.
        origins: origins of web pages that may connect, besides our own.
        log: logs slow operations, or all.
        trusted: the trusted documents.
    """

    def __init__(
        self,
        gate: OperationGate,
        services: Services,
        identify: Identify,
        origins: Collection[str],
        log: RequestLog,
        trusted: TrustedDocuments,
    ) -> None:
        self.trusted = trusted
        self._gate = gate
        self.request_log = log
        self._services = services
        self._identify = identify
        self._origins = frozenset(origins)
        self._opening: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        await receive()  # the handshake
        if not self._is_origin_allowed(scope):
            await send(
                {"type": "websocket.close", "code": FORBIDDEN, "reason": "Foreign origin"}
            )  # before the accept, so the client gets 403
            return
        if PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": NOT_ACCEPTABLE, "reason": f"Speak {PROTOCOL}"})
            return
        address = (scope.get("client") or ("",))[0]
        if self._opening[address] >= MAX_OPENING:
            await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": "Too many connections"})  # before the accept too
            return
        self._opening[address] += 1
        socket = _Socket(receive, send, lambda: self._opened(address))
        try:
            await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
            await _Handler(self, self._gate, self._services, socket, {**scope, PROVED: {}}).handle()
        finally:
            socket.opened()
            socket.ended()

    def _opened(self, address: str) -> None:
        self._opening[address] -= 1
        if not self._opening[address]:
            del self._opening[address]

    def _is_origin_allowed(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        origin, host = (headers.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))
        return not origin or origin in self._origins or origin.partition("://")[2] == host

    async def identify(self, scope: Scope, token: str | None) -> Caller:
        """Return who sends operations: the owner of the token, or without one the sender of the handshake."""
        if token is None:
            return await self._identify(scope)
        headers = [each for each in scope["headers"] if each[0] != b"authorization"]
        return await self._identify({**scope, "headers": [*headers, (b"authorization", token.encode("latin-1", "replace"))]})


class _Socket:
    """A socket for Strawberry's handler, which gets well-formed messages only."""

    def __init__(self, receive: Receive, send: Send, opened: Callable[[], None]) -> None:
        self._receive = receive
        self._send = send
        self._opened: Callable[[], None] | None = opened
        self._closed = False
        self._on_end: list[Callable[[], object]] = []

    def on_end(self, call: Callable[[], object]) -> None:
        """Register a function to call when the socket has ended."""
        self._on_end.append(call)

    def opened(self) -> None:
        """Note that the client has sent `connection_init`, or has disconnected without it."""
        if self._opened is not None:
            self._opened()
            self._opened = None

    def ended(self) -> None:
        """Call the registered functions: the socket has ended."""
        for call in self._on_end:
            call()

    async def iter_json(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the client's messages."""
        early = 0
        while not self._closed:
            message = await self._receive()
            early += self._opened is not None
            if early > MAX_BEFORE_INIT:
                await self.close(BAD_REQUEST, "Too many messages before the connection is acknowledged")
                return
            if message["type"] != "websocket.receive":
                raise WebSocketDisconnected
            text = message.get("text")
            if text is None:
                raise NonTextMessageReceived
            frame = _message(text)
            if frame is None:
                await self.close(BAD_REQUEST, "Not a message of this protocol")
                return
            yield frame

    async def send_json(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            TooSlow: the client did not accept it in time, and is disconnected.
            WebSocketDisconnected: the connection is closed.
        """
        if self._closed:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send({"type": "websocket.send", "text": to_json(message).decode()})
        except TimeoutError:
            await self.close(TRY_AGAIN, "Too slow")
            raise TooSlow from None
        except OSError:  # the client has disconnected, or its message closed the connection
            raise WebSocketDisconnected from None

    async def close(self, code: int, reason: str) -> None:
        """Close the socket with a close frame, if the client accepts that in time; otherwise the server drops it."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):  # TimeoutError is one; otherwise the connection is closed already
            async with asyncio.timeout(2):
                await self._send(
                    {"type": "websocket.close", "code": code, "reason": reason.encode()[:100].decode(errors="ignore")}
                )


class _Parameters:
    """Where Strawberry's handler puts the payload of `connection_init`."""

    connection_params: Mapping[str, Any] | None = None


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """Handles the messages of one socket."""

    def __init__(self, sockets: GraphQLSockets, gate: OperationGate, services: Services, socket: _Socket, scope: Scope) -> None:
        super().__init__(
            view=cast("Any", self),  # the handler calls nothing of a view but `on_ws_connect`
            websocket=cast("Any", socket),
            context=_Parameters(),
            root_value=None,
            schema=cast("Any", None),  # operations go through the gate
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
        )
        self._sockets = sockets
        self._gate = gate
        self._services = services
        self._socket = socket
        self._scope = scope
        self._token: str | None = None

    async def on_ws_connect(self, parameters: _Parameters) -> None:
        """Identify the client by the token in `connection_init`, or in the headers of the handshake."""
        given = parameters.connection_params or {}
        token = next((value for name, value in given.items() if name.lower() == "authorization"), None)
        if token is not None and not isinstance(token, str):
            raise ConnectionRejectionError
        self._token = token
        caller = await self._sockets.identify(self._scope, token)
        if caller.has_bad_token or (token is not None and caller.actor is None):
            raise ConnectionRejectionError
        try:
            self._socket.on_end(self._services.streams.watch(caller.actor, caller.origin, self._ended))
        except RateLimited:
            raise ConnectionRejectionError from None
        except Unavailable:  # the process is stopping
            await self._socket.close(RESTART, "Connect again")
            raise ConnectionRejectionError from None
        self._socket.opened()

    async def handle_subscribe(self, message: Any) -> None:
        """Start an operation, if not too many are in progress."""
        if self.connection_acknowledged and len(self.operations) >= MAX_OPERATIONS and message["id"] not in self.operations:
            fault = RateLimited(retry_after=1)
            payload: Any = [{"message": str(fault), "extensions": fault.extensions}]
            await self.send_message({"id": message["id"], "type": "error", "payload": payload})
            return
        try:
            payload = self._sockets.trusted.resolve(message["payload"])
        except BadRequest as error:
            payload = [{"message": str(error), "extensions": error.extensions}]
            await self.send_message({"id": message["id"], "type": "error", "payload": payload})
            return
        resolved: Any = {**message, "payload": payload}
        await super().handle_subscribe(resolved)

    def _ended(self, why: Fault) -> None:
        closing = asyncio.get_running_loop().create_task(self._close_after_answers(why))
        self._socket.on_end(closing.cancel)

    async def _close_after_answers(self, why: Fault) -> None:
        """Close the socket. If its session ended, operations in progress are answered first: one may have ended the session."""
        tasks = [operation.task for operation in self.operations.values() if operation.task is not None]
        if isinstance(why, SessionEnded) and tasks:
            await asyncio.wait(tasks, timeout=ANSWER_SECONDS)
        await self._cut_off(why)

    async def _cut_off(self, why: Exception) -> None:
        """Close the socket with a code after which clients connect again."""
        if isinstance(why, SessionEnded):
            await self._socket.close(FORBIDDEN, "The session has ended")
        elif isinstance(why, TooSlow):
            await self._socket.close(TRY_AGAIN, "Too slow")
        else:
            await self._socket.close(RESTART, "Connect again")

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Execute one operation, and send its results."""
        try:
            caller = await self._sockets.identify(self._scope, self._token)
            if caller.has_bad_token or (self._token is not None and caller.actor is None):
                await self._socket.close(FORBIDDEN, "The session has ended")
                return
            context = Context.of(self._services, caller)
            request = Request(operation.query, operation.operation_name, operation.variables)
            started = time.perf_counter()
            try:
                await self._execute(operation, request, context)
            finally:
                self._sockets.request_log.operation(time.perf_counter() - started, (request, context))
        except (SessionEnded, TooSlow, WebSocketDisconnected):
            return
        except Unavailable as error:
            await self._fail(operation, [{"message": str(error), "extensions": error.extensions}])
        except Exception as error:  # noqa: BLE001 - whatever the error is, the socket stays open
            _log.error("an operation failed", exc_info=error)
            await self._fail(operation, [{"message": "Something went wrong on our side.", "extensions": {"code": "INTERNAL"}}])

    async def _execute(self, operation: Operation[Any, None], request: Request, context: Context) -> None:
        async with aclosing(self._gate.stream(request, context)) as responses:
            async for response in responses:
                if not response.executed or response.ended_by is not None:
                    await self._fail(operation, response.body["errors"], response.ended_by)
                    return
                if response.is_event:
                    context.require_session()
                message: Any = {"id": operation.id, "type": "next", "payload": response.body}
                await operation.send_operation_message(message)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _fail(self, operation: Operation[Any, None], errors: Any, why: Exception | None = None) -> None:
        if isinstance(why, SessionEnded):
            return  # the socket is closed once the operations in progress are answered
        if isinstance(why, RESUMABLE):
            await self._cut_off(why)
        else:
            await operation.send_operation_message({"id": operation.id, "type": "error", "payload": errors})


def _message(text: str) -> Mapping[str, Any] | None:
    """Return a client's message; None if it is malformed."""
    if len(text) > MAX_BODY:
        return None
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        return None
    kind, key, payload = frame["type"], frame.get("id"), frame.get("payload")
    if kind in {"subscribe", "complete"} and not (isinstance(key, str) and 0 < len(key) <= _MAX_ID_LENGTH):
        return None
    return frame if kind != "subscribe" or _is_request(payload) else None


def _is_request(payload: Any) -> bool:
    """Return whether a payload is a well-formed request, with a document or the id of a trusted one."""
    if not isinstance(payload, dict) or not (isinstance(payload.get("query"), str) or id_in(payload) is not None):
        return False
    optional = (("variables", dict), ("operationName", str), ("extensions", dict))
    return all(payload.get(name) is None or isinstance(payload[name], kind) for name, kind in optional)
