"""Documents as CSV (RFC 4180) in UTF-8: a line of names, then a line for each entry, oldest first.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. In texts such a beginning gets an apostrophe in
front of it (OWASP, CSV injection). Amounts are plain decimal numbers with a dot.
"""

import csv
import io
import unicodedata
from collections.abc import AsyncGenerator, Sequence

from bank_graphql.kit.money import format_amount
from bank_graphql.kit.statements import Reads
from bank_graphql.statements.documents.content import Content, Line
from bank_graphql.statements.documents.labels import kind_of

COLUMNS = (
    "Date", "Kind", "Counterparty", "Counterparty account", "Description", "Amount", "Currency", "Balance", "Reference",
)  # fmt: skip
_FORMULAS = frozenset("=+-@＝＋－＠")  # noqa: RUF001 - spreadsheets take the wide ones too
_CONTROLS = ("\t", "\r", "\n")


async def write(db: Reads, content: Content) -> AsyncGenerator[bytes]:
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
    """Return a text that no spreadsheet takes for a formula. Spaces and invisible characters in front of one do not hide it."""
    seen = next((letter for letter in text if not letter.isspace() and unicodedata.category(letter) != "Cf"), "")
    return f"'{text}" if seen in _FORMULAS or text.startswith(_CONTROLS) else text


def _text(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
