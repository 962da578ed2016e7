"""The only writer of the outbox: events, the epoch that they are written in, and their end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Integer, Text, bindparam, cast, column, delete, func, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.events.models import FeedEpoch, FeedStart, Position, TransactionEvent, Xid8
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Insert, Query, Row, Writes

EPOCH = select(func.coalesce(func.max(FeedEpoch.epoch), 0)).scalar_subquery()
"""The present epoch, in SQL: read with each statement, for another process may begin one."""
_INSERT = Insert(
    TransactionEvent, "kind", "account_id", "transaction_id", "occurred_at", shared=["occurred_at"], also={"epoch": EPOCH}
)
_LOCK = 0x66656564  # "feed"


class PositionRow(Row):
    """A position in the feed."""

    epoch: int
    writer: int
    sequence: int

    @property
    def position(self) -> Position:
        """The position."""
        return Position(self.epoch, self.writer, self.sequence)


class _EpochRow(Row):
    epoch: int
    is_here: bool


class _EventTimeRow(PositionRow):
    occurred_at: datetime


_system = func.pg_control_system().table_valued(column("system_identifier"), name="system")
_checkpoint = func.pg_control_checkpoint().table_valued(column("timeline_id"), name="checkpoint")
_cluster = (
    select(cast(_system.c.system_identifier, Text()) + "/" + cast(_checkpoint.c.timeline_id, Text()))
    .select_from(_system)
    .join(_checkpoint, true())
    .scalar_subquery()
)
_LATEST_EPOCH = Query(
    select(col(FeedEpoch.epoch), (col(FeedEpoch.cluster) == _cluster).label("is_here"))
    .order_by(col(FeedEpoch.epoch).desc())
    .limit(1),
    _EpochRow,
)
_BEGIN_EPOCH = Query(
    insert(FeedEpoch)
    .values(cluster=_cluster, began_at=bindparam("now", type_=DateTime(timezone=True)))
    .returning(col(FeedEpoch.epoch)),
    _EpochRow,
)
ORDER = (col(TransactionEvent.epoch), col(TransactionEvent.writer), col(TransactionEvent.sequence))
POSITION = tuple_(*ORDER)
"""Where an event is in the feed, in SQL."""


def position_named(name: str, *under: Any) -> Any:
    """A position as three arguments of a statement, `under` what else is compared before it; `arguments_of` makes them."""
    return tuple_(
        *under,
        bindparam(f"{name}_epoch", type_=Integer()),
        bindparam(f"{name}_writer", type_=Xid8()),
        bindparam(f"{name}_sequence", type_=BigInteger()),
    )


def arguments_of(name: str, position: Position) -> dict[str, int]:
    """The arguments for `position_named`."""
    return {f"{name}_{part}": value for part, value in position._asdict().items()}


_OLDEST = Query(
    select(*ORDER, col(TransactionEvent.occurred_at)).order_by(*ORDER).limit(bindparam("most", type_=BigInteger())),
    _EventTimeRow,
)
_DELETE = Query(
    delete(TransactionEvent).where(position_named("until") >= POSITION).returning(col(TransactionEvent.sequence)),
    Row,
)
_start = insert(FeedStart).values(
    id=1,
    epoch=bindparam("until_epoch", type_=Integer()),
    writer=bindparam("until_writer", type_=Xid8()),
    sequence=bindparam("until_sequence", type_=BigInteger()),
    deleted_until=bindparam("before", type_=DateTime(timezone=True)),
)
_MOVE_START = Query(
    _start.on_conflict_do_update(
        index_elements=["id"],
        set_={name: _start.excluded[name] for name in ("epoch", "writer", "sequence", "deleted_until")},
    ),
    Row,
)


async def begin_epoch(db: Database, clock: Clock) -> int:
    """The epoch that this database writes in: a new one if it was moved to another cluster, where transaction ids differ."""

    async def work(connection: Connection) -> int:
        await connection.lock([_LOCK])
        latest = await connection.fetch_one(_LATEST_EPOCH)
        if latest is None or not latest.is_here:
            [latest] = await connection.fetch(_BEGIN_EPOCH, now=clock())
        return latest.epoch

    return await db.transact(work)


def record(writes: Writes, events: Sequence[tuple[TransactionEventKind, UUID, UUID, datetime]]) -> None:
    """Write events (kind, account, transaction, moment) in the transaction that moves the money, in order."""
    writes.insert(_INSERT, events)


async def forget_old_events(db: Database, clock: Clock, keep: timedelta, most: int = 5000) -> int:
    """Delete all events older than `keep`, so many at a time, and note where the feed starts then; tell how many there were."""
    before, forgotten = clock() - keep, 0

    async def work(connection: Connection) -> int:
        await connection.lock([_LOCK])
        oldest = await connection.fetch(_OLDEST, most=most)
        doomed = list(takewhile(lambda event: event.occurred_at < before, oldest))
        if not doomed:
            return 0
        until = arguments_of("until", doomed[-1].position)
        await connection.execute(_MOVE_START, **until, before=before)
        return len(await connection.fetch(_DELETE, **until))

    while True:
        gone = await db.transact(work)
        forgotten += gone
        if gone < most:
            return forgotten
