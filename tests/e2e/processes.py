"""The bank as real processes."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.client import Client

READY_SECONDS = 40


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment that says nothing of the bank but its data folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("BANK_") and name != "DATABASE_URL"}
    return {**ours, "BANK_DATA_DIR": str(folder), "PYTHONWARNINGS": "error", **more}


def command(*arguments: str, folder: Path, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the bank to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bank_graphql", *arguments],
        env=environment(folder, **more), input=stdin, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


class Server:
    """A running bank."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        # Its port is another one at each start, and tokens are to outlive a restart.
        self._folder, self._arguments, self._more = folder, arguments, {"BANK_PUBLIC_URL": "http://bank.test", **more}
        self.output = ""

    async def __aenter__(self) -> "Server":
        given = ["serve", "--port", "0", *self._arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bank_graphql", *given],
            env=environment(self._folder, **self._more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        while "Stop" not in self.output:
            assert self.process.stdout is not None
            line = await asyncio.to_thread(self.process.stdout.readline)
            assert line, f"it ended: {self.output}"
            self.output += line
        assert self.process.stdout is not None
        self._rest = asyncio.create_task(asyncio.to_thread(self.process.stdout.read))  # or it would wait for us to read
        self.url = next(word for word in self.output.split() if word.startswith("http")).removesuffix("/graphql")
        self.http = httpx.AsyncClient(base_url=self.url, timeout=20)
        await self.until_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        if self.process.poll() is None:
            self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self.output += await self._rest
        assert self.process.stdout is not None
        self.process.stdout.close()

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
