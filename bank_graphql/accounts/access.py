"""What somebody may do with an account: all as its owner, or what a membership or an access grant allows. Pure."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import MemberRole
from bank_graphql.identity.visibility import sees_all
from bank_graphql.kit.actor import Actor


@dataclass(frozen=True, slots=True)
class ProgramTerms:
    """What a program may pay without its owner's approval.

    Attributes:
        user_id: the customer for whom it acts.
        payees: the numbers of the accounts that it may pay, and the ids of those at this bank; None for any.
        approval_above: the largest amount of one payment, in minor units; None for any.
        waiting: how many of its payments wait for approval.
    """

    user_id: UUID
    payees: frozenset[str | UUID] | None
    approval_above: int | None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Delegate:
    """What a member, or a program that a customer lets act, may do with an account.

    Attributes:
        id: the membership, or the access grant.
        role: a joint OWNER, or a MEMBER.
        may_pay: whether it may pay from the account.
        may_manage_cards: whether it may order and change cards.
        daily_limit: how much it may pay a day, in minor units; None does not limit. What a program may not pay waits for
            approval.
        program: further terms of a program; None for a member.
    """

    id: UUID
    role: MemberRole
    may_pay: bool
    may_manage_cards: bool
    daily_limit: int | None
    program: ProgramTerms | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What an actor may do with an account.

    Attributes:
        is_visible: whether the actor sees it.
        is_party: whether it is the actor's own in any way. Staff do nothing as staff with such an account.
        is_owner: whether the actor owns it, alone or jointly.
        may_pay: whether the actor may pay from it.
        may_manage_cards: whether the actor may order and change its cards.
    """

    is_visible: bool
    is_party: bool = False
    is_owner: bool = False
    may_pay: bool = False
    may_manage_cards: bool = False


NONE = Access(is_visible=False)
OWN_OF_USER = Access(is_visible=False, is_party=True)
"""The access of a program to an account of its user that its grant does not name."""
_STAFF = Access(is_visible=True)
_OWNER = Access(is_visible=True, is_party=True, is_owner=True, may_pay=True, may_manage_cards=True)


def access_of(actor: Actor, owner_id: UUID | None, delegate: Delegate | None) -> Access:
    """Return what an actor may do with an account.

    Args:
        actor: whoever wants to do something.
        owner_id: the owner of the account; None for the bank's internal ones, which are visible to nobody.
        delegate: what a member or a program may do; None if the actor is none.
    """
    if owner_id is None:
        return NONE
    if owner_id == actor.user_id:
        return _OWNER
    if delegate is None:
        return _STAFF if sees_all(actor) else NONE
    return Access(
        is_visible=True,
        is_party=True,
        is_owner=delegate.role == MemberRole.OWNER,
        may_pay=delegate.may_pay,
        may_manage_cards=delegate.may_manage_cards,
    )
