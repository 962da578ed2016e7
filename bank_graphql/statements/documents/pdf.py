"""Documents as PDF: pages of A4 with a running balance, in fonts that are embedded."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

from bank_graphql.kit.statements import Reads
from bank_graphql.statements.documents.content import Content

if TYPE_CHECKING:
    from bank_graphql.statements.documents.pages import Pages

_CHUNK = 65_536


class PdfWriter:
    """Writes PDFs in a thread of its own, one document at a time, so that requests go on meanwhile."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pdf")

    async def write(self, db: Reads, content: Content) -> AsyncIterator[bytes]:
        """Yield the document, part by part, once it is complete, for each page has the number of pages."""
        run = asyncio.get_running_loop().run_in_executor
        pages = await run(self._thread, _open, content)
        async for lines in content.lines(db):
            await run(self._thread, pages.add, lines)
        with await run(self._thread, pages.finish) as file:
            while part := await run(self._thread, _read, file):
                yield part


def _open(content: Content) -> "Pages":
    from bank_graphql.statements.documents.pages import LAYOUTS  # noqa: PLC0415 - the fonts would take half of the start-up

    return LAYOUTS[content.layout](content)


def _read(file: IO[bytes]) -> bytes:
    return file.read(_CHUNK)
