"""The clearing's part of a batch's state: the payments through it that commands name, and those of this batch. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from bank_graphql.clearing.rules import ClearingPolicy, ExternalAccount, ExternalPayment, Received
from bank_graphql.ledger.rules import TransactionState, restore_states


@dataclass(frozen=True, slots=True)
class ClearingSavepoint:
    """The clearing's part of a savepoint of a batch."""

    payments: dict[UUID, ExternalPayment]
    received: dict[tuple[str, str], Received]
    new_payments: int
    changed: tuple[UUID, ...]


class ClearingState:
    """The payments through the clearing of a batch, and what the batch adds to them; `clearing.service` writes it.

    Attributes:
        policy: how the bank clears payments.
        payments: payments through the clearing, by their transactions: those that commands name, and those of this batch.
        received: payments that arrived, by the bank and the reference that commands name.
        new_payments: the payments that the batch made.
        changed: earlier payments that this batch changed, by their transactions.
    """

    def __init__(
        self,
        policy: ClearingPolicy,
        payments: Iterable[ExternalPayment] = (),
        received: Mapping[tuple[str, str], Received] | None = None,
    ) -> None:
        self.policy = policy
        self.payments = {payment.transaction_id: payment for payment in payments}
        self.received = dict(received or {})
        self.new_payments: list[ExternalPayment] = []
        self.changed: dict[UUID, ExternalPayment] = {}

    def send(
        self,
        transfer: TransactionState,
        account: ExternalAccount,
        end_to_end_id: str | None,
        now: datetime,
        *,
        sandbox: bool,
    ) -> None:
        """Add a payment that leaves the bank. In a sandbox, the clearing acts on it by itself."""
        settles_on = self.policy.days.settlement_day(now)
        clears_at = self.policy.first_clears_at(account, settles_on) if sandbox else None
        self._add(ExternalPayment(transfer.id, account, end_to_end_id, settles_on, clears_at))

    def receive(self, reference: str, received: Received) -> None:
        """Add a payment that arrived."""
        self._add(ExternalPayment(received.transaction_id, received.sender, reference=reference))
        self.received[received.sender.bank, reference] = received

    def settle(self, payment: ExternalPayment, now: datetime) -> None:
        """Note that a payment is settled. In a sandbox, the clearing may return it later."""
        returns_at = self.policy.returns_at(payment.account, now)
        self._change(payment, None if payment.clears_at is None else returns_at)

    def void(self, payment: ExternalPayment, reason: str) -> None:
        """Note that a payment came back before it was settled."""
        payment.return_reason = reason
        self._change(payment, None)

    def add_return(self, payment: ExternalPayment, returning: TransactionState, reason: str) -> None:
        """Add the return of a settled payment."""
        self._add(ExternalPayment(returning.id, payment.account, returned_id=payment.transaction_id, return_reason=reason))
        payment.is_returned = True
        self._change(payment, None)

    def _add(self, payment: ExternalPayment) -> None:
        self.payments[payment.transaction_id] = payment
        self.new_payments.append(payment)

    def _change(self, payment: ExternalPayment, clears_at: datetime | None) -> None:
        payment.clears_at = clears_at
        self.changed[payment.transaction_id] = payment

    def savepoint(self) -> ClearingSavepoint:
        """Return what `roll_back` restores."""
        return ClearingSavepoint(
            {key: replace(payment) for key, payment in self.payments.items()},
            dict(self.received),
            len(self.new_payments),
            tuple(self.changed),
        )

    def roll_back(self, to: ClearingSavepoint) -> None:
        """Undo everything since the savepoint."""
        restore_states(self.payments, to.payments)
        self.received = dict(to.received)
        del self.new_payments[to.new_payments :]
        self.changed = {key: self.payments[key] for key in to.changed}
