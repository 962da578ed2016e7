"""The program of `examples/python`: a journal from the feed that hledger finds right, whatever happens on the way."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bank_graphql.events.service import delete_old_events
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.client import Client
from tests.e2e.processes import Server, accounts_of

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "python"
UV = Path(sys.executable).parent / "uv"

pytestmark = [
    pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed; .ci/run installs it"),
    pytest.mark.deep,  # for the environment that is made
    pytest.mark.timeout(240),
]


def run(*arguments: object, folder: Path) -> str:
    """Run a program to its end."""
    environment = {**os.environ, "BANK_PASSWORD": "demo bank 2026"}
    done = subprocess.run(
        [*map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with its environment and its client, which needs an older graphql-core than the bank."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copy(ROOT / "schema.graphql", folder)
    workshop = folder / "examples" / "python"
    shutil.copytree(EXAMPLE, workshop, ignore=shutil.ignore_patterns("bank_client", ".venv", "*.journal", "__pycache__"))
    run(UV, "venv", "-q", "--python", sys.executable, ".venv", folder=workshop)
    install = ("-q", "--python", ".venv/bin/python", "--require-hashes", "-r", "constraints.txt")
    run(UV, "pip", "install", *install, folder=workshop)
    run(".venv/bin/ariadne-codegen", folder=workshop)
    return workshop


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[Server]:
    async with Server(folder) as running:
        yield running


class Keeper:
    """Keeps a journal of Ada's first account."""

    def __init__(self, workshop: Path, url: str, number: str, journal: Path) -> None:
        self._workshop = workshop
        self.journal = journal
        self.arguments = (
            ".venv/bin/python",
            "reconcile.py",
            f"{url}/graphql",
            "ada@example.com",
            number,
            "--journal",
            str(journal),
        )

    async def keep(self) -> str:
        """Bring it up to date, have hledger check it, and return the balance that hledger finds."""
        await asyncio.to_thread(run, *self.arguments, folder=self._workshop)
        run("hledger", "-f", self.journal, "check", "--strict", folder=self._workshop)
        account = f"assets:bank:{self.arguments[4]}"
        found = run(
            "hledger", "-f", self.journal, "balance", account, "--format", "%(total)", "--no-total", folder=self._workshop
        )
        return found.strip()

    @property
    def entries(self) -> int:
        """How many entries it has."""
        return self.journal.read_text(encoding="utf-8").count("; entry:")


async def test_a_journal_agrees_with_the_bank_and_with_hledger(
    server: Server, workshop: Path, tmp_path: Path, folder: Path
) -> None:
    run(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "reconcile.py", "journal.py", folder=workshop)
    listed = run(".venv/bin/python", "reconcile.py", f"{server.url}/graphql", "ada@example.com", folder=workshop)
    ada = await server.ada()
    mine = (await accounts_of(ada))[0]
    assert listed.splitlines()[0].split()[0] == mine["number"]
    grace = await Client(server.http).log_in("grace@example.com", "demo bank 2026")
    hers = (await accounts_of(grace))[0]
    keeper = Keeper(workshop, server.url, mine["number"], tmp_path / "bank.journal")

    async def expected() -> str:
        return f"{(await accounts_of(ada))[0]['balance']['booked']['amount']} EUR"

    assert await keeper.keep() == await expected()
    first, text = keeper.entries, keeper.journal.read_text(encoding="utf-8")
    assert first > 5
    assert await keeper.keep() == await expected()
    assert keeper.journal.read_text(encoding="utf-8") == text  # nothing has happened

    for description in ("Lunch; dinner", "  two  spaces | a bar", "* not cleared (x) = 5 EUR", "é: {} [2020-01-01]"):
        await ada.transfer(mine["id"], hers["id"], "1.10", description=description)
    hold = (await ada.place_hold(mine["id"], hers["id"], "20"))["transaction"]["id"]
    await grace.capture_hold(hold, "7", final=False)
    assert await keeper.keep() == await expected()
    assert keeper.entries == first + 5

    # It was killed while it wrote.
    with keeper.journal.open("a", encoding="utf-8") as file:
        file.write("account equity:Nobody\n2026-11-28 * (X) half a tran")
    await grace.transfer(hers["id"], mine["id"], "3")
    assert await keeper.keep() == await expected()
    assert keeper.entries == first + 6

    # The bank has deleted the events since.
    for amount in ("0.01", "0.02", "0.03"):
        await grace.transfer(hers["id"], mine["id"], amount)
    async with EmbeddedPostgres(folder) as dsn:  # the running one
        db = await Database.open(dsn, max_size=2)
        assert await delete_old_events(db, utc_now, timedelta(days=-1)) > 3
        await db.close()
    assert await keeper.keep() == await expected()
    assert keeper.entries == first + 9

    wrong = keeper.journal.read_text(encoding="utf-8").replace("balance:", "balance:1")
    keeper.journal.write_text(wrong, encoding="utf-8")
    await grace.transfer(hers["id"], mine["id"], "1")
    with pytest.raises(AssertionError, match="This does not add up"):
        await keeper.keep()


async def test_a_journal_follows_the_feed(server: Server, workshop: Path, tmp_path: Path) -> None:
    ada = await server.ada()
    yen = (await accounts_of(ada))[2]
    keeper = Keeper(workshop, server.url, yen["number"], tmp_path / "yen.journal")
    process = await asyncio.create_subprocess_exec(
        *keeper.arguments, "--follow", cwd=workshop, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "BANK_PASSWORD": "demo bank 2026"},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert (await process.stdout.readline()).decode() == "The journal agrees with the bank: 120000 JPY\n"
        await ada.deposit(yen["id"], "500", currency="JPY")
        assert (await process.stdout.readline()).decode() == "120500 JPY\n"
    process.terminate()
    await process.wait()
    assert await keeper.keep() == "120500 JPY"
