"""Processes that start in milliseconds, for they are forked from a Python that has imported the bank.

Importing takes some two seconds of a processor, most of what a command takes. A process from here is a process like any other: it
runs `python -m bank_graphql …` with arguments, an environment, streams and an exit code of its own. Only what an interpreter
reads of its environment when it starts (PYTHONUTF8 and its like) is that of their common ancestor.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

_PRELOADED = ("bank_graphql.app", "bank_graphql.cli", "alembic.command", "uvloop", "uvicorn.lifespan.on", "uvicorn.loops.uvloop")
_MAX_REQUEST = 2**17
File = IO[str] | IO[bytes]


class Forked:
    """A process; as much of `subprocess.Popen` as tests need.

    Args:
        module: what to run, as `python -m` does.
        arguments: those of the command line.
        environment: all of it.
        stdin: a file to read, which stays the caller's; None for an empty one.
        stdout, stderr: files to write, which stay the caller's.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: File | None,
        stdout: File,
        stderr: File,
    ) -> None:
        self.returncode: int | None = None
        self._status, status = os.pipe()
        self._lock = threading.Lock()
        request = json.dumps({"module": module, "arguments": list(arguments), "environment": dict(environment)}).encode()
        with Path(os.devnull).open("rb") as nothing:
            streams = [each.fileno() for each in (stdin or nothing, stdout, stderr)]
            socket.send_fds(_ancestor(), [request], [*streams, status])
        os.close(status)
        self.pid = self._read()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end within `timeout` seconds.
        """
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            with self._lock:
                if self.returncode is None:
                    self.returncode = self._read()
                    os.close(self._status)
        return self.returncode

    def _read(self) -> int:
        status = os.read(self._status, 4)
        assert status, "the process that others are forked from has ended"
        return int.from_bytes(status, signed=True)


@cache
def _ancestor() -> socket.socket:
    """The connection to the Python that others are forked from, which ends when it is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.forks", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the tests, which end what they have started
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> dict[str, Any]:
    """Fork a process for each request until the connection is closed; return in each of them, with its request."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST, 4)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not request:
            sys.exit()
        if os.fork() == 0:
            _keep(*descriptors)
            return dict(json.loads(request))
        for each in descriptors:
            os.close(each)


def _keep(stdin: int, stdout: int, stderr: int, status: int) -> None:
    """Fork the process itself; tell its number, wait for its end, and tell its exit code. Return in the process."""
    pid = os.fork()
    if pid == 0:
        for descriptor, number in ((stdin, 0), (stdout, 1), (stderr, 2)):
            os.dup2(descriptor, number)
        for descriptor in {stdin, stdout, stderr, status} - {0, 1, 2}:
            os.close(descriptor)
        return
    for number in (stdin, stdout, stderr, 0, 1, 2):
        os.close(number)
    os.write(status, pid.to_bytes(4))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(status, code.to_bytes(4, signed=True))
    os._exit(0)


def _main(control: int) -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    assert threading.active_count() == 1  # a fork has this thread alone
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=control) as connection:
        request = _serve(connection)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["", *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
