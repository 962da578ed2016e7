"""Reversals: a posted transaction is reversed once, in full, by a transaction with the opposite entries.

Before one that is to be approved, the money that it will debit is held for the bank's suspense account: nobody can capture such a
hold, and only the bank itself releases it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.rules import TransactionState
from bank_graphql.payments import card_rules
from bank_graphql.payments.commands.base import Command, Key, Targets
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState

RESERVED = "Reserved until the bank has decided about a correction."
"""What the owner of the money reads about the hold; the reason is read once it is reversed."""
_NOT_REVERSIBLE = frozenset({TransactionKind.HOLD, TransactionKind.REVERSAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseTransaction(Command):
    """Reverse a posted transaction. What was approved is stored under a key of its approval, which no user can use."""

    transaction_id: UUID
    reason: str
    approval_id: UUID | None = None

    action = "reverseTransaction"

    @property
    def stored_key(self) -> Key | None:
        """The key under which the outcome is stored."""
        return Command.stored_key.__get__(self) if self.approval_id is None else (self.approval_id, self.action)

    def targets(self) -> Targets:
        """Return the transaction."""
        return Targets(transactions=(self.transaction_id,))

    def decide(self, state: BatchState) -> Decision:
        """Post the reversal.

        Raises:
            NotFound, Forbidden: the transaction is not visible; the actor is not staff, or owns one of its accounts.
            StateConflict: it cannot be reversed, was reversed before, or was refunded in part.
            AccountStatusRefused, InsufficientFunds: one of its accounts is closed, or the payee's lacks funds.
        """
        original = _reversible(self.actor, self.transaction_id, state)
        ledger = state.ledger
        source, target = ledger.accounts[original.to_account_id], ledger.accounts[original.from_account_id]
        amount = Money(original.amount, original.currency)
        posted = ledger.post(TransactionKind.REVERSAL, source, target, amount, self.reason, state.now, reverses=original)
        card_rules.adjust_for_reversal(original, state)
        return Moved(posted.id, posted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveReversal(Command):
    """Hold the money that a reversal will debit from a customer, until somebody has decided about it."""

    transaction_id: UUID
    reason: str
    until: datetime

    action = "reserveReversal"

    def targets(self) -> Targets:
        """Return the transaction, and the suspense account of its currency."""
        return Targets(transactions=(self.transaction_id,), suspends=True)

    def decide(self, state: BatchState) -> Decision:
        """Place the hold. If the reversal takes nothing from a customer, nothing is reserved, and the transaction is returned.

        Raises:
            Refusal: as `ReverseTransaction`.
        """
        original = _reversible(self.actor, self.transaction_id, state)
        if original.to_account_id not in state.customers:
            return Moved(original.id, original)
        ledger = state.ledger
        source = ledger.accounts[original.to_account_id]
        suspense = ledger.internal_account(Purpose.SUSPENSE, original.currency, state.now)
        amount = Money(original.amount, original.currency)
        hold = ledger.place_hold(source, suspense, amount, RESERVED, state.now, expires_at=self.until)
        return Moved(hold.id, hold)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReservation(Command):
    """Release what was reserved for a decision, unless it has expired. The bank does so by itself."""

    transaction_id: UUID

    action = "releaseReservation"

    def targets(self) -> Targets:
        """Return the hold."""
        return Targets(transactions=(self.transaction_id,))

    def decide(self, state: BatchState) -> Decision:
        """Void the hold, if it is pending."""
        hold = state.ledger.transactions[self.transaction_id]
        state.expire_if_due(hold)
        if hold.status == TransactionStatus.PENDING:
            state.ledger.release_hold(hold, state.now)
        return Moved(hold.id, hold)


def _reversible(actor: Actor, transaction_id: UUID, state: BatchState) -> TransactionState:
    """Return a transaction that the actor may reverse now. Raises as `ReverseTransaction`, but for funds."""
    original = state.visible_transaction(actor, transaction_id)
    if not actor.is_allowed(Permission.REVERSE):
        raise Forbidden("Only staff may reverse transactions.")
    if any(state.access(actor, side).is_party for side in (original.from_account_id, original.to_account_id)):
        raise Forbidden("Nobody may reverse a payment of their own.")
    is_external = original.id in state.clearing.payments  # what another bank has sent or got is corrected by returns
    if original.kind in _NOT_REVERSIBLE or original.status != TransactionStatus.POSTED or is_external:
        message = "A payment to another bank is returned, not reversed." if is_external else "It cannot be reversed."
        raise StateConflict(StateConflictCode.NOT_REVERSIBLE, original.status, message)
    if original.is_reversed:
        message = "The transaction was reversed already."
        raise StateConflict(StateConflictCode.ALREADY_REVERSED, original.status, message)
    card_rules.check_reversal(original, state)
    # The payee may be frozen: unfreezing the account first would open a window for a withdrawal.
    for account_id in (original.to_account_id, original.from_account_id):
        if account_id in state.customers:
            state.refuse_status(account_id, AccountStatus.CLOSED)
    return original
