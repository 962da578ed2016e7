"""The embedded PostgreSQL: start, restart, and change of owner."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres, binaries
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.postgres_process import SystemUser, last_error
from tests.kit.disks import fill, small_disk
from tests.kit.postgres import WITHOUT_FSYNC, query, query_until_answered, until, until_ended


async def test_data_survives_a_restart(folder: Path) -> None:
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        await query(dsn, "CREATE TABLE kept AS SELECT 42 AS n")
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as again:
        assert again == dsn
        assert await query(again, "SELECT n FROM kept") == 42


@pytest.mark.usefixtures("filled_folder")
async def test_it_is_restarted_when_it_dies(folder: Path) -> None:
    server = EmbeddedPostgres(folder, WITHOUT_FSYNC)
    async with server as dsn:
        for _ in range(3):
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until_ended(pid)
            await query_until_answered(dsn)


@pytest.mark.usefixtures("filled_folder")
async def test_the_restart_is_retried_until_it_succeeds(folder: Path) -> None:
    server = EmbeddedPostgres(folder, WITHOUT_FSYNC)
    async with server as dsn:
        settings, aside = folder / "postgres" / "postgresql.conf", folder / "aside"
        settings.rename(aside)
        os.kill(server.pid or 0, signal.SIGKILL)
        await until(lambda: b"postgresql.conf" in (folder / "postgres.log").read_bytes())
        async with asyncio.timeout(20):
            while (folder / "postgres.log").read_bytes().count(b"postgresql.conf") < 5:
                await asyncio.sleep(0.01)
        aside.rename(settings)
        await query_until_answered(dsn)


@pytest.mark.usefixtures("filled_folder")
async def test_a_crash_leaves_no_folders_behind(folder: Path) -> None:
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        used = dsn
    Path(dsn.partition("host=")[2]).mkdir(mode=0o700)  # as an owner that was killed leaves it
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert dsn == used
    assert not Path(dsn.partition("host=")[2]).exists()


@pytest.mark.usefixtures("filled_folder")
async def test_letters_of_all_scripts_can_be_lower_cased(folder: Path) -> None:
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert await query(dsn, "SELECT lower('ÉCOLE ΑΒΓ')") == "école αβγ"


@pytest.mark.usefixtures("filled_folder")
async def test_a_second_process_uses_the_running_server_and_becomes_the_owner(folder: Path) -> None:
    first, second = EmbeddedPostgres(folder, WITHOUT_FSYNC), EmbeddedPostgres(folder, WITHOUT_FSYNC)
    dsn = await first.__aenter__()
    async with second as same:
        assert same == dsn
        assert second.pid is None
        await first.__aexit__(None, None, None)
        await query_until_answered(same)
        assert second.pid is not None


@pytest.mark.usefixtures("filled_folder")
async def test_it_listens_on_a_private_socket_only(folder: Path) -> None:
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert await query(dsn, "SHOW listen_addresses") == ""
        socket_folder = Path(dsn.partition("host=")[2])
        assert socket_folder.stat().st_mode & 0o077 == 0
        assert int(await query(dsn, "SHOW max_locks_per_transaction")) >= 256  # type: ignore[call-overload]
    assert not socket_folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot tie a child's life to its parent's")
@pytest.mark.usefixtures("filled_folder")
async def test_it_dies_with_its_owner_and_the_next_start_recovers(folder: Path) -> None:
    program = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from bank_graphql.kit.embedded import EmbeddedPostgres
        async def main():
            server = EmbeddedPostgres(Path({str(folder)!r}), {WITHOUT_FSYNC!r})
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
    await until_ended(pid)
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC) as dsn:
        assert await query(dsn) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server under another user")
async def test_the_message_names_a_folder_that_the_server_cannot_enter(folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match=str(locked)):
        await EmbeddedPostgres(locked / "data").__aenter__()
    assert locked.stat().st_mode & 0o777 == 0o700


async def test_a_data_folder_below_a_file_is_refused(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(ConfigurationError, match="BANK_DATA_DIR"):
        await EmbeddedPostgres(folder / "file" / "data").__aenter__()


@pytest.mark.usefixtures("filled_folder")
async def test_a_cluster_of_another_version_is_refused(folder: Path) -> None:
    async with EmbeddedPostgres(folder, WITHOUT_FSYNC):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ConfigurationError) as error:
        await EmbeddedPostgres(folder, WITHOUT_FSYNC).__aenter__()
    assert "version" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_platform_without_the_wheel_needs_a_database_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        binaries()


async def test_a_user_that_does_not_exist_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o777)
    monkeypatch.setattr(SystemUser, "choose", lambda _: SystemUser(54321, 54321, "with the id 54321"))
    with pytest.raises(ConfigurationError, match=r"54321: user does not exist\.$"):
        await EmbeddedPostgres(folder, WITHOUT_FSYNC).__aenter__()
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert SystemUser.choose(folder).uid is None


def test_the_reason_of_a_failed_start_is_the_last_error_of_its_output() -> None:
    output = [
        b"LOG:  starting",
        b'FATAL:  could not write to file "x": No space left on device',
        b"LOG:  database system is shut down",
    ]
    assert last_error(output) == 'could not write to file "x": No space left on device'
    assert last_error([b"initdb: error: no", b"initdb: removing contents"]) == "no"
    assert last_error([b"killed."]) == "killed"
    assert last_error([]) == "it printed nothing"


async def test_the_message_about_a_small_disk_has_postgresqls_reason(folder: Path) -> None:
    with small_disk(folder, 40) as disk:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"No space left on device\.$") as error:
                await EmbeddedPostgres(disk, WITHOUT_FSYNC).__aenter__()
            assert str(disk) in str(error.value)
            assert "\n" not in str(error.value)


async def test_a_start_on_a_full_disk_is_refused_and_succeeds_once_there_is_space(folder: Path) -> None:
    with small_disk(folder, 160) as disk:
        async with EmbeddedPostgres(disk, WITHOUT_FSYNC):
            pass
        filler = fill(disk)
        with pytest.raises(ConfigurationError, match="No space left on device") as error:
            await EmbeddedPostgres(disk, WITHOUT_FSYNC).__aenter__()
        assert "\n" not in str(error.value)
        filler.unlink()
        async with EmbeddedPostgres(disk, WITHOUT_FSYNC) as dsn:
            assert await query(dsn) == 1
