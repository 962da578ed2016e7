"""Notify other processes that there is something new, by PostgreSQL's LISTEN and NOTIFY or by Redis.

A notification carries no data. It only says "look again", so several are sent as one, and a lost one costs no more than the
wait until the receiver looks anyway. Notifications are sent on a connection of their own, outside the transactions that they
are about: PostgreSQL commits transactions that use NOTIFY one at a time. A broken connection is replaced automatically.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncpg
import structlog

from bank_graphql.kit.db_errors import DRIVER_ERRORS
from bank_graphql.kit.db_session import IS_READ_ONLY

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

_log = structlog.get_logger(__name__)
HEARTBEAT_SECONDS = 5.0
"""The interval at which an idle connection is checked."""
TIMEOUT_SECONDS = 5.0
"""How long the server may take to answer before the connection counts as broken."""
MIN_INTERVAL_SECONDS = 0.02
"""The shortest interval between two notifications of one process."""


class Notifier(ABC):
    """Sends notifications to the other processes on a channel, and receives theirs.

    Args:
        address: the address of the server.
        channel: the name of the channel.
        on_notification: called for each notification of another process, and after each new connection, because notifications
            may have been lost before it.
        heartbeat_seconds: the interval at which an idle connection is checked.
    """

    _connection_errors: tuple[type[Exception], ...] = DRIVER_ERRORS
    """The errors raised when the connection is broken."""

    def __init__(
        self,
        address: str,
        channel: str,
        on_notification: Callable[[], None],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._address = address
        self._channel = channel
        self._on_notification = on_notification
        self._heartbeat_seconds = heartbeat_seconds
        self._sender_id = secrets.token_hex(8)
        self._to_send = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to send and receive, in a task."""
        self._task = asyncio.create_task(self._run())

    def notify(self) -> None:
        """Notify the other processes soon. Several calls in short succession send one notification."""
        self._to_send.set()

    async def close(self) -> None:
        """Stop, and close the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        is_failing = False
        while True:
            try:
                await self._serve_connection()
            except self._connection_errors as error:
                if not is_failing:
                    _log.warning("the connection for notifications is broken and is replaced", reason=type(error).__name__)
                is_failing = True
                await asyncio.sleep(0.5)
            else:
                is_failing = False

    @abstractmethod
    async def _serve_connection(self) -> None:
        """Connect, then send and receive until the connection is lost."""

    async def _wait_to_send(self, lost: asyncio.Event) -> bool:
        """Wait until there is a notification to send, a heartbeat is due or the connection is lost; return whether to send."""
        waiters = [asyncio.create_task(event.wait()) for event in (self._to_send, lost)]
        try:
            await asyncio.wait(waiters, timeout=self._heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
        to_send = self._to_send.is_set() and not lost.is_set()
        if to_send:
            self._to_send.clear()
        return to_send

    def _received(self, sender_id: object) -> None:
        if sender_id != self._sender_id:
            self._on_notification()


class PostgresNotifier(Notifier):
    """Notifications by PostgreSQL's LISTEN and NOTIFY."""

    async def _serve_connection(self) -> None:
        connection = await asyncpg.connect(
            self._address, timeout=TIMEOUT_SECONDS, server_settings={"application_name": "bank_graphql listener"}
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, lambda _connection, _pid, _channel, payload: self._received(payload))
            self._on_notification()  # notifications before this connection are lost
            while not lost.is_set():
                if await self._wait_to_send(lost):
                    await connection.fetchval("SELECT pg_notify($1, $2)", self._channel, self._sender_id, timeout=TIMEOUT_SECONDS)
                    await asyncio.sleep(MIN_INTERVAL_SECONDS)
                elif not lost.is_set() and await connection.fetchval(IS_READ_ONLY, timeout=TIMEOUT_SECONDS):
                    return  # after a failover this is the former primary, where nobody sends notifications
        finally:
            connection.terminate()


class RedisNotifier(Notifier):
    """Notifications by Redis, for loads at which PostgreSQL's NOTIFY would be the bottleneck."""

    def __init__(
        self,
        address: str,
        channel: str,
        on_notification: Callable[[], None],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        import redis.asyncio  # noqa: PLC0415 - takes a tenth of the start-up time, which only processes with Redis should spend

        super().__init__(address, channel, on_notification, heartbeat_seconds=heartbeat_seconds)
        self._connection_errors = (*self._connection_errors, redis.RedisError)
        self._connect: Callable[[], Redis] = partial(
            redis.asyncio.from_url, address, socket_connect_timeout=TIMEOUT_SECONDS, decode_responses=True
        )

    async def _serve_connection(self) -> None:
        client = self._connect()
        lost = asyncio.Event()
        receiving: asyncio.Task[None] | None = None
        try:
            async with client.pubsub() as channel:
                await channel.subscribe(self._channel)
                receiving = asyncio.create_task(self._receive(channel))
                receiving.add_done_callback(lambda _: lost.set())
                self._on_notification()  # notifications before this connection are lost
                while not lost.is_set():
                    to_send = await self._wait_to_send(lost)
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        await (client.publish(self._channel, self._sender_id) if to_send else client.ping())
                    await asyncio.sleep(MIN_INTERVAL_SECONDS)
        finally:
            if receiving is not None:
                receiving.cancel()
                with suppress(asyncio.CancelledError, *self._connection_errors):
                    await receiving
            await client.aclose()

    async def _receive(self, channel: "PubSub") -> None:
        async for message in channel.listen():
            if message["type"] == "message":
                self._received(message["data"])
