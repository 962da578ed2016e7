"""Transactions and their entries."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from bank_graphql.accounts.queries import AccountRow, CounterpartyRow, TransactionRow
from bank_graphql.api.context import Info
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import EntryDirection, TransactionKind, TransactionStatus
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, is_row, node_id
from bank_graphql.kit import money
from bank_graphql.kit.ids import reference
from bank_graphql.ledger.queries import EntryRow

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account

_INTERNAL_NAMES = {"CASH": "Cash"}


@strawberry.type(description="One side of a transaction, as far as the viewer may know it.")
class Counterparty:
    name: str = strawberry.field(description="The name of the account's owner, or of the bank's own account.")
    account_number: str | None = strawberry.field(
        description="The account number; masked to its last four characters unless it is the viewer's own."
    )

    @classmethod
    def of(cls, row: CounterpartyRow | None) -> "Counterparty":
        """The counterparty that a row tells of."""
        if row is None or row.purpose is not None:
            return cls(name=_INTERNAL_NAMES[row.purpose if row and row.purpose else "CASH"], account_number=None)
        return cls(name=row.full_name or "", account_number=row.account_number)


@strawberry.type(description="One movement of money from one account to another.")
class Transaction(Node):
    id: strawberry.ID = node_id("Transaction")
    kind: TransactionKind = strawberry.field(description="What it is for.")
    status: TransactionStatus = strawberry.field(description="Where it stands.")
    description: str | None = strawberry.field(description="What the payer wrote about it.")
    created_at: DateTime = strawberry.field(description="When it was made.")
    posted_at: DateTime | None = strawberry.field(description="When its money moved, if it has; of a hold, its final capture.")
    expires_at: DateTime | None = strawberry.field(description="Of a hold, when it expires, if it does.")

    is_type_of = is_row(TransactionRow)

    @strawberry.field(description="How much it moves.", graphql_type=Money)
    @staticmethod
    def amount(root: Any) -> money.Money:
        return money.Money(root.amount, root.currency)

    @strawberry.field(description="Of a hold, what was captured so far; zero otherwise.", graphql_type=Money)
    @staticmethod
    def captured_amount(root: Any) -> money.Money:
        return money.Money(root.captured, root.currency)

    @strawberry.field(
        description="The hold that this captures.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    async def parent(root: Any, info: Info) -> TransactionRow | None:
        return await info.context.loaders.transaction.load(root.parent_id) if root.parent_id else None

    @strawberry.field(
        description="The transaction that this takes back.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    async def reverses(root: Any, info: Info) -> TransactionRow | None:
        return await info.context.loaders.transaction.load(root.reverses_id) if root.reverses_id else None

    @strawberry.field(
        description="The transaction that takes this back.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    async def reversed_by(root: Any, info: Info) -> TransactionRow | None:
        return await info.context.loaders.reversal.load(root.id)

    @strawberry.field(description="Its number for people: 26 letters and digits, unique, the same wherever it is shown.")
    @staticmethod
    def reference(root: Any) -> str:
        return reference(root.id)

    @strawberry.field(name="from", description="Whom the money comes from.")
    @staticmethod
    async def from_(root: Any, info: Info) -> Counterparty:
        return Counterparty.of(await info.context.loaders.counterparty.load(root.from_account_id))

    @strawberry.field(description="Whom the money goes to.")
    @staticmethod
    async def to(root: Any, info: Info) -> Counterparty:
        return Counterparty.of(await info.context.loaders.counterparty.load(root.to_account_id))

    @strawberry.field(
        description="Its effects on accounts that the viewer may see.",
        graphql_type=list[Annotated["Entry", strawberry.lazy("bank_graphql.api.types.transactions")]],
    )
    @staticmethod
    async def entries(root: Any, info: Info) -> list[EntryRow]:
        return await info.context.loaders.entries_of_transaction.load(root.id)


@strawberry.type(description="The effect of a transaction on one account.")
class Entry(Node):
    id: strawberry.ID = node_id("Entry")
    booked_at: DateTime = strawberry.field(description="When it was booked.")

    is_type_of = is_row(EntryRow)

    @strawberry.field(
        description="The account that it is on.",
        graphql_type=Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")],
    )
    @staticmethod
    async def account(root: Any, info: Info) -> AccountRow | None:
        return await info.context.loaders.account.load(root.account_id)

    @strawberry.field(description="The transaction that it belongs to.", graphql_type=Transaction)
    @staticmethod
    async def transaction(root: Any, info: Info) -> TransactionRow | None:
        return await info.context.loaders.transaction.load(root.transaction_id)

    @strawberry.field(description="Whether money came (CREDIT) or went (DEBIT).")
    @staticmethod
    def direction(root: Any) -> EntryDirection:
        return EntryDirection.CREDIT if root.amount > 0 else EntryDirection.DEBIT

    @strawberry.field(description="How much, signed: negative is a debit of the account.", graphql_type=Money)
    @staticmethod
    def amount(root: Any) -> money.Money:
        return money.Money(root.amount, root.currency)

    @strawberry.field(description="The account's booked balance right after it.", graphql_type=Money)
    @staticmethod
    def balance_after(root: Any) -> money.Money:
        return money.Money(root.balance_after, root.currency)

    @strawberry.field(description="Who is on the transaction's other side.")
    @staticmethod
    async def counterparty(root: Any, info: Info) -> Counterparty:
        return Counterparty.of(await info.context.loaders.counterparty.load(root.counterparty_id))
