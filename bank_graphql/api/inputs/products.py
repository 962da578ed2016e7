"""The inputs of mutations about products."""

from datetime import date

import strawberry

from bank_graphql.accounts.rules import check_name
from bank_graphql.api.scalars import DecimalText
from bank_graphql.api.types.enums import AccountKind, CurrencyCode, DayCount
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import parse_amount
from bank_graphql.products.rules import Terms, Tier, check_tiers, parse_rate
from bank_graphql.products.service import NewProduct

_FROM = "The first day, in the bank's time zone: today or later."


@strawberry.input(description="A rate for a part of the balance.")
class InterestTierInput:
    above: DecimalText = strawberry.field(
        description="The rate is that of the part of the balance above this, up to the next tier. Begin with 0: what is below "
        "the "
        "first tier bears none. Tiers rise."
    )
    rate: DecimalText = strawberry.field(description="The rate in percent a year, 0 to 100, with six decimal digits at most.")


@strawberry.input(description="Rates and fees. Amounts are in the product's currency.")
class ProductTermsInput:
    from_: date = strawberry.field(name="from", description=_FROM)
    credit_rates: list[InterestTierInput] | None = strawberry.field(
        default=None, description="The interest that the bank pays on what an account has, at most ten tiers. By default none."
    )
    debit_rates: list[InterestTierInput] | None = strawberry.field(
        default=None,
        description="The interest that the customer pays on what an account owes, at most ten tiers. By default none.",
    )
    monthly_fee: DecimalText | None = strawberry.field(default=None, description="The monthly fee. By default none.")
    monthly_fee_waived_above: DecimalText | None = strawberry.field(
        default=None, description="The monthly fee is waived if every day of the month ends with at least this balance."
    )
    external_transfer_fee: DecimalText | None = strawberry.field(
        default=None, description="The fee for each transfer to another bank. By default none."
    )
    card_replacement_fee: DecimalText | None = strawberry.field(
        default=None, description="The fee for the replacement of a card. By default none."
    )

    def terms(self, currency: str) -> Terms:
        """Return the terms. Raises ValidationFailed."""
        waived_above = self.monthly_fee_waived_above
        return Terms(
            since=self.from_,
            credit=_tiers(self.credit_rates, currency, ("terms", "creditRates")),
            debit=_tiers(self.debit_rates, currency, ("terms", "debitRates")),
            monthly_fee=_amount(self.monthly_fee, currency, "monthlyFee"),
            waived_above=None if waived_above is None else _amount(waived_above, currency, "monthlyFeeWaivedAbove"),
            external_transfer_fee=_amount(self.external_transfer_fee, currency, "externalTransferFee"),
            card_replacement_fee=_amount(self.card_replacement_fee, currency, "cardReplacementFee"),
        )


@strawberry.input(description="A product to make.")
class CreateProductInput:
    name: str = strawberry.field(description="The name, at most 100 characters.")
    kind: AccountKind = strawberry.field(description="The kind of its accounts.")
    currency: CurrencyCode = strawberry.field(description="The currency of its accounts, and of its fees.")
    day_count: DayCount = strawberry.field(default=DayCount.ACT_365F, description="How days are counted for interest.")
    default_from: date | None = strawberry.field(
        default=None,
        description="From this day on, it is the product of all accounts of its kind and currency that were given none, until a "
        "later default replaces it. Not before its rates and fees begin.",
    )
    terms: ProductTermsInput = strawberry.field(description="Its first rates and fees.")

    def product(self) -> NewProduct:
        """Return the product. Raises ValidationFailed."""
        return NewProduct(
            name=check_name(self.name),
            kind=self.kind,
            currency=self.currency.value,
            day_count=self.day_count,
            default_from=self.default_from,
            terms=self.terms.terms(self.currency.value),
        )


@strawberry.input(description="Other rates and fees of a product, from a day on. Those not given are zero, not as before.")
class SetProductTermsInput:
    product_id: strawberry.ID = strawberry.field(description="The product.")
    terms: ProductTermsInput = strawberry.field(description="The rates and fees.")


@strawberry.input(description="The product that an account gets.")
class SetAccountProductInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    product_id: strawberry.ID = strawberry.field(description="The product, of the account's kind and currency.")
    from_: date = strawberry.field(name="from", description=_FROM)


def _tiers(given: list[InterestTierInput] | None, currency: str, path: tuple[str, ...]) -> tuple[Tier, ...]:
    tiers = []
    for index, each in enumerate(given or ()):
        above = parse_amount(each.above, currency, path=(*path, str(index), "above"))
        tiers.append(Tier(above, parse_rate(each.rate, (*path, str(index), "rate"))))
    return check_tiers(tiers, path)


def _amount(given: DecimalText | None, currency: str, field: str) -> int:
    amount = 0 if given is None else parse_amount(given, currency, path=("terms", field))
    if amount < 0:
        raise ValidationFailed.of(("terms", field), "NEGATIVE", "A fee, and a balance above which it is waived, is not negative.")
    return amount
