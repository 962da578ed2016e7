"""The words of this room. Plain enums: the rules and the API use them."""

from enum import StrEnum


class Sweep(StrEnum):
    """What a sweep moves: what the paying account has above an amount, or what the paid one lacks of it."""

    ABOVE = "ABOVE"
    UP_TO = "UP_TO"


class OutcomeKind(StrEnum):
    """How a command with an idempotency key ended."""

    MOVED = "MOVED"
    OPENED = "OPENED"
    ISSUED = "ISSUED"
    REFUSED = "REFUSED"


class PaymentRequestStatus(StrEnum):
    """What became of a payment that a program requested. One that nobody decided in time is PENDING with an expired hold."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
