"""Continuous archiving of the embedded PostgreSQL, and its recovery to a point in time (PostgreSQL's manual, section 25.3).

The server copies each file of its write-ahead log (WAL), at the latest after a minute, to `wal` in the archive's folder. Once a
day a copy of all its files is taken into `base`. Any moment since the oldest of these copies can be recovered.
"""

import asyncio
import fcntl
import os
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from bank_graphql.kit.clock import Clock
from bank_graphql.kit.embedded import UNFINISHED, EmbeddedPostgres, binaries
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.postgres_process import SystemUser, last_error

BASE_INTERVAL = timedelta(hours=24)
"""How often a copy of all files is taken."""
WAL_SECONDS = 60
"""After how long a file of the WAL is archived although it is not full: how much may be lost with the data folder's disk."""
RECOVERY_SECONDS = 24 * 3600.0
_NAME = "%Y-%m-%dT%H%M%S.%fZ"
_RECOVERY_SETTINGS = ("restore_command", "recovery_target_time", "recovery_target_action")


class Archive:
    """The archive of one server.

    Args:
        folder: where it is, best on another disk than the server's data.
        keep: how far back it reaches.
    """

    def __init__(self, folder: Path, keep: timedelta) -> None:
        self.folder = folder.resolve()
        self._keep = keep
        self._wal = self.folder / "wal"
        self._bases = self.folder / "base"

    def prepare(self, user: SystemUser) -> None:
        """Make the folders, writable for the user that runs the server.

        Raises:
            ConfigurationError: they cannot be made, or that user cannot reach them.
        """
        try:
            for each in (self.folder, self._wal, self._bases):
                each.mkdir(parents=True, exist_ok=True)
            self._wal.chmod(0o700)
            self._bases.chmod(0o700)
            if user.uid is not None:
                os.chown(self._wal, user.uid, user.gid or 0)
        except OSError as error:
            raise ConfigurationError(
                f"The archive {self.folder} cannot be used: {error.strerror}. Choose another BANK_ARCHIVE_DIR."
            ) from error
        user.require_access(self._wal)

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which the server archives its WAL. A file that is in the archive is complete."""
        wal = _quoted(self._wal)
        copy = f"gzip -c %p > {wal}/%f.part && sync {wal}/%f.part && mv {wal}/%f.part {wal}/%f.gz"
        return {
            "wal_level": "replica",
            "archive_mode": "on",
            "archive_timeout": str(WAL_SECONDS),
            "archive_command": copy,
        }

    def bases(self) -> dict[datetime, Path]:
        """Return the copies by the time at which they were complete, oldest first."""
        found = {}
        for path in sorted(self._bases.glob("*Z")) if self._bases.exists() else ():
            with suppress(ValueError):
                found[datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)] = path
        return found

    async def take_base_if_due(self, dsn: str, clock: Clock) -> int | None:
        """Take a copy unless there is a recent one, and delete what is older than needed. One process at a time does so.

        Returns:
            The size of the copy, in bytes; None if none was due.

        Raises:
            ConfigurationError: it failed.
        """
        with self._locked() as is_locked:
            if not is_locked or any(clock() - at < BASE_INTERVAL for at in self.bases()):
                return None
            size = await asyncio.to_thread(self._take_base, dsn, clock)
            self._prune(clock() - self._keep)
            return size

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        self._bases.mkdir(parents=True, exist_ok=True)
        with (self._bases / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _take_base(self, dsn: str, clock: Clock) -> int:
        draft = self._bases / "unfinished"
        shutil.rmtree(draft, ignore_errors=True)
        what = ["--checkpoint=fast", "--wal-method=fetch", "--format=tar", "--gzip"]
        command = [str(binaries() / "pg_basebackup"), f"--dbname={dsn}", f"--pgdata={draft}", *what]
        run = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own program
        if run.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise ConfigurationError(f"No copy of the database was taken: {last_error(run.stderr.splitlines())}.")
        path = draft.rename(self._bases / clock().strftime(_NAME))
        return sum(file.stat().st_size for file in path.iterdir())

    def _prune(self, before: datetime) -> None:
        """Delete copies that are not needed to reach back to a time, and the WAL before the oldest one that is kept."""
        bases = self.bases()
        needed = max((at for at in bases if at <= before), default=None)
        for at, path in bases.items():
            if needed is not None and at < needed:
                shutil.rmtree(path)
        oldest = next(iter(self.bases().values()), None)
        if oldest is not None:
            first = _first_wal(oldest)
            for file in self._wal.glob("*.gz"):
                # The first 8 digits are the timeline's; a file of another timeline that is as old is not needed either.
                if len(file.stem) == 24 and file.stem[8:] < first[8:]:
                    file.unlink()

    def base_for(self, time: datetime) -> Path:
        """Return the newest copy that was complete at a time.

        Raises:
            ConfigurationError: there is none.
        """
        bases = self.bases()
        suitable = [path for at, path in bases.items() if at <= time]
        if suitable:
            return suitable[-1]
        reach = f"begins at {next(iter(bases)).isoformat(timespec='seconds')}" if bases else "is empty"
        raise ConfigurationError(f"The archive {self.folder} {reach}: that time cannot be recovered.")

    def recovery_settings(self, time: datetime, last_wal: Path) -> str:
        """Return the lines of `postgresql.auto.conf` that recover a time; `last_wal` has what was not archived any more."""
        archived, rest = _quoted(self._wal), _quoted(last_wal)
        fetch = f"gzip -dc {archived}/%f.gz > %p 2>/dev/null || cp {rest}/%f %p"
        values = (fetch.replace("'", "''"), time.isoformat(), "promote")
        return "".join(f"{name} = '{value}'\n" for name, value in zip(_RECOVERY_SETTINGS, values, strict=True))


def _quoted(path: Path) -> str:
    """Return a path as a word of a command of PostgreSQL's settings, in which `%` has a meaning."""
    return shlex.quote(str(path)).replace("%", "%%")


def _first_wal(base: Path) -> str:
    """Return the name of the first WAL file that a copy needs."""
    with tarfile.open(base / "base.tar.gz") as tar:
        label = tar.extractfile("backup_label")
        text = label.read().decode() if label else ""
    return text.partition("(file ")[2].partition(")")[0]


async def recover(
    folder: Path, archive: Archive, time: datetime, clock: Clock, finish: Callable[[str], Awaitable[bool]]
) -> tuple[Path, bool]:
    """Recover the embedded database of a data folder as it was at a time.

    The database as it is now is not deleted, but set aside. Until `finish` has returned True, nothing else can start the
    recovered one, also if this process is killed; a recovery that was interrupted is undone by the next one.

    Args:
        folder: the path of the data folder from the root. No process may use it.
        archive: the archive of its server.
        time: the time, with a zone. Transactions that were committed at this time or before are recovered.
        clock: gives the time now.
        finish: completes the recovered database, given its address, and returns whether it may be used.

    Returns:
        The folder to which the database was set aside, and what `finish` returned.

    Raises:
        ConfigurationError: the folder is in use, the archive does not reach that time, or the recovery failed; then the database
            is as it was.
    """
    base = archive.base_for(time)
    cluster, draft = folder / "postgres", folder / "postgres.recovering"
    with (folder / "postgres.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"A bank runs in {folder}: stop it first.") from None
        if (cluster / UNFINISHED).exists():
            _undo(cluster, folder / (cluster / UNFINISHED).read_text(encoding="utf-8"), clock)
        aside = folder / f"postgres.before-{clock().strftime(_NAME)}"
        await asyncio.to_thread(_extract, base, draft, SystemUser.choose(cluster))
        with (draft / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(archive.recovery_settings(time, aside / "pg_wal"))
        (draft / "recovery.signal").touch()
        (draft / UNFINISHED).write_text(aside.name, encoding="utf-8")
        cluster.rename(aside)
        draft.rename(cluster)
    try:
        # Without `hot_standby` the server is not ready before it has recovered everything.
        settings = {**archive.settings, "hot_standby": "off"}
        server = EmbeddedPostgres(folder, settings, start_seconds=RECOVERY_SECONDS, may_be_unfinished=True)
        async with server as dsn:
            connection = await asyncpg.connect(dsn)
            for name in _RECOVERY_SETTINGS:
                await connection.execute(f"ALTER SYSTEM RESET {name}")
            await connection.close()
            is_finished = await finish(dsn)
    except BaseException as error:
        _undo(cluster, aside, clock)
        if not isinstance(error, ConfigurationError):
            raise
        reason = "the archive does not reach that time" if "recovery target" in str(error) else str(error).rstrip(".")
        raise ConfigurationError(f"The recovery failed, and the database is as it was: {reason}.") from error
    if is_finished:
        (cluster / UNFINISHED).unlink()
    return aside, is_finished


def _undo(cluster: Path, aside: Path, clock: Clock) -> None:
    """Put the database back that a recovery has set aside."""
    cluster.rename(cluster.with_name(f"postgres.failed-{clock().strftime(_NAME)}"))
    aside.rename(cluster)


def _extract(base: Path, folder: Path, user: SystemUser) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    with tarfile.open(base / "base.tar.gz") as tar:
        tar.extractall(folder, filter="tar")
    if user.uid is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.uid, user.gid or 0, follow_symlinks=False)
