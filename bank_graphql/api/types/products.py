"""Products, and how interest came about."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import strawberry

from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DecimalText
from bank_graphql.api.types.enums import AccountKind, CurrencyCode, DayCount, InterestSide
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.engine.costs import ListSize
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.products.explanations import DIGITS, Explanation, Line
from bank_graphql.products.queries import ProductRow, TermsRow
from bank_graphql.products.rules import format_rate, tiers_of


@strawberry.type(description="A rate for a part of the balance.")
class InterestTier:
    above: money.Money = strawberry.field(
        graphql_type=Money, description="The rate is that of the part of the balance above this, up to the next tier."
    )
    rate: DecimalText = strawberry.field(description="The rate in percent a year, e.g. 1.25.")


@strawberry.type(description="The rates and fees of a product from a day on, until others begin.")
class ProductTerms:
    is_type_of = backed_by(TermsRow)

    @strawberry.field(name="from", description="The first day, in the bank's time zone.", graphql_type=date)
    @staticmethod
    def from_(root: TermsRow) -> date:
        return root.since

    @strawberry.field(
        description="The interest that the bank pays on what an account has. Empty: none.", directives=[ListSize(assumed_size=3)]
    )
    @staticmethod
    def credit_rates(root: TermsRow) -> list[InterestTier]:
        return _tiers(root.credit_tiers, root.currency)

    @strawberry.field(
        description="The interest that the customer pays on what an account owes. Empty: none.",
        directives=[ListSize(assumed_size=3)],
    )
    @staticmethod
    def debit_rates(root: TermsRow) -> list[InterestTier]:
        return _tiers(root.debit_tiers, root.currency)

    @strawberry.field(
        description="The fee for each calendar month at whose end the account is open, except the one in which it was opened. "
        "The "
        "terms of the month's last day count.",
        graphql_type=Money,
    )
    @staticmethod
    def monthly_fee(root: TermsRow) -> money.Money:
        return money.Money(root.monthly_fee, root.currency)

    @strawberry.field(
        description="The monthly fee is waived if every day of the month ends with at least this balance. Null if it always is "
        "charged.",
        graphql_type=Money | None,
    )
    @staticmethod
    def monthly_fee_waived_above(root: TermsRow) -> money.Money | None:
        return None if root.waived_above is None else money.Money(root.waived_above, root.currency)

    @strawberry.field(
        description="The fee for each transfer to another bank. It is posted with the transfer, as its `fee`.", graphql_type=Money
    )
    @staticmethod
    def external_transfer_fee(root: TermsRow) -> money.Money:
        return money.Money(root.external_transfer_fee, root.currency)

    @strawberry.field(description="The fee for the replacement of a card.", graphql_type=Money)
    @staticmethod
    def card_replacement_fee(root: TermsRow) -> money.Money:
        return money.Money(root.card_replacement_fee, root.currency)


@strawberry.type(
    description="What accounts of a kind and currency earn and cost. Interest accrues on the balance at the end of each day, in "
    "the bank's time zone. It is posted when the month has ended, on the first day of the next, and before an account is closed: "
    "unrounded sums are added up, rounded once, half to even, and what the rounding leaves is carried on to the next month."
)
class Product(Node):
    id: strawberry.ID = node_id("Product")
    name: str = strawberry.field(description="The name.")
    kind: AccountKind = strawberry.field(description="The kind of its accounts.")
    currency: CurrencyCode = strawberry.field(description="The currency of its accounts, and of its fees.")
    day_count: DayCount = strawberry.field(description="How days are counted for interest.")
    default_from: date | None = strawberry.field(
        description="From this day on, it is the product of all accounts of its kind and currency that were given none, until a "
        "later default replaces it. Null if only accounts to which it was given have it."
    )

    is_type_of = backed_by(ProductRow)

    @loaded_field(
        lambda readers: readers.current_terms,
        name="terms",
        description="Today's rates and fees. Null if its first ones begin later.",
        graphql_type=ProductTerms | None,
    )
    @staticmethod
    def terms(root: ProductRow) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.terms_of_product,
        description="All its rates and fees, past and future, the earliest first.",
        graphql_type=list[ProductTerms],
        directives=[ListSize(assumed_size=3)],
    )
    @staticmethod
    def all_terms(root: ProductRow) -> UUID:
        return root.id


@strawberry.type(description="The interest of some days, on a part of the balance that has one rate.")
class InterestLine:
    days: int = strawberry.field(description="The days, counted as the product says.")
    balance: money.Money = strawberry.field(graphql_type=Money, description="The balance at the end of each of them.")
    part: money.Money = strawberry.field(graphql_type=Money, description="The part of it that has the rate, without its sign.")
    rate: DecimalText = strawberry.field(description="The rate in percent a year.")
    interest: DecimalText = strawberry.field(description=f"The interest, to {DIGITS} digits.")

    is_type_of = backed_by(Line)

    @strawberry.field(name="from", description="The first day.", graphql_type=date)
    @staticmethod
    def from_(root: Line) -> date:
        return root.first

    @strawberry.field(description="The last day.", graphql_type=date)
    @staticmethod
    def to(root: Line) -> date:
        return root.last


@strawberry.type(
    description="How the interest of a transaction came about. What was carried and what accrued are rounded to the amount "
    "that "
    f"was posted, and the rest is carried on. Unrounded sums are in the account's currency, each rounded by itself to "
    f"{DIGITS} digits."
)
class InterestExplanation:
    side: InterestSide = strawberry.field(description="Who paid it.")
    lines: Sequence[Line] = strawberry.field(
        graphql_type=list[InterestLine], description="What accrued, by days.", directives=[ListSize(assumed_size=4)]
    )
    carried: DecimalText = strawberry.field(description="What was carried from the interest before.")
    accrued: DecimalText = strawberry.field(description="What accrued.")
    posted: money.Money = strawberry.field(graphql_type=Money, description="The amount that was posted.")
    carried_on: DecimalText = strawberry.field(description="What is carried on; negative if more was posted than had accrued.")

    is_type_of = backed_by(Explanation)


def _tiers(stored: str, currency: str) -> list[InterestTier]:
    return [
        InterestTier(above=money.Money(tier.above, currency), rate=DecimalText(format_rate(tier.rate)))
        for tier in tiers_of(stored)
    ]
