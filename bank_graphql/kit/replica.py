"""Read from a replica (a streaming standby), and see what was committed before the read began, as on the primary.

A read first gets the primary's position in the write-ahead log. The replica answers once it has replayed the log up to there; if
that takes too long, the primary answers. So users see their own writes and those of others, whichever process wrote them, and
nothing has to be kept about users. One small statement gets the position for all reads that wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import asyncpg
import structlog
from sqlalchemy import text

from bank_graphql.kit.batch import Batcher
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.db_errors import describe
from bank_graphql.kit.errors import ConfigurationError, Unavailable
from bank_graphql.kit.metrics import Metrics
from bank_graphql.kit.statements import Query, Reads, Row

R = TypeVar("R", bound=Row)
CHECK_SECONDS = 0.5
"""How often the replica is checked. One that is late or does not answer is left out until it passes."""
REPLICA_OPTIONS: dict[str, Any] = {"is_replica": True, "acquire_timeout": 1.0, "statement_timeout": 3.0}
"""How a replica is connected to. A read that takes longer there runs on the primary instead."""
ANSWER_SECONDS = 0.5
"""How long the replica may take to say how far it is."""
PAUSES = (0.001, 0.002, 0.004, 0.008, 0.016)
"""Seconds between two looks at how far the replica is. After the last one it is late."""
_FOREIGN = "it has another database"
_log = structlog.get_logger(__name__)


class Position(NamedTuple):
    """A position in the write-ahead log.

    Attributes:
        cluster: the id of the database cluster, which its replicas share.
        database: the name of the database in it.
        timeline: the number of the history, which changes when a standby is promoted.
        lsn: the log's length in bytes.
    """

    cluster: int
    database: str
    timeline: int
    lsn: int


class _PrimaryRow(Row):
    cluster: int
    database: str
    timeline: int
    lsn: int


class _ReplicaRow(_PrimaryRow):
    is_standby: bool


# What was committed is flushed. On a server that has become a standby, `pg_walfile_name` raises an error.
_WRITTEN = Query(
    text("""
    SELECT system_identifier AS cluster, current_database()::text AS database,
           ('x' || left(pg_walfile_name(lsn), 8))::bit(32)::int AS timeline, (lsn - '0/0')::bigint AS lsn
    FROM pg_control_system(), pg_current_wal_flush_lsn() AS lsn
    """),
    _PrimaryRow,
)
_REPLAYED = Query(
    text("""
    SELECT pg_is_in_recovery() AS is_standby, system_identifier AS cluster, current_database()::text AS database,
           greatest(timeline_id, min_recovery_end_timeline) AS timeline,
           coalesce((pg_last_wal_replay_lsn() - '0/0')::bigint, 0) AS lsn
    FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()
    """),
    _ReplicaRow,
)


class ReplicatedReads(Reads):
    """Reads from a replica if it is there and has replayed what the primary had committed; otherwise from the primary.

    Args:
        primary: the database.
        connect: connects to the replica.
        metrics: where to count the reads.
    """

    def __init__(self, primary: Database, connect: Callable[[], Awaitable[Database]], metrics: Metrics) -> None:
        self._primary = primary
        self._connect = connect
        self._replica: Database | None = None
        self._is_used = False
        self._obstacle: str | None = None
        # A second statement begins while the first one runs: who comes meanwhile needs a position of after the first began.
        self._positions: Batcher[None, Position] = Batcher(self._read_positions, max_concurrent_batches=2)
        reads = metrics.counter("bank_replica_reads", "Reads that a replica may answer, by the server that did.", "server")
        self._count = {server: reads.labels(server).inc for server in ("primary", "replica")}
        in_use = metrics.gauge("bank_replica_in_use", "How many processes use the replica.", of_processes="livesum")
        metrics.sample(lambda: in_use.set(self._is_used))

    async def open(self) -> None:
        """Connect to the replica. If it cannot be reached, `check` tries again.

        Raises:
            ConfigurationError: it is no replica of this database.
        """
        await self.check()
        if self._obstacle == _FOREIGN:
            raise ConfigurationError("BANK_REPLICA_URL is no replica of the bank's database: check both addresses.")

    async def check(self) -> None:
        """Use the replica from now on if it answers and is up to date; otherwise leave it out."""
        try:
            if self._replica is None:
                self._replica = await self._connect()
            position = await self._positions.submit(None)
            async with self._replica.connection() as connection:
                obstacle = await _obstacle(connection, position)
        except (ConfigurationError, Unavailable, asyncpg.PostgresError) as error:
            obstacle = describe(error.__cause__ or error)
        self._is_used = obstacle is None
        if obstacle is not None and obstacle != self._obstacle:
            _log.warning("the replica is left out", reason=obstacle)
        if obstacle is None and self._obstacle is not None:
            _log.info("the replica is used again")
        self._obstacle = obstacle

    async def fetch(self, query: Query[R], **arguments: object) -> list[R]:
        """Run a read and return its rows. It sees all that was committed before the call.

        Raises:
            Unavailable: the primary had to answer, and cannot be reached.
        """
        if self._is_used and self._replica is not None:
            try:
                position = await self._positions.submit(None)
                async with self._replica.connection() as connection:
                    self._is_used = await _obstacle(connection, position) is None
                    if self._is_used:
                        rows = await connection.fetch(query, **arguments)
                        self._count["replica"]()
                        return rows
            except (Unavailable, asyncpg.PostgresError):  # also a conflict with what the replica replays
                self._is_used = False
        self._count["primary"]()
        return await self._primary.fetch(query, **arguments)

    async def close(self) -> None:
        """Close all connections to the replica."""
        await self._positions.close()
        if self._replica is not None:
            await self._replica.close()

    async def _read_positions(self, requests: Sequence[None]) -> list[Position]:
        [row] = await self._primary.fetch(_WRITTEN)
        return [Position(row.cluster, row.database, row.timeline, row.lsn)] * len(requests)


async def _obstacle(connection: Connection, position: Position) -> str | None:
    """Return why a replica has not replayed the log up to a position, after a short wait; None if it has.

    It is the connection that is looked at, because behind one address there may be several replicas.
    """
    connection = Connection(connection.raw, ANSWER_SECONDS)
    for pause in (*PAUSES, None):
        [row] = await connection.fetch(_REPLAYED)
        if (row.cluster, row.database) != (position.cluster, position.database):
            return _FOREIGN
        if not row.is_standby or row.timeline != position.timeline:
            return "it is no standby that follows the bank's primary"
        if row.lsn >= position.lsn:
            return None
        if pause is not None:
            await asyncio.sleep(pause)
    return "it is late"
