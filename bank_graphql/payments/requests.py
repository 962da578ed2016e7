"""Makes the command that decides about a payment which a program requested."""

from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import DecidePayment, Destination, Transfer
from bank_graphql.payments.request_queries import PaymentRequestRow


def decision_of(actor: Actor, requested: PaymentRequestRow, *, approve: bool) -> DecidePayment:
    """Return the command with which somebody approves a requested payment, or rejects it. What was requested never changes."""
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
