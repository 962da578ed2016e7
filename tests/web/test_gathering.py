"""Writes of one turn are sent together; a client that does not read is disconnected, and one that reads slowly is not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bank_graphql.web import http_protocol
from bank_graphql.web.http_protocol import _Gathering


class Sender(asyncio.Protocol):
    """The server's side of a connection, which the test writes to."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = _Gathering(transport, asyncio.get_running_loop())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's protocol
        self.lost.set()


Connect = Callable[[], Awaitable[tuple[Sender, asyncio.StreamReader]]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return a function that connects a client, which reads only when the test does."""
    made: asyncio.Queue[Sender] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def protocol_of() -> Sender:
        made.put_nowait(sender := Sender())
        return sender

    server = await asyncio.get_running_loop().create_server(protocol_of, "127.0.0.1", 0)

    async def connected() -> tuple[Sender, asyncio.StreamReader]:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1000)
        writers.append(writer)
        return await made.get(), reader

    yield connected
    for writer in writers:
        writer.transport.abort()
    server.close()
    await server.wait_closed()


async def test_writes_of_one_turn_and_before_a_close_arrive_whole(connect: Connect) -> None:
    sender, reader = await connect()
    for piece in (b"head ", b"and ", b"body"):
        sender.transport.write(piece)
    assert await reader.readexactly(13) == b"head and body"
    sender.transport.write(b"the end")
    sender.transport.close()
    assert await reader.read() == b"the end"


async def test_a_client_that_does_not_read_is_disconnected(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 0.1)
    sender, _ = await connect()
    sender.transport.write(b"x" * 12_000_000)
    async with asyncio.timeout(5):
        await sender.lost.wait()


async def test_a_client_that_reads_slowly_is_not_disconnected(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 0.3)
    sender, reader = await connect()
    sender.transport.write(b"x" * 12_000_000)
    received = 0
    while received < 12_000_000:
        received += len(await reader.read(200_000))
    assert not sender.lost.is_set()


async def test_a_full_buffer_or_an_unfinished_close_disconnects_the_client(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "MAX_UNSENT", 1_000_000)
    sender, _ = await connect()
    sender.transport.write(b"x" * 12_000_000)
    async with asyncio.timeout(5):
        await sender.lost.wait()
    monkeypatch.setattr(http_protocol, "MAX_UNSENT", 100_000_000)
    monkeypatch.setattr(http_protocol, "CLOSE_SECONDS", 0.1)
    sender, _ = await connect()
    sender.transport.write(b"x" * 12_000_000)
    sender.transport.close()
    async with asyncio.timeout(5):
        await sender.lost.wait()
