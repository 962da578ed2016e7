"""What the audit does by itself: its events are sealed, and the heads of the chain are exported."""

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bank_graphql.audit import sealing
from bank_graphql.audit.checkpoints import Checkpoint, CheckpointSigner
from bank_graphql.kit.db import Database
from bank_graphql.kit.files import append_text
from bank_graphql.kit.jobs import Job

EXPORT_SECONDS = 60
STANDARD_OUTPUT = "-"


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
    _exported: int = field(default=0, init=False)

    async def export(self) -> int:
        """Export the head, and return the number of events that it covers; 0 if it was exported already, or there is none.

        Raises:
            OSError: the file cannot be written.
        """
        latest = await sealing.latest_seal(self.db)
        if latest is None or latest.last_sequence == self._exported:
            return 0
        note = self.signer.sign(Checkpoint(latest.last_sequence, latest.head)) + "\n"
        if self.path == STANDARD_OUTPUT:
            sys.stdout.write(note)
            sys.stdout.flush()
        else:
            append_text(Path(self.path), note)
        self._exported = latest.last_sequence
        return latest.last_sequence


def jobs(db: Database, exporter: Exporter | None, *, seconds: float) -> tuple[Job, ...]:
    """Return the room's jobs.

    Args:
        db: the database.
        exporter: exports heads, once a minute; None to export none.
        seconds: how often to seal what is new.
    """
    seal = Job("seal the audit", seconds, partial(sealing.seal_events, db))
    return (seal,) if exporter is None else (seal, Job("export the audit's head", max(seconds, EXPORT_SECONDS), exporter.export))
