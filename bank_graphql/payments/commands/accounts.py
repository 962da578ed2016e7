"""Opening an account, with an opening deposit if there is one."""

from dataclasses import dataclass

from bank_graphql.accounts.enums import AccountKind, AccountStatus
from bank_graphql.kit.errors import Forbidden
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import CURRENCY_DIGITS, Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.rules import AccountState, internal_account_id
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.outcomes import Decision, Opened
from bank_graphql.payments.state import BatchState, CustomerAccount, NewAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount(Command):
    """Open an account for the actor. The opening deposit is in minor units."""

    kind: AccountKind
    currency: str
    name: str
    opening_deposit: int | None = None

    action = "openAccount"

    def targets(self) -> Targets:
        """Return the owner, and the bank's cash account if there is an opening deposit."""
        cash = (internal_account_id(Purpose.CASH, self.currency),) if self.opening_deposit else ()
        return Targets(accounts=cash, owner=self.actor.user_id)

    def decide(self, state: BatchState) -> Decision:
        """Open the account, and post the opening deposit.

        Raises:
            Forbidden: the actor was closed a moment ago; or there is an opening deposit outside a sandbox: nobody handles cash
                for their own account.
            ValidationFailed: `TOO_LARGE`: the deposit exceeds the largest balance.
        """
        if self.actor.user_id in state.closed_users:
            raise Forbidden("The user is closed.")
        if self.opening_deposit and not state.sandbox:
            raise Forbidden("Leave the opening deposit out: only a teller may pay cash in, and not to an account of their own.")
        limit = state.credit_limit * 10 ** CURRENCY_DIGITS[self.currency] if self.kind == AccountKind.CREDIT else 0
        account = AccountState(new_id(), self.currency, None, 0, 0, limit, state.now)
        if self.opening_deposit:
            amount = Money(self.opening_deposit, self.currency)
            cash = state.ledger.internal_account(Purpose.CASH, self.currency, state.now)
            state.ledger.check_funds(cash, account, amount)
            state.ledger.open_account(account)
            state.ledger.post(TransactionKind.DEPOSIT, cash, account, amount, "Opening deposit", state.now)
        else:
            state.ledger.open_account(account)
        state.customers[account.account_id] = CustomerAccount(self.actor.user_id, AccountStatus.ACTIVE, self.kind)
        state.new_accounts.append(NewAccount(account.account_id, self.actor.user_id, self.name, self.kind))
        return Opened(account.account_id)
