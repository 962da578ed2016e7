"""Moving money. A mutation makes a command of its input and has the payments carry it out, nothing else."""

import strawberry

from bank_graphql.api.context import Context, Info
from bank_graphql.api.inputs import DepositInput, TransferInput, WithdrawInput
from bank_graphql.api.mutations.fields import mutation
from bank_graphql.api.results import MoneyMoved, MoneyPreview, MoveMoneyResult
from bank_graphql.kit.errors import NotFound
from bank_graphql.payments.commands import Command, Opened, Preview


@strawberry.type
class MoneyMutations:
    @mutation(MoveMoneyResult, "Pay cash in. For tellers; in a sandbox also for the account's owner.")
    @staticmethod
    async def deposit(info: Info, input: DepositInput) -> MoneyMoved | MoneyPreview:  # noqa: A002 - the contract's name
        return await _moved(info.context, input.command(info.context.viewer))

    @mutation(MoveMoneyResult, "Pay cash out. For tellers; in a sandbox also for the account's owner.")
    @staticmethod
    async def withdraw(info: Info, input: WithdrawInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(info.context, input.command(info.context.viewer))

    @mutation(MoveMoneyResult, "Pay from one's own account to any account in the same currency.")
    @staticmethod
    async def transfer(info: Info, input: TransferInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(info.context, input.command(info.context.viewer))


async def _moved(context: Context, command: Command) -> MoneyMoved | MoneyPreview:
    outcome = await context.move(command)
    if isinstance(outcome, Preview):
        return MoneyPreview(
            amount=outcome.amount,
            from_available_after=outcome.from_available_after,
            to_booked_after=outcome.to_booked_after,
        )
    if isinstance(outcome, Opened):
        raise TypeError(type(outcome))
    transaction = await context.loaders.transaction.load(outcome.transaction_id)
    if transaction is None:
        raise NotFound("transaction")
    return MoneyMoved(transaction=transaction, replayed=outcome.replayed)
