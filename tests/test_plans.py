"""Every statement is read by indexes, a row at a time, whatever the planner believes of the tables.

What it believes may be wrong (a few busy accounts among a million), or of another day, for a plan is kept as long as its
connection. One that reads a whole table would then be found out in production, and by nobody else.
"""

import gc
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson
import pytest

import bank_graphql
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Query
from tests.client import Client

for _module in pkgutil.walk_packages(bank_graphql.__path__, "bank_graphql."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)

STATEMENTS = sorted({query.sql for query in gc.get_objects() if isinstance(query, Query)})
SMALL = {"feed_start", "feed_epochs", "vault_keys"}
"""Tables that have a few rows for good."""
WHOLE = ("SELECT users.email_key \nFROM users \n LIMIT", "SELECT verification_runs")
"""How statements begin that are about a whole table: whether it is empty, and its last row."""
SORTED = ("FROM accounts JOIN cards",)
"""Parts of statements that sort what they read: all cards of a user, for these lie under several accounts."""
COLUMNS = {
    "accounts": ["owner_id"],
    "cards": ["account_id", "series_id"],
    "card_transactions": ["card_id", "series_id"],
    "entries": ["account_id", "transaction_id"],
    "transactions": ["from_account_id", "to_account_id"],
    "transaction_events": ["account_id"],
    "sessions": ["user_id"],
}
"""The columns by which rows are looked for that may be many."""
Plan = dict[str, Any]


def nodes(plan: Plan, above: tuple[str, ...] = ()) -> Iterator[tuple[Plan, tuple[str, ...]]]:
    """The nodes of a plan, each with the kinds of those above it."""
    yield plan, above
    for part in plan.get("Plans", []):
        yield from nodes(part, (*above, plan["Node Type"]))


def faults(plan: Plan) -> Iterator[str]:
    """What would take long if there were more rows than expected."""
    for node, above in nodes(plan):
        kind, table = node["Node Type"], node.get("Relation Name")
        reads = table is not None and kind not in {"ModifyTable", "LockRows"} and table not in SMALL
        by_index = {"Index Cond", "TID Cond"} & set(node) or (kind.startswith("Index") and above[-1:] == ("Limit",))
        if reads and not by_index:
            yield f"{table} is read as a whole"
        if kind in {"Hash Join", "Merge Join", "Materialize"}:
            yield f"there is a {kind}"
        # What is sorted for a limit must be limited itself: as many rows as there may be in the end.
        if (
            kind in {"Sort", "Incremental Sort"}
            and "Limit" in above
            and not any(n["Node Type"] == "Limit" for n, _ in nodes(node))
        ):
            yield f"there is a {kind} of what has no limit"


async def plan_of(connection: Connection, sql: str) -> Plan:
    """A statement's plan, for any arguments."""
    nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", sql))))
    await connection.raw.execute(f"PREPARE asked AS {sql}")
    told = await connection.raw.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked {f'({nulls})' if nulls else ''}")
    await connection.raw.execute("DEALLOCATE asked")
    plan: Plan = orjson.loads(told)[0]["Plan"]
    return plan


@pytest.fixture
async def filled(ada: Client, db: Database) -> Database:
    """A bank with something in each table: of empty ones the planner believes nothing."""
    account = (await ada.open(deposit="100"))["id"]
    await ada.transfer(account, (await ada.open())["id"], "1", description="Lunch")
    card = await ada.issue(account, limits=[{"window": "DAY", "amount": {"amount": "50", "currency": "EUR"}}])
    await ada.card_mutation('setCardLimits(id: $card, limits: [], blockedCategories: ["7995"])', "$card: ID!", card=card["id"])
    await ada.authorize(card["id"], "5")
    return db


@pytest.mark.parametrize("distinct", [2, -1])
@pytest.mark.parametrize("rows", [500, 10_000_000])
async def test_no_statement_reads_what_it_need_not(
    filled: Database, raw: "asyncpg.Connection[asyncpg.Record]", distinct: float, rows: int
) -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            await raw.execute(f"ALTER TABLE {table} ALTER {column} SET (n_distinct = {distinct})")
    await raw.execute("ANALYZE")
    await raw.execute(
        "UPDATE pg_class SET reltuples = $1 WHERE relkind = 'r' AND reltuples >= 0 AND relnamespace = 'public'::regnamespace",
        rows,
    )
    found = {}
    async with filled.connection() as connection:
        for sql in STATEMENTS:
            if not sql.startswith(WHOLE) and not any(part in sql for part in SORTED):
                found[sql] = list(faults(await plan_of(connection, sql)))
    assert len(found) > 50
    assert {sql: told for sql, told in found.items() if told} == {}
