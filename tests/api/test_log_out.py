"""Once a log-out is answered, nothing more is sent in its session, even while events happen all the time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from bank_graphql import app as application
from tests.client import Client
from tests.serving import scope

LOG_OUT = "mutation { logOut { __typename } }"
LOG_OUT_AND_LOG_IN = 'mutation { logOut { __typename } logIn(input: {email: "x@bank.test", password: "x"}) { __typename } }'
"""The second mutation takes as long as verifying a password."""
FEED = (
    "subscription { transactionFeed { cursor account { id balance { booked { amount } } } transaction { id entries { id } } } }"
)
ANSWERED = "the log-out is answered"
Sent = list[str]


@pytest.fixture(autouse=True)
def without_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that checks for sessions ended by other processes does not run."""
    monkeypatch.setattr(application, "CHECK_SECONDS", 10_000)


async def subscribe_by_event_stream(app: Starlette, token: str, sent: Sent, opened: asyncio.Event, query: str = FEED) -> None:
    """Subscribe by an event stream, and record each event that is sent."""
    body = {"type": "http.request", "body": json.dumps({"query": query}).encode()}
    messages = iter([body])

    async def receive() -> Any:
        return next(messages, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        opened.set()
        if b"transactionFeed" in message.get("body", b""):
            sent.append("event")

    await app(scope("http", token, accept=b"text/event-stream"), receive, send)


async def subscribe_by_socket(app: Starlette, token: str, sent: Sent, opened: asyncio.Event) -> None:
    """Subscribe by a socket, and record each event that is sent."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    for message in (
        {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}},
        {"type": "subscribe", "id": "1", "payload": {"query": FEED}},
    ):
        messages.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def send(message: Any) -> None:
        opened.set()
        if "transactionFeed" in message.get("text", ""):
            sent.append("event")
        if message["type"] == "websocket.close":
            messages.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    await app(scope("websocket", subprotocols=["graphql-transport-ws"]), messages.get, send)


async def log_out(app: Starlette, token: str, sent: Sent) -> None:
    """Log out, and record when that is answered."""
    body = {"type": "http.request", "body": json.dumps({"query": LOG_OUT}).encode()}
    messages = iter([body])

    async def receive() -> Any:
        return next(messages, None) or {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            assert b'"Done"' in message["body"]
            sent.append(ANSWERED)

    await app(scope("http", token), receive, send)


@pytest.mark.parametrize("rounds", [3, pytest.param(12, marks=pytest.mark.deep)])
@pytest.mark.parametrize("subscribe", [subscribe_by_event_stream, subscribe_by_socket])
async def test_nothing_is_sent_once_a_log_out_is_answered(
    app: Starlette, visitor: Client, ada: Client, grace: Client, subscribe: Callable[..., Awaitable[None]], rounds: int
) -> None:
    """Other customers keep paying the account whose owner logs out, so that events happen all the time."""
    account, source = (await ada.open())["id"], (await grace.open(deposit="1000"))["id"]
    over = asyncio.Event()

    async def pay() -> None:
        while not over.is_set():
            await grace.transfer(source, account, "0.01")

    paying = [asyncio.create_task(pay()) for _ in range(8)]
    for _ in range(rounds):
        mine = await visitor.log_in("ada@bank.test")
        assert mine.token is not None
        sent: Sent = []
        opened = [asyncio.Event() for _ in range(3)]
        subscriptions = [asyncio.ensure_future(subscribe(app, mine.token, sent, each)) for each in opened]
        for each in opened:
            await each.wait()
        async with asyncio.timeout(20):
            while sent.count("event") < 20:
                await asyncio.sleep(0)
            await log_out(app, mine.token, sent)
            await asyncio.gather(*subscriptions)  # they end at once, not at the next check of all sessions
        assert sent.index(ANSWERED) == len(sent) - 1
    over.set()
    await asyncio.gather(*paying)


async def test_a_log_out_over_a_socket_is_answered_before_the_socket_is_closed(app: Starlette, ada: Client) -> None:
    received: list[Any] = []
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    for message in (
        {"type": "connection_init", "payload": {"authorization": f"Bearer {ada.token}"}},
        {"type": "subscribe", "id": "feed", "payload": {"query": FEED}},
        {"type": "subscribe", "id": "end", "payload": {"query": LOG_OUT_AND_LOG_IN}},
    ):
        messages.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def send(message: Any) -> None:
        received.append(json.loads(message["text"]) if "text" in message else message)
        if message["type"] == "websocket.close":
            messages.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    async with asyncio.timeout(20):
        await app(scope("websocket", subprotocols=["graphql-transport-ws"]), messages.get, send)
    assert [each["type"] for each in received] == ["websocket.accept", "connection_ack", "next", "complete", "websocket.close"]
    assert received[2]["payload"] == {"data": {"logOut": {"__typename": "Done"}, "logIn": {"__typename": "CredentialsRejection"}}}
    assert received[-1]["code"] == 4403
