"""A real PostgreSQL for the tests, a database of its own for each test, and clients that talk to the whole application."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import asyncpg
import httpx
import pytest
from graphql import ASTValidationRule, DocumentNode, GraphQLError, GraphQLSchema
from starlette.applications import Starlette
from strawberry.schema.schema import validate_document

from bank_graphql.api.schema import build_schema
from bank_graphql.app import create_app
from bank_graphql.bank import Bank, open_bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.kit import schema
from bank_graphql.kit.db import Database
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.settings import Settings
from tests.client import Client
from tests.databases import Databases, dsn_of
from tests.e2e.processes import fill, is_setting
from tests.folders import reachable_folder
from tests.ports import free_port
from tests.serving import sandbox, serving, sign_in_staff

UNSAFE_BUT_FAST = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal", "max_wal_senders": "0",
    "autovacuum": "off", "shared_buffers": "64MB", "max_connections": "200",
}  # fmt: skip

History = Callable[[Starlette, Client], Awaitable[None]]
"""Creates activity at an application, as a client of it."""


@dataclass(frozen=True)
class Origin:
    """What databases are copied from: the name of one, and the folder with the keys to what is in it."""

    database: str
    keys: Path | None = None


SLOW = ("e2e", "faults", "schema")
"""Rooms of tests that take long. They come first, so that the workers end at about the same time."""


for name in filter(is_setting, list(os.environ)):
    del os.environ[name]  # a test's settings are those that it gives, whoever runs it, and on whichever database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a bank of this test's own."""
    with reachable_folder() as made:
        yield made


@pytest.fixture
def filled_folder(folder: Path) -> Path:
    """A folder with a bank in it, which needs neither `initdb` nor migrations any more."""
    fill(folder)
    return folder


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[str]:
    """The address of a server: the one in DATABASE_URL, or an embedded one. Its database is not used for data."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with reachable_folder() as made:
        async with EmbeddedPostgres(made, UNSAFE_BUT_FAST) as dsn:
            yield dsn


@pytest.fixture(scope="session")
async def databases(server: str) -> AsyncIterator[Databases]:
    """The databases that tests make."""
    async with Databases(server) as made:
        yield made


@pytest.fixture(scope="session")
def new_database(databases: Databases) -> Callable[..., Awaitable[str]]:
    """Makes databases: empty ones, or copies of a template."""
    return databases.create


@pytest.fixture(scope="session")
async def template(server: str, new_database: Callable[..., Awaitable[str]]) -> str:
    """The name of a database with the schema and nothing in it."""
    name = await new_database()
    await schema.migrate(dsn_of(server, name))
    return name


@pytest.fixture(scope="module")
def history() -> History | None:
    """Makes what is in the databases of a module's tests from the beginning; a module overrides it, to make it only once."""
    return None


@pytest.fixture(scope="module")
async def origin(server: str, template: str, databases: Databases, history: History | None) -> AsyncIterator[Origin]:
    """What the databases of a module's tests are copied from."""
    if history is None:
        yield Origin(template)
        return
    name = await databases.create(template)
    with reachable_folder() as folder:
        application = create_app(sandbox(dsn_of(server, name), folder))
        async with serving(application) as http:
            await history(application, Client(http))
        yield Origin(name, folder / "keys")
    await databases.drop(name)


@pytest.fixture
async def dsn(server: str, origin: Origin, databases: Databases) -> AsyncIterator[str]:
    """The address of a database of this test's own, with the schema."""
    name = await databases.create(origin.database)
    yield dsn_of(server, name)
    await databases.drop(name)


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    """This test's own database."""
    database = await Database.open(dsn, max_size=5)
    yield database
    await database.close()


@pytest.fixture
async def raw(dsn: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A bare connection to this test's own database, to look at what is really there, and to attack it."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def wait_until_idle(raw: "asyncpg.Connection[asyncpg.Record]") -> Callable[[], Awaitable[None]]:
    """Waits until no transaction runs on the server, in other tests' databases either: the feed waits for that, too."""

    async def wait() -> None:
        begun = await raw.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        while await raw.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint") < begun:
            await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def settings(dsn: str, folder: Path, origin: Origin) -> Settings:
    """A sandbox on this test's own database."""
    if origin.keys is not None:
        shutil.copytree(origin.keys, folder / "keys")
    return sandbox(dsn, folder)


@pytest.fixture(scope="module", autouse=True)
def password_cost() -> Iterator[None]:
    """Hash passwords cheaply, for most tests sign someone up. Modules about passwords override this, and pay the real cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bank_graphql.people.PasswordHasher", partial(PasswordHasher, memory_kib=8, passes=1))
        yield


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Bank]:
    """The rooms, without the web."""
    async with open_bank(settings) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def _once() -> Iterator[None]:
    """Build the schema once and validate each document once, for all applications of a session: both take longer than most tests."""
    mistakes: dict[tuple[GraphQLSchema, str], list[GraphQLError]] = {}

    def validate(schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]) -> list[GraphQLError]:
        assert document.loc is not None
        key = schema, document.loc.source.body
        if key not in mistakes:
            mistakes[key] = validate_document(schema, document, rules)
        return mistakes[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bank_graphql.app.build_schema", cache(build_schema))
        patch.setattr("bank_graphql.engine.executor.validate_document", validate)
        yield


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Starlette]:
    """The whole application."""
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP to the application."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank") as client:
        yield client


@pytest.fixture
def visitor(http: httpx.AsyncClient) -> Client:
    """Someone who is not signed in."""
    return Client(http)


@pytest.fixture
async def ada(visitor: Client) -> Client:
    """A customer."""
    return await visitor.sign_up("ada@bank.test", "Ada Lovelace")


@pytest.fixture
async def grace(visitor: Client) -> Client:
    """Another customer."""
    return await visitor.sign_up("grace@bank.test", "Grace Hopper")


@pytest.fixture
def staff(app: Starlette, visitor: Client) -> Callable[[UserRole], Awaitable[Client]]:
    """Makes members of staff, signed in."""
    return partial(sign_in_staff, app, visitor)


@pytest.fixture
async def redis(folder: Path) -> AsyncIterator[str]:
    """A Redis."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed; the bank runs without it, and .ci/run installs it")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Ready to accept" in line:
            break
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    await process.wait()


@pytest.fixture
async def teller(staff: Callable[[UserRole], Awaitable[Client]]) -> Client:
    """A teller."""
    return await staff(UserRole.TELLER)


@pytest.fixture
async def plain(settings: Settings) -> AsyncIterator[Client]:
    """Someone who is not signed in, at a bank that is no sandbox."""
    async with serving(create_app(settings.model_copy(update={"sandbox": False}))) as client:
        yield Client(client)
