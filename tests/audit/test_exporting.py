"""Heads of the audit are exported, as long as they continue what was exported before."""

from pathlib import Path

import asyncpg
import pytest

from bank_graphql.audit import jobs, sealing
from bank_graphql.audit import service as audit
from bank_graphql.audit.checkpoints import CheckpointSigner
from bank_graphql.audit.jobs import AuditRewrittenError, Exporter, require_writable
from bank_graphql.audit.verification import ExportedHeads
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import ConfigurationError

SIGNER = CheckpointSigner("bank.example", [b"key"])


async def write(db: Database, count: int) -> None:
    for _ in range(count):
        await db.transact(lambda connection: audit.write(connection, [audit.Record(None, "logIn")]))
        await sealing.seal_events(db)


def opened(db: Database, path: Path) -> Exporter:
    require_writable(str(path))
    return Exporter(db, SIGNER, str(path))


async def test_each_new_head_is_added_once(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    exporter = opened(db, path)
    assert await exporter.export() == 0
    await write(db, 2)
    assert [await exporter.export() for _ in range(2)] == [2, 2]
    await write(db, 1)
    assert await opened(db, path).export() == 3  # after a restart
    found, problem = SIGNER.read(path.read_text(encoding="utf-8"))
    assert ([each.size for each in found], problem) == ([2, 3], None)
    finding = await db.snapshot(ExportedHeads(found).examine)
    assert (finding.examined, finding.ok) == (2, True)


async def test_nothing_is_signed_that_does_not_continue_what_was(db: Database, raw: asyncpg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    await write(db, 2)
    await opened(db, path).export()
    before = path.read_text(encoding="utf-8")
    await raw.execute("ALTER TABLE audit_seals DISABLE TRIGGER ALL; ALTER TABLE audit_events DISABLE TRIGGER ALL")
    await raw.execute("UPDATE audit_events SET action = 'logOut' WHERE id = 1; DELETE FROM audit_seals")
    await write(db, 1)
    with pytest.raises(AuditRewrittenError, match="The first 2 events of the audit are not those whose head was exported"):
        await opened(db, path).export()
    assert path.read_text(encoding="utf-8") == before


async def test_the_end_of_a_long_file_is_enough(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_END_BYTES", 300)
    path = tmp_path / "checkpoints"
    for _ in range(5):
        await write(db, 1)
        await opened(db, path).export()
    assert [each.size for each in SIGNER.read(path.read_text(encoding="utf-8"))[0]] == [1, 2, 3, 4, 5]


def test_a_file_that_is_something_else_stays_as_it_is(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# Title\n", encoding="utf-8")
    for wrong, why in ((path, "no file of checkpoints"), (tmp_path, "Is a directory"), (tmp_path / "a" / "b", "No such file")):
        with pytest.raises(ConfigurationError, match=why):
            opened(db, wrong)
    assert path.read_text(encoding="utf-8") == "# Title\n"


async def test_standard_output_gets_them_too(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    await write(db, 1)
    assert await opened(db, Path("-")).export() == 1
    found, problem = SIGNER.read(capsys.readouterr().out)
    assert ([each.size for each in found], problem) == ([1], None)
