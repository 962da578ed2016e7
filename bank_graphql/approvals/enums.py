"""What can be proposed, and what becomes of it."""

from enum import StrEnum


class ApprovalKind(StrEnum):
    """What is proposed, by the API's names."""

    SET_USER_ROLE = "SET_USER_ROLE"
    SET_OVERDRAFT_LIMIT = "SET_OVERDRAFT_LIMIT"
    REVERSE_TRANSACTION = "REVERSE_TRANSACTION"


class ApprovalStatus(StrEnum):
    """What became of a proposal. APPROVED: it is being executed."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
