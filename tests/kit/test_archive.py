"""The archive: what it keeps, and when it is known to fail."""

import asyncio
import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from bank_graphql.kit.archive import Archive
from bank_graphql.kit.db import Database
from bank_graphql.kit.db_metrics import declare
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.metrics import Metrics
from bank_graphql.kit.postgres_process import SystemUser
from tests.kit.postgres import WITHOUT_FSYNC

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def add_base(folder: Path, at: datetime, first_wal: str) -> None:
    """Add a copy that was complete at a time, and begins with a file of the log."""
    base = folder / "base" / at.strftime("%Y-%m-%dT%H%M%S.%fZ")
    base.mkdir(parents=True)
    label = f"START WAL LOCATION: 0/2000028 (file {first_wal})\n".encode()
    with tarfile.open(base / "base.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("backup_label")
        member.size = len(label)
        tar.addfile(member, io.BytesIO(label))


def test_what_is_needed_to_reach_back_is_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path, timedelta(days=30))
    (tmp_path / "wal").mkdir()
    for days, number in ((40, 1), (35, 3), (10, 5), (1, 7)):
        add_base(tmp_path, NOW - timedelta(days=days), f"00000002{number:016X}")
    names = [f"{timeline:08X}{number:016X}.gz" for timeline in (1, 2) for number in range(1, 9)]
    for name in (*names, "00000002.history.gz"):
        (tmp_path / "wal" / name).touch()
    archive._prune(NOW - timedelta(days=30))
    assert [(NOW - at).days for at in archive.bases()] == [35, 10, 1]  # the moment of 30 days ago needs that of 35
    kept = {path.name for path in (tmp_path / "wal").iterdir()}
    assert kept == {"00000002.history.gz", *(name for name in names if int(name[8:24], 16) >= 3)}
    assert archive.base_for(NOW - timedelta(days=30)).name.startswith("2026-05-26")
    with pytest.raises(ConfigurationError, match="begins at 2026-05-26"):
        archive.base_for(NOW - timedelta(days=36))


@pytest.mark.deep
async def test_an_archive_that_cannot_be_written_is_seen(folder: Path) -> None:
    archive = Archive(folder / "archive", timedelta(days=30))
    archive.prepare(SystemUser.choose(folder / "postgres"))
    async with EmbeddedPostgres(folder, {**WITHOUT_FSYNC, **archive.settings}) as dsn:
        (folder / "archive" / "wal").rename(folder / "gone")
        connection = await asyncpg.connect(dsn)
        await connection.execute("SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()")
        async with asyncio.timeout(20):
            while not await connection.fetchval("SELECT failed_count FROM pg_stat_archiver"):
                await asyncio.sleep(0.02)
        await connection.close()
        db, metrics = await Database.open(dsn), Metrics()
        declare(metrics, db)
        exposed = (await metrics.expose()).decode()
        await db.close()
    assert "\nbank_archive_failing 1.0" in exposed
    assert "\nbank_database_up 1.0" in exposed
