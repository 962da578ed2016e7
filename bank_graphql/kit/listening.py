"""Wake-ups between processes, by PostgreSQL's LISTEN and NOTIFY, on one connection that heals by itself.

Notices say no more than "look again": they are gathered, and one that is lost costs no more than the wait until somebody looks
anyway. They are sent apart from the transactions that they tell of: of those that notify, PostgreSQL lets one commit at a time.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

_log = structlog.get_logger(__name__)
HEARTBEAT_SECONDS = 5.0
LIMIT_SECONDS = 5.0
"""How long the connection may take to answer before it is taken for broken."""
BETWEEN_NOTICES = 0.01


class Listener:
    """Hears other processes' notices on a channel, and sends them ours.

    Args:
        dsn: where the database is.
        channel: the channel's name.
        heard: called for each notice, and after each time that some may have been missed.
    """

    def __init__(
        self, dsn: str, channel: str, heard: Callable[[], None], *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._dsn = dsn
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
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not failing:
                    _log.warning("listening is broken and begins anew", reason=type(error).__name__)
                failing = True
                await asyncio.sleep(0.5)
            else:
                failing = False

    async def _listen(self) -> None:
        """Listen until the connection is lost."""
        connection = await asyncpg.connect(
            self._dsn, timeout=LIMIT_SECONDS, server_settings={"application_name": "bank_graphql listener"}
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, self._notified)
            self._heard()  # what was told before is lost
            while not lost.is_set():
                await self._beat(connection, lost)
        finally:
            connection.terminate()

    async def _beat(self, connection: Any, lost: asyncio.Event) -> None:
        """Wait until there is something to tell, or it is time for a sign of life."""
        waiting = [asyncio.create_task(each.wait()) for each in (self._to_tell, lost)]
        try:
            await asyncio.wait(waiting, timeout=self._heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        if lost.is_set():
            return
        if self._to_tell.is_set():
            self._to_tell.clear()
            await connection.fetchval("SELECT pg_notify($1, $2)", self._channel, self._me, timeout=LIMIT_SECONDS)
            await asyncio.sleep(BETWEEN_NOTICES)
        else:
            await connection.fetchval("SELECT 1", timeout=LIMIT_SECONDS)

    def _notified(self, _connection: Any, _pid: int, _channel: str, told_by: object) -> None:
        if told_by != self._me:
            self._heard()
