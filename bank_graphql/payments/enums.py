"""The values that the columns of stored outcomes may have. Pure, so that rules may import them."""

from enum import StrEnum


class OutcomeKind(StrEnum):
    """How a command with an idempotency key ended."""

    MOVED = "MOVED"
    OPENED = "OPENED"
    ISSUED = "ISSUED"
    REFUSED = "REFUSED"
