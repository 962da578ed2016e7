"""Run PostgreSQL's programs: the user that they run under, their output, and the server process of a data folder."""

import contextlib
import ctypes
import os
import pwd
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bank_graphql.kit.errors import ConfigurationError

_PR_SET_PDEATHSIG = 1
_ERROR = re.compile(r"\b(?:PANIC|FATAL|ERROR|error): +(.*)")


@dataclass(frozen=True, slots=True)
class SystemUser:
    """The user of the operating system that the server runs under.

    Attributes:
        uid: the user id; None for the user of this process.
        gid: the group id; None for the group of this process.
        name: what messages call the user.
    """

    uid: int | None
    gid: int | None
    name: str

    @classmethod
    def choose(cls, folder: Path) -> "SystemUser":
        """Return the user to run the server of a data folder under: the user of this process, or another one if that is root.

        Raises:
            ConfigurationError: this process runs as root, and there is no other user.
        """
        if os.geteuid() != 0:
            return cls(None, None, f"with the id {os.geteuid()}")
        owner = folder.stat().st_uid if folder.exists() else 0
        for candidate in (owner, "postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwuid(candidate) if isinstance(candidate, int) else pwd.getpwnam(candidate)
                if entry.pw_uid != 0:
                    return cls(entry.pw_uid, entry.pw_gid, entry.pw_name)
        raise ConfigurationError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it.")

    def run(self, command: Sequence[str | Path]) -> "subprocess.Popen[bytes]":
        """Start a command as this user, in a session of its own. On Linux it gets SIGQUIT when this process dies."""
        return subprocess.Popen[bytes](
            [str(part) for part in command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def require_access(self, folder: Path) -> None:
        """Make sure that this user can enter the folder.

        Raises:
            ConfigurationError: it cannot. The message names the parent folder that it cannot enter.
        """
        if self.uid is None:
            return
        for parent in reversed([folder, *folder.parents]):
            status = parent.stat()
            shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
            if not status.st_mode >> shift & 1:
                raise ConfigurationError(
                    f"PostgreSQL runs as user '{self.name}', who cannot enter {parent}: choose another BANK_DATA_DIR or "
                    f"checkout that this user can reach, run the bank as an ordinary user, or set DATABASE_URL."
                )


def _die_with_parent() -> None:
    # Called after the change of user, which would clear the setting. At SIGQUIT PostgreSQL stops at once, and recovers at its
    # next start.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def read_pid(cluster: Path) -> int | None:
    """Return the process id in the pid file of the cluster, or None if there is none."""
    try:
        return int((cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def ready_pid(cluster: Path) -> int | None:
    """Return the process id in the pid file of the cluster if the server is ready, otherwise None."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return int(lines[0]) if lines[7].strip() == "ready" else None
    return None


def is_server_of(pid: int, cluster: Path) -> bool:
    """Return whether the process is the PostgreSQL server of this data folder.

    It can also be another process that got the id of a server that is gone, or the server of another folder. A server is
    recognised by its working directory, which is its data folder.
    """
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self").exists():  # macOS
        listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
        return b"postgres -D " + bytes(cluster) in listed.stdout
    with contextlib.suppress(OSError):
        program = (process / "cmdline").read_bytes().split(b"\0")[0]
        return Path(os.fsdecode(program)).name == "postgres" and (process / "cwd").samefile(cluster)
    return False


class ServerOutput:
    """The output of the server. It is appended to a log file; the last lines are also kept here, in case the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: deque[bytes] = deque(maxlen=50)
        self._reader: threading.Thread | None = None

    def read_from(self, process: "subprocess.Popen[bytes]") -> None:
        """Read the output of a process, in a thread, until it ends."""
        self._lines.clear()
        self._reader = threading.Thread(target=self._read, args=[process.stdout], daemon=True)
        self._reader.start()

    def _read(self, pipe: "IO[bytes]") -> None:
        with pipe:
            for line in pipe:
                self._lines.append(line)
                with contextlib.suppress(OSError), self.path.open("ab") as file:
                    file.write(line)

    def reason(self) -> str:
        """Return the reason why the process has ended."""
        if self._reader is not None:
            self._reader.join(timeout=1)
        return last_error(list(self._lines))


def last_error(lines: Sequence[bytes]) -> str:
    """Return the last error message in the output of a PostgreSQL program, or its last line if there is no error."""
    texts = [line.decode(errors="replace").strip() for line in lines]
    errors = [match[1] for text in texts if (match := _ERROR.search(text))]
    return (errors or texts or ["it printed nothing"])[-1].rstrip(".")
