"""The chain of hashes over the audit. Pure functions: no I/O.

The head after an event is the SHA-256 of the head before it and of the event, so it depends on all events so far and on their
order. A seal closes a number of events: its own contents are hashed into the head too.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import orjson

from bank_graphql.kit.statements import Row

GENESIS = bytes(32)
"""The head before the first event."""


class EventRow(Row):
    """An event, with all that its hash depends on. Its time is text: the database may hold one that Python has no date for."""

    id: int
    microseconds: str
    actor_id: UUID | None
    action: str
    subject_id: UUID | None
    outcome: str
    ip_address: str | None
    request_id: str | None
    detail: str | None


def extend(head: bytes, events: Iterable[EventRow]) -> bytes:
    """Return the head after these events, given the head before them."""
    for event in events:
        head = hashlib.sha256(head + b"event" + _encoded(event)).digest()
    return head


def seal(head: bytes, last_sequence: int, microseconds: str) -> bytes:
    """Return the head after a seal, given the head after its last event, and when it was made, in microseconds since 1970."""
    return hashlib.sha256(head + b"seal" + orjson.dumps([last_sequence, microseconds])).digest()


def _encoded(event: EventRow) -> bytes:
    """Return an event as JSON: an array of its columns, with the time in microseconds since 1970, and ids in hexadecimal."""
    return orjson.dumps(
        [
            event.id,
            event.microseconds,
            _hexadecimal(event.actor_id),
            event.action,
            _hexadecimal(event.subject_id),
            event.outcome,
            event.ip_address,
            event.request_id,
            event.detail,
        ]
    )


def _hexadecimal(key: UUID | None) -> str | None:
    return None if key is None else key.hex


def microseconds_of(time: datetime) -> str:
    """Return a time in microseconds since 1970."""
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return str((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)
