"""Documents as PDF: pages of A4 with a running balance, in fonts that are embedded."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.statements import Reads
from bank_graphql.statements.documents.content import Content
from bank_graphql.statements.documents.pages import LAYOUTS, Pages

MAX_ENTRIES = 50_000
"""How many entries a PDF has, at most: half a minute of work, and some 30 MB."""
_PART = 65_536
"""How many bytes are yielded at a time."""
MAX_RUNNING = 8
"""How many documents are written at a time: one of 10,000 entries takes seconds."""


class PdfWriter:
    """Writes PDFs in a thread of its own, so that requests go on meanwhile, and a few at a time."""

    def __init__(self) -> None:
        self._running = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pdf")

    def close(self) -> None:
        """End the thread once it is idle."""
        self._thread.shutdown(wait=False)

    async def write(self, db: Reads, content: Content) -> AsyncGenerator[bytes]:
        """Yield the document, part by part, once it is complete, for each page has the number of pages.

        Raises:
            Unavailable: too many are being written.
        """
        if self._running >= MAX_RUNNING:
            raise Unavailable("Too many documents are being made. Try again.")
        self._running += 1
        try:
            async with aclosing(self._write(db, content)) as parts:
                async for part in parts:
                    yield part
        finally:
            self._running -= 1

    async def _write(self, db: Reads, content: Content) -> AsyncGenerator[bytes]:
        run = asyncio.get_running_loop().run_in_executor
        pages = await run(self._thread, _open, content)
        async for lines in content.lines(db):
            await run(self._thread, pages.add, lines)
        document = await run(self._thread, pages.finish)
        for start in range(0, len(document), _PART):
            yield document[start : start + _PART]


def _open(content: Content) -> Pages:
    return LAYOUTS[content.layout](content)
