"""What administrators do with users."""

from uuid import UUID

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import user_id as key_of
from bank_graphql.api.results import UserResult
from bank_graphql.api.types.enums import UserRole
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.queries import UserRow
from bank_graphql.privacy import service as privacy


@strawberry.type
class UserMutations:
    @mutation(
        UserResult,
        "Give a user another role. It holds for the user's sessions within 2 seconds. The last active administrator cannot lose "
        "the role. For administrators; with BANK_FOUR_EYES another one is to approve it.",
    )
    @staticmethod
    async def set_user_role(context: Context, user_id: strawberry.ID, role: UserRole) -> UserRow | None:
        key = key_of(user_id)
        await context.services.approvals.set_role(context.viewer, key, role)
        return await _changed(context, key)

    @mutation(
        UserResult,
        "Suspend a user: all sessions end at once, and the user cannot sign in. Accounts and cards stay as they are, and can be "
        "frozen one by one. For administrators.",
    )
    @staticmethod
    async def suspend_user(context: Context, user_id: strawberry.ID, reason: str) -> UserRow | None:
        key = key_of(user_id)
        await context.services.users.suspend(context.viewer, key, reason)
        return await _changed(context, key)

    @mutation(UserResult, "Let a suspended user sign in again. For administrators.")
    @staticmethod
    async def reinstate_user(context: Context, user_id: strawberry.ID) -> UserRow | None:
        key = key_of(user_id)
        await context.services.users.reinstate(context.viewer, key)
        return await _changed(context, key)

    @mutation(
        UserResult,
        "Erase what the bank knows about a closed user as a person: name, addresses, payees, what the user wrote about payments, "
        "card numbers. It cannot be undone. What was booked stays, and so do issued statements and the audit. The e-mail address "
        "can sign up again. For administrators.",
    )
    @staticmethod
    async def erase_user(context: Context, user_id: strawberry.ID) -> UserRow | None:
        key = key_of(user_id)
        await privacy.erase_user(context.services.users, context.viewer, key)
        return await _changed(context, key)

    @mutation(
        UserResult,
        "Remove the second factor and the passkeys of a user who has lost device and recovery codes, once it is certain who "
        "that is. The user then signs in with the password alone. For administrators.",
    )
    @staticmethod
    async def remove_second_factor(context: Context, user_id: strawberry.ID) -> UserRow | None:
        key = key_of(user_id)
        await context.services.users.remove_second_factor(context.viewer, key)
        return await _changed(context, key)


async def _changed(context: Context, user_id: UUID) -> UserRow | None:
    return await context.loader(context.readers.user).load(user_id)
