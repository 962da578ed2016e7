"""Servers of PostgreSQL: queries, and what runs."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg

WITHOUT_FSYNC = {"fsync": "off"}


async def query(dsn: str, sql: str = "SELECT 1") -> object:
    """Connect, run a query, and return its first value."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def query_until_answered(dsn: str) -> object:
    """Query until the server accepts connections."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await query(dsn)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process with this id runs PostgreSQL."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def signal_all(pid: int, what: signal.Signals) -> None:
    """Send a signal to a server and all its processes."""
    children = [child for each in Path(f"/proc/{pid}/task").glob("*/children") for child in each.read_text().split()]
    for process in (pid, *map(int, children)):
        os.kill(process, what)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def until_ended(pid: int) -> None:
    """Wait until no process with this id runs PostgreSQL."""
    await until(lambda: not is_running(pid))
