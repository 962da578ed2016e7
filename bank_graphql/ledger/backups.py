"""The record of backups that were completed, by which one sees how old the latest is."""

from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import col

from bank_graphql.kit.db import Database
from bank_graphql.kit.statements import Insert, Query, Row
from bank_graphql.ledger.models import Backup

DUMP, BASE = "dump", "base"
"""The kinds of backups: a file of `bank-graphql backup`, and a copy of the embedded server's files."""


class BackupRow(Row):
    """When the latest backup of a kind was finished."""

    kind: str
    finished_at: datetime


_RECORD = Insert(Backup, "finished_at", "kind", "size")
LATEST = Query(
    select(col(Backup.kind), func.max(col(Backup.finished_at)).label("finished_at")).group_by(col(Backup.kind)), BackupRow
)


async def record(db: Database, kind: str, size: int, now: datetime) -> None:
    """Record a backup of a kind, and its size in bytes."""
    await db.transact(lambda connection: connection.insert(_RECORD, [(now, kind, size)]))
