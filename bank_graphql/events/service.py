"""Write events, start the epoch that they are written in, and delete old ones. The only writer of the feed's tables."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Integer, Text, bindparam, cast, column, delete, func, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.elements import Tuple
from sqlmodel import col

from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.events.models import FeedEpoch, FeedStart, Position, TransactionEvent, Xid8
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Insert, Query, Row, Writes

EPOCH = select(func.coalesce(func.max(FeedEpoch.epoch), 0)).scalar_subquery()
"""The current epoch, in SQL. Each statement reads it, because another process may start a new one."""
_INSERT = Insert(
    TransactionEvent, "kind", "account_id", "transaction_id", "occurred_at", shared=["occurred_at"], constants={"epoch": EPOCH}
)
_LOCK = 0x66656564  # "feed"


class PositionRow(Row):
    """A position in the feed."""

    epoch: int
    writer: int
    sequence: int

    @property
    def position(self) -> Position:
        """The three columns as one value."""
        return Position(self.epoch, self.writer, self.sequence)


class _EpochRow(Row):
    epoch: int
    is_current: bool


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
    select(col(FeedEpoch.epoch), (col(FeedEpoch.cluster) == _cluster).label("is_current"))
    .order_by(col(FeedEpoch.epoch).desc())
    .limit(1),
    _EpochRow,
)
_START_EPOCH = Query(
    insert(FeedEpoch)
    .values(cluster=_cluster, began_at=bindparam("now", type_=DateTime(timezone=True)))
    .returning(col(FeedEpoch.epoch)),
    _EpochRow,
)
POSITION_COLUMNS = (col(TransactionEvent.epoch), col(TransactionEvent.writer), col(TransactionEvent.sequence))
POSITION = tuple_(*POSITION_COLUMNS)
"""The position of an event, in SQL."""


def position_parameters(name: str, *prefix: Mapped[UUID]) -> Tuple:
    """Return a position as three parameters of a statement. `position_arguments` returns their values.

    Args:
        name: the parameters' common prefix.
        prefix: columns that are compared before the position.
    """
    return tuple_(
        *prefix,
        bindparam(f"{name}_epoch", type_=Integer()),
        bindparam(f"{name}_writer", type_=Xid8()),
        bindparam(f"{name}_sequence", type_=BigInteger()),
    )


def position_arguments(name: str, position: Position) -> dict[str, int]:
    """Return the values of the `position_parameters` with this name."""
    return {f"{name}_{part}": value for part, value in position._asdict().items()}


_OLDEST = Query(
    select(*POSITION_COLUMNS, col(TransactionEvent.occurred_at))
    .order_by(*POSITION_COLUMNS)
    .limit(bindparam("limit", type_=BigInteger())),
    _EventTimeRow,
)
_DELETE = Query(
    delete(TransactionEvent).where(position_parameters("until") >= POSITION).returning(col(TransactionEvent.sequence)),
    Row,
)
_start = insert(FeedStart).values(
    id=1,
    epoch=bindparam("until_epoch", type_=Integer()),
    writer=bindparam("until_writer", type_=Xid8()),
    sequence=bindparam("until_sequence", type_=BigInteger()),
    deleted_until=bindparam("before", type_=DateTime(timezone=True)),
)
_SET_START = Query(
    _start.on_conflict_do_update(
        index_elements=["id"],
        set_={name: _start.excluded[name] for name in ("epoch", "writer", "sequence", "deleted_until")},
    ),
    Row,
)


async def start_epoch(db: Database, clock: Clock) -> int:
    """Return the epoch in which this database writes events. It starts a new one if the database was moved to another cluster.

    Transaction ids of two clusters cannot be compared, so positions compare epochs first.
    """

    async def work(connection: Connection) -> int:
        await connection.lock([_LOCK])
        latest = await connection.fetch_one(_LATEST_EPOCH)
        return latest.epoch if latest is not None and latest.is_current else await begin_epoch(connection, clock)

    return await db.transact(work)


async def begin_epoch(connection: Connection, clock: Clock) -> int:
    """Begin a new epoch, in which events are after all earlier ones whatever their transaction ids are, and return it."""
    [row] = await connection.fetch(_START_EPOCH, now=clock())
    return row.epoch


def record(writes: Writes, events: Sequence[tuple[TransactionEventKind, UUID, UUID, datetime]]) -> None:
    """Add events (kind, account id, transaction id, time) to the writes of the changes that they are about, in order."""
    writes.insert(_INSERT, events)


async def delete_old_events(db: Database, clock: Clock, keep: timedelta, batch_size: int = 5000) -> int:
    """Delete the events that are older than `keep`, in batches, and set the feed's start after them.

    Returns:
        The number of deleted events.
    """
    before, deleted = clock() - keep, 0

    async def work(connection: Connection) -> int:
        await connection.lock([_LOCK])
        oldest = await connection.fetch(_OLDEST, limit=batch_size)
        expired = list(takewhile(lambda event: event.occurred_at < before, oldest))
        if not expired:
            return 0
        until = position_arguments("until", expired[-1].position)
        await connection.execute(_SET_START, **until, before=before)
        return len(await connection.fetch(_DELETE, **until))

    while True:
        in_batch = await db.transact(work)
        deleted += in_batch
        if in_batch < batch_size:
            return deleted
