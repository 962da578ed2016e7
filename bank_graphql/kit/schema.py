"""Brings the database's schema up to date, with Alembic."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import bank_graphql
from bank_graphql.kit import db_session
from bank_graphql.kit.db_errors import as_configuration_error
from bank_graphql.kit.errors import ConfigurationError

_GRANT_ATTEMPTS = 20
_NEWER = "The database was migrated by a newer version of the bank: upgrade the bank."
_FOREIGN = (
    "The database holds another application's schema (its alembic_version is not the bank's): give the bank one of its own."
)
_HAS_BOOKS = "SELECT to_regclass('balances') IS NOT NULL AND to_regclass('entries') IS NOT NULL"
T = TypeVar("T")


def configuration() -> Config:
    """Alembic's configuration, with the migrations of the checkout or of the installed package."""
    package = Path(bank_graphql.__file__).parent
    inside, beside = package / "migrations", package.parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(inside if inside.exists() else beside))
    return config


async def migrate(dsn: str, revision: str = "head") -> None:
    """Upgrade the schema to a revision. Several processes may do so at once: they take turns.

    Raises:
        ConfigurationError: the database cannot be reached, is not fit for the bank, lacks rights for this user, or holds a schema
            of a newer version of the bank or of another application.
    """
    with as_configuration_error("The database cannot be migrated", "Check the rights of this user, who must own the schema."):
        await _require_fit(dsn)
        await _run(dsn, lambda config: command.upgrade(config, revision))
        if revision == "head":
            await _grant(dsn)


async def require_current(dsn: str) -> None:
    """Make sure that the schema is the one that this version of the bank works with.

    Raises:
        ConfigurationError: it is not, or the database cannot be reached or is not fit for the bank.
    """
    with as_configuration_error("The database's schema cannot be read", "Check the rights of this user."):
        await _require_fit(dsn)
        found = await _run(dsn, lambda config: MigrationContext.configure(config.attributes["connection"]).get_current_revision())
    head = _scripts().get_current_head()
    if found != head:
        now = f"has the schema {found}" if found else "has no schema yet"
        raise ConfigurationError(f"The database {now}, and needs {head}: run 'bank-graphql migrate'.")


async def downgrade(dsn: str, revision: str) -> None:
    """Take the schema back to a revision, `base` for an empty database."""
    await _run(dsn, lambda config: command.downgrade(config, revision))


async def check(dsn: str) -> None:
    """Compare the schema with the models.

    Raises:
        CommandError: they differ.
    """
    await _run(dsn, command.check)


async def _require_fit(dsn: str) -> None:
    """Refuse a database that the bank cannot work with, a pooler before it, and a schema that is not this version's to change.

    Raises:
        ConfigurationError: with what is wrong.
    """
    async with _connected(dsn) as connection, _connected(dsn) as another:
        db_session.require_version(connection)
        await db_session.require_sessions(connection, another)
        await db_session.require_unicode(connection)
        if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
            return
        known = {script.revision for script in _scripts().walk_revisions()}
        for found in await connection.fetch("SELECT version_num FROM alembic_version"):
            if found["version_num"] not in known:
                raise ConfigurationError(_NEWER if await connection.fetchval(_HAS_BOOKS) else _FOREIGN)


async def _grant(dsn: str) -> None:
    """State anew what the application's role may do; see `migrations/grants.sql`."""
    statements = (Path(configuration().get_main_option("script_location") or "") / "grants.sql").read_text(encoding="utf-8")
    async with _connected(dsn) as connection:
        for attempt in range(_GRANT_ATTEMPTS):
            try:
                await connection.execute(statements)
            except asyncpg.InternalServerError:
                # "tuple concurrently updated": another process, or another database of this server, does the same.
                if attempt == _GRANT_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - no secret
            else:
                return


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    with as_configuration_error():
        # Without a cache: a pooler that does not keep sessions is to be found out, not to fail on a prepared statement.
        connection = await asyncpg.connect(dsn, timeout=10, statement_cache_size=0)
    try:
        yield connection
    finally:
        await connection.close(timeout=2)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())


async def _run(dsn: str, run: Callable[[Config], T]) -> T:
    """Run an Alembic command, and return what it returns."""

    async def connect() -> Any:
        with as_configuration_error():
            return await asyncpg.connect(dsn, timeout=10)

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
