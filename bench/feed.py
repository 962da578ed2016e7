"""The feed under load: subscribers on sockets, transfers between their accounts, and the delay of each event."""

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
class Received:
    """The events that the subscribers received.

    Attributes:
        started: when all had subscribed. A feed starts at the position of its hub, which may be before the latest commits.
        delays: milliseconds from the decision on each event, before its commit, to its arrival.
        expected: the number of events to receive.
        arrived: set with each event.
    """

    started: float = 0
    delays: list[float] = field(default_factory=list)
    expected: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def p99(self) -> float:
        """The 99th percentile of the delays, in milliseconds."""
        return statistics.quantiles(self.delays, n=100)[98]


async def measure(server: Server, *, subscribers: int, events_per_second: int, seconds: float) -> Received:
    """Subscribe to one account with each subscriber, transfer between these accounts, and return the events that arrive.

    Raises:
        RuntimeError: an event has not arrived within ten seconds.
    """
    received = Received()
    async with AsyncExitStack() as stack:
        sockets = [await _subscribe(stack, server, number) for number in range(subscribers)]
        received.started = time.time()
        receiving = [asyncio.create_task(_receive(socket, received)) for socket in sockets]
        received.expected = await _transfer(server, subscribers, events_per_second, seconds)
        try:
            async with asyncio.timeout(10):
                while len(received.delays) < received.expected:
                    received.arrived.clear()
                    await received.arrived.wait()
        except TimeoutError:
            raise RuntimeError(f"Of {received.expected} events {len(received.delays)} arrived.") from None
        finally:
            for task in receiving:
                task.cancel()
    return received


async def _subscribe(stack: AsyncExitStack, server: Server, number: int) -> websockets.ClientConnection:
    address = server.url.replace("http", "ws", 1)
    socket = await stack.enter_async_context(
        websockets.connect(address, subprotocols=[PROTOCOL], open_timeout=30, compression=None, ping_interval=None)
    )
    token = server.tokens[number % data.USERS]
    await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    await socket.recv()
    payload = {"query": SUBSCRIBE, "variables": {"accounts": [requests.account(number)]}}
    await socket.send(json.dumps({"type": "subscribe", "id": "feed", "payload": payload}))
    # This query is answered once the subscription has started.
    await socket.send(json.dumps({"type": "subscribe", "id": "now", "payload": {"query": requests.NOW}}))
    while json.loads(await socket.recv()) != {"id": "now", "type": "complete"}:
        pass
    return socket


async def _receive(socket: websockets.ClientConnection, received: Received) -> None:
    async for message in socket:
        now = time.time()
        event = json.loads(message)["payload"]["data"]["transactionFeed"]
        decided = datetime.fromisoformat(event["occurredAt"]).timestamp()
        if decided >= received.started:
            received.delays.append((now - decided) * 1000)
            received.arrived.set()


async def _transfer(server: Server, accounts: int, events_per_second: int, seconds: float) -> int:
    """Transfer at a steady rate, and return the number of events: two for each transfer."""
    interval = 2 / events_per_second
    sent: list[asyncio.Task[None]] = []
    async with httpx.AsyncClient(timeout=30) as http:
        started = time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            number = len(sent)
            body = requests.transfer_body(number, source=number % accounts, target=(number + 1) % accounts)
            sent.append(asyncio.create_task(_send(http, server, body, server.tokens[number % accounts % data.USERS])))
            await asyncio.sleep(max(0, len(sent) * interval - passed))
        await asyncio.gather(*sent)
    return 2 * len(sent)


async def _send(http: httpx.AsyncClient, server: Server, body: bytes, token: str) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer: str = (await http.post(server.url, content=body, headers=headers)).text
    if "MoneyMoved" not in answer:
        raise RuntimeError(answer[:300])
