"""Rejections: the union members that refusals become, and the table that maps each refusal to its rejection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry

from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.accounts.queries import TransactionRow
from bank_graphql.api.context import Info
from bank_graphql.api.types.approvals import Approval
from bank_graphql.api.types.cards import SpendingLimit
from bank_graphql.api.types.enums import AccountStatus, CurrencyCode, StateConflictCode, StepUpFactor
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.approvals import queries as approvals
from bank_graphql.approvals.errors import ApprovalRequired
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.cards.rules import SpentLimit
from bank_graphql.identity.errors import CredentialsRefused, StepUpRequired
from bank_graphql.kit import money
from bank_graphql.kit.conflicts import StateConflict
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal, ValidationFailed
from bank_graphql.kit.ids import global_id
from bank_graphql.ledger.errors import CurrencyMismatch, InsufficientFunds
from bank_graphql.payments.errors import BatchAborted, DelegateLimitExceeded, IdempotencyConflict, PaymentApprovalRequired
from bank_graphql.payments.request_queries import PaymentRequestRow, payment_request


@strawberry.interface(
    description="An expected refusal. Select it in every result, because unions may get further members that implement it."
)
class Rejection:
    message: str = strawberry.field(description="A sentence for people.")


@strawberry.type(description="One thing that is wrong with one input field.")
class FieldError:
    path: list[str] = strawberry.field(description="Where the field is in the input, outermost name first.")
    code: str = strawberry.field(description="A stable word for programs, e.g. REQUIRED, TOO_LONG, TAKEN.")
    message: str = strawberry.field(description="A sentence for people.")


@strawberry.type(description="The input breaks a rule.")
class ValidationRejection(Rejection):
    fields: list[FieldError] = strawberry.field(description="Every problem that was found.")


@strawberry.type(description="The object does not exist, or is not visible to the viewer.")
class NotFoundRejection(Rejection):
    subject_id: strawberry.ID | None = strawberry.field(description="The id that was requested. Null if it was not named by id.")


@strawberry.type(description="The object is visible to the viewer, who is not allowed to do this.")
class ForbiddenRejection(Rejection):
    pass


@strawberry.type(description="The credentials are not valid. For security it is not said which part is wrong.")
class CredentialsRejection(Rejection):
    pass


@strawberry.type(
    description="The viewer is to prove again who they are: call `stepUp` with the challenge, then send the request again, with "
    "the same idempotency key if it has one."
)
class StepUpRequiredRejection(Rejection):
    @strawberry.field(description="For `stepUp`, in this session, within five minutes.")
    @staticmethod
    async def challenge(info: Info) -> str:
        return (await info.context.services.step_up.challenge(info.context.viewer)).token

    @strawberry.field(description="With what the viewer is to prove it.")
    @staticmethod
    async def factor(info: Info) -> StepUpFactor:
        return (await info.context.services.step_up.challenge(info.context.viewer)).factor


@strawberry.type(description="The account's available balance does not cover the amount.")
class InsufficientFundsRejection(Rejection):
    available: money.Money = strawberry.field(graphql_type=Money, description="The available balance.")
    required: money.Money = strawberry.field(graphql_type=Money, description="The amount that was required.")


@strawberry.type(description="The amount is in another currency than the account.")
class CurrencyMismatchRejection(Rejection):
    expected: CurrencyCode = strawberry.field(description="The account's currency.")
    given: CurrencyCode = strawberry.field(description="The currency that was given.")


@strawberry.type(description="The account's status does not allow this.")
class AccountStatusRejection(Rejection):
    account_id: strawberry.ID = strawberry.field(description="The account.")
    account_status: AccountStatus = strawberry.field(description="Its status.")


@strawberry.type(description="The state of the object does not allow this.")
class StateConflictRejection(Rejection):
    conflict: StateConflictCode = strawberry.field(description="The rule that is broken.")
    state: str = strawberry.field(description="The present state of the object, usually a status.")


@strawberry.type(description="The amount exceeds a spending limit of the card, or what a member may pay a day from the account.")
class LimitExceededRejection(Rejection):
    limit: SpentLimit = strawberry.field(graphql_type=SpendingLimit, description="The limit, with what had been spent of it.")


@strawberry.type(description="The idempotency key was used before, for another request.")
class IdempotencyConflictRejection(Rejection):
    original_id: strawberry.Private[UUID | None]

    @strawberry.field(
        description="The transaction that the key was used for. Null if it was used for something else, or it is not visible "
        "to the viewer.",
        graphql_type=Transaction | None,
    )
    async def original(self, info: Info) -> TransactionRow | None:
        return await info.context.loader(info.context.readers.transaction).load(self.original_id) if self.original_id else None


@strawberry.type(description="Another item of the atomic batch was refused, so no item took effect.")
class BatchAbortedRejection(Rejection):
    index: int = strawberry.field(description="The index of the first item that was refused, counted from 0.")


@strawberry.type(
    description="Somebody else is to approve this. What staff request waits in `approvals`; what a program is to pay, for the "
    "owner of the account, with the money held. Sent again by the same user, and with the same key if it has one, the request "
    "gets the same answer until it is decided."
)
class ApprovalRequiredRejection(Rejection):
    approval_id: strawberry.Private[UUID]

    @strawberry.field(description="The proposal that the request has become.", graphql_type=Approval)
    async def approval(self, info: Info) -> ApprovalRow | PaymentRequestRow | None:
        db, viewer = info.context.services.db, info.context.viewer
        requested = await payment_request(db, viewer, self.approval_id)
        return requested or await approvals.approval(db, self.approval_id)


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a kind of refusal becomes a rejection."""

    rejection: type[Rejection]
    fields: Callable[[Any], dict[str, Any]]


REJECTIONS: dict[type[Refusal], Mapping] = {
    ValidationFailed: Mapping(
        ValidationRejection,
        lambda e: {"fields": [FieldError(path=list(p.path), code=p.code, message=p.message) for p in e.problems]},
    ),
    NotFound: Mapping(NotFoundRejection, lambda e: {"subject_id": e.subject_id}),
    Forbidden: Mapping(ForbiddenRejection, lambda _: {}),
    CredentialsRefused: Mapping(CredentialsRejection, lambda _: {}),
    StepUpRequired: Mapping(StepUpRequiredRejection, lambda _: {}),
    ApprovalRequired: Mapping(ApprovalRequiredRejection, lambda e: {"approval_id": e.approval_id}),
    PaymentApprovalRequired: Mapping(ApprovalRequiredRejection, lambda e: {"approval_id": e.approval_id}),
    InsufficientFunds: Mapping(InsufficientFundsRejection, lambda e: {"available": e.available, "required": e.required}),
    CurrencyMismatch: Mapping(CurrencyMismatchRejection, lambda e: {"expected": e.expected, "given": e.given}),
    AccountStatusRefused: Mapping(
        AccountStatusRejection,
        lambda e: {"account_id": global_id("Account", e.account_id), "account_status": e.status},
    ),
    LimitExceeded: Mapping(LimitExceededRejection, lambda e: {"limit": SpentLimit(e.time_window, e.amount, e.spent)}),
    DelegateLimitExceeded: Mapping(LimitExceededRejection, lambda e: {"limit": SpentLimit(e.time_window, e.amount, e.spent)}),
    StateConflict: Mapping(StateConflictRejection, lambda e: {"conflict": e.conflict, "state": e.state}),
    BatchAborted: Mapping(BatchAbortedRejection, lambda e: {"index": e.index}),
    IdempotencyConflict: Mapping(IdempotencyConflictRejection, lambda e: {"original_id": e.original}),
}
"""The rejection that each refusal becomes."""


def rejection_of(refusal: Refusal) -> Rejection:
    """Return the rejection of a refusal."""
    mapping = REJECTIONS[type(refusal)]
    return mapping.rejection(message=str(refusal), **mapping.fields(refusal))


class _Handler:
    """Turns one kind of refusal into its rejection, in fields whose union has that."""

    def __init__(self, refusal: type[Refusal], mapping: Mapping) -> None:
        self.exception_type = refusal
        self.error_type = mapping.rejection

    def handle(self, exception: Refusal, *, field: object, info: object) -> Rejection:  # noqa: ARG002 - Strawberry's protocol
        return rejection_of(exception)


HANDLERS = [_Handler(refusal, mapping) for refusal, mapping in REJECTIONS.items()]
"""A handler for each row of the table: Strawberry applies one only where its exact rejection is in the field's union."""
