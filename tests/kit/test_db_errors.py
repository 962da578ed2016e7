"""Messages about errors of the database and of the connection to it."""

import socket
import ssl

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from bank_graphql.kit.db_errors import as_configuration_error, describe, is_write_error, to_fault
from bank_graphql.kit.errors import ConfigurationError, Unavailable

REFUSED = OSError(111, "Connect call failed ('127.0.0.1', 5432)")
CERTIFICATE = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (REFUSED, "connection refused (127.0.0.1, port 5432)"),
        (OSError(101, "Connect call failed ('2001:db8::1', 5432, 0, 0)"), "network is unreachable (2001:db8::1, port 5432)"),
        (
            OSError(f"Multiple exceptions: [Errno 113] Connect call failed ('::1', 1, 0, 0), {REFUSED}"),
            "no route to host (::1, port 1), connection refused (127.0.0.1, port 5432)",
        ),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (FileNotFoundError(2, "No such file or directory"), "no such file or directory"),
        (FileNotFoundError(2, "No such file or directory", "/root.crt"), "no such file or directory: /root.crt"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (TimeoutError(), "no answer in time"),
        (ssl.SSLCertVerificationError(1, CERTIFICATE), "certificate verify failed: self-signed certificate"),
        (
            ConnectionError('PostgreSQL server at "db:5432" rejected SSL upgrade'),
            'PostgreSQL server at "db:5432" rejected SSL upgrade',
        ),
        (
            asyncpg.InvalidPasswordError('password authentication failed for user "x"'),
            'password authentication failed for user "x"',
        ),
        (asyncpg.UniqueViolationError("duplicate key\nDETAIL: Key (email)=(secret)"), "duplicate key"),
        (asyncpg.ConnectionDoesNotExistError("connection was closed."), "connection was closed"),
        (OSError(), "OSError"),
        (DBAPIError("SELECT 1", None, ValueError("wrapped")), "wrapped"),
    ],
)
def test_an_error_is_described_by_its_reason_in_a_line(error: Exception, described: str) -> None:
    assert describe(error) == described
    unavailable = Unavailable()
    unavailable.__cause__ = error
    if not isinstance(error, DBAPIError):
        assert describe(unavailable) == described


@pytest.mark.parametrize(
    ("error", "is_unavailable"),
    [
        (asyncpg.InsufficientPrivilegeError("permission denied for table entries"), False),
        (asyncpg.InsufficientPrivilegeError('could not open file "base/5/16384": Permission denied'), True),  # a read-only disk
        (asyncpg.DiskFullError("no space left"), True),
        (asyncpg.UndefinedFileError("no such file"), True),
        (asyncpg.PostgresIOError("input/output error"), True),
        (asyncpg.InternalServerError("could not create temporary file"), True),
        (asyncpg.DataCorruptedError("invalid page"), False),
        (asyncpg.IndexCorruptedError("unexpected zero page"), False),
        (asyncpg.UniqueViolationError("duplicate key"), False),
        (None, False),
    ],
)
def test_a_database_without_its_files_is_unavailable(error: Exception | None, is_unavailable: bool) -> None:
    assert is_write_error(error) is is_unavailable
    assert isinstance(to_fault(error), Unavailable) is is_unavailable


def test_a_database_that_cannot_be_reached_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError) as error, as_configuration_error():
        raise REFUSED
    assert str(error.value) == "The database cannot be reached: connection refused (127.0.0.1, port 5432). Check DATABASE_URL."
