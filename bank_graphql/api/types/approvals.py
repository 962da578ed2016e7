"""Proposals of staff, which others of them decide."""

from uuid import UUID

import strawberry

from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.enums import UserRole
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.api.types.users import User
from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money


@strawberry.type(
    description="What a member of staff proposes, and another one decides. What is proposed never changes. Once approved, it is "
    "executed as its proposer, who must still be allowed to do it."
)
class Approval(Node):
    id: strawberry.ID = node_id("Approval")
    kind: ApprovalKind = strawberry.field(description="What is proposed.")
    status: ApprovalStatus = strawberry.field(description="What became of it.")
    reason: str | None = strawberry.field(description="The reason that its proposer gave, for a reversal.")
    refusal: str | None = strawberry.field(description="Why it could not be executed, if it FAILED: a sentence for people.")
    created_at: DateTime = strawberry.field(description="When it was proposed.")
    expires_at: DateTime = strawberry.field(description="Until when it can be approved.")
    decided_at: DateTime | None = strawberry.field(description="When it was decided. Null if it was not.")

    is_type_of = backed_by(ApprovalRow)

    @strawberry.field(description="The role that the user is to get.", graphql_type=UserRole | None)
    @staticmethod
    def role(root: ApprovalRow) -> UserRole | None:
        return UserRole(root.role) if root.role else None

    @strawberry.field(description="The overdraft limit that the account is to get.", graphql_type=Money | None)
    @staticmethod
    def limit(root: ApprovalRow) -> money.Money | None:
        return money.Money(root.amount, root.currency) if root.amount is not None and root.currency is not None else None

    @loaded_field(lambda readers: readers.user, description="Who proposes it.", graphql_type=User | None)
    @staticmethod
    def proposed_by(root: ApprovalRow) -> UUID | None:
        return root.proposed_by

    @loaded_field(lambda readers: readers.user, description="Who decided it. Null if nobody did.", graphql_type=User | None)
    @staticmethod
    def decided_by(root: ApprovalRow) -> UUID | None:
        return root.decided_by

    @loaded_field(lambda readers: readers.user, description="The user whose role is to change.", graphql_type=User | None)
    @staticmethod
    def user(root: ApprovalRow) -> UUID | None:
        return root.subject_id if root.kind == ApprovalKind.SET_USER_ROLE else None

    @loaded_field(
        lambda readers: readers.account,
        description="The account whose overdraft limit is to change.",
        graphql_type=Account | None,
    )
    @staticmethod
    def account(root: ApprovalRow) -> UUID | None:
        return root.subject_id if root.kind == ApprovalKind.SET_OVERDRAFT_LIMIT else None

    @loaded_field(
        lambda readers: readers.transaction,
        description="The transaction that is to be reversed.",
        graphql_type=Transaction | None,
    )
    @staticmethod
    def transaction(root: ApprovalRow) -> UUID | None:
        return root.subject_id if root.kind == ApprovalKind.REVERSE_TRANSACTION else None

    @loaded_field(
        lambda readers: readers.transaction,
        description="The hold on the money that a reversal is to debit from a customer.",
        graphql_type=Transaction | None,
    )
    @staticmethod
    def hold(root: ApprovalRow) -> UUID | None:
        return root.hold_id
