"""The bank as real processes."""

import asyncio
import atexit
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import IO, Any

import httpx

from tests.client import Client
from tests.e2e.forks import File, Forked
from tests.folders import make_reachable_folder

READY_SECONDS = 40
COMMAND_SECONDS = 100


def is_setting(name: str) -> bool:
    """Whether a variable of the environment is a setting of the bank."""
    return name.startswith("BANK_") or name == "DATABASE_URL"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment that says nothing of the bank but its data folder."""
    others = {name: value for name, value in os.environ.items() if not is_setting(name)}
    return {**others, "BANK_DATA_DIR": str(folder), "PYTHONWARNINGS": "error", **more}


def fork(
    *arguments: str,
    environment: dict[str, str],
    stdout: File,
    stderr: File,
    stdin: File | None = None,
    module: str = "bank_graphql",
) -> Forked:
    """Start a process of the bank, without waiting for it."""
    return Forked(module, arguments, environment, stdin=stdin, stdout=stdout, stderr=stderr)


def command(*arguments: str, folder: Path, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the bank to its end."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as given,
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
    ):
        given.write(stdin)
        given.seek(0)
        process = fork(*arguments, environment=environment(folder, **more), stdin=given, stdout=out, stderr=err)
        try:
            code = process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def command_from_scratch(*arguments: str, folder: Path, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the bank to its end in an interpreter of its own, which takes seconds."""
    return subprocess.run(
        [sys.executable, "-m", "bank_graphql", *arguments],
        env=environment(folder, **more), input=stdin, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS,
    )  # fmt: skip


@cache
def _filled_folder(*, demo: bool) -> Path:
    """A data folder with a bank in it, to copy: `initdb` and the migrations take longer than most tests."""
    folder = make_reachable_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if demo:
        fill(folder)
    made = command("demo" if demo else "migrate", folder=folder)
    assert made.returncode == 0, made.stderr
    for left in folder.glob("postgres.*"):  # its log, lock and socket's place, each bank's own
        left.unlink()
    return folder


def fill(folder: Path, *, demo: bool = False) -> None:
    """Put a bank into an empty data folder, with the demo customers or with nothing in it."""
    subprocess.run(["cp", "-a", f"{_filled_folder(demo=demo)}/.", str(folder)], check=True)


class Server:
    """A running bank.

    Args:
        folder: its data folder; if it is empty, it is filled with a bank first.
        arguments: for `serve`.
        more: its environment.
    """

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        # Its port is another one at each start, and tokens are to outlive a restart.
        self.folder, self._more = folder, {"BANK_PUBLIC_URL": "http://bank.test", **more}
        self._arguments = ["serve", "--port", "0", *arguments]
        self.output = ""

    async def __aenter__(self) -> "Server":
        self.process, self._stdout = self._start()
        while "Stop" not in self.output:
            line = await asyncio.to_thread(self._stdout.readline)
            assert line, f"it ended: {self.output}"
            self.output += line
        self._rest = asyncio.create_task(asyncio.to_thread(self._stdout.read))  # or it would wait for us to read
        self.url = next(word for word in self.output.split() if word.startswith("http")).removesuffix("/graphql")
        self.http = httpx.AsyncClient(base_url=self.url, timeout=20)
        await self.until_ready()
        return self

    def _start(self) -> "tuple[Forked | subprocess.Popen[str], IO[str]]":
        """Start the process and return it with its output."""
        if not any(self.folder.iterdir()):
            fill(self.folder, demo="--no-demo" not in self._arguments and self._more.get("BANK_DEMO") != "false")
        read, write = os.pipe()
        with os.fdopen(write, "w", encoding="utf-8") as out:
            process = fork(*self._arguments, environment=environment(self.folder, **self._more), stdout=out, stderr=out)
        return process, os.fdopen(read, encoding="utf-8")

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        if self.process.poll() is None:
            # Only a process that ends by itself saves which code it has reached.
            self.process.send_signal(signal.SIGTERM if "COVERAGE_PROCESS_CONFIG" in os.environ else signal.SIGKILL)
        await asyncio.to_thread(self.process.wait, READY_SECONDS)
        self.output += await self._rest
        self._stdout.close()

    async def until_ready(self) -> None:
        """Wait until the bank can serve."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    if (await self.http.get("/health/ready")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                assert self.process.poll() is None, "it ended"
                await asyncio.sleep(0.02)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(how)
        return await asyncio.to_thread(self.process.wait, READY_SECONDS)

    async def ada(self) -> Client:
        """The demo's first customer."""
        return await Client(self.http).log_in("ada@example.com", "demo bank 2026")


class BareServer(Server):
    """A running bank that starts in an interpreter of its own, and makes its database itself."""

    def _start(self) -> "tuple[Forked | subprocess.Popen[str], IO[str]]":
        process = subprocess.Popen(
            [sys.executable, "-m", "bank_graphql", *self._arguments],
            env=environment(self.folder, **self._more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        return process, process.stdout


def postgres_of(folder: Path) -> int | None:
    """The process id of the folder's PostgreSQL if it runs."""
    try:
        pid = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        return pid if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    except (FileNotFoundError, ProcessLookupError):
        return None


async def accounts_of(client: Client) -> list[dict[str, Any]]:
    """A customer's accounts."""
    data = await client.run("{ me { accounts { nodes { id number currency balance { booked { amount } } } } } }")
    nodes: list[dict[str, Any]] = data["me"]["accounts"]["nodes"]
    return nodes


async def run_and_kill(
    name: str,
    started: dict[str, str],
    progress: Callable[[], Awaitable[int]],
    goal: int,
    *,
    seed: int,
    after_each: Callable[[], Awaitable[object]] | None = None,
) -> int:
    """Run a command in two processes at once, and kill them at random points, again and again, until there is enough progress.

    Args:
        name: the command.
        started: the environment of the processes.
        progress: returns how much was done so far.
        goal: how much progress is enough.
        seed: decides when they are killed.
        after_each: called after each time.

    Returns:
        How many processes were killed before they ended.
    """
    chance, kills = random.Random(seed), 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        while (before := await progress()) < goal:
            processes = [fork(name, environment=started, stdout=log, stderr=log) for _ in range(2)]
            until = before + chance.randrange(1, 150)
            async with asyncio.timeout(60):
                while await progress() < until and any(each.poll() is None for each in processes):
                    await asyncio.sleep(chance.uniform(0, 0.02))
            for each in processes:
                if each.poll() is None:
                    os.kill(each.pid, signal.SIGKILL)
                    kills += 1
                await asyncio.to_thread(each.wait, 20)
            if after_each is not None:
                await after_each()
    return kills
