"""The input of payments from other banks."""

import strawberry

from bank_graphql.accounts.rules import normalise_number
from bank_graphql.api.inputs.common import DRY_RUN, KEY, MoneyInput, check_description, check_key
from bank_graphql.clearing.rules import check_account, check_reference
from bank_graphql.kit.actor import Actor
from bank_graphql.payments.commands import ReceiveTransfer


@strawberry.input(description="A payment from another bank.")
class ReceiveTransferInput:
    account_number: str = strawberry.field(description="The number of the account to credit.")
    amount: MoneyInput = strawberry.field(description="The amount, in the currency of the account.")
    from_account_number: str = strawberry.field(description="The payer's account at the other bank, an IBAN.")
    from_name: str = strawberry.field(description="The payer's name, at most 140 characters.")
    reference: str = strawberry.field(
        description="The reference that the other bank gave the payment, at most 35 characters. A payment is credited once: "
        "sent again with the same account, amount and payer, it is returned as it was made, whatever the key; with others it is "
        "refused. Each bank has references of its own."
    )
    description: str | None = strawberry.field(default=None, description="What the payer wrote, at most 500 characters.")
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor) -> ReceiveTransfer:
        """Return the command. Raises ValidationFailed."""
        return ReceiveTransfer(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            account_number=normalise_number(self.account_number),
            amount=self.amount.positive(),
            sender=check_account(self.from_account_number, self.from_name, ("fromAccountNumber",), ("fromName",)),
            reference=check_reference(self.reference),
            description=check_description(self.description),
        )
