"""Writes the documents of a long statement in a process of its own: `python -m bench.documents pdf 10000`.

It prints the seconds and the maximum memory of the process in megabytes. The entries are made up part by part, as they are read from
a database.
"""

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from bank_graphql.kit.statements import Reads
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.statements.documents import camt053, csv
from bank_graphql.statements.documents.content import PART, Content, Counterparty, Line
from bank_graphql.statements.documents.pdf import PdfWriter
from bank_graphql.statements.enums import ExportFormat

WRITERS = {ExportFormat.PDF: PdfWriter().write, ExportFormat.CSV: csv.write, ExportFormat.CAMT053: camt053.write}


class Long(Content):
    """A content with as many lines as it says."""

    async def lines(self, _: Reads) -> AsyncIterator[Sequence[Line]]:
        """Yield the lines in parts."""
        for start in range(0, self.entry_count, PART):
            yield [self._made(number) for number in range(start, min(start + PART, self.entry_count))]

    def _made(self, number: int) -> Line:
        text = f"Invoice {number} of the month, thank you very much, Überweisung an Müller & Söhne"
        other = Counterparty(f"Customer {number % 500}", "••••1234")
        at = datetime(2030, 1, 1 + number % 31, tzinfo=self.zone)
        return Line(
            number,
            at,
            1,
            number + 1,
            TransactionKind.TRANSFER,
            is_reversal=False,
            reference="R" * 26,
            description=text,
            counterparty=other,
        )


def content(entries: int) -> Content:
    """Return what a long statement shows."""
    return Long(
        id="0" * 32, number=1, layout=1, bank_name="The Bank", bic="BANKDEX0", holder_name="Ada Lovelace", account_id=UUID(int=1),
        account_name="Everyday", account_number="DE02120300000000202051", currency="EUR", from_date=date(2030, 1, 1),
        to_date=date(2030, 1, 31), opening_balance=0, closing_balance=entries, total_credits=entries, total_debits=0,
        entry_count=entries, issued_at=datetime(2030, 2, 1, tzinfo=UTC), zone=ZoneInfo("UTC"), counterparties={},
        after_entry_id=0, last_entry_id=entries,
    )  # fmt: skip


async def write(format_: ExportFormat, entries: int) -> int:
    """Write a document, and return its size."""
    size = 0
    async for part in WRITERS[format_](None, content(entries)):  # type: ignore[arg-type]  # nothing is read from a database
        size += len(part)
    return size


if __name__ == "__main__":
    started = time.perf_counter()
    asyncio.run(write(ExportFormat(sys.argv[1]), int(sys.argv[2])))
    print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
