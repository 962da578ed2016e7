"""Payments through the clearing: those that left are settled or come back, others arrive."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.access import NONE
from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.clearing.enums import SandboxNumber
from bank_graphql.clearing.rules import FAILS_FOR, RETURNS_FOR, ExternalAccount, ExternalPayment, Received
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden, ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.rules import TransactionState, internal_account_id
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.commands.transfers import Destination
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState, require_currency


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleTransfer(Command):
    """Post a transfer that left the bank."""

    transaction_id: UUID

    action = "settleTransfer"

    def targets(self) -> Targets:
        """Return the transfer."""
        return Targets(transactions=(self.transaction_id,))

    def decide(self, state: BatchState) -> Decision:
        """Post the transfer.

        Raises:
            NotFound, Forbidden, StateConflict: as `_sent`; `ALREADY_SETTLED`, `ALREADY_RETURNED`.
        """
        transfer, payment = _sent(self.actor, self.transaction_id, state)
        if transfer.status != TransactionStatus.PENDING:
            was_settled = transfer.status == TransactionStatus.POSTED and not payment.is_returned
            code = StateConflictCode.ALREADY_SETTLED if was_settled else StateConflictCode.ALREADY_RETURNED
            raise StateConflict(code, transfer.status, f"The transfer was {'settled' if was_settled else 'returned'} already.")
        return _settle(transfer, payment, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnTransfer(Command):
    """Return a transfer that left the bank: void it, or if it was settled, post another transfer that brings the money back."""

    transaction_id: UUID
    reason: str

    action = "returnTransfer"

    def targets(self) -> Targets:
        """Return the transfer, and the suspense account of its currency."""
        return Targets(transactions=(self.transaction_id,), suspends=True)

    def decide(self, state: BatchState) -> Decision:
        """Void the transfer, or post its return.

        Raises:
            NotFound, Forbidden, StateConflict: as `_sent`; `ALREADY_RETURNED`.
        """
        transfer, payment = _sent(self.actor, self.transaction_id, state)
        if payment.is_returned or transfer.status == TransactionStatus.VOIDED:
            message = "The transfer was returned already."
            raise StateConflict(StateConflictCode.ALREADY_RETURNED, transfer.status, message)
        return _return(transfer, payment, self.reason, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveTransfer(Command):
    """Credit an account with a payment from another bank, once for each reference of that bank."""

    account_number: str
    amount: Money
    sender: ExternalAccount
    reference: str
    description: str | None = None

    action = "receiveTransfer"

    def targets(self) -> Targets:
        """Return the account, the bank's clearing account, and the reference."""
        return Targets(
            accounts=(internal_account_id(Purpose.CLEARING, self.amount.currency),),
            numbers=(self.account_number,),
            references=((self.sender.bank, self.reference),),
        )

    def decide(self, state: BatchState) -> Decision:
        """Post the transfer; or return the one that was posted before with the same reference.

        Raises:
            Forbidden: the actor is not the clearing.
            NotFound, AccountStatusRefused, CurrencyMismatch: there is no such account that may be credited.
            ValidationFailed: `OWN_BANK`: the sender's account is at this bank; `TOO_LARGE`.
            StateConflict: `ALREADY_RECEIVED`: another payment has the reference.
        """
        account_id = state.numbers.get(self.account_number)
        _require_clearing(self.actor, account_id, state)
        if state.clearing.policy.is_own_number(self.sender.number):
            raise ValidationFailed.of("fromAccountNumber", "OWN_BANK", "This is an account at this bank: use transfer.")
        before = state.clearing.received.get((self.sender.bank, self.reference))
        if before is not None:
            if before != (before.transaction_id, account_id, self.amount, self.sender):
                message = "Another payment with this reference was received from this bank."
                raise StateConflict(StateConflictCode.ALREADY_RECEIVED, TransactionStatus.POSTED, message)
            return Moved(before.transaction_id, state.ledger.transactions[before.transaction_id], replayed=True)
        account = Destination(account_number=self.account_number).account(self.actor, state)
        require_currency(account, self.amount)
        clearing = state.ledger.internal_account(Purpose.CLEARING, account.currency, state.now)
        posted = state.ledger.post(TransactionKind.TRANSFER, clearing, account, self.amount, self.description, state.now)
        state.clearing.receive(self.reference, Received(posted.id, account.account_id, self.amount, self.sender))
        return Moved(posted.id, posted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearTransfer(Command):
    """Do what the clearing of a sandbox does by itself: settle a transfer that left the bank, or return it."""

    transaction_id: UUID

    action = "clearTransfer"

    def targets(self) -> Targets:
        """Return the transfer, and the suspense account of its currency."""
        return Targets(transactions=(self.transaction_id,), suspends=True)

    def decide(self, state: BatchState) -> Decision:
        """Settle or return the transfer.

        Raises:
            StateConflict: `WRONG_STATUS`: it is not due.
        """
        transfer, payment = state.ledger.transactions[self.transaction_id], state.clearing.payments[self.transaction_id]
        if payment.clears_at is None or payment.clears_at > state.now:
            raise StateConflict(StateConflictCode.WRONG_STATUS, transfer.status, "The transfer is not due.")
        if transfer.status == TransactionStatus.POSTED:
            return _return(transfer, payment, RETURNS_FOR, state)
        if payment.account.number == SandboxNumber.FAILS:
            return _return(transfer, payment, FAILS_FOR, state)
        return _settle(transfer, payment, state)


def _sent(actor: Actor, transaction_id: UUID, state: BatchState) -> tuple[TransactionState, ExternalPayment]:
    """Return a transfer that left the bank, and what the clearing knows of it.

    Raises:
        NotFound, Forbidden: it is not visible; the actor is not the clearing.
        StateConflict: `NOT_EXTERNAL`: it did not leave the bank.
    """
    transfer = state.visible_transaction(actor, transaction_id)
    payment = state.clearing.payments.get(transaction_id)
    if payment is None or payment.settles_on is None:
        message = "This transaction is no payment to another bank."
        raise StateConflict(StateConflictCode.NOT_EXTERNAL, transfer.status, message)
    _require_clearing(actor, transfer.from_account_id, state)
    return transfer, payment


def _settle(transfer: TransactionState, payment: ExternalPayment, state: BatchState) -> Moved:
    state.ledger.settle(transfer, state.now)
    state.clearing.settle(payment, state.now)
    return Moved(transfer.id, transfer)


def _return(transfer: TransactionState, payment: ExternalPayment, reason: str, state: BatchState) -> Moved:
    """Void a transfer that is pending. The return of a settled one goes to a suspense account if the payer's is closed."""
    if transfer.status == TransactionStatus.PENDING:
        state.ledger.release_hold(transfer, state.now)
        state.clearing.void(payment, reason)
        return Moved(transfer.id, transfer)
    ledger, amount = state.ledger, Money(transfer.amount, transfer.currency)
    source, target = ledger.accounts[transfer.to_account_id], ledger.accounts[transfer.from_account_id]
    if state.customers[target.account_id].status == AccountStatus.CLOSED:
        target = ledger.internal_account(Purpose.SUSPENSE, transfer.currency, state.now)
    returning = ledger.post(TransactionKind.TRANSFER, source, target, amount, transfer.description, state.now, parent=transfer)
    state.clearing.add_return(payment, returning, reason)
    return Moved(returning.id, returning)


def _require_clearing(actor: Actor, account_id: UUID | None, state: BatchState) -> None:
    """Check that the actor is the clearing. In a sandbox the account's owner may play it.

    Raises:
        Forbidden: the actor is neither.
    """
    access = NONE if account_id is None else state.access(actor, account_id)
    if access.is_party:
        if not (access.is_owner and state.sandbox):
            raise Forbidden("This is for the clearing, and not for accounts of one's own.")
    elif not actor.is_allowed(Permission.PROCESS_CLEARING):
        also = " In a sandbox you may play it for accounts of your own." if state.sandbox else ""
        raise Forbidden(f"This is for the clearing.{also}")
