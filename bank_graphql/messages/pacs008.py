"""Writes payments for the clearing: a financial institution's customer credit transfer, pacs.008.001.08 of ISO 20022.

It is the message of the SEPA credit transfer. Payments in other currencies than the euro have no SEPA service level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from bank_graphql.kit.iban import bic_of
from bank_graphql.kit.ids import reference
from bank_graphql.kit.money import format_amount
from bank_graphql.kit.text import for_xml
from bank_graphql.messages.queries import SentRow
from bank_graphql.messages.xml import document, maker, parts, time_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"
_E = maker(NAMESPACE)


@dataclass(frozen=True, slots=True)
class Message:
    """A file of payments: its identification, its currency, the day on which they are settled, and when it was made."""

    id: UUID
    currency: str
    settles_on: date
    created_at: datetime


def write(message: Message, bic: str, payments: Sequence[SentRow]) -> bytes:
    """Return the document; `bic` is this bank's."""
    total = format_amount(sum(payment.amount for payment in payments), message.currency)
    is_sepa = message.currency == "EUR"
    return document(
        _E.Document(
            _E.FIToFICstmrCdtTrf(
                _E.GrpHdr(
                    _E.MsgId(message.id.hex),
                    _E.CreDtTm(time_of(message.created_at)),
                    _E.NbOfTxs(str(len(payments))),
                    _E.TtlIntrBkSttlmAmt(total, Ccy=message.currency),
                    _E.IntrBkSttlmDt(message.settles_on.isoformat()),
                    _E.SttlmInf(_E.SttlmMtd("CLRG")),
                    *([_E.PmtTpInf(_E.SvcLvl(_E.Cd("SEPA")))] if is_sepa else []),
                    _E.InstgAgt(_E.FinInstnId(_E.BICFI(bic))),
                ),
                *(_payment(payment, bic, "SLEV" if is_sepa else "SHAR") for payment in payments),
            )
        )
    )


def _payment(payment: SentRow, bic: str, charges: str) -> Any:
    name = reference(payment.id)
    remittance = [_E.Ustrd(part) for part in parts(payment.description or "")]
    return _E.CdtTrfTxInf(
        _E.PmtId(_E.EndToEndId(for_xml(payment.end_to_end_id or name)), _E.TxId(name)),
        _E.IntrBkSttlmAmt(format_amount(payment.amount, payment.currency), Ccy=payment.currency),
        _E.ChrgBr(charges),
        _E.Dbtr(_E.Nm(for_xml(payment.from_name[:140]))),
        _account("DbtrAcct", payment.from_number),
        _E.DbtrAgt(_E.FinInstnId(_E.BICFI(bic))),
        _E.CdtrAgt(_E.FinInstnId(*_bank(bic_of(payment.to_number)))),
        _E.Cdtr(_E.Nm(for_xml(payment.to_name))),
        _account("CdtrAcct", payment.to_number),
        *([_E.RmtInf(*remittance)] if remittance else []),
    )


def _account(element: str, number: str) -> Any:
    return getattr(_E, element)(_E.Id(_E.IBAN(number)))


def _bank(bic: str | None) -> list[Any]:
    """Return what identifies a bank. In Europe the IBAN is enough, where the library does not know the BIC."""
    return [_E.Othr(_E.Id("NOTPROVIDED"))] if bic is None else [_E.BICFI(bic)]
