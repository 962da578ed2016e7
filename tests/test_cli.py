"""The command line's messages: each says in one line what is wrong and what to do next."""

import getpass
import io
import os
import sys
from collections.abc import Callable

import asyncpg
import pytest

from bank_graphql import cli, cli_audit
from bank_graphql.kit import terminal
from bank_graphql.kit.checks import Finding
from bank_graphql.kit.errors import ConfigurationError, Unavailable


def raising(error: Exception, cause: Exception | None = None) -> Callable[[], None]:
    """Return a command that fails."""

    def fail() -> None:
        raise error from cause

    return fail


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (raising(ConfigurationError("Set BANK_PORT.")), "Set BANK_PORT."),
        (raising(Unavailable()), "The database cannot be reached."),
        (raising(Unavailable(), ConnectionRefusedError(111, "Connection refused")), "The database cannot be reached: "),
        (raising(asyncpg.InsufficientPrivilegeError("permission denied for table users")), "Run 'bank-graphql migrate'"),
        (raising(asyncpg.UndefinedTableError('relation "users" does not exist')), "Run 'bank-graphql migrate'"),
        (raising(asyncpg.DiskFullError("could not extend file")), "The database cannot be written to: "),
    ],
)
def test_an_error_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: Callable[[], None], message: str
) -> None:
    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert line.startswith("bank-graphql: ")
    assert message in line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("second", ["a fine long passphrase", "another"])
def test_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], second: str) -> None:
    typed = iter(["a fine long passphrase", second])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))
    if second == "another":
        with pytest.raises(SystemExit):
            terminal.read_password()
        assert capsys.readouterr().err == "bank-graphql: The two passwords differ.\n"
    else:
        assert terminal.read_password() == second


def test_verification_continues_when_its_reader_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        for _ in range(2):
            cli_audit.print_finding(Finding("zero sums", examined=10, first_problem=None))
