"""Money as clients see it."""

import strawberry

from bank_graphql.api.scalars import DecimalText
from bank_graphql.api.types.enums import CurrencyCode
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money


@strawberry.type(description="An amount in a currency. It is negative for a debit or a debt.")
class Money:
    amount: DecimalText = strawberry.field(description="The amount, with exactly the currency's digits.")
    currency: CurrencyCode = strawberry.field(description="The currency.")

    is_type_of = backed_by(money.Money)


@strawberry.type(description="The balance of an account, in one consistent reading.")
class Balance:
    booked: money.Money = strawberry.field(graphql_type=Money, description="The sum of the account's entries.")
    held: money.Money = strawberry.field(
        graphql_type=Money, description="What holds and pending payments to other banks reserve."
    )
    available: money.Money = strawberry.field(
        graphql_type=Money, description="What can be spent: booked - held + overdraft limit."
    )
