"""What a posting may do to balances, and the book in which a batch works it out before anything is written. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds

MAX_BALANCE = 9 * 10**18
"""Beyond this, in minor units and either direction, a balance is not let: it is just below what a bigint holds."""

_INTERNAL = UUID("6f0d4b6e-5a0c-5d0e-9c0a-7b1f3a2c4d5e")


def internal_account_id(purpose: str, currency: str) -> UUID:
    """The id of the bank's own account for a purpose and currency: known without looking it up."""
    return uuid5(_INTERNAL, f"{purpose}/{currency}")


@dataclass(slots=True)
class AccountState:
    """What an account holds, in minor units; a working copy, read while the account is locked.

    Attributes:
        purpose: what an internal account is for; None for a customer's.
        changed_at: when the account was changed last; nothing is booked earlier.
    """

    account_id: UUID
    currency: str
    purpose: str | None
    booked: int
    held: int
    overdraft_limit: int
    changed_at: datetime

    @property
    def available(self) -> int:
        """What may be spent: booked, less what is held, and the overdraft."""
        return self.booked - self.held + self.overdraft_limit


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction that moves money, as the book took it up."""

    transaction_id: UUID
    kind: str
    from_account_id: UUID
    to_account_id: UUID
    amount: Money
    description: str | None
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """The effect of a posting on one account."""

    transaction_id: UUID
    account_id: UUID
    amount: int
    balance_after: int
    booked_at: datetime


class Book:
    """The accounts of a batch, and what was posted on them so far; `ledger.service.write` writes it down.

    Attributes:
        accounts: the state of each account after all postings so far.
        opened: accounts that are new with this book.
        postings: the transactions, in order.
        entries: their entries, in order.
    """

    def __init__(self, accounts: Iterable[AccountState]) -> None:
        self.accounts = {account.account_id: account for account in accounts}
        self.opened: list[AccountState] = []
        self.postings: list[Posting] = []
        self.entries: list[EntryDraft] = []

    def open(self, state: AccountState) -> None:
        """Take up a new account."""
        self.accounts[state.account_id] = state
        self.opened.append(state)

    def internal(self, purpose: str, currency: str, now: datetime) -> AccountState:
        """The bank's own account for a purpose and currency, opened at its first use."""
        account_id = internal_account_id(purpose, currency)
        if account_id not in self.accounts:
            self.open(AccountState(account_id, currency, purpose, 0, 0, 0, now))
        return self.accounts[account_id]

    def check(self, source: AccountState, target: AccountState, amount: Money) -> None:
        """Whether the amount may go from source to target.

        Raises:
            InsufficientFunds: the source is a customer's, and its available balance does not cover the amount.
            ValidationFailed: `TOO_LARGE` if a balance would leave the range of numbers.
        """
        if source.purpose is None and source.available < amount.minor:
            raise InsufficientFunds(Money(source.available, source.currency), amount)
        if target.booked + amount.minor > MAX_BALANCE or source.booked - amount.minor < -MAX_BALANCE:
            raise ValidationFailed.of(("amount", "amount"), "TOO_LARGE", "The balance would be too large.")

    def post(
        self,
        kind: str,
        source: AccountState,
        target: AccountState,
        amount: Money,
        description: str | None,
        now: datetime,
    ) -> Posting:
        """Move the amount, after `check`."""
        self.check(source, target, amount)
        booked_at = max(now, source.changed_at, target.changed_at)
        posting = Posting(new_id(), kind, source.account_id, target.account_id, amount, description, booked_at)
        self.postings.append(posting)
        for account, signed in ((source, -amount.minor), (target, amount.minor)):
            account.booked += signed
            account.changed_at = booked_at
            self.entries.append(EntryDraft(posting.transaction_id, account.account_id, signed, account.booked, booked_at))
        return posting
