"""Measures a bank with its largest tables in one piece, and again with them in partitions: `python -m bench.scaling.partitions`.

The tables are partitioned by time, as far as their keys let them: entries by their numbers, transactions by their ids, which begin
with the time, and events by the transactions of the database that wrote them. So the partitions need no column that the statements
of the bank do not name, and each primary key stays one.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import asyncpg
import orjson
import typer

from bank_graphql.bank import CHECKS
from bank_graphql.kit import schema
from bank_graphql.kit.db import Database
from bank_graphql.ledger import verification
from bench import data, load, measures, report, requests, sides

DEPTH = 1_000_000
Measured = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table to partition.

    Attributes:
        name: its name.
        key: the columns that it is partitioned by.
        bounds: a query of the bounds between partitions, of `$1` parts.
        identity: the column that numbers the rows; None if there is none.
    """

    name: str
    key: str
    bounds: str
    identity: str | None = None


TABLES = (
    Table("entries", "id", "SELECT n * (SELECT max(id) FROM entries) / $1 FROM generate_series(1, $1::bigint - 1) n", "id"),
    Table(
        "transaction_events",
        "epoch, writer",
        "SELECT format('%s, %L', epoch, min(writer::text::bigint)) FROM (SELECT epoch, writer, ntile($1::integer) OVER "
        "(ORDER BY epoch, writer) AS part FROM (SELECT DISTINCT epoch, writer FROM transaction_events) w) p "
        "WHERE part > 1 GROUP BY epoch, part ORDER BY min(writer::text::bigint)",
        "sequence",
    ),
    Table(
        "transactions",
        "id",
        "SELECT quote_literal(min(id::text)) FROM (SELECT id, ntile($1::integer) OVER (ORDER BY id) AS part FROM transactions) p "
        "WHERE part > 1 GROUP BY part ORDER BY min(id::text)",
    ),
)
"""The last one is referred to, and loses a unique index that does not name its key."""
_INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes JOIN pg_class c ON c.relname = indexname
LEFT JOIN pg_constraint k ON k.conindid = c.oid WHERE tablename = $1 AND schemaname = 'public' AND k.oid IS NULL
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE (conrelid = $1::text::regclass AND contype = 'p') OR confrelid = $1::text::regclass ORDER BY contype DESC
"""
_TRIGGERS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = $1::text::regclass AND NOT tgisinternal"


async def partition(dsn: str, parts: int) -> None:
    """Rewrite the tables of a bank as partitioned ones.

    Args:
        dsn: the database.
        parts: the number of partitions of each table.
    """
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off", "maintenance_work_mem": "1GB"})
    try:
        for table in TABLES:
            print(f"partitioning {table.name}", file=sys.stderr)
            await _partition(connection, table, parts)
        await connection.execute(f"VACUUM ANALYZE {', '.join(each.name for each in TABLES)}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    await schema.migrate(dsn)  # the new tables need the grants


async def _partition(connection: "asyncpg.Connection[asyncpg.Record]", table: Table, parts: int) -> None:
    name, execute = table.name, connection.execute
    bounds = [str(bound) for [bound] in await connection.fetch(table.bounds, parts)]
    indexes = await connection.fetch(_INDEXES, name)
    constraints = await connection.fetch(_CONSTRAINTS, name)
    triggers = [definition for [definition] in await connection.fetch(_TRIGGERS, name)]
    for each in reversed(constraints):  # what refers to the table goes first
        await execute(f"ALTER TABLE {each['table']} DROP CONSTRAINT {each['name']}")
    await execute(f"ALTER TABLE {name} RENAME TO whole_{name}")
    await execute(
        f"CREATE TABLE {name} (LIKE whole_{name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE ({table.key})"
    )
    least = ", ".join(["MINVALUE"] * len(table.key.split(",")))
    ends = [least, *bounds, least.replace("MIN", "MAX")]
    for number, (start, end) in enumerate(pairwise(ends)):
        await execute(f"CREATE TABLE {name}_{number} PARTITION OF {name} FOR VALUES FROM ({start}) TO ({end})")
    await execute(f"INSERT INTO {name} SELECT * FROM whole_{name}")
    await execute(f"DROP TABLE whole_{name}")
    if table.identity is not None:
        last = await connection.fetchval(f"SELECT max({table.identity}) FROM {name}")
        await execute(f"ALTER TABLE {name} ALTER {table.identity} ADD GENERATED ALWAYS AS IDENTITY (START WITH {last + 1})")
    for each in constraints:
        await execute(f"ALTER TABLE {each['table']} ADD CONSTRAINT {each['name']} {each['definition']}")
    for each in indexes:
        unique = each["definition"].startswith("CREATE UNIQUE")
        await execute(each["definition"].replace("CREATE UNIQUE", "CREATE") if unique else each["definition"])
    for definition in triggers:
        await execute(definition)


async def measure(dsn: str, folder: Path, plan: measures.Plan) -> Measured:
    """Measure a bank.

    Returns:
        The figures of each measure.
    """
    found: Measured = {}
    connection = await asyncpg.connect(dsn)
    deep = await connection.fetchval(
        f"SELECT id FROM entries WHERE account_id = $1::text::uuid ORDER BY id DESC OFFSET {DEPTH} LIMIT 1",
        data.account_id(data.DEEP),
    )
    found["size on disk, GB"] = [await connection.fetchval("SELECT pg_database_size(current_database())") / 1e9]
    await connection.close()
    owner = data.DEEP % data.USERS
    async with sides.bank(dsn, folder) as bank:
        await bank.log_in()

        def page(after: str | None) -> Callable[[], Awaitable[float]]:
            body = orjson.loads(requests.body(requests.PAGE, id=requests.account(data.DEEP), after=after))
            return lambda: load.milliseconds(bank.url, body, bank.tokens[owner], 200)

        async def per_second(wanted: load.Load) -> float:
            return (await load.run(wanted, clients=measures.CLIENTS, seconds=plan.seconds)).per_second

        accounts = plan.main.accounts
        measured = {
            "nested read, requests/s": lambda: per_second(requests.nested(bank)),
            "transfer, requests/s": lambda: per_second(requests.transfer(bank, accounts)),
            "the first page, ms": page(None),
            f"a page at depth {DEPTH:,}, ms": page(requests.cursor(deep)),
        }
        for name, figure in measured.items():
            await figure()
            found[name] = [await figure() for _ in range(plan.rounds)]
    db = await Database.open(dsn)
    try:
        started = time.perf_counter()
        findings = await verification.verify(db, CHECKS)
        found["verify, s"] = [time.perf_counter() - started]
    finally:
        await db.close()
    wrong = [each for each in findings if not each.ok]
    if wrong:
        raise RuntimeError(f"The books are wrong: {wrong}")
    return found


def main(
    entries: Annotated[int, typer.Option(help="The number of entries.")] = 50_000_000,
    parts: Annotated[int, typer.Option(help="The number of partitions of each table.")] = 60,
    folder: Annotated[Path, typer.Option(help="The folder of the databases.")] = Path("/tmp/bank-bench"),  # noqa: S108
    rounds: Annotated[int, typer.Option(help="The number of rounds of each measure.")] = 5,
    seconds: Annotated[float, typer.Option(help="The seconds of each round.")] = 8,
) -> None:
    """Measure a large bank in one piece and in partitions. It takes about 1.2 KB of disk for each entry."""
    plan = measures.Plan(rounds, seconds, data.Size(100_000, entries, deep=DEPTH + 100), large=None)
    folder.mkdir(parents=True, exist_ok=True)
    for row in asyncio.run(_compare(folder, plan, parts)):
        print(report.line(row))


async def _compare(folder: Path, plan: measures.Plan, parts: int) -> list[measures.Row]:
    async with sides.postgres(folder / "data") as server:
        dsn = await sides.database(server, "bench_partitions", plan.main)
        whole = await measure(dsn, folder / "bank", plan)
        print(whole, file=sys.stderr)
        await partition(dsn, parts)
        divided = await measure(dsn, folder / "bank", plan)
        connection = await asyncpg.connect(server)
        await connection.execute("DROP DATABASE bench_partitions")
        await connection.close()
    return [
        measures.Row(name.rpartition(", ")[0], f"{parts} partitions", name.rpartition(", ")[2], figures, divided[name])
        for name, figures in whole.items()
    ]


if __name__ == "__main__":
    typer.run(main)
