"""Logs contain no secrets."""

import asyncpg

from bank_graphql.kit.log import format_error, redact


def test_secrets_are_redacted_by_name() -> None:
    event = {"event": "x", "password": "p", "access_token": "t", "cardNumber": "4", "path": "/", "exit_code": 1}
    assert redact(None, "", event) == {
        "event": "x", "password": "[redacted]", "access_token": "[redacted]", "cardNumber": "[redacted]", "path": "/", "exit_code": 1,
    }  # fmt: skip


def test_exceptions_are_formatted_without_their_messages() -> None:
    try:
        try:
            raise asyncpg.UniqueViolationError("Key (email)=(secret@bank.test) already exists")
        except asyncpg.UniqueViolationError as cause:
            raise ValueError("hunter2") from cause
    except ValueError as error:
        formatted = "\n".join(format_error(error))
    assert "ValueError" in formatted
    assert "23505" in formatted
    assert "test_log.py" in formatted
    assert "secret" not in formatted
    assert "hunter2" not in formatted
