"""The inputs, and how they become commands: ids resolved, amounts in minor units, or refused field by field."""

from typing import Any
from uuid import UUID

import strawberry

from bank_graphql.accounts.rules import check_name, normalise_number
from bank_graphql.api.scalars import DecimalText
from bank_graphql.api.types.enums import AccountKind, CurrencyCode
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.kit.ids import uuid_of
from bank_graphql.kit.money import Money, parse_amount, parse_positive
from bank_graphql.kit.text import has_controls
from bank_graphql.payments.commands import (
    DESCRIPTION_MAX,
    KEY_MAX,
    Deposit,
    Destination,
    OpenAccount,
    Transfer,
    Withdraw,
)

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


def check_description(text: str | None) -> str | None:
    """A description, None if there is none.

    Raises:
        ValidationFailed: `TOO_LONG`, `INVALID`.
    """
    if text is not None and len(text) > DESCRIPTION_MAX:
        raise ValidationFailed.of("description", "TOO_LONG", f"A description has at most {DESCRIPTION_MAX} characters.")
    if text is not None and has_controls(text):
        raise ValidationFailed.of("description", "INVALID", "A description has no control characters.")
    return text or None
