"""Notifications between processes: received by the others, and again after the connection was broken."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from bank_graphql.kit import notifications
from bank_graphql.kit.notifications import Notifier, PostgresNotifier, RedisNotifier

END_LISTENERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = 'bank_graphql listener' AND datname = current_database()"
)


class Receiver:
    """Counts the notifications that it receives."""

    def __init__(self) -> None:
        self.count = 0
        self.received = asyncio.Event()

    def notified(self) -> None:
        self.count += 1
        self.received.set()

    async def next(self) -> None:
        """Wait for the next notification."""
        async with asyncio.timeout(15):
            await self.received.wait()
        self.received.clear()


@pytest.fixture(params=["postgres", "redis"])
def make(request: pytest.FixtureRequest, dsn: str) -> Callable[[Receiver], Notifier]:
    """Return a function that makes notifiers of either kind."""
    if request.param == "postgres":
        return lambda receiver: PostgresNotifier(dsn, "test", receiver.notified)
    address = request.getfixturevalue("redis")
    return lambda receiver: RedisNotifier(address, "test", receiver.notified)


async def test_the_others_are_notified_and_the_sender_is_not(make: Callable[[Receiver], Notifier]) -> None:
    mine, theirs = Receiver(), Receiver()
    sender, other = make(mine), make(theirs)
    for each in (sender, other):
        each.start()
    await mine.next()
    await theirs.next()
    for _ in range(3):
        before = mine.count
        sender.notify()
        await theirs.next()
        assert mine.count == before
    other.notify()
    await mine.next()
    for each in (sender, other):
        await each.close()


async def test_a_broken_connection_is_replaced_and_counts_as_a_notification(
    dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    receiver = Receiver()
    notifier = PostgresNotifier(dsn, "test", receiver.notified)
    notifier.start()
    await receiver.next()
    for _ in range(2):
        await raw.execute(END_LISTENERS)
        await receiver.next()
    await raw.execute("SELECT pg_notify('test', 'another')")
    await receiver.next()
    await notifier.close()


async def test_a_server_that_cannot_be_reached_is_no_error(redis: str) -> None:
    receiver = Receiver()
    notifier = RedisNotifier(redis.replace("127.0.0.1", "127.0.0.2"), "test", receiver.notified)
    notifier.start()
    notifier.notify()
    await asyncio.sleep(0)
    await notifier.close()
    assert receiver.count == 0


class Proxy:
    """Stands before the database. It passes on no end of a connection, and no data while it is silent."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.silent = asyncio.Event()
        self.connections: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[None]:
        """Listen on a socket in a folder."""
        server = await asyncio.start_unix_server(self._connected, f"{folder}/.s.PGSQL.5432")
        yield
        server.close()
        for each in self.connections:
            each.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)
        await server.wait_closed()  # from Python 3.12 on it waits for the connections as well

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.silent.clear()
        self.connections.append(asyncio.create_task(self._pass_on(reader, writer)))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{self._place}/.s.PGSQL.5432")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, back))
                group.create_task(self._forward(there, writer))
        finally:
            for each in (writer, back):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.silent.is_set():
                writer.write(data)


@pytest.mark.parametrize("breaks", ["silently", "with a message that its end follows later"])
async def test_the_heartbeat_detects_a_broken_connection(
    dsn: str, raw: "asyncpg.Connection[asyncpg.Record]", folder: Path, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    """Between the server's last message and the end of the connection, the driver raises an error of its own."""
    place = parse_qs(urlsplit(dsn).query)["host"][0]
    proxy = Proxy(place)
    monkeypatch.setattr(notifications, "TIMEOUT_SECONDS", 0.3)
    async with proxy.serving(folder):
        receiver = Receiver()
        notifier = PostgresNotifier(dsn.replace(place, str(folder)), "test", receiver.notified, heartbeat_seconds=0.05)
        notifier.start()
        await receiver.next()
        if breaks == "silently":
            proxy.silent.set()
        else:
            await raw.execute(END_LISTENERS)
        await receiver.next()
        assert len(proxy.connections) >= 2
        await notifier.close()
