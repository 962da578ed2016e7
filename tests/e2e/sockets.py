"""Clients of the streams: graphql-transport-ws over a socket, and server-sent events."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection

from tests.client import Client

PROTOCOL = "graphql-transport-ws"
FEED = (
    "subscription Feed($accounts: [ID!], $after: String) { transactionFeed(accountIds: $accounts, after: $after) "
    "{ cursor kind account { id } transaction { id amount { amount } } } }"
)


class Socket:
    """A socket to the bank."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def start(self, token: str | None = None) -> None:
        """Shake hands."""
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        await self.send(type="connection_init", payload=payload)
        assert (await self.receive())["type"] == "connection_ack"

    async def subscribe(self, query: str = FEED, *, key: str = "1", **variables: Any) -> None:
        """Begin an operation."""
        await self.send(type="subscribe", id=key, payload={"query": query, "variables": variables})

    async def event(self) -> dict[str, Any]:
        """The next event of the feed."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        event: dict[str, Any] = message["payload"]["data"]["transactionFeed"]
        return event


@asynccontextmanager
async def socket(url: str, **more: Any) -> AsyncIterator[Socket]:
    """Connect."""
    address = url.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol(PROTOCOL)], open_timeout=20, **more) as made:
        yield Socket(made)


@asynccontextmanager
async def events(http: httpx.AsyncClient, token: str, query: str = FEED, **variables: Any) -> AsyncIterator[Any]:
    """An event stream: an iterator of its events' names and data."""
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    body = {"query": query, "variables": variables}
    async with http.stream("POST", "/graphql", json=body, headers=headers, timeout=30) as response:
        assert response.headers["content-type"] == "text/event-stream", response.headers

        async def read() -> AsyncIterator[tuple[str, Any]]:
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data:"):
                    data = line.removeprefix("data:").strip()
                    yield name, json.loads(data) if data else None

        yield read()


async def all_cursors(client: Client) -> list[str]:
    """The cursors of all events on a user's accounts, page by page."""
    cursors: list[str] = []
    while True:
        page = (
            await client.run(
                "query ($after: String) { transactionEvents(after: $after, first: 100) { nodes { cursor } pageInfo { hasNextPage } } }",
                after=cursors[-1] if cursors else None,
            )
        )["transactionEvents"]
        cursors += [node["cursor"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return cursors
