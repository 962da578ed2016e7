"""Cards to issue, to limit, to pay with."""

import strawberry

from bank_graphql.accounts.rules import check_name
from bank_graphql.api.inputs.common import KEY, MoneyInput, account_id, card_id, check_key
from bank_graphql.api.types.enums import CardForm, CardKind, LimitWindow
from bank_graphql.cards.rules import check_categories, check_limit_amounts, check_merchant, check_number
from bank_graphql.cards.service import Cards
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import AuthorizeCard, IssueCard


@strawberry.input(description="What may be spent with a card at the most.")
class SpendingLimitInput:
    window: LimitWindow = strawberry.field(description="In which window of time.")
    amount: MoneyInput = strawberry.field(description="How much, in the currency of the card's account; zero allows nothing.")


def limits_of(given: list[SpendingLimitInput]) -> tuple[tuple[LimitWindow, Money], ...]:
    """Return the limits by their windows. Raises ValidationFailed."""
    amounts = [each.amount.any("limits", str(index), "amount") for index, each in enumerate(given)]
    return check_limit_amounts(zip((each.window for each in given), amounts, strict=True))


@strawberry.input(description="The card to issue.")
class IssueCardInput:
    account_id: strawberry.ID = strawberry.field(description="The account that it draws on: one of your own.")
    kind: CardKind = strawberry.field(default=CardKind.DEBIT, description="CREDIT for a credit account, DEBIT for any other.")
    form: CardForm = strawberry.field(
        default=CardForm.VIRTUAL, description="VIRTUAL cards pay at once; PHYSICAL ones need `activateCard`."
    )
    holder_name: str | None = strawberry.field(
        default=None, description="The name on it, at most 100 characters; your own, if not said."
    )
    limits: list[SpendingLimitInput] | None = strawberry.field(default=None, description="Its limits, one for each window.")
    blocked_categories: list[str] | None = strawberry.field(
        default=None, description="Merchant categories (four digits after ISO 18245) that it does not pay."
    )
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor) -> IssueCard:
        """The command. Raises ValidationFailed, NotFound."""
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


@strawberry.input(description="A merchant who is to be paid.")
class MerchantInput:
    name: str = strawberry.field(description="The name, at most 100 characters.")
    category_code: str = strawberry.field(description="The category: four digits after ISO 18245, e.g. 5812 for a restaurant.")
    country: str = strawberry.field(description="The country: two capital letters after ISO 3166.")


@strawberry.input(description="A payment that a merchant asks a card for.")
class AuthorizeCardInput:
    card_number: str | None = strawberry.field(
        default=None, description="The card by its number; spaces and dashes do not matter. It is not repeated in any answer."
    )
    card_id: strawberry.ID | None = strawberry.field(default=None, description="Or by its id: exactly one of the two.")
    amount: MoneyInput = strawberry.field(description="How much, in the currency of the card's account.")
    merchant: MerchantInput = strawberry.field(description="Who asks.")
    idempotency_key: str = strawberry.field(description=KEY)

    def command(self, actor: Actor, cards: Cards) -> AuthorizeCard:
        """The command, which has no card number any more. Raises ValidationFailed, NotFound."""
        if self.card_number is None and self.card_id is None:
            raise ValidationFailed.of("cardNumber", "REQUIRED", "Name the card by its number or by its id.")
        if self.card_number is not None and self.card_id is not None:
            raise ValidationFailed.of("cardNumber", "INVALID", "Name the card by its number or by its id, not by both.")
        merchant = self.merchant
        return AuthorizeCard(
            actor=actor,
            key=check_key(self.idempotency_key),
            card_id=None if self.card_id is None else card_id(self.card_id),
            number_hash=None if self.card_number is None else cards.hash_of(check_number(self.card_number)),
            amount=self.amount.positive(),
            merchant=check_merchant(merchant.name, merchant.category_code, merchant.country),
        )
