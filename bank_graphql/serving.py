"""Opens the bank for commands, and runs it: prepares its database, says where it is, and serves until it is stopped."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bank_graphql import demo as demonstration
from bank_graphql.bank import Bank, open_bank
from bank_graphql.database import open_server, take_base_if_due
from bank_graphql.kit import schema
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db_session import PUBLIC
from bank_graphql.kit.progress import Progress
from bank_graphql.kit.terminal import fail
from bank_graphql.settings import Settings
from bank_graphql.web.playground import BUILT, ONLINE_BANK


async def prepare_and_run(settings: Settings, progress: Progress, run: Callable[[], Awaitable[bool]]) -> bool:
    """Migrate the bank, fill it and copy it into its archive, once before any process serves. Then serve.

    Args:
        settings: the bank's settings.
        progress: is informed of what is waited for.
        run: serves until the bank is stopped, and returns whether that was possible.

    Returns:
        What `run` returned.

    Raises:
        ConfigurationError: the bank is not set up correctly.
    """
    progress.waiting_for("the database to answer" if settings.database_url else "PostgreSQL to start")
    async with open_server(settings) as dsn:  # kept open, so that the embedded server keeps running
        progress.waiting_for("the database's schema")
        if settings.migrate:
            await schema.migrate(dsn, schema=settings.database_schema)
        else:
            await schema.require_current(dsn, schema=settings.database_schema)
        progress.waiting_for("the bank to open")
        async with open_bank(settings) as bank:
            if settings.is_demo and await demonstration.is_incomplete(bank.db):
                progress.waiting_for("the demo customers")
                await demonstration.fill(bank.db, bank.people.identity, bank.products, bank.execute)
            progress.waiting_for("a copy of the database for the archive")
            await take_base_if_due(settings, dsn, bank.db, utc_now)
            progress.waiting_for("what is under way to be finished")
        _greet(settings)
        progress.waiting_for("the server to begin")
        return await run()


def _greet(settings: Settings) -> None:
    address = settings.model_copy(update={"public_url": None}).address
    print(f"The bank          {address}")
    print(f"Online bank       {address}/app/")
    print(f"GraphiQL          {address}/graphql")
    if not BUILT.exists() or not ONLINE_BANK.exists():
        print("                  They are not built yet: install npm (Node 20.19 or newer), and run 'make playground web'.")
    if settings.is_demo:
        print(how_to_sign_in())
    where = "at DATABASE_URL" if settings.database_url else str((settings.data_dir / "postgres").resolve())
    if settings.database_schema != PUBLIC:
        where += f", schema {settings.database_schema}"
    print(f"Data              {where}")
    if settings.metrics_port is not None:
        print(f"Metrics           http://{settings.metrics_host}:{settings.metrics_port}/metrics")
    print("Stop              Ctrl-C", flush=True)


def how_to_sign_in() -> str:
    """Return the lines that say how to sign in as the demo's users."""
    emails = [email for email, _ in (*demonstration.CUSTOMERS, demonstration.TELLER)]
    return f"Sign in as        {', '.join(emails)}\nPassword          {demonstration.PASSWORD}"


@asynccontextmanager
async def existing_bank(settings: Settings) -> AsyncIterator[Bank]:
    """Open the bank.

    Raises:
        ConfigurationError: the database does not have this version's schema.
    """
    require_data(settings)
    async with open_server(settings) as dsn:
        await schema.require_current(dsn, schema=settings.database_schema)
        async with open_bank(settings) as bank:
            yield bank


def require_data(settings: Settings) -> None:
    """Fail if there is no bank. A command on an existing bank must not create one."""
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        folder = settings.data_dir.resolve()
        fail(
            f"There is no bank in {folder}: change to the folder where it was started, or set BANK_DATA_DIR. "
            "'bank-graphql migrate' creates a bank."
        )
