"""Makes the command that decides about a payment which a program requested."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.money import Money
from bank_graphql.kit.statements import Reads
from bank_graphql.payments.commands import DecidePayment, Destination, Transfer
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Outcome
from bank_graphql.payments.request_queries import PaymentRequestRow, waiting_of

Execute = Callable[[Group], Awaitable[list[Outcome]]]


async def reject_waiting(db: Reads, execute: Execute, actor: Actor, grant_id: UUID) -> None:
    """Reject the payments of a program that wait for a decision of the actor, because its grant has ended."""
    waiting = await waiting_of(db, actor, grant_id)
    await execute(Group(tuple(decision_of(actor, each, approve=False) for each in waiting), atomic=False))


def decision_of(actor: Actor, requested: PaymentRequestRow, *, approve: bool) -> DecidePayment:
    """Return the command with which somebody approves a requested payment, or rejects it. What was requested never changes.

    Raises:
        StateConflict: `WRONG_STATUS`: the program has no access any more, so its payment can only be rejected.
    """
    if approve and requested.is_revoked and requested.status == "PENDING":
        message = "The program has no access any more: reject its payment, and make it yourself if it is right."
        raise StateConflict(StateConflictCode.WRONG_STATUS, "REVOKED", message)
    if requested.to_number is not None:
        to = Destination(external=ExternalAccount(requested.to_number, requested.to_name or ""))
    else:
        to = Destination(account_id=requested.to_account_id)
    payment = Transfer(
        actor=actor,
        key=None,
        from_account_id=requested.account_id,
        to=to,
        amount=Money(requested.amount, requested.currency),
        description=requested.description,
        end_to_end_id=requested.end_to_end_id,
    )
    return DecidePayment(
        actor=actor,
        key=None,
        request_id=requested.id,
        account_id=requested.account_id,
        hold_id=requested.hold_id,
        payment=payment if approve else None,
    )
