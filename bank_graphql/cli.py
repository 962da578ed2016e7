"""The command line: `bank-graphql`, or `python -m bank_graphql`.

Every command prints one clear line and exits with 1 when something is not set up as it must be.
"""

import asyncio
import getpass
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import typer
from uvicorn.supervisors import Multiprocess

from bank_graphql import demo as demonstration
from bank_graphql import settings as configuration
from bank_graphql.api.schema import build_schema, export, introspection
from bank_graphql.bank import CHECKS, Bank, open_bank, open_server, rotate_card_keys
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.tokens import signing_keys
from bank_graphql.kit import log, schema
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db_errors import describe
from bank_graphql.kit.embedded import binaries
from bank_graphql.kit.errors import ConfigurationError, Unavailable, ValidationFailed
from bank_graphql.kit.files import replace_text
from bank_graphql.kit.progress import Progress
from bank_graphql.ledger import verification
from bank_graphql.settings import Settings
from bank_graphql.web import server
from bank_graphql.web.endpoint import MAX_BODY
from bank_graphql.web.playground import BUILT


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"bank-graphql {version('bank-graphql')}")
        raise typer.Exit


def _all_commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app = typer.Typer(
    callback=_all_commands,
    help="A GraphQL bank on PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
T = TypeVar("T")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. [BANK_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 for any that is free. [BANK_PORT]")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes serve.")] = 1,
    demo: Annotated[bool | None, typer.Option("--demo/--no-demo", help="Fill an empty bank. [BANK_DEMO]")] = None,
    migrate: Annotated[
        bool | None, typer.Option("--migrate/--no-migrate", help="Bring the schema up to date first. [BANK_MIGRATE]")
    ] = None,
) -> None:
    """Run the bank."""
    settings = configuration.load(host=host, port=port, demo=demo, migrate=migrate)
    log.configure(level=settings.log_level)
    with server.listen(settings.host, settings.port) as listener, Progress("starting") as progress:
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        # The server's processes read their settings anew.
        os.environ |= {"BANK_HOST": settings.host, "BANK_PORT": str(settings.port)}
        for name in configuration.unknown():
            print(f"bank-graphql: there is no setting {name}; it is ignored.", file=sys.stderr)
        config = server.configuration(workers=workers, trusted_proxies=settings.trusted_proxies, max_message=MAX_BODY)
        with suppress(KeyboardInterrupt):  # what was under way is finished
            if workers > 1:
                _run(_start(settings, progress))
                progress.stop()
                Multiprocess(config, sockets=[listener]).run()
            else:
                with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                    runner.run(_start(settings, progress, server.Server(config, progress.stop), listener))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    settings = configuration.load()

    async def work() -> None:
        async with open_server(settings) as dsn:
            await schema.migrate(dsn)

    _run(work())
    print("The schema is up to date.")


@app.command()
def demo() -> None:
    """Fill an empty bank with demo customers, accounts and some history."""
    settings = configuration.load()
    if not settings.is_sandbox:
        _fail("The demo's password is known to everyone, so it is for sandboxes only: set BANK_SANDBOX=true if this is one.")

    async def work() -> bool:
        async with _existing_bank(settings) as bank:
            is_incomplete = await demonstration.is_incomplete(bank.db)
            if is_incomplete:
                await demonstration.fill(bank.db, bank.identity, bank.execute)
            return is_incomplete

    if not _run(work()):
        _fail("The bank has users already: the demo is for an empty one.")
    print(_how_to_sign_in())


@app.command("export-schema")
def export_schema(
    path: Annotated[
        Path | None,
        typer.Argument(help="The file to write; one named .json gets the introspection. Without it, standard output."),
    ] = None,
) -> None:
    """Write the GraphQL schema, as text or as introspection."""
    schema = build_schema()
    text = introspection(schema) if path is not None and path.suffix == ".json" else export(schema)
    if path is None:
        sys.stdout.buffer.write(text.encode())  # in UTF-8, whatever the terminal's encoding
        sys.stdout.buffer.flush()
        return
    try:
        replace_text(path, text)
    except OSError as error:
        _fail(f"{path} cannot be written: {error.strerror}.")


@app.command("create-user")
def create_user(
    role: Annotated[UserRole, typer.Option(help="What the user is to the bank.")],
    email: Annotated[str, typer.Option(help="The e-mail address to sign in with.")],
    full_name: Annotated[str, typer.Option(help="The name.")],
) -> None:
    """Create a user of any role; the password is asked for, or read from standard input."""
    settings = configuration.load()
    password = _read_password()

    async def work() -> None:
        async with _existing_bank(settings) as bank:
            await bank.identity.create_user(email=email, password=password, full_name=full_name, role=role)

    try:
        _run(work())
    except ValidationFailed as error:
        _fail(str(error))
    print(f"{email} can sign in as {role}.")


@app.command()
def verify() -> None:
    """Recompute the books from scratch and compare. Exits with 1 if anything is wrong."""
    settings = configuration.load()

    async def work() -> list[verification.Finding]:
        async with _existing_bank(settings) as bank:
            findings = await verification.verify(bank.db, CHECKS, _tell)
            await verification.record(bank.db, findings, utc_now())
            return findings

    if not all(finding.ok for finding in _run(work())):
        raise typer.Exit(1)


@app.command("expire-holds")
def expire_holds() -> None:
    """Let holds whose time has come expire. A running bank does so by itself."""
    settings = configuration.load()

    async def work() -> int:
        async with _existing_bank(settings) as bank:
            expired = 0
            while some := await bank.expire_holds():
                expired += some
            return expired

    print(f"{_run(work())} holds expired.")


@app.command(context_settings={"ignore_unknown_options": True})
def psql(arguments: Annotated[list[str] | None, typer.Argument(help="Arguments for psql, after --.")] = None) -> None:
    """Open the database's own client on the bank's database."""
    settings = configuration.load()
    _require_data(settings)

    async def work() -> int:
        async with open_server(settings) as dsn:
            command = [str(binaries() / "psql"), dsn, *(arguments or [])]
            # Ctrl-C is for psql, which cancels its query; the bank's part goes on until psql ends.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
            client = await asyncio.create_subprocess_exec(*command)
            return await client.wait()

    raise typer.Exit(_run(work()))


@app.command("rotate-card-keys")
def rotate_keys_of_cards() -> None:
    """Exchange the master key of card numbers, while the bank runs: for a new one, or for the first in BANK_CARD_KEYS."""
    settings = configuration.load()

    async def work() -> int:
        async with _existing_bank(settings) as bank:
            return await rotate_card_keys(settings, bank.db)

    rotated = _run(work())
    print(f"{rotated} cards were put under another key." if rotated else "All cards were under the first key already.")


@app.command("rotate-signing-keys")
def rotate_signing_keys() -> None:
    """Put a new key in front of the data folder's signing keys. Restart the bank to sign with it; nobody is logged out."""
    settings = configuration.load()
    if settings.signing_keys is not None:
        _fail("BANK_SIGNING_KEYS is set: put a new key in front of its set yourself, and restart the bank.")
    source = signing_keys(None, settings.data_dir / "keys")
    with source.locked():
        source.add()
    print("The next start signs with a new key; the older keys go on verifying.")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except ConfigurationError as error:
        _fail(str(error))
    except Unavailable as error:
        cause = error.__cause__
        _fail(f"The database cannot be reached{f': {describe(error)}' if cause else ''}.")
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
        _fail(f"The database refuses what the bank needs: {describe(error)}. Run 'bank-graphql migrate' as its owner.")
    except asyncpg.DiskFullError as error:
        _fail(f"The database cannot be written to: {describe(error)}.")


@asynccontextmanager
async def _existing_bank(settings: Settings) -> AsyncIterator[Bank]:
    """The bank, if its database has the schema that this version works with."""
    _require_data(settings)
    async with open_server(settings) as dsn:
        await schema.require_current(dsn)
        async with open_bank(settings) as bank:
            yield bank


def _require_data(settings: Settings) -> None:
    """Refuse to make a new bank, where one is expected to be."""
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        folder = settings.data_dir.resolve()
        _fail(
            f"There is no bank in {folder}: go to where it was started, or set BANK_DATA_DIR. 'bank-graphql migrate' makes one."
        )


async def _start(
    settings: Settings, progress: Progress, serving: server.Server | None = None, listener: socket.socket | None = None
) -> None:
    """Do what must be done once, before any process serves; then have this process serve, if it is given a server for that."""
    progress.waiting_for("the database to answer" if settings.database_url else "PostgreSQL to start")
    async with open_server(settings) as dsn:  # held, so that the embedded server runs through
        progress.waiting_for("the database's schema")
        if settings.migrate:
            await schema.migrate(dsn)
        else:
            await schema.require_current(dsn)
        progress.waiting_for("the bank to open")
        async with open_bank(settings) as bank:
            if settings.is_demo and await demonstration.is_incomplete(bank.db):
                progress.waiting_for("the demo customers")
                await demonstration.fill(bank.db, bank.identity, bank.execute)
            progress.waiting_for("what is under way to be finished")
        _greet(settings)
        if serving is not None and listener is not None:
            progress.waiting_for("the server to begin")
            await serving.serve(sockets=[listener])
            if not serving.started:
                raise typer.Exit(1)


def _tell(finding: verification.Finding) -> None:
    """A line for each check, as soon as it has ended."""
    try:
        print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.name}: {finding.examined} examined", flush=True)
        if finding.first_problem is not None:
            print(f"      {finding.first_problem}", flush=True)
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _greet(settings: Settings) -> None:
    address = settings.model_copy(update={"public_url": None}).address
    print(f"The bank          {address}")
    print(f"GraphiQL          {address}/graphql")
    if not BUILT.exists():
        print("                  It is not built yet: install npm (Node 20.19 or newer), then run 'make playground'.")
    if settings.is_demo:
        print(_how_to_sign_in())
    where = "at DATABASE_URL" if settings.database_url else str((settings.data_dir / "postgres").resolve())
    print(f"Data              {where}")
    print("Stop              Ctrl-C", flush=True)


def _how_to_sign_in() -> str:
    emails = [email for email, _ in (*demonstration.CUSTOMERS, demonstration.TELLER)]
    return f"Sign in as        {', '.join(emails)}\nPassword          {demonstration.PASSWORD}"


def _read_password() -> str:
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Once more: "):
            _fail("The two passwords differ.")
        return password
    return sys.stdin.readline().rstrip("\r\n")


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _fail(message: str) -> NoReturn:
    print(f"bank-graphql: {message}", file=sys.stderr)
    raise SystemExit(1)
