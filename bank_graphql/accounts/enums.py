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


class MemberRole(StrEnum):
    """What a member is to an account: an OWNER owns it jointly; a MEMBER may do what the owners allow."""

    OWNER = "OWNER"
    MEMBER = "MEMBER"


class MembershipStatus(StrEnum):
    """An INVITED member has not accepted yet; an ENDED one was a member."""

    INVITED = "INVITED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class MemberAction(StrEnum):
    """What is done to memberships, by the API's names, which the audit records."""

    INVITE = "inviteMember"
    ACCEPT = "acceptMembership"
    CHANGE = "changeMembership"
    END = "endMembership"
