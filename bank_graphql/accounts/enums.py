"""The values that the accounts' columns may have, and the codes of state conflicts. Pure, so that rules may import them."""

from enum import StrEnum


class AccountKind(StrEnum):
    """What an account is for."""

    CHECKING = "CHECKING"
    SAVINGS = "SAVINGS"
    CREDIT = "CREDIT"


class AccountStatus(StrEnum):
    """A FROZEN account refuses debits and still receives. CLOSED is final; the balance is zero."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


class FrozenBy(StrEnum):
    """Who froze an account; what staff froze, only staff unfreezes."""

    OWNER = "OWNER"
    STAFF = "STAFF"


class StateConflictCode(StrEnum):
    """Which rule a state conflict is about."""

    ALREADY_CAPTURED = "ALREADY_CAPTURED"
    ALREADY_RELEASED = "ALREADY_RELEASED"
    ALREADY_REVERSED = "ALREADY_REVERSED"
    EXPIRED = "EXPIRED"
    OVER_CAPTURE = "OVER_CAPTURE"
    OVER_REFUND = "OVER_REFUND"
    ALREADY_SETTLED = "ALREADY_SETTLED"
    ALREADY_RETURNED = "ALREADY_RETURNED"
    ALREADY_RECEIVED = "ALREADY_RECEIVED"
    NOT_EXTERNAL = "NOT_EXTERNAL"
    NOT_A_HOLD = "NOT_A_HOLD"
    NOT_REVERSIBLE = "NOT_REVERSIBLE"
    CARD_NOT_ACTIVE = "CARD_NOT_ACTIVE"
    CARD_EXPIRED = "CARD_EXPIRED"
    MERCHANT_BLOCKED = "MERCHANT_BLOCKED"
    MONEY_REMAINS = "MONEY_REMAINS"
    WRONG_STATUS = "WRONG_STATUS"
