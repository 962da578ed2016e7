"""Refusals that only payments raises."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class BatchAborted(Refusal):
    """Another item of an atomic batch was refused, so no item took effect. `index` is the refused item, counted from 0."""

    code: ClassVar[str] = "BatchAborted"
    index: int

    def __str__(self) -> str:
        return f"Item {self.index} of the batch was refused, so nothing of it happened."


@dataclass(eq=False)
class NothingToMove(Refusal):
    """A sweep has nothing to move."""

    code: ClassVar[str] = "NothingToMove"

    def __str__(self) -> str:
        return "There is nothing to move."


@dataclass(eq=False)
class DelegateLimitExceeded(LimitExceeded):
    """The amount exceeds what a member may pay a day from an account."""

    code: ClassVar[str] = "DelegateLimitExceeded"

    def __str__(self) -> str:
        return f"You may pay {self.amount} a day from this account, and {self.spent} are paid today."


@dataclass(eq=False)
class PaymentApprovalRequired(Refusal):
    """A program may not make a payment by itself: its money is held, and the account's owner decides.

    Attributes:
        approval_id: the request that it has become.
        reason: why.
    """

    code: ClassVar[str] = "PaymentApprovalRequired"
    approval_id: UUID
    reason: str

    def __str__(self) -> str:
        return f"{self.reason} The account's owner decides: the approval says what has become of it."


@dataclass(eq=False)
class IdempotencyConflict(Refusal):
    """The key was used before, for another request."""

    code: ClassVar[str] = "IdempotencyConflict"
    original: UUID | None

    def __str__(self) -> str:
        return "This idempotency key was used for a different request. Use a new key for each new request."
