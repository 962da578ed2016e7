"""Tries every statement of the bank on another engine that speaks PostgreSQL's protocol: `python -m bench.scaling.engines --help`.

A statement is prepared and planned, for unknown arguments and for given ones, and not executed. What an engine refuses is printed
with its reason, so that the table in docs/scaling.md can be made again for an engine or a version that is new.
"""

import asyncio
import gc
import importlib
import pkgutil
import re
import sys
from collections import defaultdict
from typing import Annotated

import asyncpg
import typer

import bank_graphql
from bank_graphql.kit.db_session import INDEX_PLANS, search_path
from bank_graphql.kit.statements import Query

WAYS = {"for unknown arguments": "force_generic_plan", "for given arguments": "force_custom_plan"}


def statements() -> dict[str, str]:
    """Return the bank's statements, by where they are."""
    for module in pkgutil.walk_packages(bank_graphql.__path__, "bank_graphql."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    named = {
        id(value): f"{module}.{name}".removeprefix("bank_graphql.")
        for module, found in list(sys.modules.items())
        if module.startswith("bank_graphql.")
        for name, value in vars(found).items()
        if isinstance(value, Query)
    }
    queries = [each for each in gc.get_objects() if isinstance(each, Query)]
    return {named.get(id(each), " ".join(each.sql.split())[:60]): each.sql for each in queries}


async def refusal(connection: "asyncpg.Connection[asyncpg.Record]", sql: str) -> str | None:
    """Return why an engine refuses to plan a statement; None if it does not."""
    nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", sql))))
    try:
        async with connection.transaction():
            await connection.execute(f"PREPARE tried AS {sql}")
            await connection.execute(f"EXPLAIN EXECUTE tried {f'({nulls})' if nulls else ''}")
    except asyncpg.PostgresError as error:
        return str(error).splitlines()[0]
    finally:
        await connection.execute("DEALLOCATE ALL")
    return None


async def _try(dsn: str, schema: str) -> None:
    found = statements()
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        for name, value in {**INDEX_PLANS, "search_path": search_path(schema)}.items():
            await connection.execute("SELECT set_config($1, $2, false)", name, value)
        for way, mode in WAYS.items():
            await connection.execute(f"SET plan_cache_mode = {mode}")
            reasons = defaultdict(list)
            for name, sql in sorted(found.items()):
                if (reason := await refusal(connection, sql)) is not None:
                    reasons[reason].append(name)
            print(f"{way}: {len(found) - sum(map(len, reasons.values()))} of {len(found)} statements can be planned")
            for reason, names in reasons.items():
                print(f"  {reason} ({len(names)}): {', '.join(names)}")
    finally:
        await connection.close()


def main(
    dsn: Annotated[str, typer.Option(help="The address of the engine, with a bank that is migrated.")],
    schema: Annotated[str, typer.Option(help="The schema of the bank.")] = "public",
) -> None:
    """Try every statement of the bank on an engine."""
    asyncio.run(_try(dsn, schema))


if __name__ == "__main__":
    typer.run(main)
