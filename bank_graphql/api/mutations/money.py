"""Mutations that move money. Each makes a command of its input, and has `payments` execute it."""

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
from bank_graphql.engine.costs import ListSize
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import NotFound, Refusal
from bank_graphql.payees.service import Payees
from bank_graphql.payments.commands import Command, RefundCardPayment, Transfer
from bank_graphql.payments.outcomes import Moved, Outcome, Preview


@strawberry.type
class MoneyMutations:
    @mutation(MoveMoneyResult, "Deposit cash. For tellers; in a sandbox also for the account's owner.")
    @staticmethod
    async def deposit(context: Context, input: DepositInput) -> MoneyMoved | MoneyPreview:  # noqa: A002 - the contract's name
        return await moved(context, input.command(context.viewer))

    @mutation(MoveMoneyResult, "Withdraw cash. For tellers; in a sandbox also for the account's owner.")
    @staticmethod
    async def withdraw(context: Context, input: WithdrawInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Pay from an account of the viewer to any account in the same currency. A payment to another bank is PENDING until it is "
        "settled.",
        scope=Scope.PAYMENTS_WRITE,
    )
    @staticmethod
    async def transfer(context: Context, input: TransferInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer, context.services.payees))

    @mutation(
        TransferBatchResult,
        "Make up to 1,000 transfers, in the given order: each independently of the others, or with `atomic` all or none. If the "
        "answer to independent transfers is the error UNAVAILABLE, some may have been made: send the same batch again.",
        directives=[ListSize(slicing_arguments=["input.transfers"], sized_fields=["results"])],
    )
    @staticmethod
    async def transfer_batch(context: Context, input: TransferBatchInput) -> TransferBatchOutcome:  # noqa: A002
        viewer = context.viewer
        input.check()
        commands = [
            _command(transfer, viewer, context.services.payees, dry_run=bool(input.dry_run)) for transfer in input.transfers
        ]
        if not viewer.is_verified:
            commands = _with_totals(commands)
        outcomes = await context.execute_all(commands, atomic=bool(input.atomic))
        replayed = [each.transaction_id for each in outcomes if isinstance(each, Moved) and each.transaction is None]
        if replayed:  # loaded with one statement
            await context.loader(context.readers.transaction).load_many(replayed)
        results = [await _result(context, outcome) for outcome in outcomes]
        kinds = Counter(
            "moved" if isinstance(o, Moved) else "previewed" if isinstance(o, Preview) else "rejected" for o in outcomes
        )
        return TransferBatchOutcome(
            results=results, moved=kinds["moved"], rejected=kinds["rejected"], previewed=kinds["previewed"]
        )

    @mutation(
        MoveMoneyResult,
        "Reserve money on an account of the viewer for another account: a hold. No money moves until it is captured.",
    )
    @staticmethod
    async def place_hold(context: Context, input: PlaceHoldInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Capture a hold: post what it reserves, or a part of it. Returns the new transaction. For the payee and for staff. A "
        "card's hold is captured by the card network (in a sandbox also by the account's owner), for some per cent more than it "
        "reserves where the merchant's category allows tips.",
        scope=Scope.CARDS_PROCESS,
    )
    @staticmethod
    async def capture_hold(context: Context, input: CaptureHoldInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Release what a hold still reserves. For the payee and for staff; a card's hold is released by the card network, in a "
        "sandbox also by the account's owner.",
        scope=Scope.CARDS_PROCESS,
    )
    @staticmethod
    async def release_hold(context: Context, input: ReleaseHoldInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer))

    @mutation(
        MoveMoneyResult,
        "Reverse a posted transaction, in full and once, by a transaction with the opposite entries. For tellers and "
        "administrators; above BANK_FOUR_EYES_AMOUNT another one is to approve it, and the money is reserved until then.",
    )
    @staticmethod
    async def reverse_transaction(context: Context, input: ReverseTransactionInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        outcome = await context.services.approvals.reverse(context.viewer, input.command(context.viewer))
        result: MoneyMoved | MoneyPreview = await _result(context, outcome)
        return result

    @mutation(
        MoveMoneyResult,
        "Authorise a card payment: reserve the amount for the merchant. Returns a hold, for `captureHold` or `releaseHold`. A "
        "declined authorisation is recorded as a DECLINED transaction of the card. For the card network; in a sandbox also for "
        "the account's owner.",
        scope=Scope.CARDS_PROCESS,
    )
    @staticmethod
    async def authorize_card(context: Context, input: AuthorizeCardInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer, context.services.cards))

    @mutation(
        MoveMoneyResult,
        "Refund a card payment, or a part of it; without an amount, all that was not refunded yet. For the card network; in a "
        "sandbox also for the account's owner.",
        scope=Scope.CARDS_PROCESS,
    )
    @staticmethod
    async def refund_card_payment(
        context: Context,
        transaction_id: strawberry.ID,
        idempotency_key: str,
        amount: MoneyInput | None = None,
        dry_run: bool | None = False,
    ) -> MoneyMoved | MoneyPreview:
        command = RefundCardPayment(
            actor=context.viewer,
            key=check_key(idempotency_key),
            dry_run=bool(dry_run),
            transaction_id=key_of_transaction(transaction_id),
            amount=None if amount is None else amount.positive(),
        )
        return await moved(context, command)


async def moved(context: Context, command: Command) -> MoneyMoved | MoneyPreview:
    """Execute a command that moves money, and return its result."""
    result: MoneyMoved | MoneyPreview = await _result(context, await context.execute(command))
    return result


async def _result(context: Context, outcome: Outcome) -> Any:
    """Return the member of `MoveMoneyResult` for an outcome; for a refused item of a batch, its rejection."""
    match outcome:
        case Preview():
            return MoneyPreview.of(outcome)
        case Moved(transaction_id, transaction, replayed):
            found = transaction or await context.own_transaction(transaction_id)
            if found is None:
                raise NotFound("transaction")
            return MoneyMoved(transaction=found, replayed=replayed)
        case Refusal():
            return rejection_of(outcome)
        case _:
            raise TypeError(type(outcome))


def _with_totals(commands: list[Command | Refusal]) -> list[Command | Refusal]:
    """Return the transfers of a batch with the sums in their currencies, so that no large payment passes as small ones."""
    totals: Counter[str] = Counter()
    for command in commands:
        if isinstance(command, Transfer):
            totals[command.amount.currency] += command.amount.minor
    return [replace(each, batch_total=totals[each.amount.currency]) if isinstance(each, Transfer) else each for each in commands]


def _command(transfer: TransferInput, actor: Actor, payees: Payees, *, dry_run: bool) -> Command | Refusal:
    try:
        command = transfer.command(actor, payees)
        return replace(command, dry_run=True) if dry_run else command
    except Refusal as refusal:
        return refusal
