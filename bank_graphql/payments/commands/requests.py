"""Payments that a program may not make by itself: their money is held, and the account's owner decides."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.access import Delegate
from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionStatus
from bank_graphql.ledger.rules import AccountState
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.delegate_state import DecidedRequest, NewPaymentRequest
from bank_graphql.payments.enums import PaymentRequestStatus
from bank_graphql.payments.errors import PaymentApprovalRequired
from bank_graphql.payments.outcomes import Decision, Declined, Moved
from bank_graphql.payments.state import BatchState

MAX_WAITING = 20
"""How many payments of a program may wait for approval, so that a program that has gone wrong does not hold all the money."""
RESERVED = "Waits for approval"
"""The description of a hold for a payment that waits."""


def request_approval(
    delegate: Delegate,
    source: AccountState,
    target: AccountState | ExternalAccount,
    amount: Money,
    reason: str,
    state: BatchState,
    *,
    description: str | None,
    end_to_end_id: str | None,
) -> Declined:
    """Hold the money of a program's payment, its fee too, and have the owner decide.

    Args:
        delegate: the program.
        source: the account that pays.
        target: the account that is paid.
        amount: the amount.
        reason: why the program may not pay by itself.
        state: the state of the batch.
        description: the description of the payment.
        end_to_end_id: the payer's name for a payment to another bank.

    Raises:
        Forbidden: `MAX_WAITING` payments of the program wait already.
        InsufficientFunds: the money is not there.
    """
    if delegate.program is None:
        raise TypeError("a member needs no approval")
    waiting = delegate.program.waiting + sum(each.grant_id == delegate.id for each in state.delegates.new_requests)
    if waiting >= MAX_WAITING:
        raise Forbidden(f"{MAX_WAITING} payments of this program wait for approval already.")
    is_external = isinstance(target, ExternalAccount)
    fee = state.fees_of(source.account_id).external_transfer if is_external else 0
    suspense = state.ledger.internal_account(Purpose.SUSPENSE, source.currency, state.now)
    held, expires_at = Money(amount.minor + fee, amount.currency), state.now + state.approval_lasts
    hold = state.ledger.place_hold(source, suspense, held, RESERVED, state.now, expires_at=expires_at)
    request = NewPaymentRequest(
        id=new_id(),
        grant_id=delegate.id,
        user_id=delegate.program.user_id,
        account_id=source.account_id,
        hold_id=hold.id,
        to_account_id=None if isinstance(target, ExternalAccount) else target.account_id,
        to_number=target.number if isinstance(target, ExternalAccount) else None,
        to_name=target.name if isinstance(target, ExternalAccount) else None,
        amount=amount.minor,
        currency=amount.currency,
        description=description,
        end_to_end_id=end_to_end_id,
        reason=reason,
        status=PaymentRequestStatus.PENDING,
        created_at=state.now,
        expires_at=expires_at,
    )
    state.delegates.new_requests.append(request)
    return Declined(PaymentApprovalRequired(request.id, reason), hold.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidePayment(Command):
    """Approve a payment that a program requested, which is made then, or reject it.

    Attributes:
        request_id: the request.
        account_id: the account that pays.
        hold_id: the hold on its money.
        payment: makes the payment for whoever approves it; None to reject it.
    """

    request_id: UUID
    account_id: UUID
    hold_id: UUID
    payment: Command | None

    action = "decide"

    @property
    def audited(self) -> tuple[UUID | None, str | None]:
        """The request, and what was decided."""
        return self.request_id, PaymentRequestStatus.REJECTED if self.payment is None else PaymentRequestStatus.APPROVED

    def targets(self) -> Targets:
        """Return the hold, and what the payment names."""
        named = Targets(accounts=(self.account_id,)) if self.payment is None else self.payment.targets()
        return named._replace(transactions=(self.hold_id,))

    def decide(self, state: BatchState) -> Decision:
        """Release the hold, and make the payment if it is approved.

        Raises:
            NotFound, Forbidden: the account is not visible to the actor, who does not own it.
            StateConflict: `WRONG_STATUS`: the request was decided, or has expired.
            Refusal: as `Transfer`; the request waits on then.
        """
        access = state.access(self.actor, self.account_id)
        if not access.is_visible:
            raise NotFound("approval", global_id("Approval", self.request_id))
        if not access.is_owner:
            raise Forbidden("Only the account's owners decide about payments of programs.")
        hold = state.ledger.transactions[self.hold_id]
        state.expire_if_due(hold)
        if hold.status != TransactionStatus.PENDING:
            status = "EXPIRED" if hold.status == TransactionStatus.EXPIRED else "DECIDED"
            message = "The request has expired." if status == "EXPIRED" else "The request was decided already."
            raise StateConflict(StateConflictCode.WRONG_STATUS, status, message)
        savepoint = state.savepoint()
        state.ledger.release_hold(hold, state.now)
        made = Moved(hold.id, hold)
        if self.payment is not None:
            try:
                decision = self.payment.decide(state)
            except Refusal:
                state.roll_back(savepoint)
                raise
            if not isinstance(decision, Moved):
                raise TypeError(type(decision))
            made = decision
        status = PaymentRequestStatus.REJECTED if self.payment is None else PaymentRequestStatus.APPROVED
        paid = None if self.payment is None else made.transaction_id
        state.delegates.decided.append(DecidedRequest(self.request_id, status, self.actor.user_id, state.now, paid))
        return made
