"""Leftovers of an earlier server: only a server of the same folder is stopped, and a pid file never prevents the start."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres, binaries
from bank_graphql.kit.postgres_process import SystemUser
from tests.folders import reachable_folder
from tests.kit.postgres import WITHOUT_FSYNC, is_running, query, query_until_answered, until, until_ended


@pytest.fixture
def pid_file(filled_folder: Path) -> Path:
    """The file with the process id of the server."""
    return filled_folder / "postgres" / "postmaster.pid"


@pytest.fixture
def bystander(folder: Path) -> Iterator[int]:
    """A process that is not a server, but has "postgres" in its command line."""
    process = subprocess.Popen(["bash", "-c", "exec -a postgres sleep 100"], cwd="/")
    yield process.pid
    process.kill()
    process.wait()


async def kept_pid_file(folder: Path, pid_file: Path) -> str:
    """Start and stop a server, and return the content that its pid file had."""
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        await query(dsn, "CREATE TABLE kept AS SELECT 42 AS n")
        return pid_file.read_text(encoding="utf-8")


async def test_a_stale_pid_of_another_banks_server_stops_neither_server(folder: Path, pid_file: Path) -> None:
    stale = await kept_pid_file(folder, pid_file)
    with reachable_folder() as elsewhere:
        other = EmbeddedPostgres(elsewhere, WITHOUT_FSYNC)
        async with other as others:
            pid_file.write_text("\n".join([str(other.pid), *stale.splitlines()[1:]]) + "\n", encoding="utf-8")
            async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
                assert await query(dsn, "SELECT n FROM kept") == 42
                assert await query(others) == 1
                assert is_running(other.pid or 0)


async def test_a_stale_pid_of_another_process_prevents_no_start(folder: Path, pid_file: Path, bystander: int) -> None:
    stale = await kept_pid_file(folder, pid_file)
    pid_file.write_text("\n".join([str(bystander), *stale.splitlines()[1:]]) + "\n", encoding="utf-8")
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert await query(dsn, "SELECT n FROM kept") == 42
    os.kill(bystander, 0)


@pytest.mark.parametrize("damaged", ["", "\n", "12", "not a number\n", "-1\n", "0\n", "\x00" * 60, "9" * 40])
async def test_an_empty_or_damaged_pid_file_prevents_no_start(folder: Path, pid_file: Path, damaged: str) -> None:
    await kept_pid_file(folder, pid_file)
    pid_file.write_text(damaged, encoding="utf-8")
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert await query(dsn, "SELECT n FROM kept") == 42


async def test_a_server_of_the_same_folder_without_owner_is_stopped(folder: Path, pid_file: Path) -> None:
    await kept_pid_file(folder, pid_file)
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder / 'postgres'}"]
    orphan = SystemUser.choose(folder / "postgres").run([binaries() / "postgres", "-D", folder / "postgres", *settings])
    await until(lambda: pid_file.exists() and "ready" in pid_file.read_text(encoding="utf-8"))
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert orphan.wait(10) is not None
        assert await query(dsn, "SELECT n FROM kept") == 42
    assert orphan.stdout is not None
    orphan.stdout.close()


async def test_the_restart_does_not_disturb_another_banks_server(folder: Path, pid_file: Path) -> None:
    with reachable_folder() as elsewhere:
        other = EmbeddedPostgres(elsewhere, WITHOUT_FSYNC)
        async with other as others, EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
            server = int(pid_file.read_text(encoding="utf-8").split()[0])
            os.kill(server, signal.SIGKILL)
            await until_ended(server)
            assert await query_until_answered(dsn) == 1
            assert await query(others) == 1
            assert is_running(other.pid or 0)
