"""What a batch is decided on, and what of it its members share: who may see what, and in which state it is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.cards.rules import CardPayment, CardPolicy, CardState, Merchant, NewCard, Spending
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import NotFound
from bank_graphql.kit.ids import global_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.ledger.rules import AccountState, Book, TransactionState, restore


@dataclass(frozen=True, slots=True)
class Customer:
    """Who owns an account, of what kind it is, and whether it is open."""

    owner_id: UUID
    status: str
    kind: str


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be opened, beside its balance in the book."""

    account_id: UUID
    owner_id: UUID
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class CardSavepoint:
    """What a batch had done with cards at a point, to roll back to."""

    cards: dict[UUID, CardState]
    payments: dict[UUID, CardPayment]
    spending: Spending
    issued: int
    made: int
    recounted: tuple[UUID, ...]
    declined: dict[int, UUID]


@dataclass(frozen=True, slots=True)
class Savepoint:
    """What a batch had come to beside the book at a point, to roll back to."""

    customers: dict[UUID, Customer]
    opened: int
    cards: CardSavepoint


class CardFacts:
    """The cards of a batch, what was paid with them, and what the batch adds to that.

    Attributes:
        policy: how the bank authorises.
        cards: the cards that commands name, by id.
        ids_by_hash: their ids by the keyed hashes of their numbers.
        payments: transactions made with cards, by id: those that commands name, and those of this batch.
        spending: what the cards have spent; only in the windows that the batch's commands need, see `reading`.
        issued: cards that are new with this batch.
        made: what was done with cards in this batch.
        recounted: earlier transactions that count otherwise for limits since this batch, by id.
        declined: the declined transactions of this batch, by the identity (`id`) of the commands that asked for them.
    """

    def __init__(
        self,
        policy: CardPolicy,
        cards: dict[UUID, CardState],
        ids_by_hash: Mapping[bytes, UUID],
        payments: dict[UUID, CardPayment],
        spending: Spending,
    ) -> None:
        self.policy = policy
        self.cards = cards
        self.ids_by_hash = ids_by_hash
        self.payments = payments
        self.spending = spending
        self.issued: list[NewCard] = []
        self.made: list[CardPayment] = []
        self.recounted: dict[UUID, CardPayment] = {}
        self.declined: dict[int, UUID] = {}

    def add(
        self,
        made: TransactionState,
        card: CardState | CardPayment,
        merchant: Merchant,
        at: datetime,
        counted: int,
        decline_reason: str | None = None,
    ) -> None:
        """Take up a new transaction of a card, which counts so much in the windows that `at`, its authorisation, lies in."""
        card_id = card.id if isinstance(card, CardState) else card.card_id
        payment = CardPayment(made.id, card_id, card.series_id, at, counted, merchant, decline_reason)
        self.payments[made.id] = payment
        self.made.append(payment)
        self.spending.add(payment.series_id, at, counted)

    def in_force(self, payment: CardPayment) -> CardState:
        """The card whose limits hold for a payment: the latest of its series."""
        latest = (card for card in self.cards.values() if card.series_id == payment.series_id and not card.is_replaced)
        return next(latest, self.cards[payment.card_id])

    def recount(self, transaction_id: UUID, counted: int) -> None:
        """Say what a transaction counts from now on; what it counted more is given back to the windows of its authorisation."""
        payment = self.payments[transaction_id]
        self.spending.add(payment.series_id, payment.authorized_at, counted - payment.counted)
        payment.counted = counted
        self.recounted[transaction_id] = payment

    def savepoint(self) -> CardSavepoint:
        """Return what there is to roll back to."""
        return CardSavepoint(
            {key: replace(card) for key, card in self.cards.items()},
            {key: replace(payment) for key, payment in self.payments.items()},
            self.spending.copy(),
            len(self.issued),
            len(self.made),
            tuple(self.recounted),
            dict(self.declined),
        )

    def roll_back(self, to: CardSavepoint) -> None:
        """Undo what was done with cards since."""
        restore(self.cards, to.cards)
        restore(self.payments, to.payments)
        self.spending = to.spending
        del self.issued[to.issued :]
        del self.made[to.made :]
        self.recounted = {key: self.payments[key] for key in to.recounted}
        self.declined = dict(to.declined)

    def settle(self, hold: TransactionState) -> None:
        """Have a hold count what it still reserves, if it is a card's."""
        if hold.id in self.payments:
            self.recount(hold.id, hold.left if hold.status == "PENDING" else 0)


@dataclass(slots=True)
class Facts:
    """What a batch is decided on, read under the locks; and what it came to beside the book.

    Attributes:
        now: the moment of the batch.
        sandbox: whether owners may pay cash in and out themselves, and play the card network.
        customers: the customers' accounts by id; the bank's own are not among them.
        numbers: account ids by account number.
        cards: the cards.
        credit_limit: the overdraft limit of new CREDIT accounts, in whole units of its currency.
        opened: accounts that were opened in this batch.
    """

    now: datetime
    sandbox: bool
    customers: dict[UUID, Customer]
    numbers: dict[str, UUID]
    cards: CardFacts
    credit_limit: int = 0
    opened: list[NewAccount] = field(default_factory=list)

    def savepoint(self) -> Savepoint:
        """Return what there is to roll back to."""
        return Savepoint(dict(self.customers), len(self.opened), self.cards.savepoint())

    def roll_back(self, to: Savepoint) -> None:
        """Undo what the batch has come to since, but for what is in the book."""
        self.customers.clear()
        self.customers.update(to.customers)
        del self.opened[to.opened :]
        self.cards.roll_back(to.cards)


def owns(actor: Actor, account_id: UUID, facts: Facts) -> bool:
    """Whether it is the actor's account."""
    customer = facts.customers.get(account_id)
    return customer is not None and customer.owner_id == actor.user_id


def may_read(actor: Actor, account_id: UUID, facts: Facts) -> bool:
    """Whether the actor may see an account; the bank's own are nobody's to see."""
    return owns(actor, account_id, facts) or (account_id in facts.customers and actor.is_allowed(Permission.READ_ANY))


def visible(actor: Actor, account_id: UUID, facts: Facts, book: Book) -> AccountState:
    """An account that the actor may see.

    Raises:
        NotFound: there is no such account.
    """
    if not may_read(actor, account_id, facts):
        raise NotFound("account", global_id("Account", account_id))
    return book.accounts[account_id]


def visible_transaction(actor: Actor, transaction_id: UUID, facts: Facts, book: Book) -> TransactionState:
    """A transaction that the actor may see; the card network sees those of cards.

    Raises:
        NotFound: there is no such transaction.
    """
    found = book.transactions.get(transaction_id)
    is_cards = transaction_id in facts.cards.payments and actor.is_allowed(Permission.PROCESS_CARDS)
    if found is None or not (
        is_cards or any(may_read(actor, each, facts) for each in (found.from_account_id, found.to_account_id))
    ):
        raise NotFound("transaction", global_id("Transaction", transaction_id))
    return found


def expire_if_due(hold: TransactionState, facts: Facts, book: Book) -> bool:
    """Let a hold whose time has come expire here and now; tell whether it did."""
    due = hold.status == "PENDING" and hold.expires_at is not None and hold.expires_at <= facts.now
    if due:
        book.end(hold, "EXPIRED", facts.now)
        facts.cards.settle(hold)
    return due


def require_currency(account: AccountState, amount: Money) -> None:
    """Refuse an amount in another currency than the account's.

    Raises:
        CurrencyMismatch: it is.
    """
    if account.currency != amount.currency:
        raise CurrencyMismatch(expected=account.currency, given=amount.currency)


def refuse_status(account_id: UUID, facts: Facts, *statuses: str) -> None:
    """Refuse an account in one of these statuses.

    Raises:
        AccountStatusRefused: it is in one.
    """
    status = facts.customers[account_id].status
    if status in statuses:
        raise AccountStatusRefused(account_id, status)
