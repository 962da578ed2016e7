"""Members of accounts."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from bank_graphql.accounts.member_queries import MembershipRow
from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import MemberRole, MembershipStatus
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account


@strawberry.type(
    description="Somebody who may use an account beside whoever opened it, or is invited to. Every member sees the account, its "
    "entries, statements and cards."
)
class Membership(Node):
    id: strawberry.ID = node_id("Membership")
    role: MemberRole = strawberry.field(description="What the member is to the account.")
    may_pay: bool = strawberry.field(description="Whether the member may pay from the account and place holds on it.")
    may_manage_cards: bool = strawberry.field(
        description="Whether the member may order, change, reveal and cancel the account's cards."
    )
    status: MembershipStatus = strawberry.field(description="Whether the invitation was accepted.")
    email: str | None = strawberry.field(description="The e-mail address that was invited. Null once the bank has erased it.")
    member_name: str | None = strawberry.field(description="The member's full name. Null until the invitation is accepted.")
    inviter_name: str = strawberry.field(description="The full name of whoever invited the member.")
    created_at: DateTime = strawberry.field(description="When the member was invited.")
    expires_at: DateTime = strawberry.field(description="Until when the invitation can be accepted.")
    accepted_at: DateTime | None = strawberry.field(description="When it was accepted. Null if it was not.")

    is_type_of = backed_by(MembershipRow)

    @strawberry.field(
        description="What the member may pay and hold a day, in the bank's time zone. What comes back is not taken off. Null if "
        "there is no limit.",
        graphql_type=Money | None,
    )
    @staticmethod
    def daily_limit(root: MembershipRow) -> money.Money | None:
        return None if root.daily_limit is None else money.Money(root.daily_limit, root.currency)

    @loaded_field(
        lambda readers: readers.account,
        description="The account. Null to whoever has not accepted the invitation yet.",
        graphql_type=Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")] | None,
    )
    @staticmethod
    def account(root: MembershipRow) -> UUID:
        return root.account_id
