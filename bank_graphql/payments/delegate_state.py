"""The delegates' part of a batch's state: members and programs that use accounts of others, and what they pay. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from bank_graphql.accounts.access import Delegate
from bank_graphql.cards.enums import LimitWindow
from bank_graphql.kit.money import Money
from bank_graphql.ledger.rules import TransactionState
from bank_graphql.payments.enums import PaymentRequestStatus
from bank_graphql.payments.errors import DelegateLimitExceeded


class NewDelegatedPayment(NamedTuple):
    """A payment or a hold that a member or a program made; the amount in minor units."""

    transaction_id: UUID
    delegate_id: UUID
    day: date
    amount: int


class NewPaymentRequest(NamedTuple):
    """A payment that a program may not make by itself, and whose money is held until its owner decides. As the table has it."""

    id: UUID
    grant_id: UUID
    user_id: UUID
    account_id: UUID
    hold_id: UUID
    to_account_id: UUID | None
    to_number: str | None
    to_name: str | None
    amount: int
    currency: str
    description: str | None
    end_to_end_id: str | None
    reason: str
    status: PaymentRequestStatus
    created_at: datetime
    expires_at: datetime


class DecidedRequest(NamedTuple):
    """What an owner decided about a program's payment, and the transaction that it became."""

    id: UUID
    status: PaymentRequestStatus
    decided_by: UUID
    decided_at: datetime
    transaction_id: UUID | None


@dataclass(frozen=True, slots=True)
class DelegateSavepoint:
    """The delegates' part of a savepoint of a batch."""

    spent: dict[UUID, int]
    lengths: tuple[int, int, int]


class DelegatesState:
    """The members and programs that send the commands of a batch, and what they pay; `service` writes it.

    Attributes:
        today: the day of the batch in the bank's time zone, for limits.
        by_account: what each may do, by its actor and the account.
        spent: what was paid today, by membership or grant, in minor units. It is known of those that have a limit.
        new_payments: what the batch's commands paid.
        new_requests: the payments of programs that wait for a decision now.
        decided: the decisions about such payments.
    """

    def __init__(self, today: date, by_account: Mapping[tuple[UUID, UUID], Delegate], spent: Mapping[UUID, int]) -> None:
        self.today = today
        self.by_account = by_account
        self.spent = dict(spent)
        self.new_payments: list[NewDelegatedPayment] = []
        self.new_requests: list[NewPaymentRequest] = []
        self.decided: list[DecidedRequest] = []

    def of(self, actor_id: UUID, account_id: UUID) -> Delegate | None:
        """Return the actor as a member or a program that may use the account; None for anybody else."""
        return self.by_account.get((actor_id, account_id))

    def check_limit(self, actor_id: UUID, account_id: UUID, amount: Money) -> None:
        """Refuse an amount that a member may not pay today.

        Raises:
            DelegateLimitExceeded: it exceeds what remains of the limit.
        """
        delegate = self.of(actor_id, account_id)
        exceeded = None if delegate is None else self._exceeded(delegate, amount)
        if exceeded is not None:
            raise exceeded

    def needs_approval(self, delegate: Delegate, payee: UUID | str, amount: Money, *, is_large: bool) -> str | None:
        """Return why a program may not make a payment by itself, as a sentence; None if it may.

        Args:
            delegate: the program.
            payee: the account that is paid at this bank, or the number of one at another bank.
            amount: the amount.
            is_large: whether the amount requires a proof of who pays, which a program cannot give.
        """
        terms = delegate.program
        if terms is None:
            return None
        if terms.payees is not None and payee not in terms.payees:
            return "The grant does not name this payee."
        if terms.approval_above is not None and amount.minor > terms.approval_above:
            return f"The grant allows {Money(terms.approval_above, amount.currency)} in one payment."
        if (exceeded := self._exceeded(delegate, amount)) is not None:
            return f"The grant allows {exceeded.amount} a day, and {exceeded.spent} are paid today."
        return "The amount is large." if is_large else None

    def add_payment(self, actor_id: UUID, made: TransactionState) -> None:
        """Count what a member or a program paid. Nothing is taken off when it is returned."""
        delegate = self.of(actor_id, made.from_account_id)
        if delegate is None:
            return
        self.spent[delegate.id] = self.spent.get(delegate.id, 0) + made.amount
        self.new_payments.append(NewDelegatedPayment(made.id, delegate.id, self.today, made.amount))

    def savepoint(self) -> DelegateSavepoint:
        """Return what `roll_back` restores."""
        return DelegateSavepoint(dict(self.spent), (len(self.new_payments), len(self.new_requests), len(self.decided)))

    def roll_back(self, to: DelegateSavepoint) -> None:
        """Undo everything since the savepoint."""
        self.spent = dict(to.spent)
        payments, requests, decided = to.lengths
        del self.new_payments[payments:]
        del self.new_requests[requests:]
        del self.decided[decided:]

    def _exceeded(self, delegate: Delegate, amount: Money) -> DelegateLimitExceeded | None:
        spent = self.spent.get(delegate.id, 0)
        if delegate.daily_limit is None or spent + amount.minor <= delegate.daily_limit:
            return None
        return DelegateLimitExceeded(LimitWindow.DAY, Money(delegate.daily_limit, amount.currency), Money(spent, amount.currency))
