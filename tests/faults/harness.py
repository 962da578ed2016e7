"""Runs a workload on a bank whose processes are killed, and reports the violations."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.client import Client
from tests.e2e.forks import Forked
from tests.e2e.processes import command, environment, fill, fork, postgres_of
from tests.faults.history import History
from tests.faults.workload import Customer, Workload
from tests.ports import free_port

CLIENTS, READERS, CUSTOMERS, ACCOUNTS = 12, 2, 2, 6
MIN_MOVED = 100
"""How many requests must have moved money before a run may end."""


@dataclass
class Report:
    """The result of a run.

    Attributes:
        violations: what is wrong, each in a sentence.
        counts: how often each kind of event occurred.
        seconds: how long the run took.
        slowest_recovery: the maximum of the seconds from a kill of PostgreSQL until all servers were ready again.
    """

    violations: list[str]
    counts: Counter[str]
    seconds: float
    slowest_recovery: float


@dataclass
class Process:
    """A server of the bank, with the same port at each start."""

    folder: Path
    variant: str | None
    port: int = field(default_factory=free_port)
    process: Forked | None = None

    @property
    def url(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, for the first time or again."""
        module, variant = ("tests.faults.variants", [self.variant]) if self.variant else ("bank_graphql", [])
        with (self.folder / f"server-{self.port}.log").open("ab") as log:
            self.process = fork(
                *variant, "serve", "--port", str(self.port), "--no-demo", module=module, stdout=log, stderr=log,
                environment=environment(self.folder, BANK_PUBLIC_URL="http://bank.test", BANK_POOL_MAX_SIZE="4", BANK_LOG_LEVEL="ERROR"),
            )  # fmt: skip

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def until_ready(self, seconds: float = 40) -> float:
        """Wait until it is ready, and return the seconds that this took."""
        started = time.monotonic()
        async with httpx.AsyncClient() as http, asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/health/ready")).status_code == 200:
                        return time.monotonic() - started
                await asyncio.sleep(0.02)


async def run(folder: Path, *, seconds: float, seed: int, variant: str | None = None) -> Report:
    """Let clients move money while servers and PostgreSQL are killed, then compare their answers with the database.

    Ends early at the first violation.
    """
    started, rng = time.monotonic(), random.Random(seed)
    fill(folder)
    staff = ["create-user", "--role", "TELLER", "--email", "teller@bank.test", "--full-name", "T"]
    assert command(*staff, folder=folder, stdin="a fine long passphrase\n").returncode == 0
    servers = [Process(folder, variant) for _ in range(2)]
    try:
        for server in servers:
            server.start()
            await server.until_ready()
        workload = await _open(servers, rng)
        tasks = [asyncio.create_task(workload.client()) for _ in range(CLIENTS)]
        tasks += [asyncio.create_task(workload.reader()) for _ in range(READERS)]
        slowest = await _inject_faults(servers, workload, folder, rng, started + seconds)
        workload.ended = True
        await asyncio.gather(*tasks)
        await workload.repeat_requests()
        async with EmbeddedPostgres(folder) as dsn:
            await workload.history.compare(dsn, workload.numbers)
        verified = await asyncio.to_thread(command, "verify", folder=folder)
        if verified.returncode != 0:
            workload.history.violations.append(f"verify: {verified.stdout}{verified.stderr}")
    finally:
        for server in servers:
            server.kill()
    return Report(workload.history.violations, workload.history.counts, time.monotonic() - started, slowest)


async def _open(servers: list[Process], rng: random.Random) -> Workload:
    """Create customers with accounts, and return their workload; a teller reads all accounts."""
    async with httpx.AsyncClient(base_url=servers[0].url, timeout=20) as http:
        teller = await Client(http).log_in("teller@bank.test")
        customers: list[Customer] = []
        opening: dict[str, int] = {}
        numbers: dict[str, str] = {}
        for number in range(CUSTOMERS):
            client = await Client(http).sign_up(f"customer{number}@bank.test", f"Customer {number}")
            opened = [await client.open(deposit="1000") for _ in range(ACCOUNTS)]
            opening |= {account["id"]: 100_000 for account in opened}
            numbers |= {account["id"]: account["number"] for account in opened}
            customers.append(Customer(client.token or "", [account["id"] for account in opened]))
        urls = [server.url for server in servers]
        return Workload(urls, customers, teller.token or "", History(opening), rng, numbers)


async def _inject_faults(servers: list[Process], workload: Workload, folder: Path, rng: random.Random, until: float) -> float:
    """Kill servers and PostgreSQL, each at least once, until `until` and `MIN_MOVED`, or the first violation.

    Returns:
        The slowest recovery in seconds.
    """
    slowest, counts = 0.0, workload.history.counts
    for turn in itertools.count():
        await asyncio.sleep(rng.uniform(0.3, 1.2))
        if workload.history.violations or (time.monotonic() > until and turn >= 2 and counts["MoneyMoved"] >= MIN_MOVED):
            break
        if turn % 3 == 1:
            pid = postgres_of(folder)
            if pid is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            counts["kills of PostgreSQL"] += 1
            killed = time.monotonic()
            async with asyncio.timeout(40):
                while postgres_of(folder) in {None, pid}:
                    await asyncio.sleep(0.01)
            await asyncio.gather(*(server.until_ready() for server in servers))
            slowest = max(slowest, time.monotonic() - killed)
        else:
            server = rng.choice(servers)
            server.kill()
            counts["kills of a server"] += 1
            server.start()
            await asyncio.gather(*(each.until_ready() for each in servers))
    return slowest
