"""Conflicts with the state of something: the refusal, and its codes, which all rooms and the API share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bank_graphql.kit.errors import Refusal


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
    LAST_ADMIN = "LAST_ADMIN"
    MFA_STATE = "MFA_STATE"
    NO_MAIL = "NO_MAIL"
    APPROVAL_PENDING = "APPROVAL_PENDING"
    WRONG_STATUS = "WRONG_STATUS"


@dataclass(eq=False)
class StateConflict(Refusal):
    """The state of something does not allow this.

    Attributes:
        conflict: the rule that is broken.
        state: the state, usually a status.
        reason: a sentence for people.
    """

    code: ClassVar[str] = "StateConflict"
    conflict: StateConflictCode
    state: str
    reason: str

    def __str__(self) -> str:
        return self.reason
