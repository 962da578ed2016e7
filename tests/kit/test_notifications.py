"""Notifications between processes: received by the others, and again after the connection was broken."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from bank_graphql.kit import notifications
from bank_graphql.kit.notifications import Notifier, PostgresNotifier, RedisNotifier
from tests.ports import free_port


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


@pytest.fixture
async def redis(folder: Path) -> AsyncIterator[str]:
    """A Redis."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed; the bank runs without it, and .ci/run installs it")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    await process.wait()


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
        await raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'bank_graphql listener' AND datname = current_database()"
        )
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


async def test_the_heartbeat_detects_a_silent_connection(dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy before the database drops all data in both directions, and keeps the connections open."""
    place = parse_qs(urlsplit(dsn).query)["host"][0]
    silent = asyncio.Event()
    passing: list[asyncio.Task[None]] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not silent.is_set():
                writer.write(data)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{place}/.s.PGSQL.5432")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(forward(reader, back))
                group.create_task(forward(there, writer))
        finally:
            for each in (writer, back):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.clear()
        passing.append(asyncio.create_task(pass_on(reader, writer)))

    monkeypatch.setattr(notifications, "TIMEOUT_SECONDS", 0.3)
    proxy = await asyncio.start_unix_server(connected, f"{folder}/.s.PGSQL.5432")
    receiver = Receiver()
    notifier = PostgresNotifier(dsn.replace(place, str(folder)), "test", receiver.notified, heartbeat_seconds=0.05)
    notifier.start()
    await receiver.next()
    silent.set()
    await receiver.next()
    assert len(passing) >= 2  # the driver opens another to cancel the statement that timed out
    await notifier.close()
    proxy.close()
    for each in passing:
        each.cancel()
    await asyncio.gather(*passing, return_exceptions=True)
    await proxy.wait_closed()  # from Python 3.12 on it waits for the connections as well
