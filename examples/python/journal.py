"""A journal of an account in the format of hledger, in a file that also says how far it goes.

The file is written in blocks: transactions, and a line that begins with `; known` and says up to where the bank's entries are in
the file. A block that is not complete, because the program was killed, is removed at the next start.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from bank_client.fragments import Booked

_KNOWN = re.compile(r"^; known cursor:(\S+) place:(\S*) balance:(\S+)\n", re.MULTILINE)
_ENTRY = re.compile(r"; entry:(\S+)$", re.MULTILINE)


class DoesNotAddUpError(Exception):
    """An entry's balance is not the one before plus its amount."""


@dataclass
class Journal:
    """The journal of one account.

    Attributes:
        path: the file.
        name: the account's name in hledger.
        currency: its currency, e.g. EUR.
        balance: the balance after the last entry; for a new journal, zero with the currency's digits.
        cursor: the event of the feed up to which it goes; None if it is new.
        place: where to go on in the list of entries, if the bank has deleted the events.
    """

    path: Path
    name: str
    currency: str
    balance: Decimal
    cursor: str | None = None
    place: str | None = None
    _seen: set[str] = field(default_factory=set)
    _new: list[str] = field(default_factory=list)

    def load(self) -> None:
        """Read the file, if there is one, and remove what was not written to its end."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        blocks = list(_KNOWN.finditer(text))
        complete = text[: blocks[-1].end()] if blocks else ""
        self.path.write_text(complete, encoding="utf-8")
        self._seen = set(_ENTRY.findall(complete))
        if blocks:
            cursor, place, balance = blocks[-1].groups()
            self.cursor, self.place, self.balance = cursor, place or None, Decimal(balance)

    def add(self, entry: Booked) -> bool:
        """Add an entry, and return whether it is new.

        Raises:
            DoesNotAddUpError: the balance after it is not the one before plus its amount.
        """
        if entry.id in self._seen:
            return False
        amount, after = entry.amount.amount, entry.balance_after.amount
        if self.balance + amount != after:
            raise DoesNotAddUpError(f"Entry {entry.id}: {self.balance} plus {amount} is not {after}.")
        self.balance = after
        self._seen.add(entry.id)
        other = f"equity:{_plain(entry.counterparty.name).replace(':', '.')}"
        text = _plain(entry.transaction.description or entry.counterparty.name)
        self._new += [
            f"account {other}\n",
            f"{entry.booked_at.date()} * ({entry.transaction.reference}) {text}\n",
            # hledger checks the balance that follows the equals sign.
            f"    {self.name}  {amount} {self.currency} = {after} {self.currency}  ; entry:{entry.id}\n",
            f"    {other}  {-amount} {self.currency}\n\n",
        ]
        return True

    def commit(self, cursor: str, place: str | None = None) -> None:
        """Write what was added, and how far the journal goes now."""
        if not self._new and (cursor, place or self.place) == (self.cursor, self.place):
            return
        self.cursor, self.place = cursor, place or self.place
        head = [] if self.path.stat().st_size else [f"account {self.name}\n", f"commodity {self._sample()} {self.currency}\n\n"]
        known = f"; known cursor:{cursor} place:{self.place or ''} balance:{self.balance}\n"
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join([*head, *self._new, known]))
        self._new = []

    def _sample(self) -> str:
        """Return an amount that shows hledger how many digits the currency has: `1000.00`, or `1000.` without any."""
        digits = -int(self.balance.as_tuple().exponent)
        return f"1000.{'0' * digits}"


def _plain(text: str) -> str:
    """Return what people wrote, without what means something to hledger: line breaks, comments, double spaces, other marks."""
    return re.sub(r"\s+", " ", re.sub(r"[;|\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text)).strip() or "-"
