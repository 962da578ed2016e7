"""Opening, changing and closing accounts."""

from uuid import UUID

import strawberry

from bank_graphql.accounts.queries import AccountRow
from bank_graphql.api.context import Context
from bank_graphql.api.inputs.accounts import OpenAccountInput
from bank_graphql.api.inputs.common import MoneyInput, account_id
from bank_graphql.api.results import AccountResult, MoneyPreview
from bank_graphql.engine.fields import mutation
from bank_graphql.payments.outcomes import Opened, Preview


@strawberry.type
class AccountMutations:
    @mutation(
        AccountResult,
        "Open an account for the viewer. An opening deposit is possible in a sandbox only. A dry run "
        "returns a MoneyPreview of the deposit, which is zero without one.",
    )
    @staticmethod
    async def open_account(context: Context, input: OpenAccountInput) -> AccountRow | MoneyPreview | None:  # noqa: A002 - the contract's name
        outcome = await context.execute(input.command(context.viewer))
        if isinstance(outcome, Preview):
            return MoneyPreview.of(outcome)
        if not isinstance(outcome, Opened):
            raise TypeError(type(outcome))
        return await _account(context, outcome.account_id)

    @mutation(AccountResult, "Rename an account. For its owner.")
    @staticmethod
    async def rename_account(context: Context, id: strawberry.ID, name: str) -> AccountRow | None:  # noqa: A002
        key = account_id(id)
        await context.services.accounts.rename(context.viewer, key, name)
        return await _account(context, key)

    @mutation(
        AccountResult,
        "Freeze an account: payments from it are refused, payments to it are not. For its owner and for staff; what staff "
        "froze, only staff can unfreeze.",
    )
    @staticmethod
    async def freeze_account(context: Context, id: strawberry.ID, reason: str | None = None) -> AccountRow | None:  # noqa: A002
        key = account_id(id)
        await context.services.accounts.freeze(context.viewer, key, reason)
        return await _account(context, key)

    @mutation(AccountResult, "Unfreeze an account. For its owner, unless staff froze it, and for staff.")
    @staticmethod
    async def unfreeze_account(context: Context, id: strawberry.ID) -> AccountRow | None:  # noqa: A002
        key = account_id(id)
        await context.services.accounts.unfreeze(context.viewer, key)
        return await _account(context, key)

    @mutation(
        AccountResult,
        "Close an account for good. Its balance must be zero and nothing may be held on it. Its interest through yesterday is "
        "posted before: if that is anything, the account is not closed, and it is to be paid out first. For its owner.",
    )
    @staticmethod
    async def close_account(context: Context, id: strawberry.ID) -> AccountRow | None:  # noqa: A002
        key = account_id(id)
        await context.services.accounts.close(context.viewer, key)
        return await _account(context, key)

    @mutation(
        AccountResult,
        "Set how far an account may go below zero. For tellers and administrators, not for accounts of their own. Above "
        "BANK_FOUR_EYES_AMOUNT another one is to approve it.",
    )
    @staticmethod
    async def set_overdraft_limit(context: Context, id: strawberry.ID, limit: MoneyInput) -> AccountRow | None:  # noqa: A002
        key = account_id(id)
        await context.services.approvals.set_overdraft_limit(context.viewer, key, limit.any("limit"))
        return await _account(context, key)


async def _account(context: Context, key: UUID) -> AccountRow | None:
    return await context.loader(context.readers.account).load(key)
