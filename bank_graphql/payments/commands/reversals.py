"""Reversals: a posted transaction is reversed once, in full, by a transaction with the opposite entries."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import TransactionKind, TransactionStatus
from bank_graphql.payments import card_rules
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState

_NOT_REVERSIBLE = frozenset({TransactionKind.HOLD, TransactionKind.REVERSAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseTransaction(Command):
    """Reverse a posted transaction."""

    transaction_id: UUID
    reason: str

    action = "reverseTransaction"

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
        original = state.visible_transaction(self.actor, self.transaction_id)
        if not self.actor.is_allowed(Permission.REVERSE):
            raise Forbidden("Only staff may reverse transactions.")
        if any(state.is_owner(self.actor, side) for side in (original.from_account_id, original.to_account_id)):
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
        ledger = state.ledger
        source, target = ledger.accounts[original.to_account_id], ledger.accounts[original.from_account_id]
        amount = Money(original.amount, original.currency)
        posted = ledger.post(TransactionKind.REVERSAL, source, target, amount, self.reason, state.now, reverses=original)
        card_rules.adjust_for_reversal(original, state)
        return Moved(posted.id, posted)
