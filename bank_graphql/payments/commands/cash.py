"""Cash paid in to an account, or out of it."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Forbidden
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.rules import internal_account_id
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState, require_currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit(Command):
    """Pay cash in to an account."""

    account_id: UUID
    amount: Money
    description: str | None = None

    action = "deposit"

    def targets(self) -> Targets:
        """Return the account and the bank's cash account."""
        return Targets(accounts=(self.account_id, internal_account_id(Purpose.CASH, self.amount.currency)))

    def decide(self, state: BatchState) -> Decision:
        """Post the deposit.

        Raises:
            NotFound: the account is not visible.
            Forbidden: the actor may not handle its cash.
            CurrencyMismatch: the amount is in another currency.
            AccountStatusRefused: the account is closed.
            ValidationFailed: `TOO_LARGE`: a balance would exceed the largest one.
        """
        account = state.visible_account(self.actor, self.account_id)
        _require_cash_allowed(self.actor, self.account_id, state)
        require_currency(account, self.amount)
        state.refuse_status(self.account_id, AccountStatus.CLOSED)
        cash = state.ledger.internal_account(Purpose.CASH, account.currency, state.now)
        posted = state.ledger.post(TransactionKind.DEPOSIT, cash, account, self.amount, self.description, state.now)
        return Moved(posted.id, posted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """Pay cash out of an account."""

    account_id: UUID
    amount: Money
    description: str | None = None

    action = "withdraw"

    def targets(self) -> Targets:
        """Return the account and the bank's cash account."""
        return Targets(accounts=(self.account_id, internal_account_id(Purpose.CASH, self.amount.currency)))

    def decide(self, state: BatchState) -> Decision:
        """Post the withdrawal.

        Raises:
            NotFound: the account is not visible.
            Forbidden: the actor may not handle its cash.
            CurrencyMismatch: the amount is in another currency.
            AccountStatusRefused: the account is closed or frozen.
            InsufficientFunds, ValidationFailed: as `LedgerState.check_funds`.
        """
        account = state.visible_account(self.actor, self.account_id)
        _require_cash_allowed(self.actor, self.account_id, state)
        require_currency(account, self.amount)
        state.refuse_status(self.account_id, AccountStatus.CLOSED, AccountStatus.FROZEN)
        cash = state.ledger.internal_account(Purpose.CASH, account.currency, state.now)
        posted = state.ledger.post(TransactionKind.WITHDRAWAL, account, cash, self.amount, self.description, state.now)
        return Moved(posted.id, posted)


def _require_cash_allowed(actor: Actor, account_id: UUID, state: BatchState) -> None:
    """Check that the actor may pay cash in or out: staff for customers' accounts, in a sandbox owners for their own.

    Raises:
        Forbidden: the actor may not.
    """
    access = state.access(actor, account_id)
    if access.is_party:
        if not (access.is_owner and state.sandbox):
            raise Forbidden("Only a teller may pay cash in or out, and not for an account of their own.")
    elif not actor.is_allowed(Permission.HANDLE_CASH):
        raise Forbidden("Only a teller may pay cash in or out.")
