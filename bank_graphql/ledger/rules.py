"""What postings may do to balances: the ledger's part of a batch's state, changed in memory before it is written. No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import ChangeKind, Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.errors import InsufficientFunds

MAX_BALANCE = 9 * 10**18
"""The largest balance in minor units, in either direction: just below what a bigint can hold."""

_INTERNAL = UUID("6f0d4b6e-5a0c-5d0e-9c0a-7b1f3a2c4d5e")


def internal_account_id(purpose: Purpose, currency: str) -> UUID:
    """Return the id of the bank's own account for a purpose and currency. It is derived from both, so needs no look-up."""
    return _internal_account_id(purpose, currency)


@cache  # which drops the types of the parameters
def _internal_account_id(purpose: Purpose, currency: str) -> UUID:
    return uuid5(_INTERNAL, f"{purpose}/{currency}")


@dataclass(slots=True)
class AccountState:
    """The balance of an account, in minor units: a working copy, read while the account is locked.

    Attributes:
        purpose: what an internal account is for; None for a customer's account.
        changed_at: when the account was last changed; nothing is booked earlier than that.
    """

    account_id: UUID
    currency: str
    purpose: Purpose | None
    booked: int
    held: int
    overdraft_limit: int
    changed_at: datetime

    @property
    def available(self) -> int:
        """What may be spent: booked - held + overdraft limit."""
        return self.booked - self.held + self.overdraft_limit


@dataclass(slots=True)
class TransactionState:
    """A transaction: a working copy with the attributes of its row.

    Attributes:
        captured: for a hold, what was captured so far, in minor units.
        expires_at: for a hold, from when on it can be neither captured nor released; None for never.
        parent_id: the hold that this captures, or the payment that this refunds or returns.
        reverses_id: the transaction that this reverses.
        is_reversed: whether another transaction reverses this one.
    """

    id: UUID
    kind: TransactionKind
    status: TransactionStatus
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
    def remaining(self) -> int:
        """The part of a pending transaction that is still reserved, in minor units."""
        return max(0, self.amount - self.captured)


class NewEntry(NamedTuple):
    """The effect of a posted transaction on one account: a row to insert."""

    transaction_id: UUID
    account_id: UUID
    amount: int
    balance_after: int
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a transaction's state, to be published in the feed."""

    kind: ChangeKind
    transaction: TransactionState
    at: datetime


@dataclass(frozen=True, slots=True)
class LedgerSavepoint:
    """The ledger's part of a savepoint of a batch."""

    accounts: dict[UUID, AccountState]
    transactions: dict[UUID, TransactionState]
    lengths: tuple[int, ...]


class LedgerState:
    """The accounts and transactions of a batch, and what the batch adds to them; `ledger.service.write` writes it.

    Attributes:
        accounts: the present state of each account.
        transactions: the transactions that were read or made, by id.
        new_accounts: the accounts that the batch opened.
        new_transactions: the transactions that the batch made, in order.
        new_entries: their entries, in order.
        changes: the changes of transactions' states, in order.
    """

    def __init__(self, accounts: Iterable[AccountState], transactions: Iterable[TransactionState] = ()) -> None:
        self.accounts = {account.account_id: account for account in accounts}
        self.transactions = {transaction.id: transaction for transaction in transactions}
        self.new_accounts: list[AccountState] = []
        self.new_transactions: list[TransactionState] = []
        self.new_entries: list[NewEntry] = []
        self.changes: list[Change] = []

    def savepoint(self) -> LedgerSavepoint:
        """Return what `roll_back` restores."""
        return LedgerSavepoint(
            {key: replace(state) for key, state in self.accounts.items()},
            {key: replace(state) for key, state in self.transactions.items()},
            tuple(map(len, self._lists)),
        )

    def roll_back(self, to: LedgerSavepoint) -> None:
        """Undo everything since the savepoint. State objects that were handed out before it are restored in place."""
        restore_states(self.accounts, to.accounts)
        restore_states(self.transactions, to.transactions)
        for items, length in zip(self._lists, to.lengths, strict=True):
            del items[length:]

    @property
    def _lists(self) -> "tuple[list[Any], ...]":
        return self.new_accounts, self.new_transactions, self.new_entries, self.changes

    def open_account(self, state: AccountState) -> None:
        """Add a new account."""
        self.accounts[state.account_id] = state
        self.new_accounts.append(state)

    def internal_account(self, purpose: Purpose, currency: str, now: datetime) -> AccountState:
        """Return the bank's own account for a purpose and currency. It is opened when first used."""
        account_id = internal_account_id(purpose, currency)
        if account_id not in self.accounts:
            self.open_account(AccountState(account_id, currency, purpose, 0, 0, 0, now))
        return self.accounts[account_id]

    def check_funds(self, source: AccountState, target: AccountState, amount: Money) -> None:
        """Check that the amount may go from source to target.

        Raises:
            InsufficientFunds: the source is a customer's account whose available balance does not cover the amount.
            ValidationFailed: `TOO_LARGE`: a balance would exceed `MAX_BALANCE`.
        """
        if source.purpose is None and source.available < amount.minor:
            raise InsufficientFunds(Money(source.available, source.currency), amount)
        if target.booked + amount.minor > MAX_BALANCE or source.booked - amount.minor < -MAX_BALANCE:
            raise ValidationFailed.of(("amount", "amount"), "TOO_LARGE", "The balance would be too large.")

    def post(
        self,
        kind: TransactionKind,
        source: AccountState,
        target: AccountState,
        amount: Money,
        description: str | None,
        now: datetime,
        *,
        parent: TransactionState | None = None,
        reverses: TransactionState | None = None,
    ) -> TransactionState:
        """Post a transaction of the amount, and return it.

        Raises:
            InsufficientFunds, ValidationFailed: as `check_funds`.
        """
        self.check_funds(source, target, amount)
        posted = self._post(kind, source, target, amount, description, now)
        posted.parent_id = None if parent is None else parent.id
        if reverses is not None:
            posted.reverses_id = reverses.id
            reverses.is_reversed = True
            self.changes.append(Change(ChangeKind.REVERSED, reverses, _booking_time(source, target, now)))
        return posted

    def place_hold(
        self,
        source: AccountState,
        target: AccountState,
        amount: Money,
        description: str | None,
        now: datetime,
        *,
        expires_at: datetime | None = None,
        kind: TransactionKind = TransactionKind.HOLD,
    ) -> TransactionState:
        """Reserve the amount on the source, and return the pending transaction: a hold, or a transfer to settle. No money moves.

        Raises:
            InsufficientFunds, ValidationFailed: as `check_funds`.
        """
        self.check_funds(source, target, amount)
        at = _change_time(source, now)
        source.held += amount.minor
        hold = TransactionState(
            new_id(),
            kind,
            TransactionStatus.PENDING,
            source.account_id,
            target.account_id,
            amount.minor,
            amount.currency,
            description,
            at,
            expires_at=expires_at,
        )
        return self._add(hold, ChangeKind.PENDING, at)

    def decline(
        self,
        source: AccountState,
        target: AccountState,
        amount: Money,
        now: datetime,
        *,
        kind: TransactionKind = TransactionKind.HOLD,
        description: str | None = None,
    ) -> TransactionState:
        """Record a hold or transfer that was requested and refused, and return it. Nothing is reserved."""
        at = max(now, source.changed_at)
        declined = TransactionState(
            new_id(),
            kind,
            TransactionStatus.DECLINED,
            source.account_id,
            target.account_id,
            amount.minor,
            amount.currency,
            description,
            at,
        )
        return self._add(declined, ChangeKind.DECLINED, at)

    def capture_hold(
        self,
        hold: TransactionState,
        amount: Money,
        now: datetime,
        *,
        final: bool,
        kind: TransactionKind = TransactionKind.TRANSFER,
    ) -> TransactionState:
        """Post a capture of the amount, and return it; `final` releases what remains of the hold.

        What exceeds the hold needs available funds.

        Raises:
            InsufficientFunds, ValidationFailed: as `check_funds`.
        """
        source, target = self.accounts[hold.from_account_id], self.accounts[hold.to_account_id]
        reserved = min(amount.minor, hold.remaining)
        if amount.minor > reserved:
            self.check_funds(source, target, Money(amount.minor - reserved, amount.currency))
        source.held -= reserved
        posted = self._post(kind, source, target, amount, hold.description, now)
        posted.parent_id = hold.id
        hold.captured += amount.minor
        if final or not hold.remaining:
            source.held -= hold.remaining
            hold.status, hold.posted_at = TransactionStatus.POSTED, posted.posted_at
        self.changes.append(Change(ChangeKind.CAPTURED, hold, _booking_time(source, target, now)))
        return posted

    def settle(self, transfer: TransactionState, now: datetime) -> None:
        """Post a pending transfer: what it reserves is booked."""
        source, target = self.accounts[transfer.from_account_id], self.accounts[transfer.to_account_id]
        at = _booking_time(source, target, now)
        source.held -= transfer.amount
        transfer.status, transfer.posted_at = TransactionStatus.POSTED, at
        self._book(transfer, source, target, at)
        self.changes.append(Change(ChangeKind.POSTED, transfer, at))

    def release_hold(self, hold: TransactionState, now: datetime) -> None:
        """Release what a pending transaction still reserves: it is VOIDED."""
        self._end_hold(hold, TransactionStatus.VOIDED, ChangeKind.VOIDED, now)

    def expire_hold(self, hold: TransactionState, now: datetime) -> None:
        """Release what a pending hold still reserves: it is EXPIRED."""
        self._end_hold(hold, TransactionStatus.EXPIRED, ChangeKind.EXPIRED, now)

    def _end_hold(self, hold: TransactionState, status: TransactionStatus, change: ChangeKind, now: datetime) -> None:
        source = self.accounts[hold.from_account_id]
        at = _change_time(source, now)
        source.held -= hold.remaining
        hold.status = status
        self.changes.append(Change(change, hold, at))

    def _post(
        self,
        kind: TransactionKind,
        source: AccountState,
        target: AccountState,
        amount: Money,
        description: str | None,
        now: datetime,
    ) -> TransactionState:
        at = _booking_time(source, target, now)
        posted = TransactionState(
            new_id(),
            kind,
            TransactionStatus.POSTED,
            source.account_id,
            target.account_id,
            amount.minor,
            amount.currency,
            description,
            at,
            posted_at=at,
        )
        self._book(posted, source, target, at)
        return self._add(posted, ChangeKind.POSTED, at)

    def _book(self, posted: TransactionState, source: AccountState, target: AccountState, at: datetime) -> None:
        for account, signed in ((source, -posted.amount), (target, posted.amount)):
            account.booked += signed
            account.changed_at = at
            self.new_entries.append(NewEntry(posted.id, account.account_id, signed, account.booked, at))

    def _add(self, transaction: TransactionState, change: ChangeKind, at: datetime) -> TransactionState:
        self.transactions[transaction.id] = transaction
        self.new_transactions.append(transaction)
        self.changes.append(Change(change, transaction, at))
        return transaction


def _booking_time(source: AccountState, target: AccountState, now: datetime) -> datetime:
    """Return when a posting is booked: never before the last change of either account."""
    return max(now, source.changed_at, target.changed_at)


def _change_time(account: AccountState, now: datetime) -> datetime:
    """Return when an account is changed, and note that on the account."""
    account.changed_at = max(now, account.changed_at)
    return account.changed_at


def restore_states(states: dict[UUID, Any], saved: Mapping[UUID, Any]) -> None:
    """Restore state objects in place from saved copies, and remove those that are newer than the copies."""
    for key in states.keys() - saved.keys():
        del states[key]
    for key, copy in saved.items():
        for name in copy.__slots__:
            setattr(states[key], name, getattr(copy, name))
