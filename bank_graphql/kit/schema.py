"""Migrate and check the database's schema, with Alembic.

A version of the bank runs with the schema that its last migration makes. It also runs with a newer one whose migrations only add
to that, so that servers of two versions share a database during an upgrade, and the way back stays open after it. Each migration
names the oldest schema whose version of the bank it lets run, as `runs_with`. A comment on Alembic's table has the latest one.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import bank_graphql
from bank_graphql.kit import db_session
from bank_graphql.kit.db_errors import as_configuration_error
from bank_graphql.kit.db_session import PUBLIC
from bank_graphql.kit.errors import ConfigurationError

_GRANT_ATTEMPTS = 20
_UPGRADE_ATTEMPTS = 20
_LOCK_ERRORS = {"55P03", "40P01"}
"""A lock was not to be had in time, or its waiting closed a circle (a deadlock)."""
_NEWER = "The database was migrated by a newer version of the bank: upgrade the bank."
_OTHER_APPLICATION = (
    "The database holds another application's schema (its alembic_version is not the bank's): give the bank one of its own."
)
_RUNS_WITH = "Versions of the bank from schema {} on run with this schema."
_COMMENT = "SELECT obj_description('alembic_version'::regclass)"
_UNFINISHED = "restore_unfinished"
_HAS_TABLES = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename <> $1)"
_BANKS = """
SELECT e.schemaname FROM pg_tables e JOIN pg_tables v ON v.schemaname = e.schemaname
WHERE e.tablename = 'entries' AND v.tablename = 'alembic_version' ORDER BY 1
"""
_HAS_LEDGER = "SELECT to_regclass('balances') IS NOT NULL AND to_regclass('entries') IS NOT NULL"
T = TypeVar("T")
_log = structlog.get_logger(__name__)


def configuration() -> Config:
    """Return Alembic's configuration, with the migrations of the installed package or of the checkout."""
    package = Path(bank_graphql.__file__).parent
    installed, in_checkout = package / "migrations", package.parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(installed if installed.exists() else in_checkout))
    return config


async def migrate(dsn: str, revision: str = "head", *, schema: str = PUBLIC, is_restoring: bool = False) -> None:
    """Upgrade the schema to a revision, and make it if there is none.

    Several processes may call this at the same time: the migrations run one at a time. A newer schema that this version of the
    bank runs with stays as it is.

    Args:
        dsn: the database, as the owner of its schema.
        revision: the revision.
        schema: the name of the schema.
        is_restoring: whether a backup is being restored into the database.

    Raises:
        ConfigurationError: the database cannot be reached, is not usable for the bank, does not allow this user to migrate, or
            has the schema of another application, or of a newer version of the bank with which this one does not run.
    """
    with as_configuration_error("The database cannot be migrated", "Check the rights of this user, who must own the schema."):
        if await _require_usable(dsn, schema, is_restoring=is_restoring):
            return
        await _make(dsn, schema)
        await _upgrade(dsn, schema, revision)
        if revision == "head":
            await _grant(dsn, schema)


async def _make(dsn: str, schema: str) -> None:
    """Make a schema if there is none."""
    async with _connected(dsn, schema) as connection:
        if await connection.fetchval("SELECT to_regnamespace(quote_ident($1)) IS NULL", schema):
            with suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateSchemaError):  # another process was first
                await connection.execute(f'CREATE SCHEMA "{schema}"')


async def _upgrade(dsn: str, schema: str, revision: str) -> None:
    """Upgrade, and try again while others use a table: a migration gives up soon, so that they need not wait behind it."""
    for attempt in range(_UPGRADE_ATTEMPTS):
        try:
            await _run(dsn, schema, lambda config: command.upgrade(config, revision))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOCK_ERRORS or attempt == _UPGRADE_ATTEMPTS - 1:
                raise
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        else:
            return


async def require_current(dsn: str, *, schema: str = PUBLIC) -> None:
    """Make sure that the schema is the one that this version of the bank needs, or a newer one that it runs with.

    Raises:
        ConfigurationError: it is not, or the database cannot be reached or is not usable for the bank.
    """
    with as_configuration_error("The database's schema cannot be read", "Check the rights of this user."):
        if await _require_usable(dsn, schema):
            return
        found = await _run(
            dsn, schema, lambda config: MigrationContext.configure(config.attributes["connection"]).get_current_revision()
        )
    head = _scripts().get_current_head()
    if found != head:
        now = f"has the schema {found}" if found else "has no schema yet"
        raise ConfigurationError(f"The database {now}, and needs {head}: run 'bank-graphql migrate'.")


async def downgrade(dsn: str, revision: str, *, schema: str = PUBLIC) -> None:
    """Downgrade the schema to a revision; `base` is an empty database."""
    await _run(dsn, schema, lambda config: command.downgrade(config, revision))


async def check(dsn: str) -> None:
    """Compare the schema with the models.

    Raises:
        CommandError: they differ.
    """
    await _run(dsn, PUBLIC, command.check)


async def banks(dsn: str) -> list[str]:
    """Return the schemas of a database that have a bank."""
    async with _connected(dsn, PUBLIC) as connection:
        return [name for [name] in await connection.fetch(_BANKS)]


async def begin_restore(dsn: str, *, schema: str = PUBLIC) -> None:
    """Mark an empty schema: the bank refuses it until `end_restore`, so that none opens that is incomplete or not verified.

    Raises:
        ConfigurationError: it is not empty, cannot be reached or is not usable for the bank.
    """
    with as_configuration_error():
        await _require_usable(dsn, schema, is_restoring=True)
        await _make(dsn, schema)
        async with _connected(dsn, schema) as connection:
            if await connection.fetchval(_HAS_TABLES, _UNFINISHED):
                raise ConfigurationError(f"There is a bank in the schema {schema} of this database: restore into an empty one.")
            await connection.execute(f"CREATE TABLE IF NOT EXISTS {_UNFINISHED} ()")


async def require_restored(dsn: str, *, schema: str = PUBLIC) -> None:
    """Make sure that a bank was loaded into the schema.

    Raises:
        ConfigurationError: what was loaded was of another schema.
    """
    async with _connected(dsn, schema) as connection:
        if not await connection.fetchval(_HAS_LEDGER):
            raise ConfigurationError(f"The backup has no bank of the schema {schema}: set BANK_DATABASE_SCHEMA to its schema.")


async def end_restore(dsn: str, *, schema: str = PUBLIC) -> None:
    """Remove the mark, so that the bank may open."""
    async with _connected(dsn, schema) as connection:
        await connection.execute(f"DROP TABLE {_UNFINISHED}")


async def _require_usable(dsn: str, schema: str, *, is_restoring: bool = False) -> bool:
    """Make sure that the bank can use the database, and that its schema is one of the bank's that this version can use.

    Returns:
        Whether the schema is newer than this version of the bank.

    Raises:
        ConfigurationError: one of these is not so.
    """
    async with _connected(dsn, schema) as connection, _connected(dsn, schema) as second:
        db_session.require_version(connection)
        await db_session.require_sessions(connection, second)
        await db_session.require_unicode(connection)
        if not is_restoring and await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", _UNFINISHED):
            raise ConfigurationError("A backup was restored into this database, but not completely: restore into an empty one.")
        if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
            return False
        known = {script.revision for script in _scripts().walk_revisions()}
        found = await connection.fetchval("SELECT max(version_num) FROM alembic_version")
        if found is None or found in known:
            return False
        oldest = re.fullmatch(_RUNS_WITH.format(r"(\w+)"), await connection.fetchval(_COMMENT) or "")
        if oldest is None or oldest[1] not in known:
            raise ConfigurationError(_NEWER if await connection.fetchval(_HAS_LEDGER) else _OTHER_APPLICATION)
        _log.warning("the database was migrated by a newer version of the bank, and this version runs with it", schema=found)
        return True


def note_versions(connection: Connection, revision: str | None) -> None:
    """Write which versions of the bank run with a schema into its comment, in the transaction that migrates to it.

    Args:
        connection: the connection that migrates.
        revision: the schema; None for an empty database.
    """
    scripts = [*_scripts().iterate_revisions(revision, "base")][::-1] if revision else []
    order = [script.revision for script in scripts]
    oldest = max((getattr(script.module, "runs_with", script.revision) for script in scripts), key=order.index, default=None)
    if oldest is not None and connection.scalar(text(_COMMENT)) != _RUNS_WITH.format(oldest):
        connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{_RUNS_WITH.format(oldest)}'"))


async def _grant(dsn: str, schema: str) -> None:
    """Grant the application's role its rights again; see `migrations/grants.sql`."""
    statements = (Path(configuration().get_main_option("script_location") or "") / "grants.sql").read_text(encoding="utf-8")
    async with _connected(dsn, schema) as connection:
        for attempt in range(_GRANT_ATTEMPTS):
            try:
                await connection.execute(statements)
            except (asyncpg.InternalServerError, asyncpg.DeadlockDetectedError):
                # "tuple concurrently updated": another process grants at the same time, maybe in another database of the server.
                if attempt == _GRANT_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - no secret
            else:
                return


@asynccontextmanager
async def _connected(dsn: str, schema: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    with as_configuration_error():
        # Without a statement cache: otherwise a prepared statement fails behind a pooler that does not keep sessions, before the
        # pooler is detected.
        connection = await asyncpg.connect(dsn, timeout=10, statement_cache_size=0)
    try:
        await connection.execute(f"SET search_path = {db_session.search_path(schema)}")
        yield connection
    finally:
        await connection.close(timeout=2)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())


async def _run(dsn: str, schema: str, run: Callable[[Config], T]) -> T:
    """Run an Alembic command on a connection of its own, and return its result."""

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        with as_configuration_error():
            connection = await asyncpg.connect(dsn, timeout=10)
            await connection.execute(f"SET search_path = {db_session.search_path(schema)}")
            return connection

    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)

    def with_connection(connection: Connection) -> T:
        config = configuration()
        config.attributes["connection"] = connection
        return run(config)

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(with_connection)
    finally:
        await engine.dispose()
