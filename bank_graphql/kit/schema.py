"""Brings the database's schema up to date, with Alembic."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import bank_graphql
from bank_graphql.kit.db import reaching
from bank_graphql.kit.errors import ConfigurationError

_GRANT_ATTEMPTS = 20


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
        ConfigurationError: the database cannot be reached, or has a schema from a newer version of the bank.
    """
    await _run(dsn, lambda config: command.upgrade(config, revision))
    if revision == "head":
        await _grant(dsn)


async def require_current(dsn: str) -> None:
    """Make sure that the schema is the one that this version of the bank works with.

    Raises:
        ConfigurationError: it is not, or the database cannot be reached.
    """
    found: list[str | None] = []

    def look(config: Config) -> None:
        found.append(MigrationContext.configure(config.attributes["connection"]).get_current_revision())

    await _run(dsn, look)
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    if found[0] != head:
        raise ConfigurationError(
            f"The database's schema is at {found[0] or 'nothing'}, not at {head}: run 'bank-graphql migrate'."
        )


async def downgrade(dsn: str, revision: str) -> None:
    """Take the schema back to a revision, `base` for an empty database."""
    await _run(dsn, lambda config: command.downgrade(config, revision))


async def check(dsn: str) -> None:
    """Compare the schema with the models.

    Raises:
        CommandError: they differ.
    """
    await _run(dsn, command.check)


async def _grant(dsn: str) -> None:
    """Say anew what the application's role may do; see `migrations/grants.sql`."""
    statements = (Path(configuration().get_main_option("script_location") or "") / "grants.sql").read_text()
    with reaching():
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
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
        finally:
            await connection.close()


async def _run(dsn: str, run: Callable[[Config], None]) -> None:
    async def connect() -> Any:
        with reaching():
            return await asyncpg.connect(dsn, timeout=10)

    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)

    def with_connection(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        run(config)

    try:
        async with engine.connect() as connection:
            await connection.run_sync(with_connection)
    except CommandError as error:
        if "Can't locate revision" in str(error):
            raise ConfigurationError("The database was migrated by a newer version of the bank: upgrade the bank.") from error
        raise
    finally:
        await engine.dispose()
