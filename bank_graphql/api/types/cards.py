"""Cards, their limits, and merchants."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from bank_graphql.api.loaders import PageKey, loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import CardForm, CardKind, CardStatus, FrozenBy, LimitWindow
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Connection, Node, Paged, node_id, page_size
from bank_graphql.api.types.sources import CardLike, SpendingLimitLike
from bank_graphql.cards.queries import TRANSACTIONS_OF_CARDS, CardRow, MerchantRow
from bank_graphql.cards.rules import SpentLimit
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.kit.paging import page_of

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account
    from bank_graphql.api.types.transactions import Transaction


@strawberry.type(description="A spending limit of a card, and how much of it is used.")
class SpendingLimit:
    amount: money.Money = strawberry.field(graphql_type=Money, description="The limit.")
    spent: money.Money = strawberry.field(
        graphql_type=Money,
        description="What was authorised in the present window, also with cards that this one replaced, less what was released "
        "or "
        "refunded since. Zero for the window TRANSACTION.",
    )
    remaining: money.Money = strawberry.field(graphql_type=Money, description="What may still be spent.")

    is_type_of = backed_by(SpentLimit)

    @strawberry.field(description="The window that the limit applies to.", graphql_type=LimitWindow)
    @staticmethod
    def window(root: SpendingLimitLike) -> LimitWindow:
        return LimitWindow(root.time_window)


@strawberry.type(description="A merchant that was paid by card.")
class Merchant:
    name: str = strawberry.field(description="The name.")
    category_code: str = strawberry.field(description="The merchant category: four digits per ISO 18245.")
    country: str = strawberry.field(description="The country: two letters per ISO 3166.")

    is_type_of = backed_by(MerchantRow)


@strawberry.type(description="A payment card on an account. Only `revealCard` returns its number.")
class Card(Node):
    id: strawberry.ID = node_id("Card")
    kind: CardKind = strawberry.field(description="Whether it draws on a credit account or another one.")
    form: CardForm = strawberry.field(description="Whether it exists as a physical card.")
    status: CardStatus = strawberry.field(description="Whether it pays. Only ACTIVE cards do.")
    frozen_by: FrozenBy | None = strawberry.field(
        description="Who froze it. Null unless it is frozen, or was frozen when it ended. Only staff can unfreeze what STAFF "
        "froze."
    )
    holder_name: str = strawberry.field(description="The name on it.")
    last4: str = strawberry.field(description="The last four digits of its number.")
    expiry_month: int = strawberry.field(description="The last month in which it is valid, 1 to 12.")
    expiry_year: int = strawberry.field(description="The year of the last month in which it is valid.")
    blocked_categories: list[str] = strawberry.field(description="The merchant categories (ISO 18245) that it does not pay.")
    created_at: DateTime = strawberry.field(description="When it was issued.")

    is_type_of = backed_by(CardRow)

    @loaded_field(
        lambda readers: readers.account,
        description="The account that it draws on.",
        graphql_type=Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")],
    )
    @staticmethod
    def account(root: CardLike) -> UUID:
        return root.account_id

    @loaded_field(
        lambda readers: readers.card,
        description="The card that it replaced, whose spending counts toward this card's limits. Null if it replaced none.",
        graphql_type=Annotated["Card", strawberry.lazy("bank_graphql.api.types.cards")] | None,
    )
    @staticmethod
    def replaces(root: CardLike) -> UUID | None:
        return root.replaces_id

    @loaded_field(
        lambda readers: readers.limits_of_card,
        description="Its spending limits, with what counts toward them now.",
        graphql_type=list[SpendingLimit],
    )
    @staticmethod
    def limits(root: CardLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.transactions_of_card,
        description="Its transactions, newest first: authorisations, also declined ones, payments and refunds.",
        graphql_type=Connection[Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")]],
        then=lambda _, found: Paged(found, TRANSACTIONS_OF_CARDS.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def transactions(
        root: CardLike, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> PageKey:
        return root.id, page_of(TRANSACTIONS_OF_CARDS.key, first, after, last, before), None
