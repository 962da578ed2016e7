"""Access grants of programs."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from bank_graphql.accounts.grant_statements import GrantRow
from bank_graphql.accounts.grants import MAX_ACCOUNTS, MAX_PAYEES
from bank_graphql.accounts.queries import AccountRow
from bank_graphql.api.context import Info
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import AccessScope, GrantKind
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.engine.costs import ListSize
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account


@strawberry.type(description="What the viewer lets a program do, an agent or a service, until it expires or is revoked.")
class AccessGrant(Node):
    id: strawberry.ID = node_id("AccessGrant")
    kind: GrantKind = strawberry.field(description="What the program is.")
    name: str = strawberry.field(description="The name that the viewer gave it.")
    created_at: DateTime = strawberry.field(description="When it was made.")
    expires_at: DateTime = strawberry.field(description="When it ends.")
    last_used_at: DateTime | None = strawberry.field(
        description="When the program last sent a request, to the minute. Null if it never did."
    )

    is_type_of = backed_by(GrantRow)

    @strawberry.field(
        description="What the program may do.", graphql_type=list[AccessScope], directives=[ListSize(assumed_size=7)]
    )
    @staticmethod
    def scopes(root: GrantRow) -> list[AccessScope]:
        return [AccessScope(each) for each in root.scopes]

    @strawberry.field(
        description="The accounts that it may use.",
        graphql_type=list[Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")]],
        directives=[ListSize(assumed_size=MAX_ACCOUNTS)],
    )
    @staticmethod
    async def accounts(root: GrantRow, info: Info) -> list[AccountRow]:
        found = await info.context.loader(info.context.readers.account).load_many(root.account_ids)
        return [each for each in found if each is not None]

    @strawberry.field(
        description="The numbers of the accounts that it may pay without approval. Null if it may pay any.",
        graphql_type=list[str] | None,
        directives=[ListSize(assumed_size=MAX_PAYEES)],
    )
    @staticmethod
    def payees(root: GrantRow) -> list[str] | None:
        return root.payees

    @strawberry.field(
        description="How much it may pay a day without approval, altogether, in the bank's time zone. Null if it may not pay.",
        graphql_type=Money | None,
    )
    @staticmethod
    def daily_limit(root: GrantRow) -> money.Money | None:
        return _money(root.daily_limit, root.currency)

    @strawberry.field(
        description="The largest amount that it may pay at once without approval. Null if there is none.",
        graphql_type=Money | None,
    )
    @staticmethod
    def approval_above(root: GrantRow) -> money.Money | None:
        return _money(root.approval_above, root.currency)


def _money(minor: int | None, currency: str | None) -> money.Money | None:
    return None if minor is None or currency is None else money.Money(minor, currency)
