"""What happened to transactions: the feed's events."""

from uuid import UUID

import strawberry

from bank_graphql.accounts.feed import EventRow
from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.enums import TransactionEventKind
from bank_graphql.api.types.sources import EventLike
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.engine.fields import backed_by


@strawberry.type(description="One change of a transaction, as seen from one account. Each account that it affects has its own.")
class TransactionEvent:
    cursor: str = strawberry.field(
        description="The event's position in the feed, for `after` in queries and subscriptions, as long as events of that age "
        "are kept."
    )
    kind: TransactionEventKind = strawberry.field(description="What happened to the transaction.")
    occurred_at: DateTime = strawberry.field(description="When it happened.")

    is_type_of = backed_by(EventRow)

    @loaded_field(lambda readers: readers.account, description="The account that it is about.", graphql_type=Account)
    @staticmethod
    def account(root: EventLike) -> UUID:
        return root.account_id

    @loaded_field(lambda readers: readers.transaction, description="The transaction, as it is now.", graphql_type=Transaction)
    @staticmethod
    def transaction(root: EventLike) -> UUID:
        return root.transaction_id
