"""Committed files that are derived from the code: the GraphQL schema, and a dump of the database's schema.

`python -m tests.sync` writes both; `test_sync.py` compares.
"""

import asyncio
import re
import subprocess
from pathlib import Path

from bank_graphql.api.schema import build_schema, export
from bank_graphql.kit import schema
from bank_graphql.kit.embedded import EmbeddedPostgres, binaries
from tests.folders import reachable_folder

ROOT = Path(__file__).parent.parent
GRAPHQL, DUMP = ROOT / "schema.graphql", ROOT / "migrations" / "schema.sql"


def dump(dsn: str) -> str:
    """Return the database's schema as SQL, without lines that differ from machine to machine."""
    command = [str(binaries() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges", dsn]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in text.splitlines() if not re.match(r"(--|SET |SELECT pg_catalog|\\(un)?restrict|$)", line)]
    return "\n".join(lines) + "\n"


async def _write() -> None:
    GRAPHQL.write_text(export(build_schema()))
    with reachable_folder() as folder:
        async with EmbeddedPostgres(folder, {"fsync": "off"}) as dsn:
            await schema.migrate(dsn)
            DUMP.write_text(dump(dsn))


if __name__ == "__main__":
    asyncio.run(_write())
