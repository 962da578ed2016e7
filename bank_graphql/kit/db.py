"""The database: statements (see `statements`) run on asyncpg's own connections.

Reads run in autocommit, each a single round trip. `Database.transact` is the only place that writes in transactions.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
import structlog

from bank_graphql.kit import db_session
from bank_graphql.kit.db_errors import (
    CONNECTION_ERRORS,
    LOST_CONNECTION_ERRORS,
    READ_ONLY_ERROR,
    RETRYABLE_ERRORS,
    WRITE_ERRORS,
    as_configuration_error,
    to_fault,
)
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.statements import Insert, Query, Row, Writes

R = TypeVar("R", bound=Row)
T = TypeVar("T")
ATTEMPTS = 5
_AS_LONG_AS_IT_TAKES = 30 * 24 * 3600.0
_log = structlog.get_logger(__name__)


class Connection:
    """Runs statements on one connection: in autocommit, or in the transaction that `Database.transact` holds.

    A transaction begins with its first statement.
    """

    def __init__(self, raw: Any, timeout: float | None = None, *, begins: bool = False) -> None:
        self.raw = raw
        self._timeout = timeout  # None is the pool's own
        self._begins = begins

    async def begin(self, also: str = "") -> None:
        """Begin the transaction, if that is still to be done; and run a statement without arguments in the same round trip."""
        first, self._begins = _BEGIN if self._begins else "", False
        if first or also:
            await self.raw.execute(first + also)

    async def end(self, how: str) -> None:
        """End the transaction by `COMMIT` or `ROLLBACK`, if it has begun."""
        if not self._begins:
            await self.raw.execute(how)

    async def lock(self, keys: Iterable[int]) -> None:
        """Take advisory locks, always in the same order, until the transaction ends."""
        ordered = sorted(set(keys))
        if ordered:
            await self.begin(db_session.LOCK.format(",".join(map(str, ordered))))

    async def fetch(self, query: Query[R], **arguments: Any) -> list[R]:
        """All rows."""
        if self._begins:
            await self.begin()
        rows: list[R] = await self.raw.fetch(
            query.sql, *query.arguments(arguments), timeout=self._timeout, record_class=query.record
        )
        return rows

    async def fetch_one(self, query: Query[R], **arguments: Any) -> R | None:
        """The first row, or None."""
        rows = await self.fetch(query, **arguments)
        return rows[0] if rows else None

    async def execute(self, query: Query[Any], **arguments: Any) -> None:
        """Run a statement for its effect."""
        await self.fetch(query, **arguments)

    async def write(self, writes: Writes) -> None:
        """Run what was gathered, as one statement; nothing is nothing."""
        if (gathered := writes.statement) is not None:
            await self.begin()
            await self.raw.fetch(gathered[0], *gathered[1])

    async def insert(self, into: Insert, rows: Sequence[Sequence[Any]]) -> None:
        """Insert the rows, or do nothing if there are none."""
        if rows:
            query, arguments = into.of(rows)
            await self.execute(query, **arguments)


class _PooledConnection(asyncpg.Connection):
    """A connection whose return to the pool costs no round trip: we leave no session state behind."""

    def get_reset_query(self) -> str:
        return ""


_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; "
_PLANS_SECONDS = 60
"""How long a plan is kept, at the most. One that is made while a table is empty is no good for more."""
_LOCK_TABLE = """
SELECT current_setting('max_locks_per_transaction')::bigint
    * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
"""
_NEEDS_DISK = """
BEGIN; SET LOCAL work_mem = '64kB';
SELECT count(*) FROM (SELECT n FROM generate_series(1, 50000) AS n ORDER BY -n OFFSET 0) AS sorted; COMMIT
"""
"""Sorts half a megabyte on the database's disk: that fails as long as the disk is full, and leaves nothing behind."""


class Database:
    """A pool of connections that never overflows, and the transactions on it."""

    def __init__(self, pool: "asyncpg.Pool[Any]", acquire_timeout: float) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout
        self._ready: list[Any] = []  # the pool's own lending takes as long as a small statement
        self._waiting = 0
        self._is_renewing = False
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
        role: str | None = None,
    ) -> "Database":
        """Connect.

        Args:
            dsn: where the database is, `postgresql://…`.
            min_size: connections opened at once.
            max_size: connections at the most; further work waits for one.
            statement_timeout: seconds after which the server gives a statement up.
            acquire_timeout: seconds to wait for a free connection.
            role: the role to act in.

        Raises:
            ConfigurationError: the database cannot be reached, refuses us, is older than PostgreSQL 15, only allows reading, or
                is behind a pooler that does not keep sessions.
        """
        limit = f"{int(statement_timeout * 1000)}"
        settings = {
            "timezone": "UTC",
            "jit": "off",
            **db_session.PLANS,
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
                max_cached_statement_lifetime=_PLANS_SECONDS,
                command_timeout=statement_timeout + 1,
                server_settings={"application_name": "bank_graphql"},
                connection_class=_PooledConnection,
                init=lambda raw: db_session.set_up(raw, settings),
            )
        database = cls(pool, acquire_timeout)
        try:
            with as_configuration_error("The database cannot be used"):
                async with database.connection() as first, database.connection() as second:
                    db_session.require_version(first.raw)
                    await db_session.require_sessions(first.raw, second.raw)
                await database.require_writable()
        except BaseException:
            await database.close()
            raise
        return database

    async def lock_table_size(self) -> int:
        """How many locks the server's transactions may hold at a time, all together."""
        async with self.connection() as connection:
            size: int = await connection.raw.fetchval(_LOCK_TABLE)
        return size

    async def require_writable(self) -> None:
        """Make sure that the database answers and can be written to.

        Raises:
            Unavailable: it does not, or cannot. `str(error.__cause__)` is the reason.
        """
        async with self.connection() as connection:
            if await connection.raw.fetchval(db_session.IS_READ_ONLY):
                raise READ_ONLY_ERROR("it only allows reading: it is a standby, or default_transaction_read_only is on")
            if self._write_error is not None:
                await connection.raw.execute(_NEEDS_DISK)
        self._write_error = None

    async def close(self) -> None:
        """Close all connections, waiting a moment for those in use."""
        while self._ready:
            await self._pool.release(self._ready.pop())
        try:
            await asyncio.wait_for(self._pool.close(), timeout=self._acquire_timeout)
        except TimeoutError:
            self._pool.terminate()

    def connection(self) -> "_Lease":
        """A connection in autocommit, by `async with`.

        Raises:
            Unavailable: there is none to be had, or it broke.
        """
        return _Lease(self)

    async def lend(self) -> Any:
        """A connection of the driver's that nobody uses: one that lies ready, or else the pool's."""
        while self._ready:
            raw = self._ready.pop()
            with suppress(asyncpg.InterfaceError):  # said of one that the pool has given up already
                if not raw.is_closed():
                    return raw
            await self._pool.release(raw)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=self._acquire_timeout)
        finally:
            self._waiting -= 1

    async def take_back(self, raw: Any, *, as_new: bool) -> None:
        """Take a connection back: to lie ready, or by way of the pool, which sees to it that it is as new and hands it on."""
        if as_new and not self._waiting and not self._is_renewing:
            self._ready.append(raw)
        else:
            await self._pool.release(raw)

    async def record_write_error(self, error: Exception) -> None:
        """Take note that the database cannot be written to, for `require_writable`; replace connections that can only read.

        What one connection met holds for all that were made before: after a failover they lead to the former primary.
        """
        if self._write_error is None:
            _log.error("the database cannot be written to", reason=str(error))
        self._write_error = str(error)
        if isinstance(error, READ_ONLY_ERROR) and not self._is_renewing:
            self._is_renewing = True
            await self._pool.expire_connections()
            while self._ready:
                await self._pool.release(self._ready.pop())
            # Connections in use until then go back to the pool, which closes them.
            asyncio.get_running_loop().call_later(self._acquire_timeout, self._renewed)

    def _renewed(self) -> None:
        self._is_renewing = False

    async def fetch(self, query: Query[R], **arguments: Any) -> list[R]:
        """All rows of a read, in autocommit; tried again if the connection turns out to be lost."""
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

    async def fetch_one(self, query: Query[R], **arguments: Any) -> R | None:
        """The first row of a read, or None."""
        rows = await self.fetch(query, **arguments)
        return rows[0] if rows else None

    async def snapshot(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` on one unchanging view of the database, for as long as it takes; it can only read."""
        async with (
            self.connection() as connection,
            connection.raw.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.raw.execute("".join(f"SET LOCAL {name} = {value};" for name, value in db_session.FREE_PLANS.items()))
            return await work(Connection(connection.raw, _AS_LONG_AS_IT_TAKES))

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction and commit it; roll back and raise if it raises.

        Serialization failures, deadlocks, plans made stale by live changes of the schema, and connections that are lost before
        the commit are tried again, a bounded number of times, so `work` must be safe to call again after its transaction was
        rolled back. When the connection is lost during the commit, nobody knows how it went: the caller asks again, with its key.

        Raises:
            Unavailable: the database cannot be reached, or the attempts are used up.
        """
        for attempt in range(ATTEMPTS):
            committing = False
            try:
                async with self.connection() as autocommit:
                    connection = Connection(autocommit.raw, begins=True)
                    try:
                        result = await work(connection)
                    except Exception:
                        with suppress(asyncpg.PostgresError, *CONNECTION_ERRORS):  # what was raised first is what counts
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
                self._write_error = None
                return result
            await _pause(attempt)
        raise Unavailable


class _Lease:
    """A connection for as long as an `async with` takes."""

    __slots__ = ("_database", "_raw")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Connection:
        try:
            self._raw = await self._database.lend()
        except CONNECTION_ERRORS as error:
            raise Unavailable from error
        return Connection(self._raw)

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        raw = self._raw
        fault = to_fault(error)
        if isinstance(error, WRITE_ERRORS):
            await self._database.record_write_error(error)
        as_new = False
        with suppress(asyncpg.InterfaceError):  # it is gone already
            as_new = error is None and not raw.is_in_transaction()
            if not as_new and (isinstance(fault or error, Unavailable) or raw.is_in_transaction()):
                raw.terminate()
        await self._database.take_back(raw, as_new=as_new)
        if fault is not None:
            raise fault from error


async def can_set_role(dsn: str, role: str, *, insert_into: str) -> bool:
    """Whether we can act in another role, and it may write to this table.

    Raises:
        ConfigurationError: the database cannot be reached.
    """
    with as_configuration_error():
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            if await connection.fetchval("SELECT current_user") == role:
                return False  # we are that role already
            async with connection.transaction():
                await connection.execute(f'SET LOCAL ROLE "{role}"')
                return bool(await connection.fetchval("SELECT has_any_column_privilege($1, 'INSERT')", insert_into))
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError, asyncpg.UndefinedTableError):
            return False
        finally:
            await connection.close()


async def _pause(attempt: int) -> None:
    await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
