"""Backups, restores, and recovery to a point in time, by the commands of the bank."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.client import Client, key
from tests.e2e.processes import Server, accounts_of, command, environment, fill, fork
from tests.folders import reachable_folder


@pytest.fixture
def other() -> Iterator[Path]:
    """Another data folder."""
    with reachable_folder() as made:
        yield made


def ok(*arguments: str, folder: Path, **more: str) -> str:
    """The output of a command that must succeed."""
    ended = command(*arguments, folder=folder, **more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.deep
async def test_a_backup_has_the_bank_as_it_is_and_restores_into_an_empty_one(folder: Path, other: Path, tmp_path: Path) -> None:
    file, same = tmp_path / "bank.dump", key()
    async with Server(folder) as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        paid = await ada.deposit(account, "1", idempotencyKey=same)
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        made = ok("backup", str(file), folder=folder)  # while the bank runs
        assert "has the whole bank" in made
        before = await accounts_of(ada)
        await ada.deposit(account, "1")  # after the backup
        assert 'bank_backup_timestamp_seconds{kind="dump"}' in (await server.http.get("/metrics")).text
    assert file.stat().st_mode & 0o077 == 0, "others can read it"
    refused = command("backup", str(file), folder=folder)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "exists already" in refused.stderr

    shutil.copytree(folder / "keys", other / "keys")
    restored = ok("restore", str(file), folder=other)
    assert "ok    zero sums" in restored
    assert "sign in again" in restored
    async with Server(other) as server:
        assert (await Client(server.http, ada.token).http.get("/health/ready")).status_code == 200
        refused_session = await Client(server.http, ada.token).post("{ me { id } }")
        assert refused_session["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", "its session must have ended"
        again = await server.ada()
        assert await accounts_of(again) == before
        # A key that was used before the backup is still known, and the feed goes on from a cursor of then.
        replayed = await again.deposit(account, "1", idempotencyKey=same)
        assert (replayed["replayed"], replayed["transaction"]) == (True, paid["transaction"])
        await again.deposit(account, "2")
        events = await again.run(
            "query ($after: String) { transactionEvents(after: $after, first: 10) { nodes { transaction { amount { amount } } } } }",
            after=cursor,
        )
        assert [each["transaction"]["amount"]["amount"] for each in events["transactionEvents"]["nodes"]] == ["2.00"]
    assert command("verify", folder=other).returncode == 0
    occupied = command("restore", str(file), folder=other)
    assert "There is a bank in the schema public of this database" in occupied.stderr


@pytest.mark.deep
def test_what_cannot_be_restored_leaves_no_bank_that_opens(filled_folder: Path, other: Path, tmp_path: Path) -> None:
    file = tmp_path / "bank.dump"
    ok("backup", str(file), folder=filled_folder)
    damaged = tmp_path / "damaged.dump"
    damaged.write_bytes(file.read_bytes()[:-2000])
    for path, message in ((damaged, "cannot be restored"), (tmp_path / "none", "cannot be read")):
        ended = command("restore", str(path), folder=other)
        assert ended.returncode == 1
        assert message in ended.stderr
        assert ended.stderr.count("\n") == 1, ended.stderr
    refused = command("serve", "--port", "0", folder=other)
    assert "not completely" in refused.stderr
    ok("restore", str(file), folder=other)


@pytest.mark.skipif(shutil.which("age") is None, reason="the program age is not installed")
def test_an_encrypted_backup_needs_its_key(filled_folder: Path, other: Path, tmp_path: Path) -> None:
    file, private = tmp_path / "bank.dump.age", tmp_path / "key"
    subprocess.run(["age-keygen", "-o", str(private)], check=True, capture_output=True)
    public = next(word for word in private.read_text().split() if word.startswith("age1"))
    ok("backup", str(file), "--recipient", public, folder=filled_folder)
    assert file.read_bytes().startswith(b"age-encryption.org/")
    assert "--identity" in command("restore", str(file), folder=other).stderr
    ok("restore", str(file), "--identity", str(private), folder=other)


@pytest.mark.deep
async def test_any_moment_is_recovered_from_the_archive(folder: Path) -> None:
    fill(folder, demo=True)
    archive = {"BANK_ARCHIVE_DIR": str(folder / "100%p 'safe'")}
    balances: dict[datetime, str] = {}
    another = {"BANK_DATABASE_SCHEMA": "north", **archive}
    async with Server(folder, **archive) as server:
        async with Server(folder, "--no-demo", **another) as second:  # another bank in the same database
            grace = await Client(second.http).sign_up("grace@bank.test", "Grace Hopper")
            await second.end()
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        for _ in range(3):
            await ada.deposit(account, "1")
            balances[datetime.now(UTC)] = await ada.booked(account)
        assert 'bank_backup_timestamp_seconds{kind="base"}' in (await server.http.get("/metrics")).text
        running = command("restore", "--to", datetime.now(UTC).isoformat(), folder=folder, **archive)
        assert "stop it first" in running.stderr
        await server.end()
    early, middle, last = balances
    for wrong, message in (
        ("yesterday", "--to is a time"),
        ("2026-01-01", "--to is a time"),
        ((early - timedelta(days=1)).isoformat(), "begins at"),
        ((last + timedelta(days=1)).isoformat(), "does not reach that time"),
    ):
        refused = command("restore", "--to", wrong, folder=folder, **archive)
        assert message in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1
    archived = [*(folder / "100%p 'safe'" / "wal").glob("0*.gz")]
    assert archived
    for each in archived:
        (folder / "postgres" / "pg_wal" / each.stem).unlink(missing_ok=True)  # so that the archive is what is read
    with (folder / "killed.log").open("w") as log:
        arguments = ("restore", "--to", middle.isoformat())
        killed = fork(*arguments, environment=environment(folder, **archive), stdout=log, stderr=log)
    async with asyncio.timeout(20):
        while not (folder / "postgres" / "bank.unfinished").exists():
            await asyncio.sleep(0.001)
    killed.kill()
    await asyncio.to_thread(killed.wait)
    refused = command("serve", "--port", "0", folder=folder, **archive)
    assert "was not completed" in refused.stderr, refused.stderr
    assert "ok    zero sums" in ok("restore", "--to", middle.isoformat(), folder=folder, **archive)
    async with Server(folder, **archive) as server:
        again = await server.ada()
        assert await again.booked(account) == balances[middle]
        await again.deposit(account, "7")
        await server.end()
    async with Server(folder, "--no-demo", **another) as server:
        grace = Client(server.http, grace.token)
        assert (await grace.error("{ me { id } }"))["extensions"]["code"] == "UNAUTHENTICATED", "sessions of all banks end"
        assert (await Client(server.http).log_in("grace@bank.test")).token
        await server.end()
    assert [each.name for each in folder.glob("postgres.before-*")], "the database of before was not kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that PostgreSQL's user cannot enter")
def test_an_archive_that_cannot_be_written_is_said_in_a_line(folder: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    ended = command("serve", "--port", "0", folder=folder, BANK_ARCHIVE_DIR=str(closed / "archive"))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)


@pytest.mark.deep
async def test_a_random_moment_under_load_is_recovered_with_what_was_committed_by_then(folder: Path) -> None:
    """Acknowledged payments of before that moment are there, and none that was sent after it."""
    fill(folder, demo=True)
    archive = {"BANK_ARCHIVE_DIR": str(folder / "archive")}
    payments: list[tuple[datetime, datetime]] = []
    stopping = asyncio.Event()
    async with Server(folder, **archive) as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        before = Decimal(await ada.booked(account))

        async def pay() -> None:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
                while not stopping.is_set():
                    sent = datetime.now(UTC)
                    await Client(http, ada.token).deposit(account, "1")
                    payments.append((sent, datetime.now(UTC)))

        clients = [asyncio.create_task(pay()) for _ in range(8)]
        async with asyncio.timeout(90):
            while len(payments) < 600:
                await asyncio.sleep(0.02)
        stopping.set()
        await asyncio.gather(*clients)
        await server.end(signal.SIGKILL)  # as a machine that fails: the end of the log was not archived
    start, end = payments[100][0], payments[-100][0]
    moment = start + (end - start) * random.random()
    ok("restore", "--to", moment.isoformat(), folder=folder, **archive)
    async with Server(folder, **archive) as server:
        paid = Decimal(await (await server.ada()).booked(account)) - before
    assert sum(acknowledged <= moment for _, acknowledged in payments) <= paid <= sum(sent <= moment for sent, _ in payments)


def test_where_a_backup_cannot_be_written_it_says_so_in_a_line(filled_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x", tmp_path / "none" / "x", tmp_path / ("x" * 300)):
        ended = command("backup", str(path), folder=filled_folder)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
        assert "cannot be written" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["file"], "a draft was left"
