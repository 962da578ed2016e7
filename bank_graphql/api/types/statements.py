"""Statements."""

from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.api.types.sources import StatementLike
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.statements.enums import ExportFormat
from bank_graphql.statements.queries import StatementRow

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account

_LINK = "A link to the statement as {}. Whoever has it can open it, without a token, for the next 14 to 15 minutes."


@strawberry.type(description="The statement of an account for a month. It never changes.")
class Statement(Node):
    id: strawberry.ID = node_id("Statement")
    number: int = strawberry.field(description="The number: 1 for the account's first statement, and one more for each next.")
    entry_count: int = strawberry.field(description="How many entries it has.")
    issued_at: DateTime = strawberry.field(
        description="When it was issued. Entries of its period that were booked later are in the next statement."
    )

    is_type_of = backed_by(StatementRow)

    @loaded_field(
        lambda readers: readers.account,
        description="The account.",
        graphql_type=Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")],
    )
    @staticmethod
    def account(root: StatementLike) -> UUID:
        return root.account_id

    @strawberry.field(
        name="from",
        description="The first day, in the bank's time zone: that of the month; for the first statement, that on which the "
        "account was opened.",
        graphql_type=date,
    )
    @staticmethod
    def from_(root: StatementLike) -> date:
        return root.from_date

    @strawberry.field(description="The last day: that of the month, or that on which the account was closed.", graphql_type=date)
    @staticmethod
    def to(root: StatementLike) -> date:
        return root.to_date

    @strawberry.field(
        description="The balance before its first entry: the closing balance of the statement before.", graphql_type=Money
    )
    @staticmethod
    def opening_balance(root: StatementLike) -> money.Money:
        return money.Money(root.opening_balance, root.currency)

    @strawberry.field(description="The balance after its last entry.", graphql_type=Money)
    @staticmethod
    def closing_balance(root: StatementLike) -> money.Money:
        return money.Money(root.closing_balance, root.currency)

    @strawberry.field(description="The sum of its credits.", graphql_type=Money)
    @staticmethod
    def total_credits(root: StatementLike) -> money.Money:
        return money.Money(int(root.total_credits), root.currency)

    @strawberry.field(description="The sum of its debits, as a positive amount.", graphql_type=Money)
    @staticmethod
    def total_debits(root: StatementLike) -> money.Money:
        return money.Money(int(root.total_debits), root.currency)

    @loaded_field(lambda readers: readers.statement_link, description=_LINK.format("PDF"), graphql_type=str)
    @staticmethod
    def pdf_url(root: StatementLike) -> tuple[UUID, ExportFormat]:
        return root.id, ExportFormat.PDF

    @loaded_field(lambda readers: readers.statement_link, description=_LINK.format("CSV (RFC 4180)"), graphql_type=str)
    @staticmethod
    def csv_url(root: StatementLike) -> tuple[UUID, ExportFormat]:
        return root.id, ExportFormat.CSV

    @loaded_field(
        lambda readers: readers.statement_link,
        name="camt053Url",
        description=_LINK.format("camt.053.001.08 (ISO 20022), for accounting software"),
        graphql_type=str,
    )
    @staticmethod
    def camt053_url(root: StatementLike) -> tuple[UUID, ExportFormat]:
        return root.id, ExportFormat.CAMT053
