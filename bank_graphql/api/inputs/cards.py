"""The inputs of mutations about cards."""

import strawberry

from bank_graphql.accounts.rules import check_name
from bank_graphql.api.inputs.common import DRY_RUN, KEY, MoneyInput, account_id, card_id, check_key
from bank_graphql.api.types.enums import CardForm, CardKind, LimitWindow
from bank_graphql.cards.rules import check_categories, check_limit_amounts, check_merchant, check_number
from bank_graphql.cards.service import Cards
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import AuthorizeCard, IssueCard


@strawberry.input(description="A spending limit of a card.")
class SpendingLimitInput:
    window: LimitWindow = strawberry.field(description="The window that the limit applies to.")
    amount: MoneyInput = strawberry.field(
        description="The maximum, in the currency of the card's account. Zero allows no payment."
    )


def limits_of(given: list[SpendingLimitInput]) -> tuple[tuple[LimitWindow, Money], ...]:
    """Return the limits by their windows. Raises ValidationFailed."""
    amounts = [each.amount.any("limits", str(index), "amount") for index, each in enumerate(given)]
    return check_limit_amounts(zip((each.window for each in given), amounts, strict=True))


@strawberry.input(description="The card to issue.")
class IssueCardInput:
    account_id: strawberry.ID = strawberry.field(description="The account that the card draws on: one of the viewer's.")
    kind: CardKind = strawberry.field(default=CardKind.DEBIT, description="CREDIT for a credit account, DEBIT for any other.")
    form: CardForm = strawberry.field(
        default=CardForm.VIRTUAL, description="VIRTUAL cards pay at once; PHYSICAL ones need `activateCard`."
    )
    holder_name: str | None = strawberry.field(
        default=None, description="The name on the card, at most 100 characters; by default the viewer's name."
    )
    limits: list[SpendingLimitInput] | None = strawberry.field(
        default=None, description="Its limits, at most one for each window."
    )
    blocked_categories: list[str] | None = strawberry.field(
        default=None, description="Merchant categories (four digits per ISO 18245) that the card does not pay."
    )
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor) -> IssueCard:
        """Return the command. Raises ValidationFailed, NotFound."""
        return IssueCard(
            actor=actor,
            key=check_key(self.idempotency_key),
            account_id=account_id(self.account_id),
            kind=self.kind,
            form=self.form,
            holder_name=None if self.holder_name is None else check_name(self.holder_name, "holderName"),
            limits=limits_of(self.limits or []),
            blocked_categories=check_categories(self.blocked_categories or ()),
        )


@strawberry.input(description="A merchant who requests a payment.")
class MerchantInput:
    name: str = strawberry.field(description="The name, at most 100 characters.")
    category_code: str = strawberry.field(description="The category: four digits per ISO 18245, e.g. 5812 for a restaurant.")
    country: str = strawberry.field(description="The country: two capital letters per ISO 3166.")


@strawberry.input(description="A card payment that a merchant requests.")
class AuthorizeCardInput:
    card_number: str | None = strawberry.field(
        default=None, description="The card by its number, with or without spaces and dashes. No answer repeats it."
    )
    card_id: strawberry.ID | None = strawberry.field(
        default=None, description="The card by its id. Give exactly one of number and id."
    )
    amount: MoneyInput = strawberry.field(description="The amount, in the currency of the card's account.")
    merchant: MerchantInput = strawberry.field(description="The merchant who requests the payment.")
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)

    def command(self, actor: Actor, cards: Cards) -> AuthorizeCard:
        """Return the command, which names the card by id or hash, not by number. Raises ValidationFailed, NotFound."""
        if self.card_number is None and self.card_id is None:
            raise ValidationFailed.of("cardNumber", "REQUIRED", "Name the card by its number or by its id.")
        if self.card_number is not None and self.card_id is not None:
            raise ValidationFailed.of("cardNumber", "INVALID", "Name the card by its number or by its id, not by both.")
        merchant = self.merchant
        return AuthorizeCard(
            actor=actor,
            key=check_key(self.idempotency_key),
            dry_run=bool(self.dry_run),
            card_id=None if self.card_id is None else card_id(self.card_id),
            number_hash=None if self.card_number is None else cards.hash_of(check_number(self.card_number)),
            amount=self.amount.positive(),
            merchant=check_merchant(merchant.name, merchant.category_code, merchant.country),
        )
