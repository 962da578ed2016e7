"""The embedded PostgreSQL: start, restart, and change of owner."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from bank_graphql.kit import embedded
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.postgres_process import SystemUser, last_error

FAST = {"fsync": "off"}


async def ask(dsn: str, question: str = "SELECT 1") -> object:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def ask_until_answered(dsn: str) -> object:
    async with asyncio.timeout(20):
        while True:
            try:
                return await ask(dsn)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


async def until_dead(pid: int) -> None:
    await until(lambda: not alive(pid))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_data_survives_a_restart(folder: Path) -> None:
    async with EmbeddedPostgres(folder, FAST) as dsn:
        await ask(dsn, "CREATE TABLE kept AS SELECT 42 AS n")
    async with EmbeddedPostgres(folder, FAST) as again:
        assert again == dsn
        assert await ask(again, "SELECT n FROM kept") == 42


async def test_it_is_restarted_when_it_dies(folder: Path) -> None:
    server = EmbeddedPostgres(folder, FAST)
    async with server as dsn:
        for _ in range(3):
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until_dead(pid)
            await ask_until_answered(dsn)


async def test_the_restart_is_retried_until_it_succeeds(folder: Path) -> None:
    server = EmbeddedPostgres(folder, FAST)
    async with server as dsn:
        settings, aside = folder / "postgres" / "postgresql.conf", folder / "aside"
        settings.rename(aside)
        os.kill(server.pid or 0, signal.SIGKILL)
        await until(lambda: b"postgresql.conf" in (folder / "postgres.log").read_bytes())
        async with asyncio.timeout(20):
            while (folder / "postgres.log").read_bytes().count(b"postgresql.conf") < 5:
                await asyncio.sleep(0.01)
        aside.rename(settings)
        await ask_until_answered(dsn)


async def test_a_crash_leaves_no_folders_behind(folder: Path) -> None:
    async with EmbeddedPostgres(folder, FAST) as dsn:
        used = dsn
    Path(dsn.partition("host=")[2]).mkdir(mode=0o700)  # as an owner that was killed leaves it
    async with EmbeddedPostgres(folder, FAST) as dsn:
        assert dsn == used
    assert not Path(dsn.partition("host=")[2]).exists()


async def test_letters_of_all_scripts_can_be_lower_cased(folder: Path) -> None:
    async with EmbeddedPostgres(folder, FAST) as dsn:
        assert await ask(dsn, "SELECT lower('ÉCOLE ΑΒΓ')") == "école αβγ"


async def test_a_second_process_uses_the_running_server_and_becomes_the_owner(folder: Path) -> None:
    first, second = EmbeddedPostgres(folder, FAST), EmbeddedPostgres(folder, FAST)
    dsn = await first.__aenter__()
    async with second as same:
        assert same == dsn
        assert second.pid is None
        await first.__aexit__(None, None, None)
        await ask_until_answered(same)
        assert second.pid is not None


async def test_it_listens_on_a_private_socket_only(folder: Path) -> None:
    async with EmbeddedPostgres(folder, FAST) as dsn:
        assert await ask(dsn, "SHOW listen_addresses") == ""
        socket_folder = Path(dsn.partition("host=")[2])
        assert socket_folder.stat().st_mode & 0o077 == 0
        assert int(await ask(dsn, "SHOW max_locks_per_transaction")) >= 256  # type: ignore[call-overload]
    assert not socket_folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot tie a child's life to its parent's")
async def test_it_dies_with_its_owner_and_the_next_start_recovers(folder: Path) -> None:
    program = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from bank_graphql.kit.embedded import EmbeddedPostgres
        async def main():
            server = EmbeddedPostgres(Path({str(folder)!r}), {FAST!r})
            async with server:
                print(server.pid, flush=True)
                await asyncio.sleep(100)
        asyncio.run(main())
    """)
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(await asyncio.to_thread(owner.stdout.readline))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    await until_dead(pid)
    async with EmbeddedPostgres(folder, FAST) as dsn:
        assert await ask(dsn) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another user")
async def test_the_message_names_a_folder_that_the_server_cannot_enter(folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match=str(locked)):
        await EmbeddedPostgres(locked / "data").__aenter__()
    assert locked.stat().st_mode & 0o777 == 0o700


async def test_a_data_folder_that_is_a_file(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(ConfigurationError, match="BANK_DATA_DIR"):
        await EmbeddedPostgres(folder / "file" / "data").__aenter__()


async def test_a_cluster_of_another_version_is_refused(folder: Path) -> None:
    async with EmbeddedPostgres(folder, FAST):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ConfigurationError) as error:
        await EmbeddedPostgres(folder, FAST).__aenter__()
    assert "version" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_platform_without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        embedded.binaries()


async def test_a_user_that_does_not_exist_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o777)
    monkeypatch.setattr(SystemUser, "choose", lambda _: SystemUser(54321, 54321, "with the id 54321"))
    with pytest.raises(ConfigurationError, match=r"54321: user does not exist\.$"):
        await EmbeddedPostgres(folder, FAST).__aenter__()
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert SystemUser.choose(folder).uid is None


def test_the_last_error_of_an_output() -> None:
    output = [
        b"LOG:  starting",
        b'FATAL:  could not write to file "x": No space left on device',
        b"LOG:  database system is shut down",
    ]
    assert last_error(output) == 'could not write to file "x": No space left on device'
    assert last_error([b"initdb: error: no", b"initdb: removing contents"]) == "no"
    assert last_error([b"killed."]) == "killed"
    assert last_error([]) == "it printed nothing"


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a file system with so many megabytes."""
    place = folder / "disk"

    def make(megabytes: int) -> Path:
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "bank-test", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a small file system; .ci/run is root")
        return place

    yield make
    if os.path.ismount(place):
        subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_the_message_about_a_small_disk_has_postgresqls_reason(small_disk: Callable[[int], Path]) -> None:
    place = small_disk(40)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"No space left on device\.$") as error:
            await EmbeddedPostgres(place, FAST).__aenter__()
        assert str(place) in str(error.value)
        assert "\n" not in str(error.value)


async def test_a_disk_that_is_full_at_the_start(small_disk: Callable[[int], Path]) -> None:
    place = small_disk(160)
    async with EmbeddedPostgres(place, FAST):
        pass
    filler = place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    with pytest.raises(ConfigurationError, match="No space left on device") as error:
        await EmbeddedPostgres(place, FAST).__aenter__()
    assert "\n" not in str(error.value)
    filler.unlink()
    async with EmbeddedPostgres(place, FAST) as dsn:
        assert await ask(dsn) == 1
