"""The newest migration runs while the version before it serves, and both versions then serve together."""

import asyncio
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.client import Client
from tests.e2e.processes import BareServer, Server, command
from tests.e2e.test_rolling import Balancer, follow, paying, until_there_are
from tests.kit.postgres import query
from tests.sync import ROOT

MIGRATIONS = ROOT / "migrations" / "versions"
SCHEMA = "SELECT version_num FROM alembic_version"


def git(*arguments: str) -> bytes:
    """The output of a command of Git."""
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout


def commit_before(migration: Path) -> str | None:
    """The last commit without a migration; None if the history is not here."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return None
    added = git("log", "--format=%H", "--diff-filter=A", "--", str(migration)).decode().split()
    if not added:
        return "HEAD"  # it is not committed yet
    parents = git("rev-list", "--parents", "-n", "1", added[-1]).decode().split()[1:]
    return parents[0] if parents else None


class OldServer(BareServer):
    """A server of the code in another folder."""

    def __init__(self, code: Path, folder: Path, *arguments: str, **more: str) -> None:
        super().__init__(folder, *arguments, **more, PYTHONPATH=str(code), PYTHONSAFEPATH="1", PYTHONWARNINGS="default")


@pytest.mark.deep
async def test_the_newest_migration_runs_while_the_version_before_serves(folder: Path, tmp_path: Path) -> None:
    newest = max(MIGRATIONS.glob("*.py"))
    before = commit_before(newest)
    if before is None:
        pytest.skip("there is no Git history from before the newest migration, as in an archive or a shallow clone")
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", before))) as archive:
        archive.extractall(tmp_path, filter="data")
    assert not (tmp_path / "migrations" / "versions" / newest.name).exists()
    balancer = Balancer()
    seen: list[str] = []
    async with EmbeddedPostgres(folder) as dsn, OldServer(tmp_path, folder, "--no-demo") as old:
        balancer.ready = [old]
        ada = await Client(old.http).sign_up("ada@bank.test", "Ada Lovelace")
        token, account = ada.token or "", (await ada.open())["id"]
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        following = asyncio.create_task(follow(balancer, token, cursor, seen))
        async with paying(old.url, token, account) as paid:
            await until_there_are(20, paid)
            assert await query(dsn, SCHEMA) != newest.name[:4]
            migrated = command("migrate", folder=folder)
            assert migrated.returncode == 0, migrated.stderr
            assert await query(dsn, SCHEMA) == newest.name[:4]
            await until_there_are(len(paid) + 20, paid)
            async with Server(folder, "--no-demo") as new, paying(new.url, token, account) as paid_to_new:
                balancer.ready = [new]
                await until_there_are(len(paid) + 20, paid)
                await until_there_are(20, paid_to_new)
        async with Server(folder, "--no-demo") as new:
            balancer.ready = [new]
            assert await old.end() == 0
            await until_there_are(len(paid) + len(paid_to_new), seen)
            following.cancel()
    assert set(paid) == set(paid_to_new) == {"MoneyMoved"}
    assert len(seen) == len(set(seen)) == len(paid) + len(paid_to_new)
    assert command("verify", folder=folder).returncode == 0
