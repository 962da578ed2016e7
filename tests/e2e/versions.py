"""The version before the newest migration: its code, and a server of it."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.e2e.processes import BareServer
from tests.sync import ROOT

NEWEST = max((ROOT / "migrations" / "versions").glob("*.py"))
SCHEMA = "SELECT version_num FROM alembic_version"


class OldServer(BareServer):
    """A server of the code in another folder."""

    def __init__(self, code: Path, folder: Path, *arguments: str, **more: str) -> None:
        super().__init__(folder, *arguments, **more, PYTHONPATH=str(code), PYTHONSAFEPATH="1", PYTHONWARNINGS="default")


def extract_code_before(folder: Path) -> None:
    """Write the code of the last commit without the newest migration to a folder, or skip the test without one."""
    before = _commit_before()
    if before is None:
        pytest.skip("there is no Git history from before the newest migration, as in an archive or a shallow clone")
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", before))) as archive:
        archive.extractall(folder, filter="data")
    assert not (folder / NEWEST.relative_to(ROOT)).exists()


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout


def _commit_before() -> str | None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return None
    added = _git("log", "--format=%H", "--diff-filter=A", "--", str(NEWEST)).decode().split()
    if not added:
        return "HEAD"  # it is not committed yet
    parents = _git("rev-list", "--parents", "-n", "1", added[-1]).decode().split()[1:]
    return parents[0] if parents else None
