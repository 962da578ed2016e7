"""The feed under load: subscribers on sockets, transfers between their accounts, and how late each event arrives."""

import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime

import httpx
import websockets

from bench import data, requests
from bench.sides import Server

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
SUBSCRIBE = (
    "subscription Feed($accounts: [ID!]) { transactionFeed(accountIds: $accounts) "
    "{ cursor occurredAt transaction { id amount { amount } } } }"
)


@dataclass
class Heard:
    """What the subscribers heard.

    Attributes:
        begun: when all listened. A feed begins where it has got to, which may be before what was committed just now.
        delays: milliseconds from the moment that an event was decided on (before its commit) to its arrival, for each of them.
        expected: how many events there were to hear.
        news: set with each event.
    """

    begun: float = 0
    delays: list[float] = field(default_factory=list)
    expected: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def p99(self) -> float:
        """The delay that 99 in 100 events keep below."""
        return statistics.quantiles(self.delays, n=100)[98]


async def listen(server: Server, *, subscribers: int, events_per_second: int, seconds: float) -> Heard:
    """Follow one account with each subscriber, move money between these accounts, and hear what arrives.

    Raises:
        RuntimeError: an event is lost.
    """
    heard = Heard()
    async with AsyncExitStack() as stack:
        sockets = [await _follow(stack, server, number) for number in range(subscribers)]
        heard.begun = time.time()
        listening = [asyncio.create_task(_hear(socket, heard)) for socket in sockets]
        heard.expected = await _move(server, subscribers, events_per_second, seconds)
        try:
            async with asyncio.timeout(10):
                while len(heard.delays) < heard.expected:
                    heard.news.clear()
                    await heard.news.wait()
        except TimeoutError:
            raise RuntimeError(f"Of {heard.expected} events {len(heard.delays)} arrived.") from None
        finally:
            for task in listening:
                task.cancel()
    return heard


async def _follow(stack: AsyncExitStack, server: Server, number: int) -> websockets.ClientConnection:
    address = server.url.replace("http", "ws", 1)
    socket = await stack.enter_async_context(
        websockets.connect(address, subprotocols=[PROTOCOL], open_timeout=30, compression=None, ping_interval=None)
    )
    token = server.tokens[number % data.USERS]
    await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    await socket.recv()
    payload = {"query": SUBSCRIBE, "variables": {"accounts": [requests.account(number)]}}
    await socket.send(json.dumps({"type": "subscribe", "id": "feed", "payload": payload}))
    # What is asked afterwards is answered once the feed is followed.
    await socket.send(json.dumps({"type": "subscribe", "id": "now", "payload": {"query": requests.NOW}}))
    while json.loads(await socket.recv()) != {"id": "now", "type": "complete"}:
        pass
    return socket


async def _hear(socket: websockets.ClientConnection, heard: Heard) -> None:
    async for message in socket:
        now = time.time()
        event = json.loads(message)["payload"]["data"]["transactionFeed"]
        decided = datetime.fromisoformat(event["occurredAt"]).timestamp()
        if decided >= heard.begun:
            heard.delays.append((now - decided) * 1000)
            heard.news.set()


async def _move(server: Server, accounts: int, events_per_second: int, seconds: float) -> int:
    """Transfer at a steady rate; the number of events that come of it: two for each transfer."""
    every = 2 / events_per_second
    sent: list[asyncio.Task[None]] = []
    async with httpx.AsyncClient(timeout=30) as http:
        started = time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            number = len(sent)
            body = requests.transfer_body(number, source=number % accounts, target=(number + 1) % accounts)
            sent.append(asyncio.create_task(_send(http, server, body, server.tokens[number % accounts % data.USERS])))
            await asyncio.sleep(max(0, len(sent) * every - passed))
        await asyncio.gather(*sent)
    return 2 * len(sent)


async def _send(http: httpx.AsyncClient, server: Server, body: bytes, token: str) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer: str = (await http.post(server.url, content=body, headers=headers)).text
    if "MoneyMoved" not in answer:
        raise RuntimeError(answer[:300])
