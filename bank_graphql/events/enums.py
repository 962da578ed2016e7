"""The values that the columns of events may have. Pure, so that rules may import them."""

from enum import StrEnum


class TransactionEventKind(StrEnum):
    """What happened to a transaction."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"
    DECLINED = "DECLINED"
