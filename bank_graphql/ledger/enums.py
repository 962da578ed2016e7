"""The values that the ledger's columns may have. Pure, so that rules may import them."""

from enum import StrEnum


class TransactionKind(StrEnum):
    """What a transaction is for."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER = "TRANSFER"
    HOLD = "HOLD"
    CARD_PAYMENT = "CARD_PAYMENT"
    CARD_REFUND = "CARD_REFUND"
    FEE = "FEE"
    INTEREST = "INTEREST"
    REVERSAL = "REVERSAL"


class TransactionStatus(StrEnum):
    """Where a transaction stands. Only POSTED ones have moved money; a POSTED hold did so by its captures."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    DECLINED = "DECLINED"


class ChangeKind(StrEnum):
    """What happened to a transaction. The feed publishes these as its kinds of event."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"
    DECLINED = "DECLINED"


class Purpose(StrEnum):
    """What an internal account of the bank is for. There is one account for each purpose and currency."""

    CASH = "CASH"
    CARD_SETTLEMENT = "CARD_SETTLEMENT"
    CLEARING = "CLEARING"
    SUSPENSE = "SUSPENSE"
    FEES = "FEES"
    INTEREST = "INTEREST"
