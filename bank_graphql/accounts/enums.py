"""The values that the accounts' columns may have. Pure, so that rules may import them."""

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
