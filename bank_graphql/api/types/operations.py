"""The rate limit, the clock, the verification of the ledger, and its trial balance."""

import strawberry

from bank_graphql.api.scalars import BigInt, DateTime
from bank_graphql.api.types.enums import CurrencyCode
from bank_graphql.api.types.money import Money
from bank_graphql.engine.costs import ListSize
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.ledger import trial_balance


@strawberry.type(
    description="The rate limit of the viewer, or of the address if nobody is signed in: a bucket of cost that refills evenly."
)
class RateLimit:
    limit: int = strawberry.field(description="The cost that a full bucket holds, and that is refilled per minute.")
    remaining: int = strawberry.field(description="The cost that remains in the bucket after this request.")
    cost: int = strawberry.field(description="The cost of this request.")
    reset_at: DateTime = strawberry.field(description="When the bucket is full again.")


@strawberry.type(description="The bank's clock.")
class Clock:
    now: DateTime = strawberry.field(
        description="The bank's time. Once the clock was moved, it stands still until it is moved again."
    )
    movable: bool = strawberry.field(description="Whether `advanceClock` can move it, as in a sandbox.")


@strawberry.type(description="One check of a verification.")
class LedgerCheck:
    name: str = strawberry.field(description="The name of the check.")
    ok: bool = strawberry.field(description="Whether no discrepancy was found.")
    examined: BigInt = strawberry.field(description="The number of rows that were examined.")
    first_problem: str | None = strawberry.field(description="The first discrepancy. Null if there is none.")


@strawberry.type(description="The latest verification of the ledger.")
class LedgerVerification:
    ok: bool = strawberry.field(description="Whether no discrepancy was found.")
    checked_at: DateTime = strawberry.field(description="When it ran.")
    checks: list[LedgerCheck] = strawberry.field(description="Its checks.")


@strawberry.type(description="The accounts of one purpose in one currency.")
class TrialBalanceLine:
    purpose: str = strawberry.field(
        description="What the accounts are for: CUSTOMERS for those of customers, or a purpose of the bank's own accounts: CASH, "
        "CARD_SETTLEMENT, CLEARING, SUSPENSE, FEES or INTEREST."
    )
    debits: money.Money = strawberry.field(
        graphql_type=Money, description="The sum of the balances below zero, as a positive amount."
    )
    credits: money.Money = strawberry.field(graphql_type=Money, description="The sum of the balances above zero.")

    is_type_of = backed_by(trial_balance.Line)

    @strawberry.field(description="The currency.", graphql_type=CurrencyCode)
    @staticmethod
    def currency(root: trial_balance.Line) -> str:
        return root.debits.currency


@strawberry.type(description="The balances of all accounts, by purpose and currency.")
class TrialBalance:
    at: DateTime = strawberry.field(description="The time of the balances.")
    lines: list[trial_balance.Line] = strawberry.field(
        graphql_type=list[TrialBalanceLine],
        description="Its lines, by currency and purpose. In each currency the debits are equal to the credits.",
        directives=[ListSize(assumed_size=20)],
    )
