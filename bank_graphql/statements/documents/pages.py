"""The pages of a document as PDF.

The same content leads to the same bytes, on any machine and at any time, with the pinned versions of reportlab and the fonts.
That is why streams are not compressed: compressors differ between versions. The time and the identity of the document are set by
reportlab's private attributes, for it has no public way.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import TimeStamp
from reportlab.pdfgen.canvas import Canvas

from bank_graphql.kit.money import format_amount
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.statements.documents import fonts
from bank_graphql.statements.documents.content import Content, Line
from bank_graphql.statements.documents.labels import kind_of

_WIDTH, _HEIGHT = A4
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, _WIDTH - 50, _HEIGHT - 60, 80.0
_TEXT, _AMOUNT, _BALANCE = _LEFT + 62, _RIGHT - 85, _RIGHT
_TEXT_WIDTH = _AMOUNT - 75 - _TEXT
_LEADING, _SIZE, _SMALL = 12.0, 8.5, 7.5
_MAX_LINES = 40
"""How many lines an entry has, at most. A description has 500 characters at most, which fit."""
_AT_THE_COUNTER = frozenset({TransactionKind.DEPOSIT, TransactionKind.WITHDRAWAL})
"""Kinds of entries whose other side is the bank's own cash."""
_TOTAL = "total"
"""The form that shows the number of pages. It is drawn on each page, and made when the number is known."""


class Pages:
    """Lays out pages, entry by entry.

    Args:
        content: what the document shows.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._document = BytesIO()
        self._page = 0
        self._balance = content.opening_balance
        self._canvas = Canvas(self._document, A4, pageCompression=0, invariant=1, lang="en", initialFontName=fonts.main_font())
        self._identify()
        self._begin_page()
        self._row(content.from_date.isoformat(), ["Opening balance"], None, content.opening_balance)
        if not content.entry_count:
            self._row(None, ["No entries in this period"], None, None)

    def add(self, lines: Sequence[Line]) -> None:
        """Add entries."""
        for line in lines:
            texts = filter(None, [_headline(line), line.description, f"Ref. {line.reference}"])
            wrapped = [part for text in texts for part in fonts.wrap(text, _SIZE, _TEXT_WIDTH)][:_MAX_LINES]
            self._make_room(len(wrapped))
            self._balance = line.balance_after
            self._row(line.booked_at.date().isoformat(), wrapped, line.amount, line.balance_after)

    def finish(self) -> bytes:
        """End the document, and return it."""
        content = self._content
        self._make_room(5)
        self._y -= _LEADING / 2
        self._rule()
        self._row(None, ["Total credits"], content.total_credits, None)
        self._row(None, ["Total debits"], -content.total_debits, None)
        self._row(content.to_date.isoformat(), ["Closing balance"], None, content.closing_balance)
        self._end_page()
        self._canvas.beginForm(_TOTAL, 0, -3, 40, 10)
        self._text(0, 0, str(self._page), _SMALL)
        self._canvas.endForm()
        self._canvas.save()
        return self._document.getvalue()

    def _identify(self) -> None:
        """Set the metadata, the time and the identity of the document, by what it shows."""
        content, canvas = self._content, self._canvas
        canvas.setTitle(_title(content))
        canvas.setAuthor(content.bank_name)
        canvas.setSubject(f"{content.account_number}, {_period(content)}")
        canvas.setCreator("bank_graphql")
        issued = content.issued_at.astimezone(UTC)
        stamp = TimeStamp(invariant=1)
        stamp.t, stamp.lt, stamp.YMDhms = issued.timestamp(), issued.timetuple(), tuple(issued.timetuple())[:6]
        canvas._doc._timeStamp = stamp  # noqa: SLF001 - see the module's docstring
        canvas._doc.signature = hashlib.md5(content.id.encode(), usedforsecurity=False)  # noqa: SLF001

    def _begin_page(self) -> None:
        self._page += 1
        self._y = _TOP
        content = self._content
        if self._page == 1:
            self._text(_LEFT, self._y, content.bank_name, 16)
            self._y -= 2.2 * _LEADING
            self._text(_LEFT, self._y, _title(content), 12)
            self._y -= 1.8 * _LEADING
            for label, value in _facts(content):
                self._text(_LEFT, self._y, label, _SMALL)
                for part in fonts.wrap(value, _SIZE, _RIGHT - _LEFT - 90):
                    self._text(_LEFT + 90, self._y, part, _SIZE)
                    self._y -= _LEADING
            self._y -= _LEADING
        currency = content.currency
        self._text(_LEFT, self._y, "Date", _SMALL)
        self._text(_TEXT, self._y, "Description", _SMALL)
        self._text(_AMOUNT, self._y, f"Amount {currency}", _SMALL, align_right=True)
        self._text(_BALANCE, self._y, f"Balance {currency}", _SMALL, align_right=True)
        self._y -= _LEADING / 2
        self._rule()

    def _end_page(self) -> None:
        content, canvas, y = self._content, self._canvas, _BOTTOM - 40
        self._text(_LEFT, y, f"{content.bank_name} · {_spaced(content.account_number)} · {_period(content)}", _SMALL)
        self._text(_RIGHT - 22, y, f"Page {self._page} of ", _SMALL, align_right=True)
        canvas.saveState()
        canvas.translate(_RIGHT - 22, y)
        canvas.doForm(_TOTAL)
        canvas.restoreState()
        canvas.showPage()

    def _make_room(self, lines: int) -> None:
        """Begin a new page unless these lines and a line "Carried forward" fit on this one."""
        if self._y - (lines + 1) * _LEADING < _BOTTOM:
            self._row(None, ["Carried forward"], None, self._balance)
            self._end_page()
            self._begin_page()
            self._row(None, ["Brought forward"], None, self._balance)

    def _row(self, day: str | None, texts: Sequence[str], amount: int | None, balance: int | None) -> None:
        currency = self._content.currency
        if day is not None:
            self._text(_LEFT, self._y, day, _SIZE)
        if amount is not None:
            self._text(_AMOUNT, self._y, _grouped(amount, currency), _SIZE, align_right=True)
        if balance is not None:
            self._text(_BALANCE, self._y, _grouped(balance, currency), _SIZE, align_right=True)
        for text in texts:
            self._text(_TEXT, self._y, text, _SIZE)
            self._y -= _LEADING
        self._y -= _LEADING / 4

    def _text(self, x: float, y: float, text: str, size: float, *, align_right: bool = False) -> None:
        """Draw a line of text that begins at x, or that ends there."""
        if align_right:
            x -= fonts.width(text, size)
        for font, part in fonts.runs(text):
            self._canvas.setFont(font, size)
            self._canvas.drawString(x, y, part)
            x += self._canvas.stringWidth(part, font, size)

    def _rule(self) -> None:
        self._canvas.setLineWidth(0.5)
        self._canvas.line(_LEFT, self._y, _RIGHT, self._y)
        self._y -= _LEADING


def _title(content: Content) -> str:
    return "Account entries (not a statement)" if content.number is None else f"Account statement no. {content.number}"


def _headline(line: Line) -> str:
    who = ", ".join(filter(None, line.counterparty))
    return kind_of(line) if line.kind in _AT_THE_COUNTER else f"{kind_of(line)}: {who}"


def _period(content: Content) -> str:
    return f"{content.from_date.isoformat()} to {content.to_date.isoformat()}"


def _facts(content: Content) -> list[tuple[str, str]]:
    return [
        ("Account holder", content.holder_name),
        ("Account", content.account_name),
        ("IBAN", _spaced(content.account_number)),
        ("BIC", content.bic),
        ("Period", _period(content)),
        ("Opening balance", f"{_grouped(content.opening_balance, content.currency)} {content.currency}"),
        ("Closing balance", f"{_grouped(content.closing_balance, content.currency)} {content.currency}"),
        ("Issued" if content.number is not None else "Created", content.issued_at.astimezone(content.zone).date().isoformat()),
    ]


def _spaced(number: str) -> str:
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def _grouped(minor: int, currency: str) -> str:
    """Return an amount with groups of three digits, e.g. "1,234.50"."""
    whole, dot, fraction = format_amount(minor, currency).partition(".")
    return f"{int(whole):,}{dot}{fraction}" if minor >= 0 else f"-{abs(int(whole)):,}{dot}{fraction}"


LAYOUTS = {1: Pages}
"""The layouts by their versions. Statements keep the one with which they were issued, so a new one is added beside the others."""
