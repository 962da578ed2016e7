"""The command line: `bank-graphql`, or `python -m bank_graphql`.

If the bank is not set up correctly, a command prints one line that says what is wrong and what to do, and exits with 1.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from bank_graphql import backups, cli_agents, cli_audit, cli_messages, cli_oauth, cli_smoke, serving
from bank_graphql import demo as demonstration
from bank_graphql import settings as configuration
from bank_graphql.api.schema import build_schema, export, introspection
from bank_graphql.cards.vault import master_keys
from bank_graphql.database import open_server
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.tokens import signing_keys
from bank_graphql.keys import rotate_card_keys
from bank_graphql.kit import log, schema
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db_errors import describe
from bank_graphql.kit.db_session import PUBLIC
from bank_graphql.kit.dsn import with_search_path, without_password
from bank_graphql.kit.embedded import program
from bank_graphql.kit.errors import ConfigurationError, Unavailable, ValidationFailed
from bank_graphql.kit.files import replace_text
from bank_graphql.kit.metrics import shared_by_processes
from bank_graphql.kit.progress import Progress
from bank_graphql.kit.terminal import fail, megabytes, read_month, read_password, read_time
from bank_graphql.statements import service as statements
from bank_graphql.statements.rules import require_ended
from bank_graphql.web import server
from bank_graphql.web.endpoint import MAX_BODY


def _print_version(requested: bool) -> None:
    if requested:
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


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. [BANK_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 for any free port. [BANK_PORT]")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="The number of processes.")] = 1,
    demo: Annotated[
        bool | None, typer.Option("--demo/--no-demo", help="Fill an empty bank with demo customers. [BANK_DEMO]")
    ] = None,
    migrate: Annotated[
        bool | None, typer.Option("--migrate/--no-migrate", help="Migrate the database first. [BANK_MIGRATE]")
    ] = None,
) -> None:
    """Run the bank."""
    settings = configuration.load(host=host, port=port, demo=demo, migrate=migrate)
    log.configure(level=settings.log_level)
    with ExitStack() as stack:
        sockets = [stack.enter_context(server.listen(settings.host, settings.port))]
        settings = settings.model_copy(update={"port": sockets[0].getsockname()[1]})
        if settings.metrics_port is not None:
            listener = server.listen(settings.metrics_host, settings.metrics_port, settings="BANK_METRICS_PORT")
            sockets.append(stack.enter_context(listener))
        # The server's processes read their own settings from the environment.
        os.environ |= {"BANK_HOST": settings.host, "BANK_PORT": str(settings.port)}
        for name in configuration.unknown():
            print(f"bank-graphql: there is no setting {name}; it is ignored.", file=sys.stderr)
        config = server.configuration(workers=workers, trusted_proxies=settings.trusted_proxies, max_message=MAX_BODY)
        progress = stack.enter_context(Progress("starting"))

        async def run() -> bool:
            if workers > 1:
                progress.stop()
                return await server.supervise(config, sockets)
            alone = server.Server(config, progress.stop)
            await alone.serve(sockets=sockets)
            return alone.started

        if workers > 1:
            stack.enter_context(shared_by_processes())
        with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            if not runner.run(serving.prepare_and_run(settings, progress, run)):  # requests that were running are finished
                raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Migrate the database to this version's schema."""
    settings = configuration.load()

    async def work() -> None:
        async with open_server(settings) as dsn:
            await schema.migrate(dsn, schema=settings.database_schema)

    asyncio.run(work())
    print("The schema is up to date.")


@app.command("run-schedules")
def run_schedules() -> None:
    """Make the transfers of standing orders that are due, each once. Safe beside servers that do it, too."""
    settings = configuration.load()

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            return await bank.run_schedules()

    print(f"{asyncio.run(work())} transfers were due.")


@app.command()
def accrue() -> None:
    """Accrue the interest of all accounts through yesterday. Safe beside servers that do it, too."""
    settings = configuration.load()

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            return await bank.interest.accrue()

    print(f"Accruals that were added or extended: {asyncio.run(work())}.")


@app.command("close-month")
def close_month() -> None:
    """Post the interest and fees of months that have ended, each once. Safe beside servers that do it, too."""
    settings = configuration.load()

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            return await bank.interest.close_months()

    print(f"Interest and fees that were posted: {asyncio.run(work())}.")


@app.command()
def demo() -> None:
    """Fill an empty bank with demo customers, accounts and transactions."""
    settings = configuration.load()
    if not settings.is_sandbox:
        fail("The demo customers' password is public, so they are for sandboxes only: set BANK_SANDBOX=true if this is one.")

    async def work() -> bool:
        async with serving.existing_bank(settings) as bank:
            is_incomplete = await demonstration.is_incomplete(bank.db)
            if is_incomplete:
                await demonstration.fill(bank.db, bank.people.identity, bank.products, bank.execute)
            return is_incomplete

    if not asyncio.run(work()):
        fail("The bank has users already: only an empty bank can be filled.")
    print(serving.how_to_sign_in())


@app.command("export-schema")
def export_schema(
    path: Annotated[
        Path | None,
        typer.Argument(help="The file to write: a .json file gets the introspection result. Without it, standard output."),
    ] = None,
) -> None:
    """Write the GraphQL schema, as text (SDL) or as the result of an introspection query."""
    schema = build_schema()
    text = introspection(schema) if path is not None and path.suffix == ".json" else export(schema)
    if path is None:
        sys.stdout.buffer.write(text.encode())  # in UTF-8, whatever the terminal's encoding
        sys.stdout.buffer.flush()
        return
    try:
        replace_text(path, text)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.")


@app.command("create-user")
def create_user(
    role: Annotated[UserRole, typer.Option(help="The user's role.")],
    email: Annotated[str, typer.Option(help="The e-mail address, with which the user signs in.")],
    full_name: Annotated[str, typer.Option(help="The full name.")],
) -> None:
    """Create a user of any role. The password is typed at a prompt, or read from standard input."""
    settings = configuration.load()
    password = read_password()

    async def work() -> None:
        async with serving.existing_bank(settings) as bank:
            await bank.people.identity.create_user(email=email, password=password, full_name=full_name, role=role)

    try:
        asyncio.run(work())
    except ValidationFailed as error:
        fail(str(error))
    print(f"{email} can sign in as {role}.")


app.command()(cli_audit.verify)
app.command("audit-checkpoint")(cli_audit.audit_checkpoint)
app.command("audit-key")(cli_audit.audit_key)
_OTHERS: dict[str, Callable[..., None]] = {"smoke": cli_smoke.smoke, "mcp": cli_agents.mcp, **cli_oauth.COMMANDS}
for _name, _command in _OTHERS.items():
    app.command(_name)(_command)


@app.command("close-statements")
def close_statements(
    month: Annotated[str | None, typer.Option(help="The last month, as 2026-01. By default all that have ended.")] = None,
) -> None:
    """Issue the statements of months that have ended, as far as they are missing. A server does so by itself."""
    settings = configuration.load()
    through = None if month is None else read_month(month)

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            if through is not None:
                require_ended(bank.issuer.months, through, bank.issuer.clock())
            total = await statements.count_missing(bank.db, bank.issuer, through=through)
            # Without a terminal nothing is drawn, and the last line says what was done.
            with typer.progressbar(length=total, label="Statements", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
                return await statements.issue(bank.db, bank.issuer, through=through, report=bar.update)

    try:
        issued = asyncio.run(work())
    except ValidationFailed as error:
        fail(str(error))
    print(f"{issued} statements were issued.")


app.command("import-pain001")(cli_messages.import_pain001)
app.command("export-clearing")(cli_messages.export_clearing)


@app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write. It must not exist.")],
    recipient: Annotated[str | None, typer.Option(help="Encrypt it for this public key of age: age1….")] = None,
) -> None:
    """Write the whole bank into a file, as it is at one moment. The bank may run meanwhile."""
    settings = configuration.load()
    serving.require_data(settings)
    with Progress("backing up") as progress:
        size = asyncio.run(backups.back_up(settings, path, recipient=recipient, report=_size_to(progress), clock=utc_now))
    print(f"{path} has the whole bank: {megabytes(size)}. The keys are not in it: keep them elsewhere.")


@app.command()
def restore(
    path: Annotated[Path | None, typer.Argument(help="A file of `bank-graphql backup`.")] = None,
    identity: Annotated[Path | None, typer.Option(help="The file of age's private key, if the backup is encrypted.")] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Instead of a file: recover the embedded database as it was at this time, 2026-01-31T12:00:00Z."),
    ] = None,
) -> None:
    """Restore a backup into an empty database, or recover the embedded database as it was at a time. Verifies the books."""
    settings = configuration.load()
    if (path is None) == (to is None):
        fail("Give either the file of a backup, or a time with --to.")
    with Progress("restoring") as progress:
        progress.waiting_for("the database")
        if path is not None:
            is_right = asyncio.run(
                backups.restore(
                    settings,
                    path,
                    identity_file=identity,
                    report=_size_to(progress),
                    on_finding=cli_audit.print_finding,
                    clock=utc_now,
                )
            )
        else:
            serving.require_data(settings)
            at = read_time(to or "")
            aside, is_right = asyncio.run(backups.recover(settings, at, on_finding=cli_audit.print_finding, clock=utc_now))
            print(f"The database as it was before is in {aside}.")
    if not is_right:
        fail("The books that were restored are wrong, so the bank does not open. See the lines above.")
    print("The bank is restored. All users must sign in again.")


@app.command("expire-holds")
def expire_holds() -> None:
    """Expire the holds that are due. A running bank does so itself."""
    settings = configuration.load()

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            expired = 0
            while some := await bank.expire_holds():
                expired += some
            return expired

    print(f"Expired holds: {asyncio.run(work())}.")


@app.command(context_settings={"ignore_unknown_options": True})
def psql(arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of psql, after --.")] = None) -> None:
    """Run psql, PostgreSQL's client, on the bank's database."""
    settings = configuration.load()
    serving.require_data(settings)

    async def work() -> int:
        async with open_server(settings) as dsn:
            address, secrets = without_password(dsn)
            command = [program("psql", dsn), address, *(arguments or [])]
            # psql handles Ctrl-C by cancelling its query, so this process must not stop before psql ends.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
            if settings.database_schema != PUBLIC:
                address = with_search_path(address, settings.database_schema)
            client = await asyncio.create_subprocess_exec(*command, env={**os.environ, **secrets})
            return await client.wait()

    raise typer.Exit(asyncio.run(work()))


@app.command("make-keys")
def make_keys(
    folder: Annotated[Path, typer.Argument(help="The folder to write them to. It must not have keys already.")],
) -> None:
    """Make the keys that production needs: those that sign access tokens, and those that protect card numbers."""
    sources = {"BANK_SIGNING_KEYS": signing_keys(None, folder), "BANK_CARD_KEYS": master_keys(None, folder)}
    for source in sources.values():
        if source.file is not None and source.file.exists():
            fail(f"{source.file} exists already, and is not overwritten: choose another folder.")
    for setting, source in sources.items():
        try:
            source.read()
        except OSError as error:
            fail(f"{folder} cannot be written to: {error.strerror}.")
        print(f"{setting}={source.location}")


@app.command("rotate-card-keys")
def rotate_keys_of_cards() -> None:
    """Rotate the master key of card numbers, while the bank runs: to a new key, or to the first in BANK_CARD_KEYS."""
    settings = configuration.load()

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            return await rotate_card_keys(settings, bank.db)

    rotated = asyncio.run(work())
    print(f"Cards that use another key now: {rotated}." if rotated else "All cards used the first key already.")


@app.command("rotate-signing-keys")
def rotate_signing_keys() -> None:
    """Add a signing key to the data folder. The bank signs with it after a restart. Sessions continue."""
    settings = configuration.load()
    if settings.signing_keys is not None:
        fail("BANK_SIGNING_KEYS is set: add a new key at the beginning of that set, and restart the bank.")
    source = signing_keys(None, settings.data_dir / "keys")
    with source.locked():
        source.add()
    print("After the next start the bank signs with the new key. The older keys still verify.")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except ConfigurationError as error:
        fail(str(error))
    except Unavailable as error:
        cause = error.__cause__
        fail(f"The database cannot be reached{f': {describe(error)}' if cause else ''}.")
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
        fail(f"The database refuses what the bank needs: {describe(error)}. Run 'bank-graphql migrate' as its owner.")
    except asyncpg.DiskFullError as error:
        fail(f"The database cannot be written to: {describe(error)}.")


def _size_to(progress: Progress) -> Callable[[int], None]:
    """Return a function that tells the progress how many bytes there are so far."""
    return lambda size: progress.waiting_for(f"the rest, after {megabytes(size)}")
