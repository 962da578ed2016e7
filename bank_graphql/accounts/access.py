"""What somebody may do with an account: all as its owner, or what a membership allows. Pure."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import MemberRole
from bank_graphql.identity.visibility import sees_all
from bank_graphql.kit.actor import Actor


@dataclass(frozen=True, slots=True)
class Member:
    """An active membership, as decisions need it. `daily_limit` is in minor units; None does not limit."""

    membership_id: UUID
    role: MemberRole
    may_pay: bool
    may_manage_cards: bool
    daily_limit: int | None


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
_STAFF = Access(is_visible=True)
_OWNER = Access(is_visible=True, is_party=True, is_owner=True, may_pay=True, may_manage_cards=True)


def access_of(actor: Actor, owner_id: UUID | None, member: Member | None) -> Access:
    """Return what an actor may do with an account.

    Args:
        actor: whoever wants to do something.
        owner_id: the owner of the account; None for the bank's internal ones, which are visible to nobody.
        member: the actor's membership; None without one.
    """
    if owner_id is None:
        return NONE
    if owner_id == actor.user_id:
        return _OWNER
    if member is None:
        return _STAFF if sees_all(actor) else NONE
    return Access(
        is_visible=True,
        is_party=True,
        is_owner=member.role == MemberRole.OWNER,
        may_pay=member.may_pay,
        may_manage_cards=member.may_manage_cards,
    )
