"""After a log-out was answered nothing more is sent in its session, though money moves all the time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from bank_graphql import app as application
from tests.client import Client

LOG_OUT = "mutation { logOut { __typename } }"
LOG_OUT_AND_ANOTHER_TRY = 'mutation { logOut { __typename } logIn(input: {email: "x@bank.test", password: "x"}) { __typename } }'
"""Of which the second takes as long as a password takes."""
FEED = (
    "subscription { transactionFeed { cursor account { id balance { booked { amount } } } transaction { id entries { id } } } }"
)
ANSWERED = "the log-out is answered"
Sent = list[str]


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at all sessions now and then, as is done for those that end elsewhere."""
    monkeypatch.setattr(application, "CHECK_SECONDS", 10_000)


def scope(kind: str, token: str | None, **more: Any) -> dict[str, Any]:
    """What a server tells of a connection."""
    headers = [(b"content-type", b"application/json"), (b"accept", more.pop("accept", b"*/*"))]
    headers += [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {
        "type": kind, "method": "POST", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "http_version": "1.1",
        "headers": headers, "scheme": "http", "server": ("bank", 80), "client": ("127.0.0.1", 1), **more,
    }  # fmt: skip


async def follow_events(app: Starlette, token: str, sent: Sent, begun: asyncio.Event, query: str = FEED) -> None:
    """Follow by an event stream, and note what is sent in its order."""
    body = {"type": "http.request", "body": json.dumps({"query": query}).encode()}
    messages = iter([body])

    async def receive() -> Any:
        return next(messages, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        begun.set()
        if b"transactionFeed" in message.get("body", b""):
            sent.append("event")

    await app(scope("http", token, accept=b"text/event-stream"), receive, send)


async def follow_socket(app: Starlette, token: str, sent: Sent, begun: asyncio.Event) -> None:
    """Follow by a socket, likewise."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    for said in (
        {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}},
        {"type": "subscribe", "id": "1", "payload": {"query": FEED}},
    ):
        messages.put_nowait({"type": "websocket.receive", "text": json.dumps(said)})

    async def send(message: Any) -> None:
        begun.set()
        if "transactionFeed" in message.get("text", ""):
            sent.append("event")
        if message["type"] == "websocket.close":
            messages.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    await app(scope("websocket", None, subprotocols=["graphql-transport-ws"]), messages.get, send)


async def log_out(app: Starlette, token: str, sent: Sent) -> None:
    """Log out, and note when that is answered."""
    body = {"type": "http.request", "body": json.dumps({"query": LOG_OUT}).encode()}
    messages = iter([body])

    async def receive() -> Any:
        return next(messages, None) or {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            assert b'"Done"' in message["body"]
            sent.append(ANSWERED)

    await app(scope("http", token), receive, send)


@pytest.mark.parametrize("follow", [follow_events, follow_socket])
async def test_nothing_is_sent_once_a_log_out_is_answered(
    app: Starlette, visitor: Client, ada: Client, grace: Client, follow: Callable[..., Awaitable[None]]
) -> None:
    """Others go on to pay the account whose owner logs out, so that events are under way at each moment."""
    account, source = (await ada.open())["id"], (await grace.open(deposit="1000"))["id"]
    over = asyncio.Event()

    async def pay() -> None:
        while not over.is_set():
            await grace.transfer(source, account, "0.01")

    paying = [asyncio.create_task(pay()) for _ in range(8)]
    for _ in range(12):
        mine = await visitor.log_in("ada@bank.test")
        assert mine.token is not None
        sent: Sent = []
        begun = [asyncio.Event() for _ in range(3)]
        following = [asyncio.ensure_future(follow(app, mine.token, sent, each)) for each in begun]
        for each in begun:
            await each.wait()
        async with asyncio.timeout(20):
            while sent.count("event") < 20:
                await asyncio.sleep(0)
            await log_out(app, mine.token, sent)
            await asyncio.gather(*following)  # they end at once, and not at the next look at all sessions
        assert sent.index(ANSWERED) == len(sent) - 1
    over.set()
    await asyncio.gather(*paying)


async def test_a_log_out_over_a_socket_is_answered_before_the_socket_is_closed(app: Starlette, ada: Client) -> None:
    received: list[Any] = []
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    for said in (
        {"type": "connection_init", "payload": {"authorization": f"Bearer {ada.token}"}},
        {"type": "subscribe", "id": "feed", "payload": {"query": FEED}},
        {"type": "subscribe", "id": "end", "payload": {"query": LOG_OUT_AND_ANOTHER_TRY}},
    ):
        messages.put_nowait({"type": "websocket.receive", "text": json.dumps(said)})

    async def send(message: Any) -> None:
        received.append(json.loads(message["text"]) if "text" in message else message)
        if message["type"] == "websocket.close":
            messages.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    async with asyncio.timeout(20):
        await app(scope("websocket", None, subprotocols=["graphql-transport-ws"]), messages.get, send)
    assert [each["type"] for each in received] == ["websocket.accept", "connection_ack", "next", "complete", "websocket.close"]
    assert received[2]["payload"] == {"data": {"logOut": {"__typename": "Done"}, "logIn": {"__typename": "CredentialsRejection"}}}
    assert received[-1]["code"] == 4403
