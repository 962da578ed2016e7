"""No secret gets into a log."""

import asyncpg

from bank_graphql.kit.log import describe, redact


def test_secrets_are_blotted_out_by_name() -> None:
    event = {"event": "x", "password": "p", "access_token": "t", "cardNumber": "4", "path": "/", "exit_code": 1}
    assert redact(None, "", event) == {
        "event": "x", "password": "[redacted]", "access_token": "[redacted]", "cardNumber": "[redacted]", "path": "/", "exit_code": 1,
    }  # fmt: skip


def test_exceptions_are_described_without_their_text() -> None:
    try:
        try:
            raise asyncpg.UniqueViolationError("Key (email)=(secret@bank.test) already exists")
        except asyncpg.UniqueViolationError as cause:
            raise ValueError("hunter2") from cause
    except ValueError as error:
        described = "\n".join(describe(error))
    assert "ValueError" in described
    assert "23505" in described
    assert "test_log.py" in described
    assert "secret" not in described
    assert "hunter2" not in described
