"""Serve documents: statements, exports of entries, and of personal data. Whoever has a signed link that is valid may open it."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.links import Links
from bank_graphql.kit.statements import Reads
from bank_graphql.privacy import documents as personal_data
from bank_graphql.privacy import service as privacy
from bank_graphql.statements.documents import camt053, content, csv
from bank_graphql.statements.documents.content import Content
from bank_graphql.statements.documents.paths import parse_export, parse_statement
from bank_graphql.statements.documents.pdf import MAX_ENTRIES, PdfWriter
from bank_graphql.statements.enums import ExportFormat
from bank_graphql.statements.service import Issuer

_PRIVATE = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_TOO_LONG = f"A PDF has {MAX_ENTRIES:,} entries at most. Open this as CSV or camt.053.\n"
_INVALID = "This link is not valid, or has expired. Request a new one.\n"


class _Writer(NamedTuple):
    media_type: str
    write: Callable[[Reads, Content], AsyncGenerator[bytes]]


class Documents:
    """Serves `/statements/…`, `/exports/…` and `/personal-data/…`.

    Args:
        db: the database.
        issuer: the bank.
        links: checks the links.
    """

    def __init__(self, db: Reads, issuer: Issuer, links: Links) -> None:
        self._db = db
        self._issuer = issuer
        self._links = links
        self._pdf = PdfWriter()
        self._writers = {
            ExportFormat.PDF: _Writer("application/pdf", self._pdf.write),
            ExportFormat.CSV: _Writer("text/csv; charset=utf-8; header=present", csv.write),
            ExportFormat.CAMT053: _Writer("application/xml", camt053.write),
        }

    def close(self) -> None:
        """End the thread that lays out PDFs, once it is idle."""
        self._pdf.close()

    async def statement(self, request: Request) -> Response:
        """Answer with a document of a statement."""
        name = request.path_params["name"]
        if not self._is_valid(f"/statements/{name}", request):
            return _refusal()
        statement_id, format_ = parse_statement(name)
        return await self._document(content.of_statement(self._db, statement_id), format_)

    async def export(self, request: Request) -> Response:
        """Answer with the entries of an account in a period."""
        account, since, name = (request.path_params[part] for part in ("account", "since", "name"))
        if not self._is_valid(f"/exports/{account}/{since}/{name}", request):
            return _refusal()
        export = parse_export(account, since, name)
        found = content.of_period(self._db, self._issuer, export.account_id, export.since, export.until)
        return await self._document(found, export.format)

    async def personal_data(self, request: Request) -> Response:
        """Answer with everything that the bank holds about a user."""
        name = request.path_params["name"]
        if not self._is_valid(f"/personal-data/{name}", request):
            return _refusal()
        parts = personal_data.write(self._db, privacy.parse(name), self._issuer.clock())
        try:
            first = await anext(parts)
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", 503, {**_PRIVATE, "Retry-After": "1"})
        headers = {**_PRIVATE, "Content-Disposition": 'attachment; filename="personal-data.json"'}
        return StreamingResponse(_chained(first, parts), media_type="application/json", headers=headers)

    async def _document(self, reading: Awaitable[Content | None], format_: ExportFormat) -> Response:
        """Return the answer with a document. Its first part is made before, so that what fails until then is a plain refusal."""
        writer = self._writers[format_]
        try:
            found = await reading
            if found is None:
                return _refusal()
            if format_ == ExportFormat.PDF and found.entry_count > MAX_ENTRIES:
                return PlainTextResponse(_TOO_LONG, 422, _PRIVATE)
            parts = writer.write(self._db, found)
            first = await anext(parts)
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", 503, {**_PRIVATE, "Retry-After": "1"})
        what = f"statement-{found.number:04}" if found.number is not None else "entries"
        name = f"{what}-{found.account_number}-{found.from_date.isoformat()}-{found.to_date.isoformat()}.{format_}"
        headers = {**_PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_chained(first, parts), media_type=writer.media_type, headers=headers)

    def _is_valid(self, path: str, request: Request) -> bool:
        query = request.query_params
        return self._links.is_valid(path, query.get("expires", ""), query.get("signature", ""))


async def _chained(first: bytes, others: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(others):  # also if the client goes away
        yield first
        async for part in others:
            yield part


def _refusal() -> Response:
    return PlainTextResponse(_INVALID, 404, _PRIVATE)
