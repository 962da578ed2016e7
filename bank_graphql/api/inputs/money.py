"""Money to move."""

from typing import Any

import strawberry

from bank_graphql.accounts.rules import normalise_number
from bank_graphql.api.inputs.common import KEY, MoneyInput, account_id, check_description, check_key, transaction_id
from bank_graphql.api.scalars import DateTime
from bank_graphql.engine.costs import Cost
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.payments.commands import (
    CaptureHold,
    Deposit,
    Destination,
    PlaceHold,
    ReleaseHold,
    ReverseTransaction,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.groups import GROUP_MAX

_DRY_RUN = "Only tell what would happen. The key is then ignored."
_DESCRIPTION = "What both sides read about it, at most 500 characters."


@strawberry.input(description="What every movement of money says.")
class Movement:
    amount: MoneyInput = strawberry.field(description="How much, in the currency of the accounts.")
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=_DRY_RUN)

    def common(self, actor: Actor) -> dict[str, Any]:
        """What the commands of all movements have. Raises ValidationFailed."""
        return {
            "actor": actor,
            "key": check_key(self.idempotency_key),
            "dry_run": bool(self.dry_run),
            "amount": self.amount.positive(),
            "description": check_description(self.description),
        }


@strawberry.input(description="Cash to pay in.")
class DepositInput(Movement):
    account_id: strawberry.ID = strawberry.field(description="The account that it goes to.")

    def command(self, actor: Actor) -> Deposit:
        """The command. Raises ValidationFailed, NotFound."""
        return Deposit(account_id=account_id(self.account_id), **self.common(actor))


@strawberry.input(description="Cash to pay out.")
class WithdrawInput(Movement):
    account_id: strawberry.ID = strawberry.field(description="The account that it comes from.")

    def command(self, actor: Actor) -> Withdraw:
        """The command. Raises ValidationFailed, NotFound."""
        return Withdraw(account_id=account_id(self.account_id), **self.common(actor))


@strawberry.input(one_of=True, description="Where money goes: exactly one of these.")
class TransferDestination:
    account_id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="An account, anyone's, by its id.")
    account_number: strawberry.Maybe[str] = strawberry.field(
        description="An account, anyone's, by its number; spaces do not matter."
    )

    def resolved(self) -> Destination:
        """The destination. Raises NotFound for an id of something else."""
        if self.account_id is not None:
            return Destination(account_id=account_id(self.account_id.value))
        return Destination(account_number=normalise_number(self.account_number.value if self.account_number else ""))


@strawberry.input(description="A transfer.")
class TransferInput(Movement):
    from_account_id: strawberry.ID = strawberry.field(description="The account that pays: one of your own.")
    to: TransferDestination = strawberry.field(description="Where the money goes.")

    def command(self, actor: Actor) -> Transfer:
        """The command. Raises ValidationFailed, NotFound."""
        source, to = account_id(self.from_account_id), self.to.resolved()
        return Transfer(from_account_id=source, to=to, **self.common(actor))


@strawberry.input(description="Transfers to make in one go.")
class TransferBatchInput:
    transfers: list[TransferInput] = strawberry.field(
        description=f"1 to {GROUP_MAX}, carried out in this order.", directives=[Cost(weight="12")]
    )
    atomic: bool | None = strawberry.field(
        default=False,
        description="All of them or none. Each key must then be new. The same batch again gets the same outcomes if it moved "
        "money; one that was refused kept no key, and is tried again.",
    )
    dry_run: bool | None = strawberry.field(default=False, description="Only tell what would happen, to all of them.")

    def check(self) -> None:
        """Refuse a batch of a wrong size, or with items that are dry runs of their own.

        Raises:
            ValidationFailed: `REQUIRED`, `TOO_MANY`, `INVALID`.
        """
        if not self.transfers:
            raise ValidationFailed.of("transfers", "REQUIRED", "A batch has at least one transfer.")
        if len(self.transfers) > GROUP_MAX:
            raise ValidationFailed.of("transfers", "TOO_MANY", f"A batch has at most {GROUP_MAX} transfers.")
        for index, transfer in enumerate(self.transfers):
            if transfer.dry_run:
                path = ("transfers", str(index), "dryRun")
                raise ValidationFailed.of(path, "INVALID", "Ask for a dry run of the whole batch.")


@strawberry.input(description="Money to reserve.")
class PlaceHoldInput:
    account_id: strawberry.ID = strawberry.field(description="The account to reserve it on: one of your own.")
    to: TransferDestination = strawberry.field(description="Whom it is for: who may capture it.")
    amount: MoneyInput = strawberry.field(description="How much, in the currency of both accounts.")
    expires_at: DateTime | None = strawberry.field(
        default=None, description="When it is given back by itself; never, if not said."
    )
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor) -> PlaceHold:
        """The command. Raises ValidationFailed, NotFound."""
        return PlaceHold(
            actor=actor,
            key=check_key(self.idempotency_key),
            account_id=account_id(self.account_id),
            to=self.to.resolved(),
            amount=self.amount.positive(),
            expires_at=self.expires_at,
            description=check_description(self.description),
        )


@strawberry.input(description="What to take of a hold.")
class CaptureHoldInput:
    transaction_id: strawberry.ID = strawberry.field(description="The hold.")
    amount: MoneyInput | None = strawberry.field(
        default=None,
        description="How much; all that is left, if not said. Of a card's hold perhaps more, as the merchant's category allows.",
    )
    final: bool | None = strawberry.field(
        default=True,
        description="Whether to give the rest back; if not, it stays reserved. A hold without a rest ends in any case.",
    )
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor) -> CaptureHold:
        """The command. Raises ValidationFailed, NotFound."""
        return CaptureHold(
            actor=actor,
            key=check_key(self.idempotency_key),
            transaction_id=transaction_id(self.transaction_id),
            amount=None if self.amount is None else self.amount.positive(),
            final=self.final is not False,
        )


@strawberry.input(description="A hold to give back.")
class ReleaseHoldInput:
    transaction_id: strawberry.ID = strawberry.field(description="The hold.")
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor) -> ReleaseHold:
        """The command. Raises ValidationFailed, NotFound."""
        key = check_key(self.idempotency_key)
        return ReleaseHold(actor=actor, key=key, transaction_id=transaction_id(self.transaction_id))


@strawberry.input(description="A transaction to take back, in full.")
class ReverseTransactionInput:
    transaction_id: strawberry.ID = strawberry.field(description="The transaction.")
    reason: str = strawberry.field(description="Why: both sides read it. At most 500 characters.")
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor) -> ReverseTransaction:
        """The command. Raises ValidationFailed, NotFound."""
        reason = check_description(self.reason, "reason")
        if reason is None or not reason.strip():
            raise ValidationFailed.of("reason", "REQUIRED", "A reason is needed.")
        key = check_key(self.idempotency_key)
        return ReverseTransaction(actor=actor, key=key, transaction_id=transaction_id(self.transaction_id), reason=reason)
