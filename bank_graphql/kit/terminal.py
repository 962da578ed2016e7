"""What commands read from and write to a terminal."""

import getpass
import sys
from datetime import date, datetime
from typing import NoReturn


def megabytes(size: int) -> str:
    """Return a size in bytes for people, e.g. "12.3 MB"."""
    return f"{size / 1e6:,.1f} MB"


def read_time(text: str) -> datetime:
    """Return the time that an option gives; end the program if it is none."""
    wrong = "--to is a time with its zone, as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00."
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(wrong)
    if time.tzinfo is None:
        fail(wrong)
    return time


def read_password() -> str:
    """Return a password that is typed twice at a prompt, or read from standard input if that is no terminal."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Once more: "):
            fail("The two passwords differ.")
        return password
    return sys.stdin.readline().rstrip("\r\n")


def fail(message: str) -> NoReturn:
    """End the program with 1 and a line on standard error that says why."""
    print(f"bank-graphql: {message}", file=sys.stderr)
    raise SystemExit(1)


def read_month(text: str) -> date:
    """Return the first day of the month that an option gives; end the program if it is none."""
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no time zone
    except ValueError:
        fail("--month is a year and a month, as 2026-01.")
