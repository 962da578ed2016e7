"""The inputs, and how they become commands: ids resolved, amounts in minor units, or refused field by field."""

from typing import Any
from uuid import UUID

import strawberry

from bank_graphql.accounts.rules import check_name, normalise_number
from bank_graphql.api.scalars import DateTime, DecimalText
from bank_graphql.api.types.enums import AccountKind, CurrencyCode
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.kit.ids import uuid_of
from bank_graphql.kit.money import Money, parse_amount, parse_positive
from bank_graphql.kit.text import has_controls
from bank_graphql.payments.commands import (
    DESCRIPTION_MAX,
    KEY_MAX,
    CaptureHold,
    Deposit,
    Destination,
    OpenAccount,
    PlaceHold,
    ReleaseHold,
    ReverseTransaction,
    Transfer,
    Withdraw,
)

BATCH_MAX = 1000
_KEY = "A string of 1 to 255 characters, new for each new request: a repetition of a request under its key has no further effect."
_DRY_RUN = "Only tell what would happen. The key is then ignored."
_DESCRIPTION = "What both sides read about it, at most 500 characters."


@strawberry.input(description="An amount in a currency.")
class MoneyInput:
    amount: DecimalText = strawberry.field(description="The amount.")
    currency: CurrencyCode = strawberry.field(description="The currency.")

    def positive(self, field: str = "amount") -> Money:
        """The amount, which must be greater than zero.

        Raises:
            ValidationFailed: it is not an amount of this currency, or not greater than zero.
        """
        currency = self.currency.value
        return Money(parse_positive(self.amount, currency, path=(field, "amount")), currency)

    def any(self, field: str) -> Money:
        """The amount, which may be zero or negative.

        Raises:
            ValidationFailed: it is not an amount of this currency.
        """
        currency = self.currency.value
        return Money(parse_amount(self.amount, currency, path=(field, "amount")), currency)


@strawberry.input(description="Who signs up.")
class SignUpInput:
    email: str = strawberry.field(description="The e-mail address to sign in with.")
    password: str = strawberry.field(description="8 to 256 characters, and not a common password.")
    full_name: str = strawberry.field(description="The name, at most 200 characters.")
    phone_number: str | None = strawberry.field(default=None, description="A phone number with its country code.")


@strawberry.input(description="Who signs in.")
class LogInInput:
    email: str = strawberry.field(description="The e-mail address.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="The account to open.")
class OpenAccountInput:
    kind: AccountKind = strawberry.field(description="What it is for.")
    currency: CurrencyCode = strawberry.field(description="The currency that it is in, for good.")
    name: str | None = strawberry.field(default=None, description="What to call it, at most 100 characters.")
    opening_deposit: DecimalText | None = strawberry.field(default=None, description="Cash to pay in at once.")
    idempotency_key: str = strawberry.field(description=_KEY)

    def command(self, actor: Actor) -> OpenAccount:
        """The command. Raises ValidationFailed."""
        currency, kind = self.currency.value, self.kind.value
        deposit = self.opening_deposit
        return OpenAccount(
            actor=actor,
            key=check_key(self.idempotency_key),
            kind=kind,
            currency=currency,
            name=check_name(self.name) if self.name is not None else f"{kind.capitalize()} {currency}",
            opening_deposit=None if deposit is None else parse_positive(deposit, currency, path="openingDeposit"),
        )


@strawberry.input(description="What every movement of money says.")
class Movement:
    amount: MoneyInput = strawberry.field(description="How much, in the currency of the accounts.")
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    idempotency_key: str = strawberry.field(description=_KEY)
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
    transfers: list[TransferInput] = strawberry.field(description=f"1 to {BATCH_MAX}, carried out in this order.")
    atomic: bool | None = strawberry.field(default=False, description="All of them or none; each key must then be new.")
    dry_run: bool | None = strawberry.field(default=False, description="Only tell what would happen, to all of them.")

    def check(self) -> None:
        """Refuse a batch of a wrong size, or with items that are dry runs of their own.

        Raises:
            ValidationFailed: `REQUIRED`, `TOO_MANY`, `INVALID`.
        """
        if not self.transfers:
            raise ValidationFailed.of("transfers", "REQUIRED", "A batch has at least one transfer.")
        if len(self.transfers) > BATCH_MAX:
            raise ValidationFailed.of("transfers", "TOO_MANY", f"A batch has at most {BATCH_MAX} transfers.")
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
    idempotency_key: str = strawberry.field(description=_KEY)

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
    amount: MoneyInput | None = strawberry.field(default=None, description="How much; all that is left, if not said.")
    final: bool | None = strawberry.field(default=True, description="Whether to give the rest back; if not, it stays reserved.")
    idempotency_key: str = strawberry.field(description=_KEY)

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
    idempotency_key: str = strawberry.field(description=_KEY)

    def command(self, actor: Actor) -> ReleaseHold:
        """The command. Raises ValidationFailed, NotFound."""
        key = check_key(self.idempotency_key)
        return ReleaseHold(actor=actor, key=key, transaction_id=transaction_id(self.transaction_id))


@strawberry.input(description="A transaction to take back, in full.")
class ReverseTransactionInput:
    transaction_id: strawberry.ID = strawberry.field(description="The transaction.")
    reason: str = strawberry.field(description="Why: both sides read it. At most 500 characters.")
    idempotency_key: str = strawberry.field(description=_KEY)

    def command(self, actor: Actor) -> ReverseTransaction:
        """The command. Raises ValidationFailed, NotFound."""
        reason = check_description(self.reason, "reason")
        if reason is None or not reason.strip():
            raise ValidationFailed.of("reason", "REQUIRED", "A reason is needed.")
        key = check_key(self.idempotency_key)
        return ReverseTransaction(actor=actor, key=key, transaction_id=transaction_id(self.transaction_id), reason=reason)


def transaction_id(given: str) -> UUID:
    """The key in a transaction's global id.

    Raises:
        NotFound: it is not the id of a transaction.
    """
    key = uuid_of(given, "Transaction")
    if key is None:
        raise NotFound("transaction", given[:200])
    return key


def account_id(given: str) -> UUID:
    """The key in an account's global id.

    Raises:
        NotFound: it is not the id of an account: the same as the id of an account that does not exist.
    """
    key = uuid_of(given, "Account")
    if key is None:
        raise NotFound("account", given[:200])
    return key


def check_key(key: str) -> str:
    """An idempotency key.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG`, `INVALID`.
    """
    if not key:
        raise ValidationFailed.of("idempotencyKey", "REQUIRED", "An idempotency key is needed.")
    if "\0" in key:
        raise ValidationFailed.of("idempotencyKey", "INVALID", "An idempotency key has no character NUL.")
    if len(key) > KEY_MAX:
        raise ValidationFailed.of("idempotencyKey", "TOO_LONG", f"An idempotency key has at most {KEY_MAX} characters.")
    return key


def check_description(text: str | None, field: str = "description") -> str | None:
    """A description, None if there is none.

    Raises:
        ValidationFailed: `TOO_LONG`, `INVALID`.
    """
    if text is not None and len(text) > DESCRIPTION_MAX:
        raise ValidationFailed.of(field, "TOO_LONG", f"A {field} has at most {DESCRIPTION_MAX} characters.")
    if text is not None and has_controls(text):
        raise ValidationFailed.of(field, "INVALID", f"A {field} has no control characters.")
    return text or None
