"""Proposals of staff, which others of them decide."""

from uuid import UUID

import strawberry

from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.enums import ApprovalKind, UserRole
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.api.types.users import User
from bank_graphql.approvals.enums import ApprovalKind as ProposalKind
from bank_graphql.approvals.enums import ApprovalStatus
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.payments.request_queries import PaymentRequestRow

ApprovalLike = ApprovalRow | PaymentRequestRow


@strawberry.type(
    description="What a member of staff proposes, and another one decides; or a payment of a program, about which its owner "
    "decides. What is proposed never changes. Once approved, it is executed as its proposer, who must still be allowed to do "
    "it; a payment as whoever approves it."
)
class Approval(Node):
    id: strawberry.ID = node_id("Approval")
    kind: ApprovalKind = strawberry.field(description="What is proposed.")
    status: ApprovalStatus = strawberry.field(description="What became of it.")
    reason: str | None = strawberry.field(
        description="The reason that its proposer gave, for a reversal; or why a program may not make the payment by itself."
    )
    refusal: str | None = strawberry.field(description="Why it could not be executed, if it FAILED: a sentence for people.")
    created_at: DateTime = strawberry.field(description="When it was proposed.")
    expires_at: DateTime = strawberry.field(description="Until when it can be approved.")
    decided_at: DateTime | None = strawberry.field(description="When it was decided. Null if it was not.")

    is_type_of = backed_by(ApprovalRow, PaymentRequestRow)

    @strawberry.field(description="The role that the user is to get.", graphql_type=UserRole | None)
    @staticmethod
    def role(root: ApprovalLike) -> UserRole | None:
        return UserRole(root.role) if isinstance(root, ApprovalRow) and root.role else None

    @strawberry.field(description="The overdraft limit that the account is to get.", graphql_type=Money | None)
    @staticmethod
    def limit(root: ApprovalLike) -> money.Money | None:
        if not isinstance(root, ApprovalRow) or root.amount is None or root.currency is None:
            return None
        return money.Money(root.amount, root.currency)

    @loaded_field(
        lambda readers: readers.user,
        description="Who proposes it. Of a program's payment, whoever lets the program act.",
        graphql_type=User | None,
    )
    @staticmethod
    def proposed_by(root: ApprovalLike) -> UUID | None:
        return root.proposed_by if isinstance(root, ApprovalRow) else root.user_id

    @loaded_field(lambda readers: readers.user, description="Who decided it. Null if nobody did.", graphql_type=User | None)
    @staticmethod
    def decided_by(root: ApprovalLike) -> UUID | None:
        return root.decided_by

    @loaded_field(lambda readers: readers.user, description="The user whose role is to change.", graphql_type=User | None)
    @staticmethod
    def user(root: ApprovalLike) -> UUID | None:
        return _subject(root, ProposalKind.SET_USER_ROLE)

    @loaded_field(
        lambda readers: readers.account,
        description="The account whose overdraft limit is to change, or from which a program pays.",
        graphql_type=Account | None,
    )
    @staticmethod
    def account(root: ApprovalLike) -> UUID | None:
        return root.account_id if isinstance(root, PaymentRequestRow) else _subject(root, ProposalKind.SET_OVERDRAFT_LIMIT)

    @loaded_field(
        lambda readers: readers.transaction,
        description="The transaction that is to be reversed; or the payment of a program, once it was approved.",
        graphql_type=Transaction | None,
    )
    @staticmethod
    def transaction(root: ApprovalLike) -> UUID | None:
        return root.transaction_id if isinstance(root, PaymentRequestRow) else _subject(root, ProposalKind.REVERSE_TRANSACTION)

    @loaded_field(
        lambda readers: readers.transaction,
        description="The hold on the money that a reversal is to debit from a customer, or that a program is to pay.",
        graphql_type=Transaction | None,
    )
    @staticmethod
    def hold(root: ApprovalLike) -> UUID | None:
        return root.hold_id

    @strawberry.field(description="What a program is to pay. Null for what staff propose.", graphql_type=Money | None)
    @staticmethod
    def amount(root: ApprovalLike) -> money.Money | None:
        return money.Money(root.amount, root.currency) if isinstance(root, PaymentRequestRow) else None

    @strawberry.field(description="Whom a program is to pay. Null for what staff propose.", graphql_type=str | None)
    @staticmethod
    def payee_name(root: ApprovalLike) -> str | None:
        return root.payee_name if isinstance(root, PaymentRequestRow) else None

    @strawberry.field(
        description="The number of the account that a program is to pay; of one at this bank, the last four characters.",
        graphql_type=str | None,
    )
    @staticmethod
    def payee_number(root: ApprovalLike) -> str | None:
        return root.payee_number if isinstance(root, PaymentRequestRow) else None

    @strawberry.field(description="The description of a program's payment.", graphql_type=str | None)
    @staticmethod
    def description(root: ApprovalLike) -> str | None:
        return root.description if isinstance(root, PaymentRequestRow) else None


def _subject(root: ApprovalLike, kind: ProposalKind) -> UUID | None:
    """Return what a proposal of staff is about, if it is of this kind."""
    return root.subject_id if isinstance(root, ApprovalRow) and root.kind == kind else None
