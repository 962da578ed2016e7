"""Wake-ups between processes: heard by the others, and again after the connection was broken."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from bank_graphql.kit import listening
from bank_graphql.kit.listening import Listener, PostgresListener, RedisListener


class Ear:
    """Counts what is heard."""

    def __init__(self) -> None:
        self.count = 0
        self.news = asyncio.Event()

    def heard(self) -> None:
        self.count += 1
        self.news.set()

    async def next(self) -> None:
        """Wait until something is heard."""
        async with asyncio.timeout(15):
            await self.news.wait()
        self.news.clear()


@pytest.fixture
async def redis(folder: Path) -> AsyncIterator[str]:
    """A Redis."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed; the bank runs without it, and .ci/run installs it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    await process.wait()


@pytest.fixture(params=["postgres", "redis"])
def make(request: pytest.FixtureRequest, dsn: str) -> Callable[[Ear], Listener]:
    """Makes listeners of either kind."""
    if request.param == "postgres":
        return lambda ear: PostgresListener(dsn, "test", ear.heard)
    address = request.getfixturevalue("redis")
    return lambda ear: RedisListener(address, "test", ear.heard)


async def test_the_others_are_told_and_oneself_is_not(make: Callable[[Ear], Listener]) -> None:
    mine, theirs = Ear(), Ear()
    telling, hearing = make(mine), make(theirs)
    for each in (telling, hearing):
        each.start()
    await mine.next()
    await theirs.next()
    for _ in range(3):
        before = mine.count
        telling.tell()
        await theirs.next()
        assert mine.count == before
    hearing.tell()
    await mine.next()
    for each in (telling, hearing):
        await each.close()


async def test_a_broken_connection_heals_and_what_was_missed_is_looked_for(
    dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ear = Ear()
    listener = PostgresListener(dsn, "test", ear.heard)
    listener.start()
    await ear.next()
    for _ in range(2):
        await raw.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'bank_graphql listener' AND datname = current_database()"
        )
        await ear.next()
    await raw.execute("SELECT pg_notify('test', 'another')")
    await ear.next()
    await listener.close()


async def test_a_server_that_is_not_there_is_waited_for(redis: str) -> None:
    ear = Ear()
    listener = RedisListener(redis.replace("127.0.0.1", "127.0.0.2"), "test", ear.heard)
    listener.start()
    listener.tell()
    await asyncio.sleep(0)
    await listener.close()
    assert ear.count == 0


async def test_a_connection_that_has_gone_silent_is_noticed_by_its_heartbeat(
    dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the bank and its database something swallows all that is said, and says nothing itself."""
    place = parse_qs(urlsplit(dsn).query)["host"][0]
    silent = asyncio.Event()
    passing: list[asyncio.Task[None]] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65536):
            if not silent.is_set():
                writer.write(said)

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

    monkeypatch.setattr(listening, "LIMIT_SECONDS", 0.3)
    proxy = await asyncio.start_unix_server(connected, f"{folder}/.s.PGSQL.5432")
    ear = Ear()
    listener = PostgresListener(dsn.replace(place, str(folder)), "test", ear.heard, heartbeat_seconds=0.05)
    listener.start()
    await ear.next()
    silent.set()
    await ear.next()
    assert len(passing) >= 2  # the driver makes one of its own, to cancel what takes so long
    await listener.close()
    proxy.close()
    for each in passing:
        each.cancel()
    await asyncio.gather(*passing, return_exceptions=True)
    await proxy.wait_closed()  # from Python 3.12 on it waits for the connections as well
