"""Inviting people to accounts, and what they may do there."""

import strawberry

from bank_graphql.accounts.member_queries import MembershipRow
from bank_graphql.api.access_results import AcceptMembershipResult, EndMembershipResult, MembershipResult
from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import account_id, membership_id
from bank_graphql.api.inputs.members import ChangeMembershipInput, InviteMemberInput
from bank_graphql.api.results import Done
from bank_graphql.engine.fields import mutation


@strawberry.type
class MemberMutations:
    @mutation(
        MembershipResult,
        "Invite somebody to use an account together, by a mail to their address. They accept within 14 days. For its owners, who "
        "have proved a short while ago who they are.",
    )
    @staticmethod
    async def invite_member(context: Context, input: InviteMemberInput) -> MembershipRow:  # noqa: A002
        members, key = context.services.members, account_id(input.account_id)
        await context.attempt_invitation(input.email)
        return await members.invite(context.viewer, key, input.email, input.capabilities)

    @mutation(
        AcceptMembershipResult,
        "Accept an invitation to the viewer's e-mail address, which the viewer has verified (`verifyEmail`).",
    )
    @staticmethod
    async def accept_membership(context: Context, id: strawberry.ID) -> MembershipRow:  # noqa: A002
        return await context.services.members.accept(context.viewer, membership_id(id))

    @mutation(
        MembershipResult,
        "Change what a member, or somebody who is invited, may do, from the next request on. For the account's owners, who have "
        "proved a short while ago who they are.",
    )
    @staticmethod
    async def change_membership(context: Context, input: ChangeMembershipInput) -> MembershipRow:  # noqa: A002
        return await context.services.members.change(context.viewer, membership_id(input.id), input.capabilities)

    @mutation(
        EndMembershipResult,
        "End a membership at once, with the member's standing orders from the account; or withdraw or decline an invitation. For "
        "the account's owners, the member and staff.",
    )
    @staticmethod
    async def end_membership(context: Context, id: strawberry.ID) -> Done:  # noqa: A002
        await context.services.members.end(context.viewer, membership_id(id))
        return Done()
