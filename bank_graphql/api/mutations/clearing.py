"""Mutations of the clearing: payments to other banks are settled or come back, payments from other banks arrive."""

from typing import Annotated
from uuid import UUID

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.clearing import ReceiveTransferInput
from bank_graphql.api.inputs.common import check_key
from bank_graphql.api.inputs.common import transaction_id as id_of_transaction
from bank_graphql.api.mutations.money import moved
from bank_graphql.api.results import MoneyMoved, MoneyPreview, MoveMoneyResult
from bank_graphql.clearing.rules import check_return_reason
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.ids import parse_reference
from bank_graphql.payments.commands import ReturnTransfer, SettleTransfer

_FOR = "For the clearing (PROCESSOR); in a sandbox also for the account's owner."


_ID = strawberry.argument(description="The payment: its id, or its `reference`, which files for the clearing name it by.")


def key_of_transaction(given: str) -> UUID:
    """Return the key of a transaction that is given by its id or its reference. Raises NotFound."""
    return parse_reference(given) or id_of_transaction(given)


@strawberry.type
class ClearingMutations:
    @mutation(
        MoveMoneyResult, f"Settle a payment to another bank: its money leaves the account. {_FOR}", scope=Scope.CLEARING_PROCESS
    )
    @staticmethod
    async def settle_transfer(
        context: Context, transaction_id: Annotated[strawberry.ID, _ID], idempotency_key: str, dry_run: bool | None = False
    ) -> MoneyMoved | MoneyPreview:
        command = SettleTransfer(
            actor=context.viewer,
            key=check_key(idempotency_key),
            dry_run=bool(dry_run),
            transaction_id=key_of_transaction(transaction_id),
        )
        return await moved(context, command)

    @mutation(
        MoveMoneyResult,
        "Return a payment to another bank, for a reason that is a code of ISO 20022, e.g. AC04. One that is not settled yet is "
        "VOIDED. If it was settled, the result is a new transaction, its return. If the account is closed meanwhile, the money "
        f"goes to a suspense account of the bank. {_FOR}",
        scope=Scope.CLEARING_PROCESS,
    )
    @staticmethod
    async def return_transfer(
        context: Context,
        transaction_id: Annotated[strawberry.ID, _ID],
        reason: str,
        idempotency_key: str,
        dry_run: bool | None = False,
    ) -> MoneyMoved | MoneyPreview:
        command = ReturnTransfer(
            actor=context.viewer,
            key=check_key(idempotency_key),
            dry_run=bool(dry_run),
            transaction_id=key_of_transaction(transaction_id),
            reason=check_return_reason(reason),
        )
        return await moved(context, command)

    @mutation(
        MoveMoneyResult,
        f"Credit an account with a payment from another bank, once for each reference. {_FOR}",
        scope=Scope.CLEARING_PROCESS,
    )
    @staticmethod
    async def receive_transfer(context: Context, input: ReceiveTransferInput) -> MoneyMoved | MoneyPreview:  # noqa: A002
        return await moved(context, input.command(context.viewer))
