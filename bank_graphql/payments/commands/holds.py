"""Holds: money that is reserved for another account, then captured or released, or expires."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden, ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.ledger.rules import TransactionState, internal_account_id
from bank_graphql.payments import card_rules
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.commands.transfers import Destination, payment_accounts, require_inside, require_proof
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState

_ENDED = {
    TransactionStatus.POSTED: (StateConflictCode.ALREADY_CAPTURED, "The hold was captured already."),
    TransactionStatus.VOIDED: (StateConflictCode.ALREADY_RELEASED, "The hold was released already."),
    TransactionStatus.EXPIRED: (StateConflictCode.EXPIRED, "The hold has expired."),
    TransactionStatus.DECLINED: (StateConflictCode.WRONG_STATUS, "The authorisation was declined."),
}
"""Why a hold that is no longer pending can be neither captured nor released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold(Command):
    """Reserve money on an account of the actor for another account."""

    account_id: UUID
    to: Destination
    amount: Money
    expires_at: datetime | None = None
    description: str | None = None

    action = "placeHold"

    def targets(self) -> Targets:
        """Return both accounts."""
        return self.to.targets(self.account_id)

    def decide(self, state: BatchState) -> Decision:
        """Place the hold.

        Raises:
            Refusal: as `payment_accounts`, `DelegatesState.check_limit`, `LedgerState.check_funds`; or the expiry is past, or the
                payee's account is at another bank, where nobody could capture it.
        """
        source, target = payment_accounts(self.actor, self.account_id, self.to, self.amount, state)
        require_proof(self.actor, self.amount.minor, self.amount.currency, state)
        payee = require_inside(target)
        if self.expires_at is not None and self.expires_at <= state.now:
            raise ValidationFailed.of("expiresAt", "PAST", "A hold expires in the future.")
        state.delegates.check_limit(self.actor.user_id, source.account_id, self.amount)
        hold = state.ledger.place_hold(source, payee, self.amount, self.description, state.now, expires_at=self.expires_at)
        state.delegates.add_payment(self.actor.user_id, hold)
        return Moved(hold.id, hold)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureHold(Command):
    """Post what a hold reserves: the amount, or all that remains. Unless the capture is final, the rest stays reserved."""

    transaction_id: UUID
    amount: Money | None = None
    final: bool = True

    action = "captureHold"

    def targets(self) -> Targets:
        """Return the hold. A card's hold may be captured for more than it reserves, which counts toward limits."""
        return Targets(transactions=(self.transaction_id,), checks_limits=True)

    def decide(self, state: BatchState) -> Decision:
        """Post the capture.

        Raises:
            Refusal: as `_pending_hold`, the amount is in another currency or exceeds what remains, the payee is closed.
        """
        hold = _pending_hold(self.actor, self.transaction_id, state)
        amount = self.amount or Money(hold.remaining, hold.currency)
        if amount.currency != hold.currency:
            raise CurrencyMismatch(expected=hold.currency, given=amount.currency)
        if hold.id in state.cards.payments:
            card_rules.check_capture(self.actor, hold, amount, state)
            posted = state.ledger.capture_hold(hold, amount, state.now, final=self.final, kind=TransactionKind.CARD_PAYMENT)
            card_rules.add_capture(hold, posted, state)
            return Moved(posted.id, posted)
        if amount.minor > hold.remaining:
            remaining = Money(hold.remaining, hold.currency)
            raise StateConflict(StateConflictCode.OVER_CAPTURE, hold.status, f"Only {remaining} of the hold remain.")
        state.refuse_status(hold.to_account_id, AccountStatus.CLOSED)
        posted = state.ledger.capture_hold(hold, amount, state.now, final=self.final)
        return Moved(posted.id, posted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold(Command):
    """Release what a hold still reserves."""

    transaction_id: UUID

    action = "releaseHold"

    def targets(self) -> Targets:
        """Return the hold."""
        return Targets(transactions=(self.transaction_id,))

    def decide(self, state: BatchState) -> Decision:
        """Void the hold.

        Raises:
            Refusal: as `_pending_hold`.
        """
        hold = _pending_hold(self.actor, self.transaction_id, state)
        state.ledger.release_hold(hold, state.now)
        state.cards.adjust_for_hold(hold)
        return Moved(hold.id, hold)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireHold(Command):
    """Let a hold expire that is due. The bank does so by itself."""

    transaction_id: UUID

    action = "expireHold"

    def targets(self) -> Targets:
        """Return the hold."""
        return Targets(transactions=(self.transaction_id,))

    def decide(self, state: BatchState) -> Decision:
        """Expire the hold.

        Raises:
            StateConflict: `WRONG_STATUS`: it is not due, or no longer pending.
        """
        hold = state.ledger.transactions[self.transaction_id]
        if not state.expire_if_due(hold):
            raise StateConflict(StateConflictCode.WRONG_STATUS, hold.status, "The hold is not due.")
        return Moved(hold.id, hold)


def _pending_hold(actor: Actor, transaction_id: UUID, state: BatchState) -> TransactionState:
    """Return a hold that the actor may capture or release now. A hold that is due expires first.

    Raises:
        NotFound, Forbidden: it is not visible; the actor is neither the payee nor staff, or for a card's hold not the network.
        StateConflict: it is not a hold, or no longer pending.
    """
    hold = state.visible_transaction(actor, transaction_id)
    if hold.kind != TransactionKind.HOLD:
        raise StateConflict(StateConflictCode.NOT_A_HOLD, hold.status, "This transaction is not a hold.")
    if hold.to_account_id == internal_account_id(Purpose.SUSPENSE, hold.currency):
        raise Forbidden("This money waits for a decision: see decide.")
    if hold.id in state.cards.payments:
        card_rules.require_network(actor, hold.from_account_id, state)
    else:
        payee, payer = state.access(actor, hold.to_account_id), state.access(actor, hold.from_account_id)
        is_staff = actor.is_allowed(Permission.SETTLE_HOLDS) and not (payee.is_party or payer.is_party)
        if not (payee.may_pay or is_staff):
            raise Forbidden("Only the payee or staff may capture or release a hold.")
    state.expire_if_due(hold)
    if hold.status != TransactionStatus.PENDING:
        code, message = _ENDED[hold.status]
        raise StateConflict(code, hold.status, message)
    return hold
