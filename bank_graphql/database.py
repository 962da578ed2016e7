"""Opens the database: the embedded server and its archive or an external one, the connections to it, and its replica."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from bank_graphql.environment import Environment
from bank_graphql.kit.archive import Archive
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.db_session import LOCK_TABLE_SIZE, can_set_role
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.jobs import Job
from bank_graphql.kit.metrics import Metrics
from bank_graphql.kit.postgres_process import SystemUser
from bank_graphql.kit.replica import CHECK_SECONDS, REPLICA_OPTIONS, ReplicatedReads
from bank_graphql.kit.statements import Reads
from bank_graphql.kit.tracing import Tracing
from bank_graphql.ledger import backups
from bank_graphql.settings import Settings

ROLE = "bank_app"
"""The application's role, made by the migrations: it can add to the books and cannot rewrite them."""
ARCHIVE_CHECK_SECONDS = 600
_OWNS = """
SELECT EXISTS (
    SELECT FROM pg_class WHERE oid = to_regclass('entries') AND pg_has_role(session_user, relowner, 'MEMBER')
)
"""
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[str]:
    """Yield the address of the database for its owner. The embedded server, if it is used, runs inside the block at least.

    Raises:
        ConfigurationError: the embedded server does not start.
    """
    if settings.external_dsn is not None:
        yield settings.owner_dsn or settings.external_dsn
    else:
        archive = archive_of(settings)
        if archive is not None:
            archive.prepare(SystemUser.choose(settings.data_dir.resolve() / "postgres"))
        async with EmbeddedPostgres(settings.data_dir, archive.settings if archive else None) as dsn:
            yield dsn


def archive_of(settings: Settings) -> Archive | None:
    """Return the archive of the embedded server; None if there is none."""
    if settings.archive_dir is None:
        return None
    return Archive(settings.archive_dir, timedelta(days=settings.archive_days))


def archive_jobs(settings: Settings, dsn: str, db: Database, clock: Clock) -> tuple[Job, ...]:
    """Return what is to run periodically for the archive, if there is one."""
    if archive_of(settings) is None:
        return ()
    return (Job("copy for the archive", ARCHIVE_CHECK_SECONDS, partial(take_base_if_due, settings, dsn, db, clock)),)


async def take_base_if_due(settings: Settings, dsn: str, db: Database, clock: Clock) -> None:
    """Take a copy of the embedded server's files into its archive, if there is one and a copy is due.

    Raises:
        ConfigurationError: it failed.
    """
    archive = archive_of(settings)
    if archive is not None and settings.external_dsn is None:
        size = await archive.take_base_if_due(dsn, clock)
        if size is not None:
            await backups.record(db, backups.BASE, size, clock())


async def open_database(dsn: str, settings: Settings, tracing: Tracing | None, *, max_locks: int) -> Database:
    """Connect to the database.

    Args:
        dsn: its address.
        settings: the bank's settings.
        tracing: traces statements; None to trace nothing.
        max_locks: how many locks the bank may hold at a time.

    Raises:
        ConfigurationError: the database is not as the bank needs it.
    """
    db = await _connect(dsn, settings, tracing, statement_timeout=settings.statement_timeout)
    try:
        async with db.connection() as connection:
            _require_lock_table(await connection.raw.fetchval(LOCK_TABLE_SIZE), max_locks)
            if await connection.raw.fetchval(_OWNS) and settings.env is Environment.PRODUCTION:
                _log.warning("the server connects as the owner of its tables; see BANK_OWNER_DATABASE_URL")
    except BaseException:
        await db.close()
        raise
    return db


@asynccontextmanager
async def open_reads(
    db: Database, settings: Settings, metrics: Metrics, tracing: Tracing | None
) -> AsyncIterator[tuple[Reads, tuple[Job, ...]]]:
    """Yield what reads for requests, the database or its replica, and the replica's jobs.

    Raises:
        ConfigurationError: what is configured is no replica of the database.
    """
    if settings.replica_dsn is None:
        yield db, ()
        return
    reads = ReplicatedReads(db, partial(_connect, settings.replica_dsn, settings, tracing, **REPLICA_OPTIONS), metrics)
    try:
        await reads.open()
        yield reads, (Job("check replica", CHECK_SECONDS, reads.check),)
    finally:
        await reads.close()


def _require_lock_table(size: int, needed: int) -> None:
    if size < needed:
        raise ConfigurationError(
            f"The database can hold {size} locks, and full batches need {needed}: "
            "raise its max_locks_per_transaction, or lower BANK_BATCH_MAX."
        )


async def _connect(dsn: str, settings: Settings, tracing: Tracing | None, **more: Any) -> Database:
    table = f'"{settings.database_schema}".entries'
    return await Database.open(
        dsn,
        schema=settings.database_schema,
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        role=ROLE if await can_set_role(dsn, ROLE, insert_into=table, timeout=more.get("acquire_timeout", 10)) else None,
        query_logger=tracing.statement if tracing else None,
        **more,
    )
