"""Databases for tests."""

import secrets

import asyncpg


class Databases:
    """Makes databases on a server, and drops them."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._made: set[str] = set()

    async def __aenter__(self) -> "Databases":
        self._connection = await asyncpg.connect(self._server)
        # Where nothing is flushed, copying files costs a third of writing them to the log.
        self._strategy = "FILE_COPY" if await self._connection.fetchval("SHOW fsync") == "off" else "WAL_LOG"
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self._made):
            await self.drop(name)
        await self._connection.close()

    async def create(self, template: str | None = None) -> str:
        """Make a database and return its name: an empty one, or a copy of a template."""
        name = f"bank_test_{secrets.token_hex(6)}"
        await self._connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY {self._strategy}")
        self._made.add(name)
        return name

    async def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        await self._connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.discard(name)


def dsn_of(server: str, database: str) -> str:
    """The address of another database on the same server."""
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{database}{'?' + query if query else ''}"
