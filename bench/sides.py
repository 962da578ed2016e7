"""The measured servers as processes: PostgreSQL, the bank and PostGraphile; and pgbench."""

import asyncio
import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx

from bank_graphql.kit.embedded import EmbeddedPostgres, binaries
from bench import data

PEER = Path(__file__).parent / "peer"
SCHEMA = Path(__file__).parent.parent / "migrations" / "schema.sql"
LOG_IN = (
    "mutation ($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) "
    "{ ... on AuthSession { accessToken } ... on Rejection { message } } }"
)


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[str]:
    """Run the bank's own PostgreSQL, with durable commits, and yield its address."""
    async with EmbeddedPostgres(folder) as dsn:
        yield dsn


async def database(server: str, name: str, size: data.Size) -> str:
    """Return the address of a bank of this size, which is filled unless an earlier run has filled it."""
    head, _, query = server.partition("?")
    dsn = f"{head.rpartition('/')[0]}/{name}?{query}"
    schema = hashlib.blake2b(SCHEMA.read_bytes(), digest_size=8).hexdigest()
    content = f"{size!r}, schema {schema}"
    connection = await asyncpg.connect(server)
    try:
        present = await connection.fetchval(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name
        )
        if present == content:
            return dsn
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        await data.fill(dsn, size)
        await connection.execute(f"COMMENT ON DATABASE {name} IS '{content}'")
    finally:
        await connection.close()
    return dsn


async def copy_of(dsn: str) -> str:
    """Return the address of a new copy of a filled bank, which replaces the last copy."""
    head, _, query = dsn.partition("?")
    head, _, name = head.rpartition("/")
    connection = await asyncpg.connect(f"{head}/postgres?{query}")
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name}_copy")
        await connection.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name} STRATEGY file_copy")
    finally:
        await connection.close()
    return f"{head}/{name}_copy?{query}"


class Server:
    """A process that answers GraphQL over HTTP."""

    def __init__(self, name: str, process: "asyncio.subprocess.Process", url: str, seconds: float) -> None:
        self.name = name
        self.url = url
        self.seconds_to_first_answer = seconds
        self._process = process
        self.tokens: list[str] = []

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def memory(self) -> float:
        """The maximum of memory that any of its processes has had, in MB."""
        family = [self._process.pid, *_children(self._process.pid)]
        peaks = [re.search(r"VmHWM:\s+(\d+)", _read(Path(f"/proc/{pid}/status"))) for pid in family]
        return max(int(peak.group(1)) / 1024 for peak in peaks if peak)

    async def log_in(self, users: int = data.USERS) -> None:
        """Sign the users of the filled bank in."""
        async with httpx.AsyncClient(timeout=30) as http:
            for number in range(users):
                variables = {"e": f"user{number}@bank.test", "p": data.PASSWORD}
                answer = (await http.post(self.url, json={"query": LOG_IN, "variables": variables})).json()
                self.tokens.append(answer["data"]["logIn"]["accessToken"])


@asynccontextmanager
async def bank(dsn: str, folder: Path, *, workers: int = 1) -> AsyncIterator[Server]:
    """Run the bank on a database, with the command that serves it in production."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BANK_")},
        "DATABASE_URL": dsn,
        "BANK_DATA_DIR": str(folder),
        "BANK_SANDBOX": "true",
        "BANK_DEMO": "false",
        "BANK_PORT": str(_free_port()),
        "BANK_LOG_IN_RATE_LIMIT": "100000",
        "BANK_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "bank_graphql", "serve", "--workers", str(workers)]
    async with _serving("bank", command, environment, f"http://127.0.0.1:{environment['BANK_PORT']}/graphql") as server:
        yield server


async def prepare_peer(dsn: str) -> None:
    """Create the function and the view that PostGraphile and pgbench use."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute((PEER / "bench.sql").read_text())
    finally:
        await connection.close()


@asynccontextmanager
async def postgraphile(dsn: str) -> AsyncIterator[Server]:
    """Run PostGraphile on the same database, in one process of Node, configured as its makers advise for production."""
    if not (PEER / "node_modules" / ".package-lock.json").exists():  # written last
        install = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=PEER, check=True, stdout=subprocess.DEVNULL)
    await prepare_peer(dsn)
    port = str(_free_port())
    environment = {**os.environ, "DATABASE_URL": dsn, "PORT": port, "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    command = [str(PEER / "node_modules" / ".bin" / "node"), str(PEER / "server.mjs")]
    async with _serving("postgraphile", command, environment, f"http://127.0.0.1:{port}/graphql") as server:
        yield server


async def cold_start(folder: Path) -> float:
    """Return the seconds from the start of `serve`, with an embedded database whose folder exists, to its first answer."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BANK_") and name != "DATABASE_URL"}
    port = str(_free_port())
    environment |= {"BANK_DATA_DIR": str(folder), "BANK_PORT": port}
    command = [sys.executable, "-m", "bank_graphql", "serve"]
    seconds = 0.0
    for _ in range(1 if (folder / "postgres").exists() else 2):  # the first start makes the folder
        async with _serving("bank", command, environment, f"http://127.0.0.1:{port}/graphql") as server:
            seconds = server.seconds_to_first_answer
    return seconds


async def pgbench(dsn: str, script: str, *, clients: int, seconds: float) -> float:
    """Run a script with pgbench, as prepared statements, and return its transactions per second."""
    path = _pgbench()
    address = urlsplit(dsn)
    place = parse_qs(address.query)
    process = await asyncio.create_subprocess_exec(
        str(path),
        *("-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", f"{seconds:.0f}", "-f", "-"),
        *("-h", place.get("host", [address.hostname or ""])[0], "-U", address.username or "", address.path.lstrip("/")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate(script.encode()))[0].decode()
    found = re.search(r"tps = ([\d.]+)", output)
    if process.returncode or found is None:
        raise RuntimeError(f"pgbench failed:\n{output}")
    return float(found.group(1))


def _pgbench() -> Path:
    """Return the path of pgbench: of the embedded server if it has one, or of the newest version on the system."""
    places = [binaries() / "pgbench", *sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise RuntimeError("pgbench is missing: it comes with PostgreSQL, in Debian's package postgresql.")
    return found


@asynccontextmanager
async def _serving(name: str, command: Sequence[str], environment: dict[str, str], url: str) -> AsyncIterator[Server]:
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    drained = asyncio.create_task(_drain(process))
    try:
        seconds = await _first_answer(process, url, started, drained)
        yield Server(name, process, url, seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()
        await drained


async def _first_answer(process: "asyncio.subprocess.Process", url: str, started: float, drained: "asyncio.Task[bytes]") -> float:
    async with httpx.AsyncClient() as http:
        while time.perf_counter() - started < 60:
            if process.returncode is not None:
                raise RuntimeError(f"A server did not start:\n{(await drained).decode()}")
            with contextlib.suppress(httpx.TransportError):
                if (await http.post(url, json={"query": "{ __typename }"})).status_code == 200:
                    return time.perf_counter() - started
            await asyncio.sleep(0.01)
    raise RuntimeError(f"No answer from {url} within a minute.")


async def _drain(process: "asyncio.subprocess.Process") -> bytes:
    """Read the output of a process, and return its end."""
    output = b""
    while process.stdout and (more := await process.stdout.read(65536)):
        output = (output + more)[-10_000:]
    return output


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    children = [int(child) for child in _read(Path(f"/proc/{pid}/task/{pid}/children")).split()]
    return children + [grandchild for child in children for grandchild in _children(child)]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
