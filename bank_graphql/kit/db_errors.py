"""Translate the driver's errors: which mean that the database cannot be reached or written to, and which may be tried again."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError

from bank_graphql.kit.errors import BadRequest, ConfigurationError, Unavailable

TRANSIENT = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutOfMemoryError,  # the lock table is full just now
)
"""After these a transaction is run again on the same connection."""
CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says when the server ends a connection in the midst of its work
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
"""The database, or the connection to it, is not there just now."""
READ_ONLY = asyncpg.ReadOnlySQLTransactionError
"""The server has become a standby, or was set to allow reading only."""
WRITE_FAULTS = (READ_ONLY, asyncpg.DiskFullError, asyncpg.PostgresIOError)
"""The database answers, and cannot be written to just now."""
LOST = (
    ConnectionError,
    FileNotFoundError,  # a Unix socket whose server is just being started again
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    READ_ONLY,
)
"""Nothing of the transaction has happened: it may be run again on another connection."""
_NO_SESSION = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
"""What statements that were prepared before meet when a pooler has handed the session to someone else."""
SESSION_NEEDED = (
    "The database is behind a connection pooler that does not keep sessions. "
    "The bank needs one session for each connection: set pool_mode=session in PgBouncer, or connect to PostgreSQL itself."
)


def translate(error: BaseException | None) -> Exception | None:
    """Return `Unavailable` for a database that is not there or cannot be written to, `BadRequest` for text that no column holds.

    None stands for every other error, which stays as it is.
    """
    if isinstance(error, ValueError):  # the driver refuses an argument: our fault, not the database's
        return None
    if isinstance(error, (*CONNECTION_ERRORS, *WRITE_FAULTS)):
        return Unavailable()
    if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError):
        return BadRequest("Text may not contain the character NUL.")
    return None


def describe(error: BaseException) -> str:
    """Return the first line of what the database, or the system, gave as the reason. It has no details, which may quote rows."""
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
    elif isinstance(error, Unavailable) and error.__cause__ is not None:
        cause = error.__cause__
    return (str(cause) or type(cause).__name__).splitlines()[0].rstrip(".")


@contextmanager
def connection_errors(what: str = "The database cannot be reached", advice: str = "Check DATABASE_URL.") -> Iterator[None]:
    """Raise what goes wrong as one line.

    Args:
        what: what could not be done.
        advice: what to do about it.

    Raises:
        ConfigurationError: instead of what the driver raises.
    """
    try:
        yield
    except _NO_SESSION as error:
        raise ConfigurationError(SESSION_NEEDED) from error
    except (Unavailable, *CONNECTION_ERRORS, asyncpg.PostgresError, DBAPIError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"{what}: {describe(error)}. {advice}") from error
