"""Folders for banks, where they are fast."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - made by mkdtemp, in there
_MEMORY_NEEDED = 4 * 2**30
"""Bytes: many times what the tests hold at a time. Containers have 64 MB by default, and so use the disk."""


def fast_place() -> Path:
    """Return where data folders lie: in memory if there is room, for copying a database takes a tenth of the time there."""
    has_room = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED
    return _MEMORY if has_room else Path("/tmp")  # noqa: S108


def make_reachable_folder() -> Path:
    """Return a new folder that an unprivileged PostgreSQL can reach, which pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="bank-test-", dir=fast_place()))
    made.chmod(0o755)
    return made


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that an unprivileged PostgreSQL can reach; it is removed in the end."""
    made = make_reachable_folder()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
