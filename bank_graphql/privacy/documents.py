"""Everything that the bank holds about a user, as one JSON document that is made part by part."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from bank_graphql.kit.statements import Reads
from bank_graphql.privacy import queries


async def write(db: Reads, user_id: UUID, at: datetime) -> AsyncGenerator[bytes]:
    """Yield the document: an object with the time and a list for each section.

    Args:
        db: the database, or its replica.
        user_id: the user.
        at: the time to write in it.
    """
    yield b'{"exported_at":' + orjson.dumps(at.isoformat())
    for name, query in queries.SECTIONS.items():
        rows = [queries.as_json(row) for row in await db.fetch(query, user=user_id)]
        yield b"," + orjson.dumps(name) + b":" + orjson.dumps(rows)
    for name, pages in (
        ("transactions", queries.transactions(db, user_id)),
        ("audit_events", queries.audit_events(db, user_id)),
    ):
        yield b"," + orjson.dumps(name) + b":["
        async for part in _items(pages):
            yield part
        yield b"]"
    yield b"}\n"


async def _items(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    """Yield the items of a list, without its brackets."""
    is_first = True
    async for page in pages:
        if page:
            yield (b"" if is_first else b",") + orjson.dumps(page)[1:-1]
            is_first = False
