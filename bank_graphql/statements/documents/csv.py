"""Documents as CSV (RFC 4180) in UTF-8: a line of names, then a line for each entry, oldest first.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. In texts such a beginning gets an apostrophe in
front of it (OWASP, CSV injection). Amounts are plain decimal numbers with a dot.
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence

from bank_graphql.kit.money import format_amount
from bank_graphql.kit.statements import Reads
from bank_graphql.statements.documents.content import Content, Line
from bank_graphql.statements.documents.labels import kind_of

COLUMNS = (
    "Date", "Kind", "Counterparty", "Counterparty account", "Description", "Amount", "Currency", "Balance", "Reference",
)  # fmt: skip
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take the wide ones too


async def write(db: Reads, content: Content) -> AsyncIterator[bytes]:
    """Yield the document, part by part."""
    yield _text([COLUMNS])
    async for lines in content.lines(db):
        yield _text([_cells(line, content.currency) for line in lines])


def _cells(line: Line, currency: str) -> tuple[str, ...]:
    return (
        line.booked_at.date().isoformat(),
        kind_of(line),
        _safe(line.counterparty.name),
        _safe(line.counterparty.number or ""),
        _safe(line.description or ""),
        format_amount(line.amount, currency),
        currency,
        format_amount(line.balance_after, currency),
        line.reference,
    )


def _safe(text: str) -> str:
    return f"'{text}" if text.lstrip().startswith(_FORMULAS) or text.startswith(_FORMULAS) else text


def _text(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
