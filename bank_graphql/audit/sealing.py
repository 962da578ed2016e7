"""Seal the audit: close the events that are there into the chain of hashes, so that no later change of them goes unnoticed.

Events are written without waiting for one another, and one with a lower id may be committed after one with a higher id. So a seal
covers only events up to an id below which nothing can appear any more: after that id was seen, all transactions that were writing
to the audit then have ended.
"""

import asyncio
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, cast, extract, func, select, text
from sqlalchemy.orm import Mapped
from sqlmodel import col

from bank_graphql.audit import chain
from bank_graphql.audit.chain import EventRow
from bank_graphql.audit.models import AuditEvent, AuditSeal
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Insert, Query, Row

SEAL_MAX = 1000
"""The maximum number of events of a seal. They are hashed in some milliseconds."""
LOWEST = -(2**63)
"""The lowest id that there can be: somebody may have put in negative ones."""
_LOCK = 0x6175646974  # "audit"
_POLL_SECONDS = 0.02
_POLLS = 100


class SealRow(Row):
    """A seal."""

    last_sequence: int
    last_event_id: int
    head: bytes
    microseconds: str


class IdRow(Row):
    """The id of an event."""

    id: int


class _WriterRow(Row):
    writer: str


class SealingDelayedError(Exception):
    """A transaction that has written to the audit goes on for so long that nothing can be sealed meanwhile."""

    def __str__(self) -> str:
        return "A transaction that has written to the audit does not end, so nothing after it can be sealed."


def _microseconds(time: Mapped[datetime]) -> ColumnElement[str]:
    """Return a time in microseconds since 1970, in SQL: text, whatever the time is."""
    return cast(func.trunc(extract("epoch", time) * 1_000_000), Text()).label("microseconds")


_EVENT_COLUMNS = (
    col(AuditEvent.id),
    _microseconds(col(AuditEvent.at)),
    col(AuditEvent.actor_id),
    col(AuditEvent.action),
    col(AuditEvent.subject_id),
    col(AuditEvent.outcome),
    col(AuditEvent.ip_address),
    col(AuditEvent.request_id),
    col(AuditEvent.detail),
)
SEAL_COLUMNS = (
    col(AuditSeal.last_sequence),
    col(AuditSeal.last_event_id),
    col(AuditSeal.head),
    _microseconds(col(AuditSeal.sealed_at)),
)
EVENTS_FROM = Query(
    select(*_EVENT_COLUMNS)
    .where(
        col(AuditEvent.id) >= bindparam("start", type_=BigInteger()),
        col(AuditEvent.id) <= bindparam("until", type_=BigInteger()),
    )
    .order_by(col(AuditEvent.id))
    .limit(bindparam("maximum", type_=BigInteger())),
    EventRow,
)
_LATEST = Query(select(*SEAL_COLUMNS).order_by(col(AuditSeal.last_sequence).desc()).limit(1), SealRow)
_NEWEST = Query(select(col(AuditEvent.id)).order_by(col(AuditEvent.id).desc()).limit(1), IdRow)
_WRITERS = Query(
    text(
        "SELECT virtualtransaction AS writer FROM pg_locks WHERE relation = 'audit_events'::regclass "
        "AND mode = 'RowExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ),
    _WriterRow,
)
_INSERT = Insert(AuditSeal, "last_sequence", "last_event_id", "head", "sealed_at")


async def seal_events(db: Database, max_seals: int | None = None) -> int:
    """Seal all events that are there, and return how many were sealed. Any number of processes may do it at the same time.

    Args:
        db: the database.
        max_seals: how many seals to make at most, so that requests are not slowed down by a backlog; None for all.

    Raises:
        SealingDelayedError: a writer does not end.
    """
    newest, latest = await db.fetch_one(_NEWEST), await latest_seal(db)
    if newest is None or (latest is not None and latest.last_event_id >= newest.id):
        return 0
    if not await _writers_have_ended(db):
        raise SealingDelayedError
    sealed = seals = 0
    while max_seals is None or seals < max_seals:
        count = await db.transact(lambda connection: _seal_next(connection, newest.id))
        if not count:
            break
        sealed, seals = sealed + count, seals + 1
    return sealed


async def latest_seal(db: Database) -> SealRow | None:
    """Return the latest seal; None if nothing was sealed yet."""
    return await db.fetch_one(_LATEST)


async def _seal_next(connection: Connection, until: int) -> int:
    await connection.lock([_LOCK])
    latest = await connection.fetch_one(_LATEST)
    head, sequence, start = chain.GENESIS, 0, LOWEST
    if latest is not None:
        head, sequence, start = latest.head, latest.last_sequence, latest.last_event_id + 1
    events = await connection.fetch(EVENTS_FROM, start=start, until=until, maximum=SEAL_MAX)
    if events:
        sequence, sealed_at = sequence + len(events), utc_now()
        head = chain.seal(chain.extend(head, events), sequence, chain.microseconds_of(sealed_at))
        await connection.insert(_INSERT, [(sequence, events[-1].id, head, sealed_at)])
    return len(events)


async def _writers_have_ended(db: Database) -> bool:
    """Wait until the transactions that have written to the audit so far have ended; False if they go on for too long."""
    writers = await _writers(db)
    for _ in range(_POLLS):
        if not writers:
            return True
        await asyncio.sleep(_POLL_SECONDS)
        writers &= await _writers(db)
    return False


async def _writers(db: Database) -> set[str]:
    """Return the transactions that have written to the audit and have not ended."""
    return {row.writer for row in await db.fetch(_WRITERS)}
