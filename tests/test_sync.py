"""The GraphQL schema, migrations and models agree with each other and with the committed files."""

import ast
import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from io import StringIO
from pathlib import Path

import asyncpg
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bank_graphql.api.schema import build_schema, export
from bank_graphql.kit import schema
from bank_graphql.kit.errors import ConfigurationError
from tests import sync
from tests.databases import dsn_of
from tests.e2e.processes import command


@pytest.fixture
async def empty(server: str, new_database: Callable[..., Awaitable[str]]) -> str:
    """The address of an empty database."""
    return dsn_of(server, await new_database())


def test_the_committed_graphql_schema_is_that_of_the_code() -> None:
    assert sync.GRAPHQL.read_text() == export(build_schema()), "run: make schema"


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="other versions of PostgreSQL write their dumps differently")
async def test_the_committed_dump_is_that_of_the_migrations(dsn: str) -> None:
    assert sync.DUMP.read_text() == sync.dump(dsn), "run: make schema"


async def test_models_and_migrations_agree(dsn: str) -> None:
    await schema.check(dsn)


async def test_all_migrations_can_be_reverted_and_repeated(empty: str) -> None:
    script = ScriptDirectory.from_config(schema.configuration())
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    for revision in revisions:
        await schema.migrate(empty, revision)
    await schema.downgrade(empty, "base")
    connection = await asyncpg.connect(empty)
    remaining = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%' "
        "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    await connection.close()
    assert remaining == []
    await schema.migrate(empty)
    await schema.check(empty)


async def test_a_missing_or_newer_schema_is_refused(empty: str) -> None:
    with pytest.raises(ConfigurationError, match="migrate"):
        await schema.require_current(empty)
    await schema.migrate(empty)
    await schema.require_current(empty)
    connection = await asyncpg.connect(empty)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.execute("COMMENT ON TABLE alembic_version IS NULL")
    with pytest.raises(ConfigurationError, match="newer"):
        await schema.migrate(empty)
    await connection.close()


async def test_a_migration_and_what_runs_with_it_are_committed_together(empty: str) -> None:
    """Otherwise a process that dies between them would leave the schema open to versions that do not run with it."""
    for revision in ("0008", "0009"):
        await schema.migrate(empty, revision)  # without what follows a migration to the newest schema
        connection = await asyncpg.connect(empty)
        comment = await connection.fetchval("SELECT obj_description('alembic_version'::regclass)")
        await connection.close()
        assert comment == f"Versions of the bank from schema {revision} on run with this schema."


async def test_a_newer_schema_that_only_adds_is_used_and_left_as_it_is(empty: str) -> None:
    await schema.migrate(empty)
    connection = await asyncpg.connect(empty)
    comment = "SELECT obj_description('alembic_version'::regclass)"
    script = ScriptDirectory.from_config(schema.configuration())
    [newest] = script.get_revisions("head")
    oldest = newest.module.runs_with
    assert await connection.fetchval(comment) == f"Versions of the bank from schema {oldest} on run with this schema."
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.execute("REVOKE SELECT ON entries FROM bank_app")  # as if the newer version had done so
    for oldest, runs in (("9998", False), ("0010", True), ("0009", True)):
        text = f"Versions of the bank from schema {oldest} on run with this schema."
        await connection.execute(f"COMMENT ON TABLE alembic_version IS '{text}'")
        for use in (schema.migrate, schema.require_current):
            if runs:
                await use(empty)
            else:
                with pytest.raises(ConfigurationError, match="newer"):
                    await use(empty)
        assert await connection.fetchval(comment) == text
    assert not await connection.fetchval("SELECT has_table_privilege('bank_app', 'entries', 'SELECT')")
    await connection.close()


async def test_an_unreachable_database_is_reported_with_its_setting(empty: str) -> None:
    for wrong in (empty.replace("bank_test_", "no_such_"), "postgresql://127.0.0.1:1/none"):
        with pytest.raises(ConfigurationError, match="DATABASE_URL"):
            await schema.migrate(wrong)


@pytest.mark.deep
async def test_several_processes_migrate_at_once(server: str, new_database: Callable[..., Awaitable[str]], folder: Path) -> None:
    databases = [dsn_of(server, await new_database()) for _ in range(2)]

    async def migrate(dsn: str) -> tuple[str, str]:
        ended = await asyncio.to_thread(command, "migrate", folder=folder, DATABASE_URL=dsn)
        return ended.stdout, ended.stderr

    outputs = await asyncio.gather(*(migrate(each) for each in databases for _ in range(3)))
    assert set(outputs) == {("The schema is up to date.\n", "")}
    for each in databases:
        await schema.check(each)


@pytest.mark.deep
async def test_a_migration_does_not_hold_up_those_who_use_its_tables(empty: str) -> None:
    """It gives up while a transaction has a table, and runs again until it gets it."""
    await schema.migrate(empty, "0004")
    reader, writer = await asyncpg.connect(empty), await asyncpg.connect(empty)
    try:
        await reader.execute("BEGIN; SELECT FROM transactions")
        migrating = asyncio.create_task(schema.migrate(empty))
        while not await writer.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')"):
            await asyncio.sleep(0.01)
        started = asyncio.get_running_loop().time()
        await writer.execute("SELECT count(*) FROM transactions")  # waits behind the migration, until that gives up
        waited = asyncio.get_running_loop().time() - started
        await reader.execute("ROLLBACK")
        await migrating
    finally:
        await reader.close()
        await writer.close()
    assert waited < 10
    await schema.require_current(empty)


WAITING = """
SELECT held.relation::regclass::text FROM pg_locks waits JOIN pg_locks held ON held.pid = waits.pid AND held.granted
WHERE NOT waits.granted AND waits.locktype = 'relation' AND held.locktype = 'relation' AND held.mode = 'AccessExclusiveLock'
"""


async def test_a_migration_that_is_in_a_deadlock_runs_again(empty: str) -> None:
    await schema.migrate(empty, "0004")
    other = await asyncpg.connect(empty)
    try:
        await other.execute("SET deadlock_timeout = '20s'; BEGIN; SELECT FROM balances")
        migrating = asyncio.create_task(schema.migrate(empty))
        while (held := await other.fetchval(WAITING)) is None:
            await asyncio.sleep(0.01)
        await other.execute(f"LOCK TABLE {held}")  # for which the migration gives up what it has
        await other.execute("ROLLBACK")
        await migrating
    finally:
        await other.close()
    await schema.require_current(empty)


FILE_MAX, FUNCTION_MAX = 400, 70
"""The lines of a file of the package, and of a function."""
BEFORE_RULES = "0009"
"""The last migration that was written before migrations had to let an older version of the bank go on."""
RULES_THAT_DO_NOT_FIT = "prefer-bigint-over-int,prefer-robust-stmts,require-timeout-settings,prefer-identity"
"""Migrations run in transactions, with timeouts that `migrations/env.py` sets."""


def test_new_migrations_let_an_older_version_go_on(tmp_path: Path) -> None:
    """No column is removed or renamed, nothing is checked or indexed while the table is locked (https://squawkhq.com)."""
    script = ScriptDirectory.from_config(schema.configuration())
    for revision in script.iterate_revisions("heads", BEFORE_RULES):
        assert revision.module.runs_with in {revision.revision, revision.down_revision}
        sql = StringIO()
        context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": sql})
        with Operations.context(context):
            revision.module.upgrade()
        file = tmp_path / f"{revision.revision}.sql"
        written, in_transaction = sql.getvalue(), ["--assume-in-transaction"]
        if "CONCURRENTLY" in written:  # between the migration's transaction and another one
            written, in_transaction = written.replace("COMMIT;", "").replace("BEGIN;", ""), []
        file.write_text(written)
        squawk = Path(sys.executable).parent / "squawk"
        ran = subprocess.run(
            [str(squawk), *in_transaction, "--exclude", RULES_THAT_DO_NOT_FIT, str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout


def test_files_and_functions_keep_to_their_lengths() -> None:
    lengths: dict[str, tuple[int, int]] = {}
    for path in sorted((sync.ROOT / "bank_graphql").rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), str(path.relative_to(sync.ROOT))
        lengths[name] = len(text.splitlines()), FILE_MAX
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths[f"{name}:{node.lineno} {node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1, FUNCTION_MAX
    assert {name: length for name, (length, maximum) in lengths.items() if length > maximum} == {}
