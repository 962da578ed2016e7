"""Run PostgreSQL's programs: under which user, what they print, and which process serves a data folder."""

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
from typing import IO, Any

from bank_graphql.kit.errors import ConfigurationError

_PR_SET_PDEATHSIG = 1
_ERROR = re.compile(r"\b(?:PANIC|FATAL|ERROR|error): +(.*)")


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that the server runs under; None for whoever we are."""

    uid: int | None
    gid: int | None
    name: str

    @classmethod
    def choose(cls, folder: Path) -> "Account":
        """Return whom to run the server of this data folder under: us, but not root.

        Raises:
            ConfigurationError: we are root, and there is no other user.
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
        """Start a command as this user, in a session of its own, that dies with us where the system can arrange it."""
        drop: dict[str, Any] = {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.Popen[bytes](
            [str(part) for part in command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            **drop,
        )

    def require_access(self, folder: Path) -> None:
        """Refuse a folder that this user cannot reach, by name."""
        if self.uid is None:
            return
        for parent in reversed([folder, *folder.parents]):
            mode = parent.stat()
            shift = 6 if mode.st_uid == self.uid else 3 if mode.st_gid == self.gid else 0
            if not mode.st_mode >> shift & 1:
                raise ConfigurationError(
                    f"PostgreSQL runs as user '{self.name}', who cannot enter {parent}: choose another BANK_DATA_DIR or "
                    f"checkout that this user can reach, run the bank as an ordinary user, or set DATABASE_URL."
                )


def _die_with_parent() -> None:
    # After the change of user, which would clear it. SIGQUIT: stop at once, recover at the next start.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def read_pid(cluster: Path) -> int | None:
    """Process id of the server that wrote the cluster's pid file."""
    try:
        return int((cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def ready_pid(cluster: Path) -> int | None:
    """Process id of the server that says in the cluster's pid file that it is ready."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return int(lines[0]) if lines[7].strip() == "ready" else None
    return None


def serves(pid: int, cluster: Path) -> bool:
    """Return whether the process is the PostgreSQL server of this data folder, in which each server works.

    A process that has the number of a server that is gone, or is the server of another folder, is not.
    """
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self").exists():
        listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
        return b"postgres -D " + bytes(cluster) in listed.stdout
    with contextlib.suppress(OSError):
        program = (process / "cmdline").read_bytes().split(b"\0")[0]
        return Path(os.fsdecode(program)).name == "postgres" and (process / "cwd").samefile(cluster)
    return False


class Output:
    """The server's output: appended to a log file, and the last lines kept, for a full disk takes no log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: deque[bytes] = deque(maxlen=50)
        self._reader: threading.Thread | None = None

    def follow(self, process: "subprocess.Popen[bytes]") -> None:
        """Read what a process prints until it ends."""
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
        """Return why the process, which has ended, did so."""
        if self._reader is not None:
            self._reader.join(timeout=1)
        return reason_in(list(self._lines))


def reason_in(lines: Sequence[bytes]) -> str:
    """Return the last message about an error in the output of a PostgreSQL program; otherwise its last line."""
    texts = [line.decode(errors="replace").strip() for line in lines]
    errors = [match[1] for text in texts if (match := _ERROR.search(text))]
    return (errors or texts or ["it printed nothing"])[-1].rstrip(".")
