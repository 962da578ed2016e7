"""The values that the users' columns may have. Pure, so that rules may import them."""

from enum import StrEnum


class UserRole(StrEnum):
    """What a user is to the bank. `permissions.PERMISSIONS` says what each role allows."""

    CUSTOMER = "CUSTOMER"
    TELLER = "TELLER"
    AUDITOR = "AUDITOR"
    PROCESSOR = "PROCESSOR"
    ADMIN = "ADMIN"


class UserStatus(StrEnum):
    """Whether a user may sign in. CLOSED is final; the row stays, because the ledger refers to it."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"
