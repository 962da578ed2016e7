"""Reads a customer credit transfer initiation, pain.001.001.09 of ISO 20022, and checks it against ISO's schema."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from lxml import etree

T = TypeVar("T")
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
NAME = "pain.001.001.09"
MAX_BYTES = 100_000_000
_NS = {"p": NAMESPACE}
_ZONE = re.compile(r"(Z|[+-][0-9]{2}:[0-9]{2})$")
"""A time zone after a day, which says nothing that matters for a day of the bank."""
_SCHEMA = Path(__file__).parent / "schemas" / "pain.001.001.09.xsd"
"""As published: https://www.iso20022.org."""


class InvalidFileError(Exception):
    """The file is no such initiation; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a file says of the credit transfers in it, or in one of its groups; None is what it does not say."""

    count: int | None
    control_sum: Decimal | None


@dataclass(frozen=True, slots=True)
class Instruction:
    """One credit transfer of an initiation, as the file gives it; None is what it leaves out.

    Attributes:
        group: which of the initiation's groups of payments it belongs to, from 0.
        amount: in units of the currency.
        day: on which it is to be made.
        description: the text for the payee, or the payee's reference if the file gives that.
        method: how it is to be paid: TRF is a credit transfer.
    """

    group: int
    instruction_id: str | None
    end_to_end_id: str
    debtor_number: str | None
    creditor_number: str | None
    creditor_name: str | None
    amount: str | None
    currency: str | None
    description: str | None
    day: date
    method: str


@dataclass(frozen=True, slots=True)
class Initiation:
    """A customer credit transfer initiation.

    Attributes:
        id: the file's identification, given by its sender.
        totals: what it says of all credit transfers.
        groups: the identifications of its groups of payments, and what it says of those in them.
        instructions: all credit transfers, in their order.
    """

    id: str
    totals: Totals
    groups: tuple[tuple[str, Totals], ...]
    instructions: tuple[Instruction, ...]

    def grouped(self, items: Sequence[T]) -> list[list[T]]:
        """Return items, one for each credit transfer in their order, by the groups that these belong to."""
        found: list[list[T]] = [[] for _ in self.groups]
        for instruction, item in zip(self.instructions, items, strict=True):
            found[instruction.group].append(item)
        return found


def read(data: bytes, day_of: Callable[[datetime], date]) -> Initiation:
    """Return the initiation that a file contains.

    Args:
        data: the file.
        day_of: returns the day of a time, in the bank's time zone.

    Raises:
        InvalidFileError: it is too large, no XML, or not valid by the schema.
    """
    if len(data) > MAX_BYTES:
        raise InvalidFileError(f"it has more than {MAX_BYTES // 1_000_000} MB. Split it.")
    # The schema does not see comments inside a text, and what is read must be what was checked.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidFileError(f"it is no XML: {error.msg}.") from None
    if root.getroottree().docinfo.doctype:
        raise InvalidFileError("it has a document type declaration, which such files do not need.")
    if etree.QName(root).namespace != NAMESPACE:
        raise InvalidFileError(f"it is no {NAME}.")
    schema = _schema()
    if not schema.validate(root):
        first = schema.error_log[0]
        raise InvalidFileError(f"it is not valid, in line {first.line}: {first.message.replace(f'{{{NAMESPACE}}}', '')}")
    whole = root[0]
    header, groups = whole.find("p:GrpHdr", _NS), whole.findall("p:PmtInf", _NS)
    return Initiation(
        _required(header, "p:MsgId"),
        _totals(header),
        tuple((_required(group, "p:PmtInfId"), _totals(group)) for group in groups),
        tuple(each for number, group in enumerate(groups) for each in _instructions(group, number, day_of)),
    )


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(_SCHEMA))


def _totals(node: Any) -> Totals:
    count, total = _text(node, "p:NbOfTxs"), _text(node, "p:CtrlSum")
    return Totals(None if count is None else int(count), None if total is None else Decimal(total))


def _day(group: Any, day_of: Callable[[datetime], date]) -> date:
    day, time = _text(group, "p:ReqdExctnDt/p:Dt"), _text(group, "p:ReqdExctnDt/p:DtTm")
    try:
        if time is None:
            return date.fromisoformat(_ZONE.sub("", day or ""))
        at = datetime.fromisoformat(time)
        return day_of(at) if at.tzinfo else at.date()
    except ValueError:
        raise InvalidFileError(f"there is no such day as {day or time}.") from None


def _instructions(group: Any, number: int, day_of: Callable[[datetime], date]) -> Iterator[Instruction]:
    debtor, method, day = _text(group, "p:DbtrAcct/p:Id/p:IBAN"), _required(group, "p:PmtMtd"), _day(group, day_of)
    for transfer in group.findall("p:CdtTrfTxInf", _NS):
        amount = transfer.find("p:Amt/p:InstdAmt", _NS)
        lines = [each.text or "" for each in transfer.findall("p:RmtInf/p:Ustrd", _NS)]
        yield Instruction(
            number,
            _text(transfer, "p:PmtId/p:InstrId"),
            _required(transfer, "p:PmtId/p:EndToEndId"),
            debtor,
            _text(transfer, "p:CdtrAcct/p:Id/p:IBAN"),
            _text(transfer, "p:Cdtr/p:Nm"),
            None if amount is None else amount.text,
            None if amount is None else amount.get("Ccy"),
            "".join(lines) or _text(transfer, "p:RmtInf/p:Strd/p:CdtrRefInf/p:Ref"),
            day,
            method,
        )


def _text(node: Any, path: str) -> str | None:
    text: str | None = node.findtext(path, namespaces=_NS)
    return text


def _required(node: Any, path: str) -> str:
    text = _text(node, path)
    if text is None:
        raise InvalidFileError(f"it has no {path.replace('p:', '')}.")
    return text
