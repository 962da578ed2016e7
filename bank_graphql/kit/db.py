"""A pool of database connections, and the transactions on it.

The statements of `kit.statements` run on asyncpg's own connections. Reads run in autocommit, so that each takes a single round
trip. Only `Database.transact` writes, in transactions.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import asyncpg
import structlog

from bank_graphql.kit import db_session
from bank_graphql.kit.db_errors import (
    DRIVER_ERRORS,
    LOST_CONNECTION_ERRORS,
    READ_ONLY_ERROR,
    RETRYABLE_ERRORS,
    as_configuration_error,
    is_write_error,
    to_fault,
)
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.statements import Insert, Query, Reads, Row, Writes

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection of the driver's pool."""
R = TypeVar("R", bound=Row)
T = TypeVar("T")
ATTEMPTS = 5
"""How often a read or a transaction is tried before it fails as `Unavailable`."""
_UNLIMITED_SECONDS = 30 * 24 * 3600.0
_log = structlog.get_logger(__name__)


class Connection:
    """Runs statements on one connection: in autocommit, or in the transaction of `Database.transact`.

    Args:
        raw: the driver's connection.
        timeout: seconds after which the client gives a statement up; None for the pool's timeout.
        is_in_transaction: whether to begin a transaction with the first statement. The caller ends it with `end`.
    """

    def __init__(self, raw: PooledConnection, timeout: float | None = None, *, is_in_transaction: bool = False) -> None:
        self.raw = raw
        self._timeout = timeout
        self._must_begin = is_in_transaction

    async def begin(self, first_statement: str = "") -> None:
        """Begin the transaction if it has not begun, and run a statement without arguments in the same round trip."""
        begin, self._must_begin = _BEGIN if self._must_begin else "", False
        if begin or first_statement:
            await self.raw.execute(begin + first_statement)

    async def end(self, command: str) -> None:
        """End the transaction with `COMMIT` or `ROLLBACK`, if it has begun."""
        if not self._must_begin:
            await self.raw.execute(command)

    async def lock(self, keys: Iterable[int]) -> None:
        """Take advisory locks until the end of the transaction. They are sorted, so that transactions do not deadlock."""
        ordered = sorted(set(keys))
        if ordered:
            await self.begin(db_session.LOCK.format(",".join(map(str, ordered))))

    async def fetch(self, query: Query[R], **arguments: object) -> list[R]:
        """Run a statement and return its rows."""
        if self._must_begin:
            await self.begin()
        return await self.raw.fetch(query.sql, *query.arguments(arguments), timeout=self._timeout, record_class=query.record)

    async def fetch_one(self, query: Query[R], **arguments: object) -> R | None:
        """Run a statement and return its first row, or None if it has none."""
        rows = await self.fetch(query, **arguments)
        return rows[0] if rows else None

    async def execute(self, query: Query[Row], **arguments: object) -> None:
        """Run a statement and discard its result."""
        await self.fetch(query, **arguments)

    async def write(self, writes: Writes) -> None:
        """Run the collected statements as one. Do nothing if there are none."""
        if (statement := writes.statement) is not None:
            sql, arguments = statement
            await self.begin()
            await self.raw.fetch(sql, *arguments)

    async def insert(self, into: Insert, rows: Sequence[Sequence[object]]) -> None:
        """Insert the rows. Do nothing if there are none."""
        if rows:
            query, arguments = into.bind(rows)
            await self.execute(query, **arguments)


class _StatelessConnection(asyncpg.Connection):
    """A connection that is returned to the pool without a round trip. There is no session state to reset."""

    def get_reset_query(self) -> str:
        return ""


_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; "
_PLAN_LIFETIME_SECONDS = 60
"""The longest that the plan of a prepared statement is used. A plan made for an empty table is bad for a full one."""
_USE_DISK = """
BEGIN; SET LOCAL work_mem = '64kB';
SELECT count(*) FROM (SELECT n FROM generate_series(1, 50000) AS n ORDER BY -n OFFSET 0) AS sorted; COMMIT
"""
"""Sort half a megabyte on the server's disk. This fails while the disk is full, and leaves nothing behind."""


class Database(Reads):
    """A pool of connections with a fixed maximum, and the transactions on it.

    Args:
        pool: the driver's pool.
        acquire_timeout: seconds to wait for a free connection.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", acquire_timeout: float) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout
        self._idle: list[PooledConnection] = []  # kept here, because the pool's own acquire takes as long as a small statement
        self._waiting = 0
        self._is_replacing = False
        self._is_closing = False
        self._write_error: str | None = None

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        min_size: int = 2,
        max_size: int = 10,
        statement_timeout: float = 15.0,
        acquire_timeout: float = 10.0,
        schema: str = db_session.PUBLIC,
        role: str | None = None,
        is_replica: bool = False,
        query_logger: "Callable[[LoggedQuery], None] | None" = None,
    ) -> "Database":
        """Connect to a database.

        Args:
            dsn: the address, `postgresql://…`.
            min_size: the number of connections opened at once.
            max_size: the maximum number of connections; work beyond it waits for one.
            statement_timeout: seconds after which the server cancels a statement.
            acquire_timeout: seconds to wait for a connection.
            schema: the schema with the bank's tables.
            role: the role to set in each session; None to stay the user who connects.
            is_replica: whether it is a standby, to read from only.
            query_logger: called after each statement; None for nothing.

        Raises:
            ConfigurationError: the database cannot be reached, refuses the user, is older than PostgreSQL 15, is read-only, or is
                behind a pooler that does not keep sessions.
        """
        limit = f"{int(statement_timeout * 1000)}"
        settings = {
            "timezone": "UTC",
            "jit": "off",
            **db_session.INDEX_PLANS,
            "statement_timeout": limit,
            "idle_in_transaction_session_timeout": limit,
            **({} if role is None else {"role": role}),
        }
        with as_configuration_error():
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min(min_size, max_size),
                max_size=max_size,
                timeout=acquire_timeout,
                max_cached_statement_lifetime=_PLAN_LIFETIME_SECONDS,
                command_timeout=statement_timeout + 1,
                server_settings={"application_name": "bank_graphql"},
                connection_class=_StatelessConnection,
                init=partial(db_session.set_up, settings=settings, schema=schema, query_logger=query_logger),
            )
        database = cls(pool, acquire_timeout)
        try:
            with as_configuration_error("The database cannot be used"):
                async with database.connection() as first, database.connection() as second:
                    db_session.require_version(first.raw)
                    await db_session.require_sessions(first.raw, second.raw)
                if not is_replica:
                    await database.require_writable()
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def connection_count(self) -> int:
        """The number of open connections."""
        return self._pool.get_size()

    @property
    def idle_count(self) -> int:
        """The number of open connections that are not in use."""
        return len(self._idle) + self._pool.get_idle_size()

    @property
    def waiting_count(self) -> int:
        """The number of reads and transactions that wait for a connection."""
        return self._waiting

    async def require_writable(self) -> None:
        """Make sure that the database can be reached and written to.

        After an error of the disk, only a use of the disk shows that it is over: on a full disk some transactions still succeed.

        Raises:
            Unavailable: it cannot. `error.__cause__` is the error of the driver.
        """
        async with self.connection() as connection:
            if await connection.raw.fetchval(db_session.IS_READ_ONLY):
                raise READ_ONLY_ERROR("it is read-only: it is a standby, or default_transaction_read_only is on")
            if self._write_error is not None:
                await connection.raw.execute(_USE_DISK)
        self._write_error = None

    async def close(self) -> None:
        """Close all connections. Wait `acquire_timeout` seconds for those in use."""
        self._is_closing = True  # the pool waits for all connections, so none may be kept as idle any more
        while self._idle:
            await self._pool.release(self._idle.pop())
        try:
            await asyncio.wait_for(self._pool.close(), timeout=self._acquire_timeout)
        except TimeoutError:
            self._pool.terminate()

    def connection(self) -> "_Acquired":
        """Return an async context manager that acquires a connection in autocommit.

        Raises:
            Unavailable: no connection became free in time, or the database cannot be reached.
        """
        return _Acquired(self)

    async def acquire(self) -> PooledConnection:
        """Return an idle connection of the driver, or one from the pool."""
        while self._idle:
            raw = self._idle.pop()
            with suppress(asyncpg.InterfaceError):  # raised for a connection that the pool has closed already
                if not raw.is_closed():
                    return raw
            await self._pool.release(raw)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=self._acquire_timeout)
        finally:
            self._waiting -= 1

    async def release(self, raw: PooledConnection, *, is_clean: bool) -> None:
        """Keep a connection that was acquired as idle if it is clean and nobody waits for it; otherwise return it to the pool.

        The pool closes a connection that is broken, and gives others to those who wait.
        """
        if is_clean and not (self._waiting or self._is_replacing or self._is_closing):
            self._idle.append(raw)
        else:
            await self._pool.release(raw)

    async def record_write_error(self, error: Exception) -> None:
        """Record that the database cannot be written to, for `require_writable`. Replace all connections if it is read-only.

        After a failover all existing connections lead to the former primary, not only the one that raised the error.
        """
        if self._write_error is None:
            _log.error("the database cannot be written to", reason=str(error))
        self._write_error = str(error)
        if isinstance(error, READ_ONLY_ERROR) and not self._is_replacing:
            self._is_replacing = True
            await self._pool.expire_connections()
            while self._idle:
                await self._pool.release(self._idle.pop())
            # Until then, released connections go back to the pool, which closes the expired ones.
            asyncio.get_running_loop().call_later(self._acquire_timeout, self._replaced)

    def _replaced(self) -> None:
        self._is_replacing = False

    async def fetch(self, query: Query[R], **arguments: object) -> list[R]:
        """Run a read in autocommit and return its rows. It runs again, up to `ATTEMPTS` times, if the connection is lost.

        Raises:
            Unavailable: the database cannot be reached, or the attempts are used up.
        """
        for attempt in range(ATTEMPTS):
            try:
                async with self.connection() as connection:
                    return await connection.fetch(query, **arguments)
            except RETRYABLE_ERRORS:
                await _pause(attempt)
            except Unavailable as error:
                if not isinstance(error.__cause__, LOST_CONNECTION_ERRORS):
                    raise
                await _pause(attempt)
        raise Unavailable

    async def snapshot(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a read-only transaction on one snapshot of the database, without a time limit."""
        async with (
            self.connection() as connection,
            connection.raw.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.raw.execute(
                "".join(f"SET LOCAL {name} = {value};" for name, value in db_session.FULL_READ_PLANS.items())
            )
            return await work(Connection(connection.raw, _UNLIMITED_SECONDS))

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction, and return its result after the commit. Roll back if it raises, and raise the same.

        `work` runs again, up to `ATTEMPTS` times, after serialization failures, deadlocks, plans that a change of the schema made
        stale, and connections lost before the commit. So it must be safe to call again after a rollback. When the connection is
        lost during the commit, the outcome is unknown, and the caller has to repeat the request with its idempotency key.

        Raises:
            Unavailable: the database cannot be reached, the outcome is unknown, or the attempts are used up.
        """
        for attempt in range(ATTEMPTS):
            committing = False
            try:
                async with self.connection() as autocommit:
                    connection = Connection(autocommit.raw, is_in_transaction=True)
                    try:
                        result = await work(connection)
                    except Exception:
                        with suppress(*DRIVER_ERRORS):  # the first error is the one to raise
                            await connection.end("ROLLBACK")
                        raise
                    committing = True
                    await connection.end("COMMIT")
            except RETRYABLE_ERRORS as error:
                _log.warning("transaction tried again", sqlstate=error.sqlstate, attempt=attempt + 1)
            except Unavailable as error:
                if committing or not isinstance(error.__cause__, LOST_CONNECTION_ERRORS):
                    raise
            else:
                return result
            await _pause(attempt)
        raise Unavailable


class _Acquired:
    """Acquires a connection for the length of an `async with` block."""

    __slots__ = ("_database", "_raw")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Connection:
        try:
            self._raw = await self._database.acquire()
        except DRIVER_ERRORS as error:  # whatever it is, there is no new connection
            raise Unavailable from error
        return Connection(self._raw)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raw = self._raw
        fault = to_fault(error)
        if isinstance(error, Exception) and is_write_error(error):
            await self._database.record_write_error(error)
        is_clean = False
        with suppress(asyncpg.InterfaceError):  # raised for a connection that the pool has closed already
            is_clean = error is None and not raw.is_in_transaction()
            # What was cancelled may have begun a transaction of which the driver does not know yet.
            # A session that is out of memory may stay so. Closing it gives back what it has, and a new one needs less.
            is_lost = isinstance(fault or error, Unavailable | asyncio.CancelledError | asyncpg.OutOfMemoryError)
            if not is_clean and (is_lost or raw.is_in_transaction()):
                raw.terminate()
        await self._database.release(raw, is_clean=is_clean)
        if fault is not None:
            raise fault from error


async def _pause(attempt: int) -> None:
    await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
