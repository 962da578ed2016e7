"""Documents as camt.053.001.08, the bank-to-customer statement of ISO 20022, which accounting software reads.

Amounts are unsigned, `CdtDbtInd` gives the direction. A reversal has the direction in which it is booked and `RvslInd`, and the
transaction code and the parties of what it reverses. The return of a payment has the parties of the payment, and `RtrInf` in
place of `RvslInd`. The opening balance (OPBD) is the closing balance (CLBD) of the statement before, and bears its date: the day
before the period.
"""

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from xml.sax.saxutils import escape

from bank_graphql.kit.money import format_amount
from bank_graphql.kit.months import Months
from bank_graphql.kit.statements import Reads
from bank_graphql.kit.text import for_xml
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.statements.documents.content import Content, Line
from bank_graphql.statements.documents.labels import kind_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_CODES = {
    (TransactionKind.DEPOSIT, "CRDT"): ("CNTR", "CDPT"),
    (TransactionKind.WITHDRAWAL, "DBIT"): ("CNTR", "CWDL"),
    (TransactionKind.TRANSFER, "CRDT"): ("RCDT", "BOOK"),
    (TransactionKind.TRANSFER, "DBIT"): ("ICDT", "BOOK"),
    (TransactionKind.CARD_PAYMENT, "DBIT"): ("CCRD", "POSD"),
    (TransactionKind.CARD_REFUND, "CRDT"): ("CCRD", "RIMB"),
    (TransactionKind.FEE, "DBIT"): ("MDOP", "FEES"),
    (TransactionKind.INTEREST, "CRDT"): ("MCOP", "INTR"),
    (TransactionKind.INTEREST, "DBIT"): ("MDOP", "INTR"),
}
"""Family and sub-family of each kind and direction, in the domain PMNT of ISO's external code set of bank transactions."""
_RETURN = ("ICDT", "RRTN")
"""Family and sub-family of the return of a credit transfer."""
_SEPA, _ABROAD = "ESCT", "XBCT"
"""Sub-families of credit transfers between banks: in euros by SEPA, and in other currencies."""
_OPPOSITE = {"CRDT": "DBIT", "DBIT": "CRDT"}
_SUM_END = 10**18
"""A sum has 18 digits at most, by the schema. Larger ones are left out."""
_UNSTRUCTURED = 140
"""How many characters an element `Ustrd` has, at most."""


async def write(db: Reads, content: Content) -> AsyncGenerator[bytes]:
    """Yield the document, part by part."""
    yield "".join(_head(content)).encode()
    numbers = count(1)
    async for lines in content.lines(db):
        yield "".join(part for line in lines for part in _entry(line, content, next(numbers))).encode()
    yield b"</Stmt></BkToCstmrStmt></Document>\n"


def _head(content: Content) -> Iterator[str]:
    issued, months = _time(content.issued_at), Months(content.zone)
    since, until = months.start(content.from_date), months.start(content.to_date + timedelta(days=1)) - timedelta(seconds=1)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<Document xmlns="{NAMESPACE}"><BkToCstmrStmt>'
    yield f"<GrpHdr><MsgId>{content.id}</MsgId><CreDtTm>{issued}</CreDtTm></GrpHdr>"
    yield f"<Stmt><Id>{content.id}</Id>"
    if content.number is not None:
        yield f"<ElctrncSeqNb>{content.number}</ElctrncSeqNb>"
    yield f"<CreDtTm>{issued}</CreDtTm>"
    yield f"<FrToDt><FrDtTm>{_time(since)}</FrDtTm><ToDtTm>{_time(until)}</ToDtTm></FrToDt>"
    yield f"<Acct><Id><IBAN>{content.account_number}</IBAN></Id><Ccy>{content.currency}</Ccy>"
    yield f"<Nm>{_text(content.account_name, 70)}</Nm><Ownr><Nm>{_text(content.holder_name, 140)}</Nm></Ownr>"
    yield f"<Svcr><FinInstnId><BICFI>{content.bic}</BICFI><Nm>{_text(content.bank_name, 140)}</Nm></FinInstnId></Svcr></Acct>"
    yield _balance("OPBD", content.opening_balance, content.from_date - timedelta(days=1), content.currency)
    yield _balance("CLBD", content.closing_balance, content.to_date, content.currency)
    yield _summary(content)


def _balance(code: str, minor: int, day: date, currency: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(minor, currency)}"
        f"<CdtDbtInd>{_direction(minor)}</CdtDbtInd><Dt><Dt>{day.isoformat()}</Dt></Dt></Bal>"
    )


def _summary(content: Content) -> str:
    net, currency = content.total_credits - content.total_debits, content.currency
    gross = content.total_credits + content.total_debits
    if gross >= _SUM_END:
        return f"<TxsSummry><TtlNtries><NbOfNtries>{content.entry_count}</NbOfNtries></TtlNtries></TxsSummry>"
    all_, credits_, debits = (format_amount(each, currency) for each in (gross, content.total_credits, content.total_debits))
    return (
        f"<TxsSummry><TtlNtries><NbOfNtries>{content.entry_count}</NbOfNtries><Sum>{all_}</Sum>"
        f"<TtlNetNtry><Amt>{format_amount(abs(net), currency)}</Amt><CdtDbtInd>{_direction(net)}</CdtDbtInd></TtlNetNtry>"
        f"</TtlNtries><TtlCdtNtries><Sum>{credits_}</Sum></TtlCdtNtries><TtlDbtNtries><Sum>{debits}</Sum></TtlDbtNtries>"
        "</TxsSummry>"
    )


def _entry(line: Line, content: Content, number: int) -> Iterator[str]:
    amount, direction = _amount(line.amount, content.currency), _direction(line.amount)
    original = _OPPOSITE[direction] if line.is_reversal or line.return_reason else direction
    family, sub_family = _code(line, original, content.currency)
    day = line.booked_at.date().isoformat()
    yield f"<Ntry><NtryRef>{number}</NtryRef>{amount}<CdtDbtInd>{direction}</CdtDbtInd>"
    if line.is_reversal:
        yield "<RvslInd>true</RvslInd>"
    yield f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>"
    yield f"<AcctSvcrRef>{line.reference}</AcctSvcrRef>"
    yield f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub_family}</SubFmlyCd></Fmly></Domn></BkTxCd>"
    yield f"<NtryDtls><TxDtls><Refs><AcctSvcrRef>{line.reference}</AcctSvcrRef>{_end_to_end(line)}</Refs>"
    yield f"{amount}<CdtDbtInd>{direction}</CdtDbtInd>"
    yield _parties(line, content, original)
    if line.description:
        yield f"<RmtInf>{''.join(f'<Ustrd>{_text(part)}</Ustrd>' for part in _split(line.description))}</RmtInf>"
    if line.return_reason is not None:
        yield f"<RtrInf><Rsn><Cd>{line.return_reason}</Cd></Rsn></RtrInf>"
    yield f"</TxDtls></NtryDtls><AddtlNtryInf>{kind_of(line)}</AddtlNtryInf></Ntry>"


def _end_to_end(line: Line) -> str:
    return f"<EndToEndId>{_text(line.end_to_end_id)}</EndToEndId>" if line.end_to_end_id is not None else ""


def _code(line: Line, original: str, currency: str) -> tuple[str, str]:
    if line.return_reason is not None:
        return _RETURN
    family, sub_family = _CODES[line.kind, original]
    if line.is_external:
        sub_family = _SEPA if currency == "EUR" else _ABROAD
    return family, sub_family


def _parties(line: Line, content: Content, original: str) -> str:
    holder = _party(content.holder_name, content.account_number)
    other = _party(line.counterparty.name, line.counterparty.number)
    debtor, creditor = (holder, other) if original == "DBIT" else (other, holder)
    return (
        f"<RltdPties><Dbtr>{debtor[0]}</Dbtr>{debtor[1].format('DbtrAcct')}"
        f"<Cdtr>{creditor[0]}</Cdtr>{creditor[1].format('CdtrAcct')}</RltdPties>"
    )


def _party(name: str, number: str | None) -> tuple[str, str]:
    """Return a party, and its account in an element whose name is left open; a masked number is no IBAN, and left out."""
    is_iban = number is not None and number.isascii()
    return (
        f"<Pty><Nm>{_text(name, 140)}</Nm></Pty>",
        f"<{{0}}><Id><IBAN>{number}</IBAN></Id></{{0}}>" if is_iban else "",
    )


def _amount(minor: int, currency: str) -> str:
    return f'<Amt Ccy="{currency}">{format_amount(abs(minor), currency)}</Amt>'


def _direction(minor: int) -> str:
    return "DBIT" if minor < 0 else "CRDT"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _split(text: str) -> list[str]:
    """Return a text in parts that fit an element `Ustrd`. A part is never only spaces, which would count as empty."""
    parts = (text[start : start + _UNSTRUCTURED] for start in range(0, len(text), _UNSTRUCTURED))
    return [part for part in parts if part.strip()]


def _text(text: str, maximum: int = _UNSTRUCTURED) -> str:
    return escape(for_xml(text[:maximum]))
