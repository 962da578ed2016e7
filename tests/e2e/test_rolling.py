"""Processes are replaced while clients pay: no request fails, and no event is lost."""

import asyncio
import json
import os
import random
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.client import Client
from tests.e2e.processes import Server, accounts_of, command, postgres_of

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
    answer = await http.get("/metrics")
    found = re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)
    assert found, (name, answer.status_code, answer.text)
    return float(found[1])


@pytest.mark.deep
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


@pytest.mark.deep
async def test_a_worker_that_dies_is_replaced_and_none_outlives_its_supervisor(folder: Path) -> None:
    async with Server(folder, "--workers", "2") as server:
        first, second = children_of(server.process.pid)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            while first in (workers := children_of(server.process.pid)) or len(workers) != 2:
                await asyncio.sleep(0.05)
        assert second in workers
        async with asyncio.timeout(20):
            while await metric(server.http, "bank_processes") != 2:
                await asyncio.sleep(0.05)
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
        ada = await server.ada()
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {ada.token}"}
        query = {"query": "subscription { transactionFeed { cursor } }"}
        async with server.http.stream("POST", "/graphql", json=query, headers=headers) as stream, asyncio.timeout(10):
            assert await server.end(signal.SIGHUP) == 0
            assert [line async for line in stream.aiter_lines() if line.startswith("data")] == []
    assert postgres_of(folder) is None


class Balancer:
    """Servers, of which requests go to those that say that they are ready."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.ready: list[Server] = []

    async def watch(self) -> None:
        """Ask all servers again and again whether they are ready."""
        while True:
            ready = []
            for server in list(self.servers):
                with suppress(httpx.TransportError):
                    if (await server.http.get("/health/ready")).status_code == 200:
                        ready.append(server)
            self.ready[:] = ready
            await asyncio.sleep(0.05)

    def pick(self) -> str:
        """The address of a server that was ready a moment ago."""
        return random.choice(self.ready).url


async def until_there_are(size: int, items: Sequence[object]) -> None:
    """Wait until a list has got that many items."""
    async with asyncio.timeout(30):
        while len(items) < size:
            await asyncio.sleep(0.02)


async def follow(balancer: Balancer, token: str, cursor: str, seen: list[str]) -> None:
    """Follow the feed from a cursor, on whichever server is ready, and resume where a stream ends, until cancelled."""
    query = "subscription ($after: String) { transactionFeed(after: $after) { cursor transaction { id } } }"
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    while True:
        with suppress(httpx.TransportError):
            async with (
                httpx.AsyncClient(base_url=balancer.pick(), timeout=20) as http,
                http.stream("POST", "/graphql", json={"query": query, "variables": {"after": cursor}}, headers=headers) as stream,
            ):
                async for line in stream.aiter_lines():
                    if line.startswith("data:") and (data := json.loads(line[5:] or "null")) and data.get("data"):
                        event = data["data"]["transactionFeed"]
                        cursor = event["cursor"]
                        seen.append(event["transaction"]["id"])
        await asyncio.sleep(0.02)


@pytest.mark.deep
async def test_two_servers_are_replaced_under_load_without_a_failed_request_or_a_lost_event(filled_folder: Path) -> None:
    balancer, stopping = Balancer(), asyncio.Event()
    paid: list[str] = []
    seen: list[str] = []

    async def pay(token: str, account: str) -> None:
        async with httpx.AsyncClient(timeout=20) as http:  # keeps its connections to all servers
            while not stopping.is_set():
                http.base_url = httpx.URL(balancer.pick())
                paid.append((await Client(http, token).deposit(account, "1"))["transaction"]["id"])

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(EmbeddedPostgres(filled_folder))  # its end would be no rolling restart

        async def start() -> Server:
            return await stack.enter_async_context(Server(filled_folder, "--no-demo", BANK_DRAIN_SECONDS="1"))

        balancer.servers = [await start(), await start()]
        watching = asyncio.create_task(balancer.watch())
        ada = await Client(balancer.servers[0].http).sign_up("ada@bank.test", "Ada Lovelace")
        account = (await ada.open())["id"]
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        await until_there_are(2, balancer.ready)
        following = asyncio.create_task(follow(balancer, ada.token or "", cursor, seen))
        paying = [asyncio.create_task(pay(ada.token or "", account)) for _ in range(4)]
        for old in list(balancer.servers):
            assert command("migrate", folder=filled_folder).returncode == 0
            balancer.servers.append(await start())
            before = len(paid)
            assert await old.end() == 0
            balancer.servers.remove(old)
            await until_there_are(before + 50, paid)
        stopping.set()
        await asyncio.gather(*paying)  # raises if a request has failed
        await until_there_are(len(paid), seen)
        for task in (watching, following):
            task.cancel()
    assert len(paid) > 100
    assert len(seen) == len(set(seen))
    assert set(seen) == set(paid)


@pytest.mark.parametrize("sent_before", [b"", b"GET /health/live HTTP/1.1\r\nHo"])
async def test_who_has_just_connected_to_a_server_that_ends_is_answered(folder: Path, sent_before: bytes) -> None:
    """The server has taken the connection, and the request comes a moment later."""
    whole = b"GET /health/live HTTP/1.1\r\nHost: bank\r\n\r\n"
    async with Server(folder) as server:
        address = httpx.URL(server.url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(sent_before)
        await server.http.get("/health/live")  # it has taken the connection by then
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            while await is_listening(address):
                await asyncio.sleep(0.01)
        writer.write(whole[len(sent_before) :])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        await server.end()


async def is_listening(address: httpx.URL) -> bool:
    """Whether a server takes new connections."""
    try:
        _, writer = await asyncio.open_connection(address.host, address.port)
    except OSError:
        return False
    writer.close()
    return True
