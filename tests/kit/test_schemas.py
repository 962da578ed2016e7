"""A bank lives in any schema of its database, beside others, and none sees or stops another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr, ValidationError

from bank_graphql import backups
from bank_graphql.app import create_app
from bank_graphql.bank import CHANNEL, CHECKS
from bank_graphql.kit import schema
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.ledger import verification
from bank_graphql.settings import Settings
from tests.client import Client, key
from tests.databases import Databases, dsn_of
from tests.serving import sandbox, serving

SCHEMAS = ("public", "north", "order")
"""One of them is a word of SQL."""
_OBJECTS = """
SELECT n.nspname AS schema, c.relkind::text AS kind, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'S', 'i', 'v')
UNION ALL SELECT nspname, 'f', proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = ANY ($1)
"""
NewDatabase = Callable[..., Awaitable[str]]


@pytest.fixture
async def shared(server: str, databases: Databases) -> AsyncIterator[str]:
    """The address of one database for several banks."""
    name = await databases.create()
    yield dsn_of(server, name)
    await databases.drop(name)


def settings_of(dsn: str, folder: Path, name: str) -> Settings:
    """A bank in a schema, with keys of its own."""
    place = folder / name
    place.mkdir(exist_ok=True)
    return sandbox(dsn, place).model_copy(update={"database_schema": name})


async def verified(dsn: str, name: str) -> bool:
    """Whether the books of a bank are right."""
    db = await Database.open(dsn, schema=name)
    try:
        return all(each.ok for each in await verification.verify(db, CHECKS))
    finally:
        await db.close()


@pytest.mark.deep
async def test_banks_in_schemas_of_one_database_are_strangers(shared: str, folder: Path) -> None:
    for name in SCHEMAS:
        await schema.migrate(shared, schema=name)
        await schema.require_current(shared, schema=name)
    async with AsyncExitStack() as stack:
        banks = {
            name: await stack.enter_async_context(serving(create_app(settings_of(shared, folder, name)))) for name in SCHEMAS
        }
        customers = {name: await Client(http).sign_up("ada@bank.test", f"Ada of {name}") for name, http in banks.items()}
        accounts = {name: (await each.open(deposit="10"))["id"] for name, each in customers.items()}
        same = key()
        for name, each in customers.items():
            stranger = customers[next(other for other in SCHEMAS if other != name)]
            assert "errors" in await Client(banks[name], stranger.token).post("{ me { id } }")
            paid = await each.deposit(accounts[name], str(SCHEMAS.index(name) + 1), idempotencyKey=same)
            assert paid["replayed"] is False, "another bank has this key"
            assert (await each.run("query ($id: ID!) { node(id: $id) { id } }", id=paid["transaction"]["id"]))["node"]
            assert not (await stranger.run("query ($id: ID!) { node(id: $id) { id } }", id=paid["transaction"]["id"]))["node"]
        assert [await customers[name].booked(accounts[name]) for name in SCHEMAS] == ["11.00", "12.00", "13.00"]
    assert [await verified(shared, name) for name in SCHEMAS] == [True] * 3


@pytest.mark.deep
async def test_nothing_of_a_bank_is_outside_its_schema(shared: str, folder: Path) -> None:
    await schema.migrate(shared, schema="north")
    connection = await asyncpg.connect(shared)
    try:
        first = {(each["kind"], each["name"]) for each in await connection.fetch(_OBJECTS, ["north"])}
        assert not await connection.fetch(_OBJECTS, ["public"])
        await schema.migrate(shared)
        assert {(each["kind"], each["name"]) for each in await connection.fetch(_OBJECTS, ["public"])} == first
        paths = "SELECT DISTINCT proconfig FROM pg_proc WHERE pronamespace = $1::text::regnamespace"
        assert [each for [each] in await connection.fetch(paths, "north")] == [["search_path=north, pg_temp"]]
        bodies = await connection.fetch("SELECT prosrc FROM pg_proc WHERE pronamespace = 'north'::regnamespace")
        assert not [each for [each] in bodies if "public" in each]
        await schema.downgrade(shared, "base", schema="north")
        assert {each["name"] for each in await connection.fetch(_OBJECTS, ["north"])} == {
            "alembic_version",
            "alembic_version_pkc",
        }
        await schema.require_current(shared)
    finally:
        await connection.close()


async def test_a_search_path_of_the_user_or_the_database_changes_nothing(shared: str, folder: Path) -> None:
    connection = await asyncpg.connect(shared)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET search_path = elsewhere")
    finally:
        await connection.close()
    await schema.migrate(shared)
    async with serving(create_app(settings_of(shared, folder, "public"))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        assert await ada.booked((await ada.open(deposit="10"))["id"]) == "10.00"


async def test_the_owners_tables_are_out_of_reach_of_the_application_in_any_schema(shared: str) -> None:
    await schema.migrate(shared, schema="north")
    db = await Database.open(shared, schema="north", role="bank_app")
    try:
        async with db.connection() as connection:
            assert await connection.raw.fetchval("SELECT count(*) FROM entries") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.raw.execute("DELETE FROM entries")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.raw.execute("CREATE TABLE north.other ()")
    finally:
        await db.close()


async def test_banks_in_one_database_do_not_wait_for_each_others_locks(shared: str) -> None:
    public, north, again = [await Database.open(shared, schema=name) for name in ("public", "north", "north")]
    locked, release = asyncio.Event(), asyncio.Event()

    async def hold(connection: Connection) -> None:
        await connection.lock([1])
        locked.set()
        await release.wait()

    async def take(connection: Connection) -> None:
        await connection.lock([1])

    holding = asyncio.create_task(north.transact(hold))
    await locked.wait()
    async with asyncio.timeout(10):
        await public.transact(take)
    waiting = asyncio.create_task(again.transact(take))
    assert not (await asyncio.wait({waiting}, timeout=0.2))[0], "of one bank, they do"
    release.set()
    await asyncio.gather(holding, waiting)
    for each in (public, north, again):
        await each.close()


async def test_nobody_else_makes_operators_where_the_books_look_for_theirs(shared: str) -> None:
    owner = await asyncpg.connect(shared)
    try:
        for name in ("public", "north"):
            await owner.execute(f"CREATE SCHEMA IF NOT EXISTS {name}; GRANT ALL ON SCHEMA {name} TO PUBLIC")
            await schema.migrate(shared, schema=name)
            await owner.execute("SET ROLE bank_app")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute(f"CREATE FUNCTION {name}.now() RETURNS integer LANGUAGE sql RETURN 1")
            await owner.execute("RESET ROLE")
            acl = "SELECT has_function_privilege('bank_app', $1::text, 'EXECUTE'), proacl::text FROM pg_proc WHERE oid = $1::text::regprocedure"
            may, rights = await owner.fetchrow(acl, f"{name}.erase_address(uuid, timestamptz)") or (None, "")
            assert (may, "{=" in rights or ",=" in rights) == (True, False), "everybody may call it"
    finally:
        await owner.close()


async def _filled(dsn: str, folder: Path, name: str) -> tuple[Settings, str]:
    """A bank with an account of 10, and the account."""
    await schema.migrate(dsn, schema=name)
    settings = settings_of(dsn, folder, name)
    async with serving(create_app(settings)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        return settings, (await ada.open(deposit="10"))["id"]


async def _booked(settings: Settings, account: str) -> str:
    async with serving(create_app(settings)) as http:
        return await (await Client(http).log_in("ada@bank.test")).booked(account)


@pytest.mark.deep
async def test_one_bank_of_several_is_backed_up_and_restored(
    shared: str, server: str, databases: Databases, folder: Path, tmp_path: Path
) -> None:
    await _filled(shared, folder, "public")
    north, account = await _filled(shared, folder, "north")
    file, ignore = tmp_path / "north.dump", lambda _: None
    await backups.back_up(north, file, recipient=None, report=ignore, clock=utc_now)
    restore = partial(backups.restore, path=file, identity_file=None, report=ignore, on_finding=ignore, clock=utc_now)
    with pytest.raises(ConfigurationError, match="There is a bank in the schema north"):
        await restore(north)
    name = await databases.create()
    elsewhere = north.model_copy(update={"database_url": SecretStr(dsn_of(server, name))})
    with pytest.raises(ConfigurationError, match="no bank of the schema south"):
        await restore(elsewhere.model_copy(update={"database_schema": "south"}))
    assert await restore(elsewhere)
    assert await _booked(elsewhere, account) == "10.00"
    await databases.drop(name)


async def test_a_bank_wakes_its_own_processes_alone(shared: str, folder: Path) -> None:
    settings, account = await _filled(shared, folder, "north")
    channels = [CHANNEL, f"{CHANNEL}_north"]
    seen: set[str] = set()
    woken = asyncio.Event()

    def listen(_connection: object, _pid: int, channel: str, _payload: object) -> None:
        seen.add(channel)
        woken.set()

    connection = await asyncpg.connect(shared)
    try:
        for channel in channels:
            await connection.add_listener(channel, listen)
        async with serving(create_app(settings)) as http, asyncio.timeout(10):
            ada = await Client(http).log_in("ada@bank.test")
            while not woken.is_set():  # the first payments may come before the process listens
                await ada.deposit(account, "1")
        assert seen == {f"{CHANNEL}_north"}
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["", "Bank", "pg_bank", "information_schema", 'a"b', "a b", "1st", "x" * 41, "ä"])
def test_names_that_need_care_are_refused(name: str) -> None:
    with pytest.raises((ValidationError, ConfigurationError)):
        Settings.model_validate({"BANK_DATABASE_SCHEMA": name, "database_schema": name})


async def test_who_may_not_make_a_schema_is_informed(shared: str, server: str) -> None:
    admin = await asyncpg.connect(shared)
    user = f"owner_{key().replace('-', '')[:12]}"
    try:
        await admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
        url = httpx.URL(shared)
        as_user = str(url.copy_with(username=user, password="x"))
        with pytest.raises(ConfigurationError, match=r"cannot be migrated: permission denied for database .*own the schema"):
            await schema.migrate(as_user, schema="north")
        await admin.execute(f"CREATE SCHEMA north AUTHORIZATION {user}")
        await schema.migrate(as_user, schema="north")
    finally:
        await admin.execute(f"DROP OWNED BY {user}")
        await admin.execute(f"DROP ROLE {user}")
        await admin.close()
