"""Accounts."""

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from bank_graphql.accounts.entries import ENTRIES
from bank_graphql.accounts.history import MAX_DAYS, DayBalanceRow, check_days
from bank_graphql.accounts.member_queries import MAX_MEMBERS
from bank_graphql.accounts.queries import TRANSACTIONS_OF_ACCOUNTS, AccountRow
from bank_graphql.api.loaders import PageKey, loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.cards import Card
from bank_graphql.api.types.enums import AccountKind, AccountStatus, CurrencyCode
from bank_graphql.api.types.filters import TransactionFilter
from bank_graphql.api.types.members import Membership
from bank_graphql.api.types.money import Balance, Money
from bank_graphql.api.types.node import Connection, Node, Paged, node_id, page_size
from bank_graphql.api.types.products import Product
from bank_graphql.api.types.sources import AccountLike
from bank_graphql.api.types.statements import Statement
from bank_graphql.api.types.transactions import Entry, Transaction
from bank_graphql.api.types.users import User
from bank_graphql.cards.queries import CARDS_OF_ACCOUNTS
from bank_graphql.engine.costs import Cost, ListSize
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.kit.paging import page_of
from bank_graphql.products.rules import rounded_signed
from bank_graphql.statements.queries import STATEMENTS_OF_ACCOUNTS


@strawberry.type(description="The balance of an account at the end of a day.")
class DayBalance:
    is_type_of = backed_by(DayBalanceRow)

    @strawberry.field(description="The day.", graphql_type=date)
    @staticmethod
    def date(root: DayBalanceRow) -> date:
        return root.day

    @strawberry.field(description="The booked balance.", graphql_type=Money)
    @staticmethod
    def booked(root: DayBalanceRow) -> money.Money:
        return money.Money(root.booked, root.currency)


@strawberry.type(description="A customer's account.")
class Account(Node):
    id: strawberry.ID = node_id("Account")
    number: str = strawberry.field(description="The account number: an IBAN, without spaces.")
    name: str = strawberry.field(description="The name that its owner gave it.")
    kind: AccountKind = strawberry.field(description="What the account is for.")
    currency: CurrencyCode = strawberry.field(description="The currency of its balance.")
    status: AccountStatus = strawberry.field(description="Whether it is active, frozen or closed.")
    freeze_reason: str | None = strawberry.field(
        description="Why it is frozen. Null if it is not frozen, or no reason was given."
    )
    opened_at: DateTime = strawberry.field(description="When it was opened.")
    closed_at: DateTime | None = strawberry.field(description="When it was closed. Null if it is not closed.")

    is_type_of = backed_by(AccountRow)

    @strawberry.field(
        description=(
            "The present balance, in one consistent reading. Entries in the same answer are read separately, and may be slightly "
            "older or newer: to show entries and balance together, show the newest entry's `balanceAfter`."
        )
    )
    @staticmethod
    def balance(root: AccountLike) -> Balance:
        booked, held, currency = root.booked, root.held, root.currency
        return Balance(
            booked=money.Money(booked, currency),
            held=money.Money(held, currency),
            available=money.Money(booked - held + root.overdraft_limit, currency),
        )

    @loaded_field(
        lambda readers: readers.balance_at,
        description="The booked balance at a time, including entries that were booked at that very time.",
        graphql_type=Money,
        then=lambda root, booked: None if booked is None else money.Money(booked, root.currency),
        directives=[Cost(weight="20")],
    )
    @staticmethod
    def balance_at(root: AccountLike, at: DateTime) -> tuple[UUID, DateTime]:
        return root.id, at

    @loaded_field(
        lambda readers: readers.balance_history,
        description=f"The booked balance at the end of each day, in the bank's time zone; of today, the present one. Days before "
        f"it was opened have zero, and days that have not begun are left out. At most {MAX_DAYS} days.",
        graphql_type=list[DayBalance],
        directives=[ListSize(assumed_size=MAX_DAYS)],
    )
    @staticmethod
    def balance_history(
        root: AccountLike, from_: Annotated[date, strawberry.argument(name="from")], to: date
    ) -> tuple[UUID, date, date]:
        check_days(from_, to)
        return root.id, from_, to

    @strawberry.field(description="How far the account may go below zero.", graphql_type=Money)
    @staticmethod
    def overdraft_limit(root: AccountLike) -> money.Money:
        return money.Money(root.overdraft_limit, root.currency)

    @loaded_field(
        lambda readers: readers.product_of_account,
        description="Its product: what it earns and costs today. Null if it has none, and earns and costs nothing.",
        graphql_type=Product | None,
    )
    @staticmethod
    def product(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.accrued,
        description="The interest that has accrued through yesterday and is not posted, rounded half to even; negative if it is "
        "owed.",
        graphql_type=Money,
        then=lambda root, found: money.Money(0 if found is None else rounded_signed(int(found.net)), root.currency),
    )
    @staticmethod
    def accrued_interest(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.amount_due,
        description="Fees and interest that are owed, for which there was no money. Each is posted as a whole once there is "
        "money for it, but not while the account is frozen.",
        graphql_type=Money,
        then=lambda root, found: money.Money(0 if found is None else found.amount, root.currency),
    )
    @staticmethod
    def amount_due(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.owner,
        description="The customer who opened it, and owns it. Members do not see the phone number, whether there is a second "
        "factor, or a reason for a suspension. To a program, the e-mail address is empty, too: that takes the scope PROFILE.",
        graphql_type=User,
    )
    @staticmethod
    def owner(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.holders,
        description="The names of all who own it: whoever opened it first, then the joint owners.",
        graphql_type=list[str],
        then=lambda _, found: [] if found is None else found.names,
        directives=[ListSize(assumed_size=3)],
    )
    @staticmethod
    def holder_names(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.memberships_of_account,
        description="The people who may use it beside whoever opened it, and invitations, oldest first. For its owners and "
        "staff; a member sees only their own.",
        graphql_type=list[Membership],
        directives=[ListSize(assumed_size=MAX_MEMBERS)],
    )
    @staticmethod
    def memberships(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.own_membership,
        description="What the viewer may do with it as a member. Null if the viewer opened it, or is no member.",
        graphql_type=Membership | None,
    )
    @staticmethod
    def viewer_membership(root: AccountLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.entries_of_account,
        description=(
            "The entries that were booked on it, newest first. Within a page, each `balanceAfter` is the `balanceAfter` of the "
            "next, older entry plus the entry's own amount."
        ),
        graphql_type=Connection[Entry],
        then=lambda _, found: Paged(found, ENTRIES.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def entries(
        root: AccountLike, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> PageKey:
        return root.id, page_of(ENTRIES.key, first, after, last, before), None

    @loaded_field(
        lambda readers: readers.transactions_of_account,
        description="The transactions that debit or credit it, and its holds, newest first.",
        graphql_type=Connection[Transaction],
        then=lambda _, found: Paged(found, TRANSACTIONS_OF_ACCOUNTS.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def transactions(
        root: AccountLike,
        filter: Annotated[  # noqa: A002 - the contract's name
            TransactionFilter | None, strawberry.argument(directives=[Cost(weight="100")])
        ] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> PageKey:
        page = page_of(TRANSACTIONS_OF_ACCOUNTS.key, first, after, last, before)
        return root.id, page, (filter or TransactionFilter()).resolved(root.currency)

    @loaded_field(
        lambda readers: readers.cards_of_account,
        description="Its cards, in the order in which they were issued.",
        graphql_type=Connection[Card],
        then=lambda _, found: Paged(found, CARDS_OF_ACCOUNTS.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def cards(
        root: AccountLike, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> PageKey:
        return root.id, page_of(CARDS_OF_ACCOUNTS.key, first, after, last, before), None

    @loaded_field(
        lambda readers: readers.statements_of_account,
        description="Its monthly statements, newest first. The first one is issued when its first month has ended.",
        graphql_type=Connection[Statement],
        then=lambda _, found: Paged(found, STATEMENTS_OF_ACCOUNTS.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def statements(
        root: AccountLike, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> PageKey:
        return root.id, page_of(STATEMENTS_OF_ACCOUNTS.key, first, after, last, before), None
