"""The inputs of mutations that move money."""

from typing import Any

import strawberry

from bank_graphql.accounts.rules import normalise_number
from bank_graphql.api.inputs.common import (
    DRY_RUN,
    KEY,
    MoneyInput,
    account_id,
    check_description,
    check_key,
    payee_id,
    transaction_id,
)
from bank_graphql.api.scalars import DateTime
from bank_graphql.clearing.rules import ExternalAccount, check_account
from bank_graphql.engine.costs import Cost
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.payees.service import Payees
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

_DESCRIPTION = "A text that both sides can read, at most 500 characters; for a payment to another bank, 140."


@strawberry.input(description="The fields that deposits, withdrawals and transfers share.")
class Movement:
    amount: MoneyInput = strawberry.field(description="The amount, in the currency of the account or accounts.")
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def common(self, actor: Actor) -> dict[str, Any]:
        """Return the arguments that the commands share. Raises ValidationFailed."""
        return {
            "actor": actor,
            "key": check_key(self.idempotency_key),
            "dry_run": bool(self.dry_run),
            "amount": self.amount.positive(),
            "description": check_description(self.description),
        }


@strawberry.input(description="A cash deposit.")
class DepositInput(Movement):
    account_id: strawberry.ID = strawberry.field(description="The account to credit.")

    def command(self, actor: Actor) -> Deposit:
        """Return the command. Raises ValidationFailed, NotFound."""
        return Deposit(account_id=account_id(self.account_id), **self.common(actor))


@strawberry.input(description="A cash withdrawal.")
class WithdrawInput(Movement):
    account_id: strawberry.ID = strawberry.field(description="The account to debit.")

    def command(self, actor: Actor) -> Withdraw:
        """Return the command. Raises ValidationFailed, NotFound."""
        return Withdraw(account_id=account_id(self.account_id), **self.common(actor))


@strawberry.input(description="An account at another bank.")
class ExternalDestination:
    account_number: str = strawberry.field(description="Its number, an IBAN, with or without spaces.")
    name: str = strawberry.field(description="The name of its holder, at most 140 characters.")

    def account(self) -> ExternalAccount:
        """Return the account. Raises ValidationFailed."""
        path = ("to", "external")
        return check_account(self.account_number, self.name, (*path, "accountNumber"), (*path, "name"))


@strawberry.input(one_of=True, description="Where money goes: exactly one of these fields.")
class TransferDestination:
    account_id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="Any account, by its id.")
    account_number: strawberry.Maybe[str] = strawberry.field(description="Any account, by its number, with or without spaces.")
    payee_id: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="The account of one of the viewer's payees, at this bank or another."
    )

    external: strawberry.Maybe[ExternalDestination] = strawberry.field(
        description="An account at another bank. The money is reserved until the payment is settled. If the number is one of "
        "this bank's, the payment is made at once."
    )

    def resolved(self) -> Destination:
        """Return the destination. Raises NotFound for an id of another kind, and ValidationFailed."""
        if self.external is not None:
            return Destination(external=self.external.value.account())
        if self.account_id is not None:
            return Destination(account_id=account_id(self.account_id.value))
        if self.payee_id is not None:
            return Destination(payee_id=payee_id(self.payee_id.value))
        return Destination(account_number=normalise_number(self.account_number.value if self.account_number else ""))


@strawberry.input(description="A transfer.")
class TransferInput(Movement):
    from_account_id: strawberry.ID = strawberry.field(description="The account that pays: one of the viewer's.")
    to: TransferDestination = strawberry.field(description="Where the money goes.")
    payee_verification: str | None = strawberry.field(
        default=None, description="The token of a `verifyPayee` about the account that is paid. The transaction keeps its answer."
    )

    def command(self, actor: Actor, payees: Payees) -> Transfer:
        """Return the command. Raises ValidationFailed, NotFound."""
        source, to, token = account_id(self.from_account_id), self.to.resolved(), self.payee_verification
        verification = None if token is None else payees.opened(actor, token)
        return Transfer(from_account_id=source, to=to, verification=verification, **self.common(actor))


@strawberry.input(description="A batch of transfers.")
class TransferBatchInput:
    transfers: list[TransferInput] = strawberry.field(
        description=f"1 to {GROUP_MAX} transfers, made in this order.", directives=[Cost(weight="12")]
    )
    atomic: bool | None = strawberry.field(
        default=False,
        description="Whether to make all transfers or none. Each key must then be new. Repeating a batch that was made returns "
        "its "
        "results; a batch that was refused stored no key, so repeating it tries again.",
    )
    dry_run: bool | None = strawberry.field(default=False, description="Only return what would happen, for all of them.")

    def check(self) -> None:
        """Check the size of the batch, and that no single item is a dry run.

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
                raise ValidationFailed.of(path, "INVALID", "Set dryRun for the whole batch instead.")


@strawberry.input(description="A hold to place.")
class PlaceHoldInput:
    account_id: strawberry.ID = strawberry.field(description="The account on which money is reserved: one of the viewer's.")
    to: TransferDestination = strawberry.field(description="The payee, who may capture the hold: an account at this bank.")
    amount: MoneyInput = strawberry.field(description="The amount, in the currency of both accounts.")
    expires_at: DateTime | None = strawberry.field(default=None, description="When the hold expires; by default never.")
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor) -> PlaceHold:
        """Return the command. Raises ValidationFailed, NotFound."""
        return PlaceHold(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            account_id=account_id(self.account_id),
            to=self.to.resolved(),
            amount=self.amount.positive(),
            expires_at=self.expires_at,
            description=check_description(self.description),
        )


@strawberry.input(description="A capture of a hold.")
class CaptureHoldInput:
    transaction_id: strawberry.ID = strawberry.field(description="The hold.")
    amount: MoneyInput | None = strawberry.field(
        default=None,
        description="The amount; by default all that remains. For a card's hold it may be more, if the merchant's category "
        "allows tips.",
    )
    final: bool | None = strawberry.field(
        default=True,
        description="Whether to release what remains after this capture; otherwise it stays reserved for further captures.",
    )
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor) -> CaptureHold:
        """Return the command. Raises ValidationFailed, NotFound."""
        return CaptureHold(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            transaction_id=transaction_id(self.transaction_id),
            amount=None if self.amount is None else self.amount.positive(),
            final=self.final is not False,
        )


@strawberry.input(description="A hold to release.")
class ReleaseHoldInput:
    transaction_id: strawberry.ID = strawberry.field(description="The hold.")
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor) -> ReleaseHold:
        """Return the command. Raises ValidationFailed, NotFound."""
        return ReleaseHold(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            transaction_id=transaction_id(self.transaction_id),
        )


@strawberry.input(description="A transaction to reverse, in full.")
class ReverseTransactionInput:
    transaction_id: strawberry.ID = strawberry.field(description="The transaction.")
    reason: str = strawberry.field(description="Why it is reversed. Both sides can read it. At most 500 characters.")
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor) -> ReverseTransaction:
        """Return the command. Raises ValidationFailed, NotFound."""
        reason = check_description(self.reason, "reason")
        if reason is None or not reason.strip():
            raise ValidationFailed.of("reason", "REQUIRED", "A reason is needed.")
        return ReverseTransaction(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            transaction_id=transaction_id(self.transaction_id),
            reason=reason,
        )
