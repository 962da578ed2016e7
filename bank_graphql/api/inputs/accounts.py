"""The input of `openAccount`."""

import strawberry

from bank_graphql.accounts.rules import check_name
from bank_graphql.api.inputs.common import DRY_RUN, KEY, check_key
from bank_graphql.api.scalars import DecimalText
from bank_graphql.api.types.enums import AccountKind, CurrencyCode
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.money import parse_positive
from bank_graphql.payments.commands import OpenAccount


@strawberry.input(description="The account to open.")
class OpenAccountInput:
    kind: AccountKind = strawberry.field(description="What the account is for.")
    currency: CurrencyCode = strawberry.field(description="The currency of the account. It cannot be changed.")
    name: str | None = strawberry.field(
        default=None, description="The account's name, at most 100 characters; by default made of kind and currency."
    )
    opening_deposit: DecimalText | None = strawberry.field(
        default=None, description="Cash to deposit at once, in the account's currency. Only in a sandbox."
    )
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor) -> OpenAccount:
        """Return the command. Raises ValidationFailed."""
        currency = self.currency.value
        deposit = self.opening_deposit
        return OpenAccount(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            kind=self.kind,
            currency=currency,
            name=check_name(self.name) if self.name is not None else f"{self.kind.capitalize()} {currency}",
            opening_deposit=None if deposit is None else parse_positive(deposit, currency, path="openingDeposit"),
        )
