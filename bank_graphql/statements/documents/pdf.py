"""Documents as PDF: pages of A4 with a running balance, in fonts that are embedded.

Pages are laid out in a thread of their own, one document at a time, so that requests go on meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, TYPE_CHECKING

from bank_graphql.kit.statements import Reads
from bank_graphql.statements.documents.content import Content

if TYPE_CHECKING:
    from bank_graphql.statements.documents.pages import Pages

_CHUNK = 65_536
_thread = ThreadPoolExecutor(1, thread_name_prefix="pdf")


async def write(db: Reads, content: Content) -> AsyncIterator[bytes]:
    """Yield the document, part by part. It is complete before the first part is yielded, because of the number of pages."""
    loop = asyncio.get_running_loop()
    pages = await loop.run_in_executor(_thread, _open, content)
    async for lines in content.lines(db):
        await loop.run_in_executor(_thread, pages.add, lines)
    with await loop.run_in_executor(_thread, pages.finish) as file:
        while part := await loop.run_in_executor(_thread, partial(_read, file)):
            yield part


def _open(content: Content) -> "Pages":
    from bank_graphql.statements.documents.pages import Pages  # noqa: PLC0415 - the fonts would take half of the start-up

    return Pages(content)


def _read(file: IO[bytes]) -> bytes:
    return file.read(_CHUNK)
