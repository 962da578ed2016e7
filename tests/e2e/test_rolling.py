"""Processes are replaced while clients pay: no request fails, and no event is lost."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from tests.client import Client
from tests.e2e.processes import Server, accounts_of, postgres_of

DRAIN = {"BANK_DRAIN_SECONDS": "0.5"}


def children_of(process: int) -> list[int]:
    """The worker processes of a server. PostgreSQL, and Python's own helper, are not among them."""
    found = [child for each in Path(f"/proc/{process}/task").glob("*/children") for child in each.read_text().split()]
    return sorted(int(child) for child in found if is_worker(int(child)))


def is_worker(process: int) -> bool:
    """Whether a process runs, and is a worker."""
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


@asynccontextmanager
async def paying(url: str, token: str, account: str, clients: int = 4) -> AsyncIterator[list[str]]:
    """While clients pay in over kept connections; yields the outcomes of all payments."""
    outcomes: list[str] = []
    stopping = False

    async def pay() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            while not stopping:
                outcomes.append((await Client(http, token).deposit(account, "1"))["__typename"])

    tasks = [asyncio.create_task(pay()) for _ in range(clients)]
    try:
        yield outcomes
    finally:
        stopping = True
        await asyncio.gather(*tasks)


async def metric(http: httpx.AsyncClient, name: str) -> float:
    """The value of a metric without labels."""
    found = re.search(rf"^{name} (\S+)$", (await http.get("/metrics")).text, re.MULTILINE)
    assert found, name
    return float(found[1])


async def test_workers_are_replaced_one_by_one_and_count_together(folder: Path) -> None:
    async with Server(folder, "--workers", "2", **DRAIN) as server:
        before, postgres = children_of(server.process.pid), postgres_of(folder)
        assert len(before) == 2
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        async with paying(server.url, ada.token or "", account) as outcomes, asyncio.timeout(60):
            while len(outcomes) < 20:
                await asyncio.sleep(0.02)
            server.process.send_signal(signal.SIGHUP)
            while set(children_of(server.process.pid)) & set(before):
                await asyncio.sleep(0.05)
        assert set(outcomes) == {"MoneyMoved"}
        async with asyncio.timeout(20):
            while await metric(server.http, "bank_processes") != 2:
                await asyncio.sleep(0.05)
        assert len(children_of(server.process.pid)) == 2
        assert postgres_of(folder) == postgres, "the database was restarted"
        # What workers have counted that are gone by now is counted still.
        counted = re.findall(r'bank_transactions_total\{.*kind="DEPOSIT".*\} (\S+)', (await server.http.get("/metrics")).text)
        assert sum(map(float, counted)) == len(outcomes)
        await server.end()
        assert server.process.returncode == 0
    assert postgres_of(folder) is None


async def test_a_worker_that_dies_is_replaced(folder: Path) -> None:
    async with Server(folder, "--workers", "2") as server:
        first, second = children_of(server.process.pid)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            while first in (now := children_of(server.process.pid)) or len(now) != 2:
                await asyncio.sleep(0.05)
        assert second in now
        await server.until_ready()


async def test_workers_stop_when_their_supervisor_is_killed(folder: Path) -> None:
    async with Server(folder, "--workers", "2") as server:
        workers = children_of(server.process.pid)
        await server.end(signal.SIGKILL)
        async with asyncio.timeout(20):
            while any(map(is_worker, workers)) or postgres_of(folder):
                await asyncio.sleep(0.05)


async def test_a_process_that_is_drained_serves_on_and_says_that_it_is_not_ready(folder: Path) -> None:
    async with Server(folder, BANK_DRAIN_SECONDS="60") as server:
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            while (ready := await server.http.get("/health/ready")).status_code != 503:
                await asyncio.sleep(0.01)
        assert ready.json() == {"status": "stopping"}
        assert ready.headers["connection"] == "close"
        answer = await server.http.post("/graphql", json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}
        assert answer.headers["connection"] == "close"
        assert await server.end() == 0, "a second signal stops it at once"


async def test_one_process_stops_in_order_at_a_hang_up(folder: Path) -> None:
    async with Server(folder) as server:
        assert await server.end(signal.SIGHUP) == 0
    assert postgres_of(folder) is None
