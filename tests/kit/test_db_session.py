"""External databases and poolers: those that the bank can use work unchanged, and others are refused with a clear message."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from bank_graphql.app import create_app
from bank_graphql.database import ROLE
from bank_graphql.kit import schema
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.settings import Settings
from tests.client import Client
from tests.databases import dsn_of
from tests.ports import free_port
from tests.serving import serving

Pooled = Callable[[str, str], AbstractAsyncContextManager[str]]


@pytest.fixture
def pooled(folder: Path) -> Pooled:
    """Return a function that starts PgBouncer, with defaults but for its mode, before a database, and returns its address."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("pgbouncer is not installed; the bank runs without it, and .ci/run installs it")

    @asynccontextmanager
    async def start(dsn: str, mode: str) -> AsyncIterator[str]:
        place = parse_qs(urlsplit(dsn).query)["host"][0]
        port = free_port()
        file = folder / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = host={place} user=bank\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\nlogfile =\n"
        )
        # It refuses to be root, and only its owner may enter the server's socket folder.
        user = {"user": Path(place).stat().st_uid, "group": Path(place).stat().st_gid} if os.geteuid() == 0 else {}
        process = subprocess.Popen([program, "-q", str(file)], stderr=subprocess.DEVNULL, **user)  # type: ignore[call-overload]
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        break
                    except OSError:
                        await asyncio.sleep(0.01)
            yield f"postgresql://bank@127.0.0.1:{port}/{urlsplit(dsn).path[1:]}"
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)

    return start


async def test_a_pooler_that_keeps_sessions_works(
    server: str, new_database: Callable[..., Awaitable[str]], pooled: Pooled, settings: Settings
) -> None:
    async with pooled(dsn_of(server, await new_database()), "session") as dsn:
        await schema.migrate(dsn)
        async with serving(create_app(settings.model_copy(update={"database_url": SecretStr(dsn)}))) as http:
            ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
            account = await ada.open(deposit="10")
            assert (await ada.withdraw(account["id"], "4"))["__typename"] == "MoneyMoved"
            assert (await http.get("/health/ready")).status_code == 200


async def test_settings_apply_to_the_session_behind_a_pooler(dsn: str, pooled: Pooled) -> None:
    async with pooled(dsn, "session") as through:
        database = await Database.open(through, role=ROLE, statement_timeout=7)
        async with database.connection() as connection:
            found = [
                await connection.raw.fetchval(f"SHOW {name}")
                for name in ("role", "statement_timeout", "idle_in_transaction_session_timeout", "timezone", "plan_cache_mode")
            ]
        await database.close()
    assert found == [ROLE, "7s", "7s", "UTC", "force_generic_plan"]


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_keeps_no_sessions_is_refused(dsn: str, pooled: Pooled, mode: str) -> None:
    async with pooled(dsn, mode) as through:
        for attempt in (schema.migrate(through), schema.require_current(through), Database.open(through)):
            with pytest.raises(ConfigurationError, match="pool_mode=session"):
                await attempt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("ENCODING 'LATIN1' LOCALE 'C'", "encoding is LATIN1, and the bank needs UTF8: CREATE DATABASE"),
        ("ENCODING 'SQL_ASCII' LOCALE 'C'", "encoding is SQL_ASCII, and the bank needs UTF8: CREATE DATABASE"),
        ("ENCODING 'UTF8' LOCALE 'C'", "no lower-case letters beyond ASCII, which searches need: CREATE DATABASE"),
    ],
)
async def test_a_database_that_cannot_store_or_search_all_text_is_refused(server: str, options: str, message: str) -> None:
    connection = await asyncpg.connect(server)
    name = f"bank_test_{os.getpid()}"
    await connection.execute(f"CREATE DATABASE {name} {options} LOCALE_PROVIDER libc TEMPLATE template0")
    try:
        for attempt in (schema.migrate, schema.require_current):
            with pytest.raises(ConfigurationError, match=message):
                await attempt(dsn_of(server, name))
    finally:
        await connection.execute(f"DROP DATABASE {name}")
        await connection.close()


async def test_the_schema_of_another_application_is_refused_and_not_changed(
    server: str, new_database: Callable[..., Awaitable[str]]
) -> None:
    dsn = dsn_of(server, await new_database())
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('5f3a2c')")
    for attempt in (schema.migrate, schema.require_current):
        with pytest.raises(ConfigurationError, match="another application's schema"):
            await attempt(dsn)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
    await connection.close()


async def test_a_table_of_the_same_name_is_refused(server: str, new_database: Callable[..., Awaitable[str]]) -> None:
    dsn = dsn_of(server, await new_database())
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE users (id int)")
    with pytest.raises(ConfigurationError, match='cannot be migrated: relation "users" already exists') as error:
        await schema.migrate(dsn)
    assert "\n" not in str(error.value)
    await connection.close()


async def test_the_schema_of_a_newer_bank_is_refused(dsn: str, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await raw.execute("UPDATE alembic_version SET version_num = '9999'; COMMENT ON TABLE alembic_version IS NULL")
    for attempt in (schema.migrate, schema.require_current):
        with pytest.raises(ConfigurationError, match="newer version of the bank: upgrade the bank"):
            await attempt(dsn)


async def test_a_user_without_rights_is_refused(
    server: str, dsn: str, raw: "asyncpg.Connection[asyncpg.Record]", new_database: Callable[..., Awaitable[str]]
) -> None:
    name = f"nobody_{os.getpid()}"
    await raw.execute(f"CREATE ROLE {name} LOGIN")
    empty = dsn_of(server, await new_database())
    try:
        for attempt, address in ((schema.migrate, empty), (schema.migrate, dsn), (schema.require_current, dsn)):
            with pytest.raises(ConfigurationError, match=r"permission denied for .*\. Check the rights") as error:
                await attempt(address.replace("//bank@", f"//{name}@"))
            assert "\n" not in str(error.value)
    finally:
        await raw.execute(f"DROP ROLE {name}")
