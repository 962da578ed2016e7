"""What a posting may do to balances, and the book in which a batch works it out before anything is written. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds

MAX_BALANCE = 9 * 10**18
"""Beyond this, in minor units and either direction, a balance is not let: it is just below what a bigint holds."""

_INTERNAL = UUID("6f0d4b6e-5a0c-5d0e-9c0a-7b1f3a2c4d5e")


@cache
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


@dataclass(slots=True)
class TransactionState:
    """A transaction: a posted movement, or a hold and where it stands. A working copy that reads like a row of its table.

    Attributes:
        captured: of a hold, what was captured so far, in minor units.
        expires_at: of a hold, from when on it can be neither captured nor released; None for never.
        parent_id: the hold that this captures, or the payment that this refunds.
        reverses_id: the transaction that this takes back.
        is_reversed: whether another transaction takes this one back.
    """

    id: UUID
    kind: str
    status: str
    from_account_id: UUID
    to_account_id: UUID
    amount: int
    currency: str
    description: str | None
    created_at: datetime
    posted_at: datetime | None = None
    captured: int = 0
    expires_at: datetime | None = None
    parent_id: UUID | None = None
    reverses_id: UUID | None = None
    is_reversed: bool = False

    @property
    def left(self) -> int:
        """Of a pending hold, what is still reserved, in minor units."""
        return max(0, self.amount - self.captured)


class EntryDraft(NamedTuple):
    """The effect of a posted transaction on one account: a row to be written."""

    transaction_id: UUID
    account_id: UUID
    amount: int
    balance_after: int
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a transaction, by the feed's word for it."""

    kind: str
    transaction: TransactionState
    at: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """A book as it was, to go back to."""

    accounts: dict[UUID, AccountState]
    transactions: dict[UUID, TransactionState]
    lengths: tuple[int, ...]


class Book:
    """The accounts of a batch, and what was done on them so far; `ledger.service.write` writes it down.

    Attributes:
        accounts: the state of each account after all that was done so far.
        transactions: the transactions that were read or made, by id.
        opened: accounts that are new with this book.
        made: the transactions that are new, in order.
        entries: their entries, in order.
        changes: what happened to transactions, in order.
    """

    def __init__(self, accounts: Iterable[AccountState], transactions: Iterable[TransactionState] = ()) -> None:
        self.accounts = {account.account_id: account for account in accounts}
        self.transactions = {transaction.id: transaction for transaction in transactions}
        self.opened: list[AccountState] = []
        self.made: list[TransactionState] = []
        self.entries: list[EntryDraft] = []
        self.changes: list[Change] = []

    def mark(self) -> Mark:
        """Remember the book as it is."""
        return Mark(
            {key: replace(state) for key, state in self.accounts.items()},
            {key: replace(state) for key, state in self.transactions.items()},
            tuple(map(len, self._lists)),
        )

    def go_back(self, mark: Mark) -> None:
        """Make the book what it was, as if nothing had been done since. Who holds a state of before holds it as it was."""
        restore(self.accounts, mark.accounts)
        restore(self.transactions, mark.transactions)
        for kept, length in zip(self._lists, mark.lengths, strict=True):
            del kept[length:]

    @property
    def _lists(self) -> "tuple[list[Any], ...]":
        return self.opened, self.made, self.entries, self.changes

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
        *,
        parent: TransactionState | None = None,
        reverses: TransactionState | None = None,
    ) -> TransactionState:
        """Move the amount, after `check`."""
        self.check(source, target, amount)
        made = self._post(kind, source, target, amount, description, now)
        made.parent_id = None if parent is None else parent.id
        if reverses is not None:
            made.reverses_id = reverses.id
            reverses.is_reversed = True
            self.changes.append(Change("REVERSED", reverses, self._touched_at(source, target, now)))
        return made

    def place(
        self,
        source: AccountState,
        target: AccountState,
        amount: Money,
        description: str | None,
        now: datetime,
        *,
        expires_at: datetime | None,
    ) -> TransactionState:
        """Reserve the amount on the source, after `check`: a hold. No money moves."""
        self.check(source, target, amount)
        at = self._touch(source, now)
        source.held += amount.minor
        ids = source.account_id, target.account_id
        hold = TransactionState(
            new_id(), "HOLD", "PENDING", *ids, amount.minor, amount.currency, description, at, expires_at=expires_at
        )
        return self._add(hold, "PENDING", at)

    def decline(self, source: AccountState, target: AccountState, amount: Money, now: datetime) -> TransactionState:
        """Note that a hold was asked for and refused. Nothing is reserved."""
        ids = source.account_id, target.account_id
        at = max(now, source.changed_at)
        return self._add(
            TransactionState(new_id(), "HOLD", "DECLINED", *ids, amount.minor, amount.currency, None, at), "DECLINED", at
        )

    def capture(
        self, hold: TransactionState, amount: Money, now: datetime, *, final: bool, kind: str = "TRANSFER"
    ) -> TransactionState:
        """Move what a pending hold reserves, or a part of it; `final` gives the rest back.

        What it comes to beyond the hold needs available funds.

        Raises:
            InsufficientFunds, ValidationFailed: as `check`.
        """
        source, target = self.accounts[hold.from_account_id], self.accounts[hold.to_account_id]
        reserved = min(amount.minor, hold.left)
        if amount.minor > reserved:
            self.check(source, target, Money(amount.minor - reserved, amount.currency))
        source.held -= reserved
        made = self._post(kind, source, target, amount, hold.description, now)
        made.parent_id = hold.id
        hold.captured += amount.minor
        if final or not hold.left:
            source.held -= hold.left
            hold.status, hold.posted_at = "POSTED", made.posted_at
        self.changes.append(Change("CAPTURED", hold, self._touched_at(source, target, now)))
        return made

    def end(self, hold: TransactionState, status: str, now: datetime) -> None:
        """Give back what a pending hold still reserves; it is VOIDED or EXPIRED from then on."""
        source = self.accounts[hold.from_account_id]
        at = self._touch(source, now)
        source.held -= hold.left
        hold.status = status
        self.changes.append(Change(status, hold, at))

    def _post(
        self, kind: str, source: AccountState, target: AccountState, amount: Money, description: str | None, now: datetime
    ) -> TransactionState:
        at = self._touched_at(source, target, now)
        ids = source.account_id, target.account_id
        made = TransactionState(new_id(), kind, "POSTED", *ids, amount.minor, amount.currency, description, at, posted_at=at)
        for account, signed in ((source, -amount.minor), (target, amount.minor)):
            account.booked += signed
            account.changed_at = at
            self.entries.append(EntryDraft(made.id, account.account_id, signed, account.booked, at))
        return self._add(made, "POSTED", at)

    def _add(self, made: TransactionState, change: str, at: datetime) -> TransactionState:
        self.transactions[made.id] = made
        self.made.append(made)
        self.changes.append(Change(change, made, at))
        return made

    @staticmethod
    def _touched_at(source: AccountState, target: AccountState, now: datetime) -> datetime:
        return max(now, source.changed_at, target.changed_at)

    @staticmethod
    def _touch(account: AccountState, now: datetime) -> datetime:
        account.changed_at = max(now, account.changed_at)
        return account.changed_at


def restore(states: dict[UUID, Any], were: Mapping[UUID, Any]) -> None:
    """Make states what they were, in place: who holds one holds it as it was. `were`: copies of those that there were."""
    for key in states.keys() - were.keys():
        del states[key]
    for key, was in were.items():
        for name in was.__slots__:
            setattr(states[key], name, getattr(was, name))
