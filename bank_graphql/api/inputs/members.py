"""The inputs that say what a member of an account may do."""

import strawberry

from bank_graphql.accounts.members import Capabilities
from bank_graphql.api.inputs.common import MoneyInput
from bank_graphql.api.types.enums import MemberRole


@strawberry.input(description="The person to invite to an account, and what they may do. Without more, they see it.")
class InviteMemberInput:
    account_id: strawberry.ID = strawberry.field(description="The account. For its owners.")
    email: str = strawberry.field(description="Their e-mail address. Whoever accepts signs in with it, and has verified it.")
    role: MemberRole = strawberry.field(
        default=MemberRole.MEMBER, description="An OWNER may do everything: leave the other fields out."
    )
    may_pay: bool = strawberry.field(default=False, description="Whether they may pay from the account.")
    daily_limit: MoneyInput | None = strawberry.field(
        default=None, description="How much a day, in the account's currency. Left out: any amount."
    )
    may_manage_cards: bool = strawberry.field(default=False, description="Whether they may order and change cards.")

    @property
    def capabilities(self) -> Capabilities:
        """What the person may do.

        Raises:
            ValidationFailed: the limit is not an amount.
        """
        if self.role is MemberRole.OWNER and not (self.may_pay or self.may_manage_cards):
            limit = None if self.daily_limit is None else self.daily_limit.any("dailyLimit")
            return Capabilities(self.role, may_pay=True, daily_limit=limit, may_manage_cards=True)
        return _capabilities(self.role, self.may_pay, self.daily_limit, self.may_manage_cards)


@strawberry.input(description="What a member may do from now on. It replaces what the member was allowed before.")
class ChangeMembershipInput:
    id: strawberry.ID = strawberry.field(description="The membership.")
    may_pay: bool = strawberry.field(description="Whether they may pay from the account.")
    daily_limit: MoneyInput | None = strawberry.field(
        default=None, description="How much a day, in the account's currency. Left out: any amount."
    )
    may_manage_cards: bool = strawberry.field(description="Whether they may order and change cards.")

    @property
    def capabilities(self) -> Capabilities:
        """What the member may do. Raises as `InviteMemberInput.capabilities`."""
        return _capabilities(MemberRole.MEMBER, self.may_pay, self.daily_limit, self.may_manage_cards)


def _capabilities(role: MemberRole, may_pay: bool, limit: MoneyInput | None, may_manage_cards: bool) -> Capabilities:
    daily_limit = None if limit is None else limit.any("dailyLimit")
    return Capabilities(role, may_pay=may_pay, daily_limit=daily_limit, may_manage_cards=may_manage_cards)
