"""The state of a batch: what was read under the locks, and what the batch's commands have changed in memory. No I/O.

`snapshot` loads it, commands decide on it, `service` writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bank_graphql.accounts.access import NONE, OWN_OF_USER, Access, access_of
from bank_graphql.accounts.enums import AccountKind, AccountStatus
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.identity.visibility import sees, sees_processed
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import NotFound
from bank_graphql.kit.ids import global_id
from bank_graphql.kit.money import CURRENCY_DIGITS, Money
from bank_graphql.ledger.enums import TransactionKind, TransactionStatus
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.ledger.rules import AccountState, LedgerSavepoint, LedgerState, TransactionState
from bank_graphql.payees.enums import PayeeMatch
from bank_graphql.payments.card_state import CardSavepoint, CardsState
from bank_graphql.payments.clearing_state import ClearingSavepoint, ClearingState
from bank_graphql.payments.delegate_state import DelegateSavepoint, DelegatesState
from bank_graphql.payments.fees import NO_FEES, Fees, NewDue
from bank_graphql.payments.outcomes import Done, Issued, Opened, Preview


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """What decisions need to know of a customer's account beside its balance."""

    owner_id: UUID
    status: AccountStatus
    kind: AccountKind


@dataclass(frozen=True, slots=True)
class SavedPayee:
    """A payee: its owner, and the account that it stands for. `removed_at` is None unless it was removed."""

    owner_id: UUID
    account: ExternalAccount
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open; its balance is in the ledger's part of the state."""

    account_id: UUID
    owner_id: UUID
    name: str
    kind: AccountKind


@dataclass(frozen=True, slots=True)
class Savepoint:
    """The state of a batch at a point, for `BatchState.roll_back`."""

    ledger: LedgerSavepoint
    cards: CardSavepoint
    clearing: ClearingSavepoint
    delegates: DelegateSavepoint
    customers: dict[UUID, CustomerAccount]
    lengths: tuple[int, ...]


@dataclass(slots=True)
class BatchState:
    """All that the commands of a batch read and change.

    Attributes:
        now: the time of the batch, read while the accounts are locked.
        sandbox: whether owners may deposit and withdraw cash themselves, and play the card network.
        ledger: balances and transactions.
        cards: cards and what was paid with them.
        clearing: payments to other banks and from them.
        delegates: members and programs that use accounts of others.
        customers: the customers' accounts by id; the bank's internal accounts are not among them.
        numbers: account ids by account number.
        payees: the payees that commands name, by id.
        closed_users: those for whom commands open accounts, as far as they are closed.
        credit_limit: the overdraft limit of new CREDIT accounts, in whole units of the currency.
        step_up_above: above how much a payment is large, in whole units of its currency; None if none is.
        approval_lasts: how long a payment of a program waits for a decision.
        new_accounts: the accounts that the batch opened.
        verified: the payments whose payee was verified: transaction, answer, and the name that was given.
        fees: the fees of accounts that commands may charge; none of an account that is not among them.
        new_due: fees that are to be posted once there is money.
        posted_due: what was due and is posted: its id, and the transaction.
    """

    now: datetime
    sandbox: bool
    ledger: LedgerState
    cards: CardsState
    clearing: ClearingState
    delegates: DelegatesState
    customers: dict[UUID, CustomerAccount]
    numbers: dict[str, UUID]
    payees: dict[UUID, SavedPayee] = field(default_factory=dict)
    closed_users: frozenset[UUID] = frozenset()
    credit_limit: int = 0
    step_up_above: int | None = None
    approval_lasts: timedelta = timedelta(days=1)
    new_accounts: list[NewAccount] = field(default_factory=list)
    verified: list[tuple[UUID, PayeeMatch, str]] = field(default_factory=list)
    fees: Mapping[UUID, Fees] = field(default_factory=dict)
    new_due: list[NewDue] = field(default_factory=list)
    posted_due: list[tuple[UUID, UUID]] = field(default_factory=list)

    def savepoint(self) -> Savepoint:
        """Return what `roll_back` restores: all that commands may change."""
        return Savepoint(
            self.ledger.savepoint(),
            self.cards.savepoint(),
            self.clearing.savepoint(),
            self.delegates.savepoint(),
            dict(self.customers),
            tuple(map(len, self._lists)),
        )

    def roll_back(self, to: Savepoint) -> None:
        """Undo everything since the savepoint."""
        self.ledger.roll_back(to.ledger)
        self.cards.roll_back(to.cards)
        self.clearing.roll_back(to.clearing)
        self.delegates.roll_back(to.delegates)
        self.customers.clear()
        self.customers.update(to.customers)
        for items, length in zip(self._lists, to.lengths, strict=True):
            del items[length:]

    @property
    def _lists(self) -> tuple[list[Any], ...]:
        return self.new_accounts, self.verified, self.new_due, self.posted_due

    def fees_of(self, account_id: UUID) -> Fees:
        """Return the fees of an account."""
        return self.fees.get(account_id, NO_FEES)

    def is_large(self, minor: int, currency: str) -> bool:
        """Return whether a payment of this amount requires that its payer was verified a short while ago."""
        above = self.step_up_above
        return above is not None and minor > above * 10 ** CURRENCY_DIGITS[currency]

    def access(self, actor: Actor, account_id: UUID) -> Access:
        """Return what the actor may do with an account."""
        customer = self.customers.get(account_id)
        if customer is None:
            return NONE
        found = access_of(actor, customer.owner_id, self.delegates.of(actor.user_id, account_id))
        if actor.grant is None or found.is_party:
            return found
        # A program may not do as staff what its user may not, with accounts of the user.
        is_of_user = actor.person_id == customer.owner_id or self.delegates.of(actor.person_id, account_id) is not None
        return OWN_OF_USER if is_of_user else found

    def visible_account(self, actor: Actor, account_id: UUID) -> AccountState:
        """Return an account that is visible to the actor.

        Raises:
            NotFound: there is no such account.
        """
        if not self.access(actor, account_id).is_visible:
            raise NotFound("account", global_id("Account", account_id))
        return self.ledger.accounts[account_id]

    def visible_transaction(self, actor: Actor, transaction_id: UUID) -> TransactionState:
        """Return a transaction that is visible to the actor. Those of cards and the clearing are visible to the PROCESSOR.

        Raises:
            NotFound: there is no such transaction.
        """
        found = self.ledger.transactions.get(transaction_id)
        payment = self.clearing.payments.get(transaction_id)
        is_processed = transaction_id in self.cards.payments or payment is not None
        if found is None or not (
            (is_processed and sees_processed(actor))
            or (payment is not None and sees(actor, payment.payer_id))
            or any(self.access(actor, each).is_visible for each in (found.from_account_id, found.to_account_id))
        ):
            raise NotFound("transaction", global_id("Transaction", transaction_id))
        return found

    def refuse_status(self, account_id: UUID, *statuses: AccountStatus) -> None:
        """Refuse a customer's account that has one of these statuses.

        Raises:
            AccountStatusRefused: it has.
        """
        status = self.customers[account_id].status
        if status in statuses:
            raise AccountStatusRefused(account_id, status)

    def expire_if_due(self, hold: TransactionState) -> bool:
        """Let a hold expire if its time has come; return whether it did."""
        is_due = hold.status == TransactionStatus.PENDING and hold.expires_at is not None and hold.expires_at <= self.now
        if is_due:
            self.ledger.expire_hold(hold, self.now)
            self.cards.adjust_for_hold(hold)
        return is_due

    def preview(self, actor: Actor, done: Done) -> Preview:
        """Return what a dry run shows of a transaction that was made or released in this state, an opened account, or a card."""
        if isinstance(done, Issued):
            return self._preview_of_card(done)
        if isinstance(done, Opened):
            opened = self.ledger.accounts[done.account_id]
            booked = Money(opened.booked, opened.currency)
            return Preview(booked, None, booked)
        made = self.ledger.transactions[done.transaction_id]
        source, target = self.ledger.accounts[made.from_account_id], self.ledger.accounts[made.to_account_id]
        payment = self.clearing.payments.get(made.id)
        fee = sum(
            each.amount for each in self.ledger.new_transactions if each.parent_id == made.id and each.kind == TransactionKind.FEE
        )
        return Preview(
            Money(made.remaining if made.status == TransactionStatus.VOIDED else made.amount, made.currency),
            Money(source.available, source.currency) if self.access(actor, source.account_id).is_visible else None,
            Money(target.booked, target.currency) if self.access(actor, target.account_id).is_visible else None,
            None if payment is None else payment.settles_on,
            Money(fee, made.currency) if fee else None,
        )

    def _preview_of_card(self, issued: Issued) -> Preview:
        card = next(each for each in self.cards.new_cards if each.id == issued.card_id)
        account = self.ledger.accounts[card.account_id]
        fee = self.fees_of(card.account_id).card_replacement if card.replaces_id is not None else 0
        return Preview(
            Money(0, account.currency),
            Money(account.available, account.currency),
            None,
            fee=Money(fee, account.currency) if fee else None,
        )


def require_currency(account: AccountState, amount: Money) -> None:
    """Refuse an amount in another currency than the account's.

    Raises:
        CurrencyMismatch: it is in another currency.
    """
    if account.currency != amount.currency:
        raise CurrencyMismatch(expected=account.currency, given=amount.currency)
