"""Moving money. A mutation makes a command of its input and has the payments carry it out, nothing else."""

from collections import Counter
from dataclasses import replace
from typing import Any

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.errors import rejection_of
from bank_graphql.api.inputs.cards import AuthorizeCardInput
from bank_graphql.api.inputs.common import MoneyInput, check_key
from bank_graphql.api.inputs.common import transaction_id as key_of_transaction
from bank_graphql.api.inputs.money import (
    CaptureHoldInput,
    DepositInput,
    PlaceHoldInput,
    ReleaseHoldInput,
    ReverseTransactionInput,
    TransferBatchInput,
    TransferInput,
    WithdrawInput,
)
from bank_graphql.api.results import MoneyMoved, MoneyPreview, MoveMoneyResult, TransferBatchOutcome, TransferBatchResult
from bank_graphql.engine.fields import mutation
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import NotFound, Refusal
from bank_graphql.payments.commands import Command, Moved, Outcome, Preview, RefundCardPayment


@strawberry.type
class MoneyMutations:
    @mutation(MoveMoneyResult, "Pay cash in. For tellers; in a sandbox also for the account's owner.")
    @staticmethod
    async def deposit(context: Context, input: DepositInput) -> MoneyMoved | MoneyPreview:  # noqa: A002 - the contract's name
        return await _moved(context, input.command(context.viewer))

    @mutation(MoveMoneyResult, "Pay cash out. For tellers; in a sandbox also for the account's owner.")
    @staticmethod
    async def withdraw(context: Context, input: WithdrawInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer))

    @mutation(MoveMoneyResult, "Pay from one's own account to any account in the same currency.")
    @staticmethod
    async def transfer(context: Context, input: TransferInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer))

    @mutation(
        TransferBatchResult,
        "Make up to 1,000 transfers in one go: each for itself, or all or none. If they are each for itself and the bank becomes "
        "UNAVAILABLE on the way, some may have moved: ask again with the same keys.",
    )
    @staticmethod
    async def transfer_batch(context: Context, input: TransferBatchInput) -> TransferBatchOutcome:  # noqa: A002
        viewer = context.viewer
        input.check()
        asked = [_command(transfer, viewer, dry_run=bool(input.dry_run)) for transfer in input.transfers]
        outcomes = await context.execute_all(asked, atomic=bool(input.atomic))
        repeated = [each.transaction_id for each in outcomes if isinstance(each, Moved) and each.transaction is None]
        if repeated:
            await context.loader(context.readers.transaction).load_many(repeated)  # all at once, before they are told one by one
        results = [await _told(context, outcome) for outcome in outcomes]
        kinds = Counter(
            "moved" if isinstance(o, Moved) else "previewed" if isinstance(o, Preview) else "rejected" for o in outcomes
        )
        return TransferBatchOutcome(
            results=results, moved=kinds["moved"], rejected=kinds["rejected"], previewed=kinds["previewed"]
        )

    @mutation(MoveMoneyResult, "Reserve money on one's own account for another account. No money moves yet.")
    @staticmethod
    async def place_hold(context: Context, input: PlaceHoldInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Take what a hold reserves, or a part of it. For whom it is for, and staff; of a card, for the card network "
        "and in a sandbox its owner, and for a little more where the merchant's category takes tips. Answers with the capture.",
    )
    @staticmethod
    async def capture_hold(context: Context, input: CaptureHoldInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Give back what a hold still reserves. For whom it is for, and staff; of a card, for the card network and in a "
        "sandbox its owner.",
    )
    @staticmethod
    async def release_hold(context: Context, input: ReleaseHoldInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer))

    @mutation(MoveMoneyResult, "Take a transaction back, in full and once. For tellers and administrators.")
    @staticmethod
    async def reverse_transaction(context: Context, input: ReverseTransactionInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Ask a card to pay a merchant: answers with a hold, which `captureHold` and `releaseHold` settle. One that is declined "
        "is a DECLINED transaction of the card. For the card network; in a sandbox also for the account's owner.",
    )
    @staticmethod
    async def authorize_card(context: Context, input: AuthorizeCardInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await _moved(context, input.command(context.viewer, context.services.cards))

    @mutation(
        MoveMoneyResult,
        "Give a card payment back, or a part of it: all that is left, if no amount is said. For the card network; in a sandbox "
        "also for the account's owner.",
    )
    @staticmethod
    async def refund_card_payment(
        context: Context, transaction_id: strawberry.ID, idempotency_key: str, amount: MoneyInput | None = None
    ) -> MoneyMoved | MoneyPreview:
        command = RefundCardPayment(
            actor=context.viewer,
            key=check_key(idempotency_key),
            transaction_id=key_of_transaction(transaction_id),
            amount=None if amount is None else amount.positive(),
        )
        return await _moved(context, command)


async def _moved(context: Context, command: Command) -> MoneyMoved | MoneyPreview:
    told: MoneyMoved | MoneyPreview = await _told(context, await context.execute(command))
    return told


async def _told(context: Context, outcome: Outcome) -> Any:
    """An outcome as the API tells it; a refusal of a batch's item as its rejection."""
    match outcome:
        case Preview(amount, from_available_after, to_booked_after):
            return MoneyPreview(amount=amount, from_available_after=from_available_after, to_booked_after=to_booked_after)
        case Moved(transaction_id, transaction, replayed):
            told = transaction or await context.loader(context.readers.transaction).load(transaction_id)
            if told is None:
                raise NotFound("transaction")
            return MoneyMoved(transaction=told, replayed=replayed)
        case Refusal():
            return rejection_of(outcome)
        case _:
            raise TypeError(type(outcome))


def _command(transfer: TransferInput, actor: Actor, *, dry_run: bool) -> Command | Refusal:
    try:
        command = transfer.command(actor)
        return replace(command, dry_run=True) if dry_run else command
    except Refusal as refusal:
        return refusal
