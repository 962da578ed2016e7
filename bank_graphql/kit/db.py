"""The database: statements (see `statements`) run on asyncpg's own connections.

Reads run in autocommit, each a single round trip. `Database.transact` is the only place that writes in transactions.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import asyncpg
import structlog

from bank_graphql.kit.errors import BadRequest, ConfigurationError, Unavailable
from bank_graphql.kit.statements import Insert, Query, Row, Writes

R = TypeVar("R", bound=Row)
T = TypeVar("T")
MINIMUM_VERSION = 15
ATTEMPTS = 5
_TRANSIENT = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutOfMemoryError,  # the lock table is full just now
)
_OUT_OF_REACH = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says when the server ends a connection in the midst of its work
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
)
_LOST = (
    ConnectionError,
    FileNotFoundError,  # a Unix socket whose server is just being started again
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
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
            await self.begin(_LOCK.format(",".join(map(str, ordered))))

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
_FOR_ALL_ROWS = [f"enable_{each}" for each in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "incremental_sort")]
_ALLOWED = {"statement_timeout": "0", "join_collapse_limit": "8", **dict.fromkeys(_FOR_ALL_ROWS, "on")}
_PLANS = {
    # Otherwise a statement's first runs are planned anew for their own arguments, and for long arrays that is to read whole
    # tables: with millions of rows, seconds instead of milliseconds.
    "plan_cache_mode": "force_generic_plan",
    # A plan made once, of figures that may be wrong or of another day, must be good for any: so a statement's tables are read by
    # their indexes, in the order written, a row at a time. Whoever examines all rows allows more again: see `snapshot`.
    "join_collapse_limit": "1",
    **dict.fromkeys(_FOR_ALL_ROWS, "off"),
}
_PLANS_SECONDS = 60
"""How long a plan is kept, at the most. One that is made while a table is empty is no good for more."""
_PREPARE_LOCK = "PREPARE take_locks (bigint[]) AS SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1) AS locks (key)"
_LOCK = "EXECUTE take_locks('{{{}}}')"
"""Goes along with BEGIN in one round trip, which takes a statement in plain text: planned once a connection all the same."""
_LOCK_TABLE = """
SELECT current_setting('max_locks_per_transaction')::bigint
    * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
"""


class Database:
    """A pool of connections that never overflows, and the transactions on it."""

    def __init__(self, pool: "asyncpg.Pool[Any]", acquire_timeout: float) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout
        self._ready: list[Any] = []  # the pool's own lending takes as long as a small statement
        self._waiting = 0

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
            ConfigurationError: the database cannot be reached, refuses us, or is older than PostgreSQL 15.
        """
        settings = {
            "application_name": "bank_graphql",
            "timezone": "UTC",
            "jit": "off",
            **_PLANS,
            "statement_timeout": f"{int(statement_timeout * 1000)}",
            "idle_in_transaction_session_timeout": f"{int(statement_timeout * 1000)}",
        }
        if role is not None:
            settings["role"] = role
        with reaching():
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min(min_size, max_size),
                max_size=max_size,
                timeout=acquire_timeout,
                max_cached_statement_lifetime=_PLANS_SECONDS,
                command_timeout=statement_timeout + 1,
                server_settings=settings,
                connection_class=_PooledConnection,
                init=lambda raw: raw.execute(_PREPARE_LOCK),
            )
            database = cls(pool, acquire_timeout)
            async with database.connection() as connection:
                version = connection.raw.get_server_version()
        if version.major < MINIMUM_VERSION:
            await database.close()
            raise ConfigurationError(
                f"The database is PostgreSQL {version.major}; PostgreSQL {MINIMUM_VERSION} or newer is needed."
            )
        return database

    async def lock_table_size(self) -> int:
        """How many locks the server's transactions may hold at a time, all together."""
        async with self.connection() as connection:
            size: int = await connection.raw.fetchval(_LOCK_TABLE)
        return size

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Unavailable: there is none.
        """
        async with self.connection() as connection:
            await connection.raw.fetchval("SELECT 1")

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
        if as_new and not self._waiting:
            self._ready.append(raw)
        else:
            await self._pool.release(raw)

    async def fetch(self, query: Query[R], **arguments: Any) -> list[R]:
        """All rows of a read, in autocommit; tried again if the connection turns out to be lost."""
        for attempt in range(ATTEMPTS):
            try:
                async with self.connection() as connection:
                    return await connection.fetch(query, **arguments)
            except _TRANSIENT:
                await _pause(attempt)
            except Unavailable as error:
                if not isinstance(error.__cause__, _LOST):
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
            await connection.raw.execute("".join(f"SET LOCAL {name} = {value};" for name, value in _ALLOWED.items()))
            return await work(Connection(connection.raw, _AS_LONG_AS_IT_TAKES))

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction and commit it; roll back and raise if it raises.

        Serialization failures, deadlocks, plans made stale by live changes of the schema, and connections that are lost before
        the commit are tried again, a bounded number of times, so `work` must be safe to call again after its transaction was
        rolled back. When the connection is lost during the commit, nobody knows how it went: the caller asks again, with its key.

        Raises:
            Unavailable: the database is out of reach, or the attempts are used up.
        """
        for attempt in range(ATTEMPTS):
            committing = False
            try:
                async with self.connection() as autocommit:
                    connection = Connection(autocommit.raw, begins=True)
                    try:
                        result = await work(connection)
                    except Exception:
                        with suppress(asyncpg.PostgresError, *_OUT_OF_REACH):  # what was raised first is what counts
                            await connection.end("ROLLBACK")
                        raise
                    committing = True
                    await connection.end("COMMIT")
            except _TRANSIENT as error:
                _log.warning("transaction tried again", sqlstate=error.sqlstate, attempt=attempt + 1)
            except Unavailable as error:
                if committing or not isinstance(error.__cause__, _LOST):
                    raise
            else:
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
        except _OUT_OF_REACH as error:
            raise Unavailable from error
        return Connection(self._raw)

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        raw = self._raw
        fault = _translated(error)
        as_new = False
        with suppress(asyncpg.InterfaceError):  # it is gone already
            as_new = error is None and not raw.is_in_transaction()
            if not as_new and (isinstance(fault or error, Unavailable) or raw.is_in_transaction()):
                raw.terminate()
        await self._database.take_back(raw, as_new=as_new)
        if fault is not None:
            raise fault from error


async def may_act_as(dsn: str, role: str, *, insert_into: str) -> bool:
    """Whether we can act in another role, and it may write to this table.

    Raises:
        ConfigurationError: the database cannot be reached.
    """
    with reaching():
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


@contextmanager
def reaching() -> Iterator[None]:
    """Tells in a line why a database cannot be reached at all.

    Raises:
        ConfigurationError: instead of whatever the driver says.
    """
    try:
        yield
    except (Unavailable, *_OUT_OF_REACH, asyncpg.PostgresError, ValueError, OverflowError) as error:
        cause = error.__cause__ or error
        reason = (str(cause) or type(cause).__name__).splitlines()[0].rstrip(".")
        raise ConfigurationError(f"The database cannot be reached: {reason}. Check DATABASE_URL.") from error


def _translated(error: BaseException | None) -> Exception | None:
    """The driver's ways of saying "out of reach" as `Unavailable`, and text that no column holds as `BadRequest`."""
    if isinstance(error, ValueError):  # the driver refuses an argument: our fault, not the database's
        return None
    if isinstance(error, _OUT_OF_REACH):
        return Unavailable()
    if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError):
        return BadRequest("Text may not contain the character NUL.")
    return None


async def _pause(attempt: int) -> None:
    await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
