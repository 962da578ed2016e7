"""Measures what a transfer takes of a server process and of PostgreSQL: `python -m bench.scaling.figures`.

The figures feed `bench.scaling.simulation`. They are processor time and bytes, so that a busy machine changes them little.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from bench import data, load, requests, sides

FILE = Path(__file__).parent / "figures.json"
CLIENTS = 32
_TICKS = os.sysconf("SC_CLK_TCK")
_COUNTS = """
SELECT (SELECT wal_bytes FROM pg_stat_wal)::float8 AS wal, (SELECT count(*) FROM transactions)::float8 AS transactions,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8 AS commits
"""


def _seconds(process: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Return what a transfer takes.

    Args:
        folder: where the database is.
        seconds: how long to measure.

    Returns:
        Microseconds of the server process and of PostgreSQL for each transfer; bytes of its log; transfers in each transaction
        of the database.
    """
    size = data.Size(accounts=32_000, entries=100_000)
    async with sides.postgres(folder / "data") as server:
        dsn = await sides.copy_of(await sides.database(server, "bench_figures", size))
        connection = await asyncpg.connect(dsn)
        async with sides.bank(dsn, folder / "bank") as bank:
            await bank.log_in()
            transfers = requests.transfer(bank, size.accounts)
            await load.run(transfers, clients=CLIENTS, seconds=seconds / 4)
            backends = [
                pid
                for [pid] in await connection.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            ]
            before = await connection.fetchrow(_COUNTS)
            python, postgres = _seconds(bank.pid), sum(map(_seconds, backends))
            await load.run(transfers, clients=CLIENTS, seconds=seconds)
            python, postgres = _seconds(bank.pid) - python, sum(map(_seconds, backends)) - postgres
            await asyncio.sleep(2)  # counts are added up a second late
            after = await connection.fetchrow(_COUNTS)
        await connection.close()
    if before is None or after is None:
        raise RuntimeError("The database has no statistics.")
    count = after["transactions"] - before["transactions"]
    return {
        "python_microseconds": round(python / count * 1e6, 1),
        "postgres_microseconds": round(postgres / count * 1e6, 1),
        "wal_bytes": round((after["wal"] - before["wal"]) / count),
        "transfers_in_a_commit": round(count / (after["commits"] - before["commits"]), 2),
    }


def main(
    folder: Annotated[Path, typer.Option(help="The folder of the database.")] = Path("/tmp/bank-bench"),  # noqa: S108
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 16,
) -> None:
    """Measure what a transfer takes, and write it to `figures.json` beside this file."""
    folder.mkdir(parents=True, exist_ok=True)
    found = asyncio.run(measure(folder, seconds))
    FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    typer.run(main)
