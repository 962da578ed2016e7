"""`close-statements`, and processes that are killed while they issue statements."""

import asyncio
import signal
import tempfile
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.bank import open_bank
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.payments.commands import OpenAccount
from bank_graphql.payments.groups import Group
from bank_graphql.settings import Settings
from tests.e2e.processes import command, environment, fork

ACCOUNTS = 1000
FORTY_DAYS_ON = "INSERT INTO bank_time VALUES (1, date_trunc('month', now()) + interval '40 days')"


async def with_accounts(folder: Path, count: int) -> None:
    """Open accounts in a bank, and move its clock to the month after."""
    settings = Settings(data_dir=folder, sandbox=True, _env_file=None)  # type: ignore[call-arg]
    async with open_bank(settings) as bank:
        owner = await bank.db.transact(
            lambda connection: connection.raw.fetchval(
                "INSERT INTO users (id, email, email_key, password_hash, full_name, role, status, created_at, updated_at) "
                "VALUES (gen_random_uuid(), 'a@bank.test', 'a@bank.test', '', 'Ada', 'CUSTOMER', 'ACTIVE', now(), now()) "
                "RETURNING id"
            )
        )
        actor = Actor(UUID(str(owner)), None, frozenset())
        opening = [
            OpenAccount(actor=actor, key=str(n), kind=AccountKind.CHECKING, currency="EUR", name=f"No. {n}", opening_deposit=100)
            for n in range(count)
        ]
        for start in range(0, count, 100):
            await bank.execute(Group(tuple(opening[start : start + 100])))
        await bank.db.transact(lambda connection: connection.raw.execute(FORTY_DAYS_ON))


@pytest.mark.deep
async def test_the_command_issues_what_is_missing(filled_folder: Path) -> None:
    await with_accounts(filled_folder, 3)
    wrong = await asyncio.to_thread(command, "close-statements", "--month", "soon", folder=filled_folder)
    assert (wrong.returncode, wrong.stderr) == (1, "bank-graphql: --month is a year and a month, as 2026-01.\n")
    early = await asyncio.to_thread(command, "close-statements", "--month", "2199-01", folder=filled_folder)
    assert (early.returncode, early.stderr) == (
        1,
        "bank-graphql: This month has not ended: its statements can be issued when it has.\n",
    )
    for issued in (3, 0):
        done = await asyncio.to_thread(command, "close-statements", folder=filled_folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{issued} statements were issued.\n", "")


@pytest.mark.deep
async def test_processes_that_are_killed_leave_no_double_and_no_gap(filled_folder: Path) -> None:
    await with_accounts(filled_folder, ACCOUNTS)
    given = environment(filled_folder)
    async with EmbeddedPostgres(filled_folder) as dsn:
        connection = await asyncpg.connect(dsn)

        async def issued() -> int:
            return int(await connection.fetchval("SELECT count(*) FROM statements"))

        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            killed = 0
            while await issued() < ACCOUNTS:
                before = await issued()
                processes = [fork("close-statements", environment=given, stdout=output, stderr=output) for _ in range(2)]
                while await issued() == before and any(process.poll() is None for process in processes):
                    await asyncio.sleep(0.001)
                for process in processes:
                    killed += process.poll() is None
                    process.send_signal(signal.SIGKILL)
                    await asyncio.to_thread(process.wait, 10)
        rows = await connection.fetch("SELECT account_id, number FROM statements")
        await connection.close()
    assert killed > 2
    assert len(rows) == len({row["account_id"] for row in rows}) == ACCOUNTS
    assert {row["number"] for row in rows} == {1}
    done = await asyncio.to_thread(command, "close-statements", folder=filled_folder)
    assert done.stdout == "0 statements were issued.\n"
    verified = await asyncio.to_thread(command, "verify", folder=filled_folder)
    assert verified.returncode == 0
    assert f"ok    statements: {ACCOUNTS} examined" in verified.stdout
