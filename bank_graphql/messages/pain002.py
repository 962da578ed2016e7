"""Writes what became of an initiation: a customer payment status report, pain.002.001.12 of ISO 20022."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from bank_graphql.kit.ids import reference
from bank_graphql.kit.text import for_xml
from bank_graphql.messages.pain001 import NAME, Initiation, Instruction
from bank_graphql.messages.xml import document, maker, parts, time_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.12"
_E = maker(NAMESPACE)
_INFORMATION = 105
"""How many characters an element of further information has, at most."""


class Status(StrEnum):
    """Statuses of ISO 20022's code sets, for payments and for a whole file."""

    SETTLED = "ACSC"
    IN_PROCESS = "ACSP"
    REJECTED = "RJCT"
    PARTLY = "PART"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a credit transfer.

    Attributes:
        status: its status.
        transaction_id: the transaction; None if it was rejected.
        reason: the code of the reason why it was rejected.
        message: a sentence that says why.
    """

    status: Status
    transaction_id: UUID | None = None
    reason: str | None = None
    message: str | None = None


def write(initiation: Initiation, reports: Sequence[Report], report_id: UUID, now: datetime) -> bytes:
    """Return the document; one report for each credit transfer, in their order."""
    groups = initiation.grouped(list(zip(initiation.instructions, reports, strict=True)))
    return document(
        _E.Document(
            _E.CstmrPmtStsRpt(
                _E.GrpHdr(_E.MsgId(report_id.hex), _E.CreDtTm(time_of(now))),
                _E.OrgnlGrpInfAndSts(
                    _E.OrgnlMsgId(for_xml(initiation.id)),
                    _E.OrgnlMsgNmId(NAME),
                    _E.OrgnlNbOfTxs(str(initiation.totals.count)),
                    _E.GrpSts(_of_all(reports)),
                ),
                *(
                    _E.OrgnlPmtInfAndSts(
                        _E.OrgnlPmtInfId(for_xml(name)),
                        _E.PmtInfSts(_of_all([report for _, report in group])),
                        *(_transfer(instruction, report) for instruction, report in group),
                    )
                    for (name, _), group in zip(initiation.groups, groups, strict=True)
                ),
            )
        )
    )


def _of_all(reports: Iterable[Report]) -> Status:
    found = {report.status for report in reports}
    if len(found) == 1:
        return found.pop()
    return Status.PARTLY if Status.REJECTED in found else Status.IN_PROCESS


def _transfer(instruction: Instruction, report: Report) -> Any:
    elements = [] if instruction.instruction_id is None else [_E.OrgnlInstrId(for_xml(instruction.instruction_id))]
    elements += [_E.OrgnlEndToEndId(for_xml(instruction.end_to_end_id)), _E.TxSts(report.status)]
    if report.reason is not None:
        information = [_E.AddtlInf(part) for part in parts(report.message or "", _INFORMATION)]
        elements.append(_E.StsRsnInf(_E.Rsn(_E.Cd(report.reason)), *information))
    if report.transaction_id is not None:
        elements.append(_E.AcctSvcrRef(reference(report.transaction_id)))
    return _E.TxInfAndSts(*elements)
