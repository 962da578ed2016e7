"""GraphQL over server-sent events, per the protocol of graphql-sse in its mode of distinct connections.

A stream that the client may resume ends without the event `complete`, so that the client connects again.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Send
from strawberry.http.streaming import SSETransport

from bank_graphql.api.context import Context
from bank_graphql.api.scalars import to_json
from bank_graphql.engine.documents import Prepared
from bank_graphql.engine.executor import Request
from bank_graphql.events.errors import RESUMABLE, SessionEnded
from bank_graphql.web.operations import OperationGate

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
EVENTS = SSETransport()
SEND_SECONDS = 10.0
"""How long a client may take to accept a part of a stream before it is disconnected."""


class EventStreams:
    """Answers operations with event streams."""

    def __init__(self, gate: OperationGate) -> None:
        self._gate = gate

    async def answer(
        self, request: Request, context: Context, receive: Receive, send: Send, method: str, admitted: Prepared | None
    ) -> None:
        """Answer an operation with a stream of its results. `admitted` is the operation, if the gate has admitted it already."""
        if method == "HEAD":  # nobody would receive the stream, so it does not start
            await send_response(send, 200, {}, EVENT_STREAM, b"", with_body=False)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in EVENTS.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        responses = self._gate.stream(request, context, allow_mutation=method == "POST", admitted=admitted)
        disconnected = asyncio.ensure_future(_disconnected(receive))
        response: asyncio.Future[Any] = asyncio.ensure_future(anext(responses))
        try:
            while True:
                both: set[asyncio.Future[Any]] = {response, disconnected}
                await asyncio.wait(both, timeout=EVENTS.heartbeat_interval, return_when=asyncio.FIRST_COMPLETED)
                if disconnected.done():
                    return
                if not response.done():
                    await _write(send, EVENTS.heartbeat_message(_text))
                elif isinstance(response.exception(), StopAsyncIteration):
                    break
                elif isinstance(response.result().ended_by, RESUMABLE):
                    await _write(send, "", is_last=True)
                    return
                else:
                    context.require_session()
                    await _write(send, EVENTS.encode_next(response.result().body, _text))
                    response = asyncio.ensure_future(anext(responses))
            await _write(send, EVENTS.encode_complete(), is_last=True)
        except TimeoutError:
            return  # the client does not read; it may resume
        except SessionEnded:
            await _write(send, "", is_last=True)
        finally:
            disconnected.cancel()
            response.cancel()
            await asyncio.gather(disconnected, response, return_exceptions=True)
            await responses.aclose()


async def send_response(
    send: Send, status: int, headers: Mapping[str, str], media_type: str, body: bytes, *, with_body: bool
) -> None:
    """Send a whole HTTP response; without its body in answer to `HEAD`."""
    raw = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body if with_body else b""})


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, text: str, *, is_last: bool = False) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": not is_last})


def _text(answer: object) -> str:
    return to_json(answer).decode()
