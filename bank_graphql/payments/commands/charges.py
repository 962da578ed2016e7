"""Fees and interest, which the bank posts by itself."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.rules import AccountState, TransactionState, internal_account_id
from bank_graphql.payments.commands.base import Command, Key, Targets
from bank_graphql.payments.fees import NewDue
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState

_PURPOSES = {TransactionKind.FEE: Purpose.FEES, TransactionKind.INTEREST: Purpose.INTEREST}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDue(Command):
    """Post a fee or interest that is due, once however often this is sent. The customer pays a negative amount."""

    due_id: UUID
    account_id: UUID
    kind: TransactionKind
    amount: Money
    description: str

    action = "postDue"
    stores_refusals = False

    @property
    def stored_key(self) -> Key | None:
        """The key under which the outcome is stored: of what is due, so that no user can use it."""
        return self.due_id, self.action

    def targets(self) -> Targets:
        """Return the account, and the bank's account for fees or interest."""
        return Targets(accounts=(self.account_id, internal_account_id(_PURPOSES[self.kind], self.amount.currency)))

    def decide(self, state: BatchState) -> Decision:
        """Post it.

        Raises:
            AccountStatusRefused: the account is closed, or it is to pay and is frozen.
            InsufficientFunds, ValidationFailed: as `LedgerState.check_funds`.
        """
        account = state.ledger.accounts[self.account_id]
        bank = state.ledger.internal_account(_PURPOSES[self.kind], account.currency, state.now)
        pays = self.amount.minor < 0
        state.refuse_status(self.account_id, AccountStatus.CLOSED, *((AccountStatus.FROZEN,) if pays else ()))
        source, target = (account, bank) if pays else (bank, account)
        amount = Money(abs(self.amount.minor), account.currency)
        posted = state.ledger.post(self.kind, source, target, amount, self.description, state.now)
        state.posted_due.append((self.due_id, posted.id))
        return Moved(posted.id, posted)


def post_fee(
    state: BatchState, account: AccountState, minor: int, description: str, parent: TransactionState | None = None
) -> None:
    """Post a fee with what causes it, `parent`, which is refused unless there is money for both.

    Raises:
        InsufficientFunds, ValidationFailed: as `LedgerState.check_funds`.
    """
    bank = state.ledger.internal_account(Purpose.FEES, account.currency, state.now)
    fee = Money(minor, account.currency)
    state.ledger.post(TransactionKind.FEE, account, bank, fee, description, state.now, parent=parent)


def charge_or_owe(state: BatchState, account: AccountState, minor: int, description: str, reason: str) -> None:
    """Post a fee for what is done even without money for it: then the fee is due."""
    if account.available < minor:
        state.new_due.append(NewDue(account.account_id, TransactionKind.FEE, -minor, description, reason))
    else:
        post_fee(state, account, minor, description)
