"""What the audit does by itself: its events are sealed, and the heads of the chain are exported."""

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bank_graphql.audit import sealing
from bank_graphql.audit.checkpoints import Checkpoint, CheckpointSigner, is_end_of_checkpoints
from bank_graphql.audit.verification import is_head
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.files import append_text
from bank_graphql.kit.jobs import Job

EXPORT_SECONDS = 60
MAX_SEALS = 50
"""The seals of one run: 50,000 events, which take 0.4 s of a core. An audit that was never sealed takes several runs."""
STANDARD_OUTPUT = "-"
_END_BYTES = 10_000


@dataclass
class AuditRewrittenError(Exception):
    """The audit does not continue what was exported: somebody has changed it, or it was restored from a backup."""

    size: int

    def __str__(self) -> str:
        return f"The first {self.size} events of the audit are not those whose head was exported. Run 'bank-graphql verify'."


@dataclass
class Exporter:
    """Exports the head of the chain, signed, when it has changed.

    Attributes:
        db: the database.
        signer: signs it.
        path: the file that checkpoints are added to, or `-` for standard output.
    """

    db: Database
    signer: CheckpointSigner
    path: str
    _last: Checkpoint | None = field(default=None, init=False)
    _is_open: bool = field(default=False, init=False)

    async def export(self) -> int:
        """Export the head, and return the number of events that it covers; 0 if there are none.

        Raises:
            OSError: the file cannot be written.
            AuditRewrittenError: the head that was exported last is not one of the audit: nothing is signed.
        """
        if not self._is_open:
            checkpoints, _ = self.signer.read("" if self.path == STANDARD_OUTPUT else _end_of(Path(self.path)))
            self._last, self._is_open = checkpoints[-1] if checkpoints else None, True
        if self._last is not None and not await is_head(self.db, self._last):
            raise AuditRewrittenError(self._last.size)
        latest = await sealing.latest_seal(self.db)
        if latest is None:
            return 0
        if self._last is not None and latest.last_sequence == self._last.size:
            return self._last.size
        head = Checkpoint(latest.last_sequence, latest.head)
        note = self.signer.sign(head) + "\n"
        if self.path == STANDARD_OUTPUT:
            sys.stdout.write(note)
            sys.stdout.flush()
        else:
            append_text(Path(self.path), note)
        self._last = head
        return head.size


def require_writable(checkpoints: str) -> None:
    """Require that heads can be added to a file, which has nothing but checkpoints; `-` is standard output.

    Raises:
        ConfigurationError: it cannot be written, or has something else.
    """
    if checkpoints == STANDARD_OUTPUT:
        return
    try:
        append_text(Path(checkpoints), "")
        is_good = is_end_of_checkpoints(_end_of(Path(checkpoints)))
    except OSError as error:
        raise ConfigurationError(f"The audit cannot be exported to {checkpoints}: {error.strerror}.") from error
    if not is_good:
        raise ConfigurationError(f"The audit is not exported to {checkpoints}: it is no file of checkpoints. It stays as it is.")


def _end_of(path: Path) -> str:
    """Return the last checkpoints of a file, which may have a year's; nothing if it is missing."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES))
        return file.read().decode(errors="replace")


def jobs(db: Database, signer: CheckpointSigner, checkpoints: str | None, *, seconds: float) -> tuple[Job, ...]:
    """Return the room's jobs.

    Args:
        db: the database.
        signer: signs heads.
        checkpoints: the file that heads are added to, or `-` for standard output, at the start and then once a minute; None to
            export none.
        seconds: how often to seal what is new.
    """
    exporter = None if checkpoints is None else Exporter(db, signer, checkpoints)
    next_export = 0.0

    async def seal() -> int:
        nonlocal next_export
        sealed = await sealing.seal_events(db, MAX_SEALS)
        if exporter is not None and time.monotonic() >= next_export:
            next_export = time.monotonic() + EXPORT_SECONDS
            await exporter.export()
        return sealed

    return (Job("seal the audit", seconds, seal),)
