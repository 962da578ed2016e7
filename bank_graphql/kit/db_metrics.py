"""Metrics of the connection pool, and of the database server."""

import asyncio
from collections.abc import Iterable

from prometheus_client.core import Metric
from sqlalchemy import text

from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.metrics import Metrics, gauge_family
from bank_graphql.kit.statements import Query, Row

_SECONDS = 10.0
_ANSWER_SECONDS = 2.0
"""A database that takes longer to say how it is counts as down."""


class _ServerRow(Row):
    oldest: float | None
    size: int
    connections: int
    maximum: int


class _ArchiverRow(Row):
    is_failing: bool
    archived_at: float | None


class _StandbyRow(Row):
    name: str
    bytes_behind: float
    seconds_behind: float


class _TableRow(Row):
    name: str
    size: int
    rows: float


_SERVER = Query(
    text("""
    SELECT extract(epoch FROM clock_timestamp() - min(xact_start) FILTER (WHERE pid <> pg_backend_pid()))::float8 AS oldest,
           pg_database_size(current_database()) AS size, count(*) AS connections,
           current_setting('max_connections')::bigint AS maximum
    FROM pg_stat_activity WHERE datname = current_database()
    """),
    _ServerRow,
)
_ARCHIVER = Query(
    text("""
    SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS is_failing,
           extract(epoch FROM last_archived_time)::float8 AS archived_at
    FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'
    """),
    _ArchiverRow,
)
# Another role's figures are null, unless this one may read all statistics; see `migrations/grants.sql`.
_STANDBYS = Query(
    text("""
    SELECT application_name AS name, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 AS bytes_behind,
           coalesce(extract(epoch FROM replay_lag), 0)::float8 AS seconds_behind
    FROM pg_stat_replication WHERE replay_lsn IS NOT NULL
    """),
    _StandbyRow,
)
_TABLES = Query(
    text("""
    SELECT relname::text AS name, pg_total_relation_size(oid) AS size, greatest(reltuples, 0)::float8 AS rows
    FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
    """),
    _TableRow,
)


def declare(metrics: Metrics, db: Database) -> None:
    """Declare the metrics of a database and of the pool of connections to it."""
    connections = metrics.gauge(
        "bank_pool_connections", "Connections of the processes to the database, by state.", "state", of_processes="livesum"
    )
    waiting = metrics.gauge("bank_pool_waiting", "Reads and transactions that wait for a connection.", of_processes="livesum")

    def sample() -> None:
        idle = db.idle_count
        connections.labels("idle").set(idle)
        connections.labels("in_use").set(db.connection_count - idle)
        waiting.set(db.waiting_count)

    async def read() -> Iterable[Metric]:
        is_up = gauge_family("bank_database_up", "Whether the database answers.")
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                figures = await db.snapshot(_read)
        except (Unavailable, TimeoutError):
            is_up.add_metric([], 0)
            return [is_up]
        is_up.add_metric([], 1)
        return [is_up, *figures]

    metrics.sample(sample)
    metrics.figures(read, seconds=_SECONDS)


async def _read(connection: Connection) -> Iterable[Metric]:
    [server] = await connection.fetch(_SERVER)
    oldest = gauge_family("bank_database_oldest_transaction_seconds", "Age of the oldest open transaction of the database.")
    oldest.add_metric([], server.oldest or 0)
    size = gauge_family("bank_database_size_bytes", "Size of the database on disk.")
    size.add_metric([], server.size)
    connections = gauge_family("bank_database_connections", "Connections to the database, of all its clients.")
    connections.add_metric([], server.connections)
    maximum = gauge_family("bank_database_max_connections", "The maximum number of connections to the server.")
    maximum.add_metric([], server.maximum)
    lag_bytes = gauge_family("bank_replication_lag_bytes", "WAL that a standby has not replayed yet.", ["standby"])
    lag_seconds = gauge_family("bank_replication_lag_seconds", "How far a standby is behind, in time.", ["standby"])
    for standby in await connection.fetch(_STANDBYS):
        lag_bytes.add_metric([standby.name], standby.bytes_behind)
        lag_seconds.add_metric([standby.name], standby.seconds_behind)
    failing = gauge_family("bank_archive_failing", "Whether the write-ahead log was not archived when that was last tried.")
    archived_at = gauge_family("bank_archived_timestamp_seconds", "When the log was last archived, in Unix time.")
    for archiver in await connection.fetch(_ARCHIVER):
        failing.add_metric([], archiver.is_failing)
        if archiver.archived_at is not None:
            archived_at.add_metric([], archiver.archived_at)
    table_sizes = gauge_family("bank_table_size_bytes", "Size of a table with its indexes.", ["table"])
    table_rows = gauge_family("bank_table_rows", "Rows of a table, as PostgreSQL estimates them.", ["table"])
    for table in await connection.fetch(_TABLES):
        table_sizes.add_metric([table.name], table.size)
        table_rows.add_metric([table.name], table.rows)
    return [oldest, size, connections, maximum, lag_bytes, lag_seconds, failing, archived_at, table_sizes, table_rows]
