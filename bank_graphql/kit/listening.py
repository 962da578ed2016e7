"""Wake-ups between processes: by PostgreSQL's LISTEN and NOTIFY, or by Redis, on one connection that heals by itself.

Notices say no more than "look again": they are gathered, and one that is lost costs no more than the wait until somebody looks
anyway. They are sent apart from the transactions that they tell of: of those that notify, PostgreSQL lets one commit at a time.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from bank_graphql.kit.db_session import IS_READ_ONLY

_log = structlog.get_logger(__name__)
HEARTBEAT_SECONDS = 5.0
LIMIT_SECONDS = 5.0
"""How long the other side may take to answer before the connection is taken for broken."""
BETWEEN_NOTICES = 0.02


class Listener(ABC):
    """Hears other processes' notices on a channel, and sends them ours.

    Args:
        address: where the server is.
        channel: the channel's name.
        heard: called for each notice, and after each time that some may have been missed.
    """

    _broken: tuple[type[Exception], ...] = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
    """What is raised when the connection is broken."""

    def __init__(
        self, address: str, channel: str, heard: Callable[[], None], *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._address = address
        self._channel = channel
        self._heard = heard
        self._heartbeat_seconds = heartbeat_seconds
        self._me = secrets.token_hex(8)
        self._to_tell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run())

    def tell(self) -> None:
        """Let the other processes know, soon."""
        self._to_tell.set()

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        failing = False
        while True:
            try:
                await self._listen()
            except self._broken as error:
                if not failing:
                    _log.warning("listening is broken and begins anew", reason=type(error).__name__)
                failing = True
                await asyncio.sleep(0.5)
            else:
                failing = False

    @abstractmethod
    async def _listen(self) -> None:
        """Listen until the connection is lost."""

    async def _until_time(self, lost: asyncio.Event) -> bool:
        """Wait until there is something to tell, or it is time for a sign of life, or the connection is lost. True to tell."""
        waiting = [asyncio.create_task(each.wait()) for each in (self._to_tell, lost)]
        try:
            await asyncio.wait(waiting, timeout=self._heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        to_tell = self._to_tell.is_set() and not lost.is_set()
        if to_tell:
            self._to_tell.clear()
        return to_tell

    def _notified(self, told_by: object) -> None:
        if told_by != self._me:
            self._heard()


class PostgresListener(Listener):
    """By LISTEN and NOTIFY."""

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._address, timeout=LIMIT_SECONDS, server_settings={"application_name": "bank_graphql listener"}
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, lambda _connection, _pid, _channel, told_by: self._notified(told_by))
            self._heard()  # what was told before is lost
            while not lost.is_set():
                if await self._until_time(lost):
                    await connection.fetchval("SELECT pg_notify($1, $2)", self._channel, self._me, timeout=LIMIT_SECONDS)
                    await asyncio.sleep(BETWEEN_NOTICES)
                elif not lost.is_set() and await connection.fetchval(IS_READ_ONLY, timeout=LIMIT_SECONDS):
                    return  # after a failover this is the former primary, and nobody sends notices there
        finally:
            connection.terminate()


class RedisListener(Listener):
    """By Redis, so that PostgreSQL's notices are not the limit."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        import redis.asyncio  # noqa: PLC0415 - it takes a tenth of a start, of which only those who use it shall know

        super().__init__(*arguments, **options)
        self._redis = redis.asyncio
        self._broken = (*self._broken, redis.RedisError)

    async def _listen(self) -> None:
        client: Any = self._redis.from_url(self._address, socket_connect_timeout=LIMIT_SECONDS, decode_responses=True)
        lost = asyncio.Event()
        hearing: asyncio.Task[None] | None = None
        try:
            async with client.pubsub() as channel:
                await channel.subscribe(self._channel)
                hearing = asyncio.create_task(self._hear(channel))
                hearing.add_done_callback(lambda _: lost.set())
                self._heard()  # what was told before is lost
                while not lost.is_set():
                    to_tell = await self._until_time(lost)
                    async with asyncio.timeout(LIMIT_SECONDS):
                        await (client.publish(self._channel, self._me) if to_tell else client.ping())
                    await asyncio.sleep(BETWEEN_NOTICES)
        finally:
            if hearing is not None:
                hearing.cancel()
                with suppress(asyncio.CancelledError, *self._broken):
                    await hearing
            await client.aclose()

    async def _hear(self, channel: Any) -> None:
        async for message in channel.listen():
            if message["type"] == "message":
                self._notified(message["data"])
