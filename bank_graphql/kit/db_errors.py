"""Classify the driver's errors (the database cannot be reached or written to, or a retry may help), and translate them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError

from bank_graphql.kit.errors import BadRequest, ConfigurationError, Fault, Unavailable

RETRYABLE_ERRORS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutOfMemoryError,  # the lock table is full at the moment, or the session gets no more from the system
)
"""A transaction that failed with one of these runs again."""
CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised when the server closes a connection while the driver is working on it
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
"""The database cannot be reached, or the connection to it is lost."""
DRIVER_ERRORS = (*CONNECTION_ERRORS, asyncpg.PostgresError)
"""All that the driver raises, apart from refusing an argument."""
READ_ONLY_ERROR = asyncpg.ReadOnlySQLTransactionError
"""The server has become a standby, or was set to be read-only."""
_WRITE_ERRORS = (READ_ONLY_ERROR, asyncpg.DiskFullError, asyncpg.PostgresSystemError)
LOST_CONNECTION_ERRORS = (
    ConnectionError,
    FileNotFoundError,  # a Unix socket whose server is restarting
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    READ_ONLY_ERROR,
)
"""A transaction that failed with one of these before its commit had no effect: it may run again on another connection."""
_LOST_SESSION_ERRORS = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
"""Raised for prepared statements when a pooler has given the session to another client."""
_FAILED_CALL = re.compile(r"\[Errno (\d+)\] Connect call failed \('([^']*)', (\d+)")
"""How asyncio describes an address that cannot be connected to. It lists several if the host's name has several."""
_TLS_DECORATION = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
"""What OpenSSL's messages have before and after the text for people."""
POOLER_WITHOUT_SESSIONS = (
    "The database is behind a connection pooler that does not keep sessions. "
    "The bank needs one session for each connection: set pool_mode=session in PgBouncer, or connect to PostgreSQL itself."
)


def to_fault(error: BaseException | None) -> Fault | None:
    """Return the fault that an error of the driver means to the caller, or None if it means none.

    It is `Unavailable` if the database cannot be reached or written to, and `BadRequest` for text that PostgreSQL cannot store.
    """
    if isinstance(error, ValueError):  # the driver refuses an argument, which is our bug and not a connection error
        return None
    if isinstance(error, CONNECTION_ERRORS) or is_write_error(error):
        return Unavailable()
    if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError):
        return BadRequest("Text may not contain the character NUL.")
    return None


def is_write_error(error: BaseException | None) -> bool:
    """Return whether the database can be reached, but its files cannot be written to or read at the moment.

    A file on a read-only disk has the code of a missing right, but another message: "could not open file". What PostgreSQL has no
    code for is an internal error. Corrupted data has codes of its own, and is none of these.
    """
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return str(error).startswith("could not ")
    return isinstance(error, _WRITE_ERRORS) or type(error) is asyncpg.InternalServerError


def describe(error: BaseException) -> str:
    """Return the reason of an error of the database or the system, in one line.

    It is the first line of the message only: the details that follow may quote rows.
    """
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
    elif isinstance(error, Unavailable) and error.__cause__ is not None:
        cause = error.__cause__
    text = _describe_system_error(cause) if isinstance(cause, OSError) else str(cause)
    return (text or type(cause).__name__).splitlines()[0].rstrip(".")


def _describe_system_error(error: OSError) -> str:
    """Return the reason without error numbers and tuples, e.g. "connection refused (127.0.0.1, port 5432)"."""
    if failed := _FAILED_CALL.findall(str(error)):
        return ", ".join(f"{_lower_first(os.strerror(int(number)))} ({host}, port {port})" for number, host, port in failed)
    if error.strerror is None:
        return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else "")
    reason = _lower_first(_TLS_DECORATION.sub("", error.strerror))
    return f"{reason}: {error.filename}" if error.filename else reason


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


@contextmanager
def as_configuration_error(what: str = "The database cannot be reached", advice: str = "Check DATABASE_URL.") -> Iterator[None]:
    """Translate errors of the database inside a `with` block to a `ConfigurationError` with a message of one line.

    Args:
        what: a sentence, without its full stop, that says what failed.
        advice: a sentence that says what to do about it.

    Raises:
        ConfigurationError: the block raised an error of the database, of the connection to it, or of its address.
    """
    try:
        yield
    except _LOST_SESSION_ERRORS as error:
        raise ConfigurationError(POOLER_WITHOUT_SESSIONS) from error
    except (Unavailable, *DRIVER_ERRORS, DBAPIError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"{what}: {describe(error)}. {advice}") from error
