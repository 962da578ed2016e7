"""Backs the bank up and restores it: as a file, or the embedded database as it was at a point in time.

After a restore, whatever was signed in must sign in anew, because sessions that were ended since would be open again. A new epoch
of the feed begins, because transaction ids do. The books are verified before the bank opens.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bank_graphql.audit import service as audit
from bank_graphql.audit.sealing import seal_events
from bank_graphql.bank import CHECKS
from bank_graphql.database import archive_of, open_server
from bank_graphql.events import service as events
from bank_graphql.identity import statements as identity
from bank_graphql.kit import archive, dumps, schema
from bank_graphql.kit.checks import Finding
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.dumps import Report
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.ledger import backups as records
from bank_graphql.ledger import verification
from bank_graphql.settings import Settings


async def back_up(settings: Settings, path: Path, *, recipient: str | None, report: Report, clock: Clock) -> int:
    """Write the whole bank into a new file, as it is at one moment, while it runs.

    Args:
        settings: the bank's settings.
        path: the file, which must not exist.
        recipient: the public key of `age` to encrypt it for; None for no encryption.
        report: called with the bytes so far.
        clock: gives the time.

    Returns:
        The size of the file, in bytes.

    Raises:
        ConfigurationError: the backup is not possible.
    """
    async with open_server(settings) as dsn:
        await schema.require_current(dsn, schema=settings.database_schema)
        size = await asyncio.to_thread(dumps.dump, dsn, path, schema=settings.database_schema, recipient=recipient, report=report)
        db = await Database.open(dsn, schema=settings.database_schema)
        try:
            await records.record(db, records.DUMP, size, clock())
            await db.transact(lambda connection: audit.write(connection, [audit.Record(None, "backup")]))
        finally:
            await db.close()
    return size


async def restore(
    settings: Settings,
    path: Path,
    *,
    identity_file: Path | None,
    report: Report,
    on_finding: Callable[[Finding], None],
    clock: Clock,
) -> bool:
    """Restore a backup into an empty database.

    Args:
        settings: the bank's settings.
        path: the file.
        identity_file: the file with the private key of `age`; None if the backup is not encrypted.
        report: called with the bytes so far.
        on_finding: called with each finding of the verification.
        clock: gives the time.

    Returns:
        Whether the books are right. If they are not, the bank does not open.

    Raises:
        ConfigurationError: the database is not empty, or the restore is not possible.
    """
    dumps.require_readable(path)
    name = settings.database_schema
    async with open_server(settings) as dsn:
        await schema.begin_restore(dsn, schema=name)
        await asyncio.to_thread(dumps.load, dsn, path, schema=name, identity=identity_file, report=report)
        await schema.require_restored(dsn, schema=name)
        await schema.migrate(dsn, schema=name, is_restoring=True)
        is_right = await _complete(dsn, name, on_finding, clock)
        if is_right:
            await schema.end_restore(dsn, schema=name)
    return is_right


async def recover(
    settings: Settings, time: datetime, *, on_finding: Callable[[Finding], None], clock: Clock
) -> tuple[Path, bool]:
    """Recover the embedded database as it was at a time.

    Returns:
        Where the database as it was before is now, and whether the recovered books are right.

    Raises:
        ConfigurationError: there is no archive, it does not reach that time, or the bank runs.
    """
    kept = archive_of(settings)
    if settings.external_dsn is not None or kept is None:
        raise ConfigurationError("Only the embedded database with BANK_ARCHIVE_DIR can be recovered to a point in time.")

    async def finish(dsn: str) -> bool:
        are_right = []
        for name in await schema.banks(dsn):  # of all schemas, for the whole server went back
            await schema.migrate(dsn, schema=name)
            are_right.append(await _complete(dsn, name, on_finding, clock))
        return all(are_right)

    return await archive.recover(settings.data_dir.resolve(), kept, time, clock, finish)


async def _complete(dsn: str, name: str, on_finding: Callable[[Finding], None], clock: Clock) -> bool:
    """End all sessions, begin a new epoch of the feed, and verify the books; return whether they are right."""

    async def work(connection: Connection) -> None:
        await connection.execute(identity.END_ALL_SESSIONS, now=clock())
        await events.begin_epoch(connection, clock)
        await audit.write(connection, [audit.Record(None, "restore")])

    db = await Database.open(dsn, schema=name)
    try:
        await db.transact(work)
        await seal_events(db)
        findings = await verification.verify(db, CHECKS, on_finding)
        await verification.record(db, findings, clock())
    finally:
        await db.close()
    return all(finding.ok for finding in findings)
