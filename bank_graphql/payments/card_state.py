"""The cards' part of a batch's state: the cards that commands name, their payments, and their spending. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from bank_graphql.cards.enums import DeclineReason
from bank_graphql.cards.rules import CardPayment, CardPolicy, CardState, Merchant, NewCard, Spending
from bank_graphql.ledger.enums import TransactionStatus
from bank_graphql.ledger.rules import TransactionState, restore_states


@dataclass(frozen=True, slots=True)
class CardSavepoint:
    """The cards' part of a savepoint of a batch."""

    cards: dict[UUID, CardState]
    payments: dict[UUID, CardPayment]
    spending: Spending
    issued: int
    new_payments: int
    adjusted: tuple[UUID, ...]


class CardsState:
    """The cards of a batch, what was paid with them, and what the batch adds to that; `cards.service` writes it.

    Attributes:
        policy: how the bank issues and authorises.
        cards: the cards that commands name, by id.
        ids_by_hash: their ids by the keyed hashes of their numbers.
        payments: transactions made with cards, by id: those that commands name, and those of this batch.
        spending: what the cards have spent, in the windows that the batch's commands need (see `snapshot`).
        new_cards: the cards that the batch issued.
        new_payments: the transactions that the batch made with cards.
        adjusted: earlier transactions whose counted amount this batch changed, by id.
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
        self.new_cards: list[NewCard] = []
        self.new_payments: list[CardPayment] = []
        self.adjusted: dict[UUID, CardPayment] = {}

    def add_payment(
        self,
        transaction: TransactionState,
        card: CardState | CardPayment,
        merchant: Merchant,
        authorized_at: datetime,
        *,
        counted: int,
        decline_reason: DeclineReason | None = None,
    ) -> None:
        """Add a new transaction of a card. It counts `counted` toward the limits of the windows of its authorisation."""
        card_id = card.id if isinstance(card, CardState) else card.card_id
        payment = CardPayment(transaction.id, card_id, card.series_id, authorized_at, counted, merchant, decline_reason)
        self.payments[transaction.id] = payment
        self.new_payments.append(payment)
        self.spending.adjust(payment.series_id, authorized_at, counted)

    def current_card(self, payment: CardPayment) -> CardState:
        """Return the card whose limits apply to a payment: the latest one of its series."""
        latest = (card for card in self.cards.values() if card.series_id == payment.series_id and not card.is_replaced)
        return next(latest, self.cards[payment.card_id])

    def adjust_spending(self, transaction_id: UUID, counted: int) -> None:
        """Set what a transaction counts toward limits; the difference adjusts the spending of its authorisation's windows."""
        payment = self.payments[transaction_id]
        self.spending.adjust(payment.series_id, payment.authorized_at, counted - payment.counted)
        payment.counted = counted
        self.adjusted[transaction_id] = payment

    def adjust_for_hold(self, hold: TransactionState) -> None:
        """Make a hold count what it still reserves, if it is a card's."""
        if hold.id in self.payments:
            self.adjust_spending(hold.id, hold.remaining if hold.status == TransactionStatus.PENDING else 0)

    def savepoint(self) -> CardSavepoint:
        """Return what `roll_back` restores."""
        return CardSavepoint(
            {key: replace(card) for key, card in self.cards.items()},
            {key: replace(payment) for key, payment in self.payments.items()},
            self.spending.copy(),
            len(self.new_cards),
            len(self.new_payments),
            tuple(self.adjusted),
        )

    def roll_back(self, to: CardSavepoint) -> None:
        """Undo everything since the savepoint."""
        restore_states(self.cards, to.cards)
        restore_states(self.payments, to.payments)
        self.spending = to.spending
        del self.new_cards[to.issued :]
        del self.new_payments[to.new_payments :]
        self.adjusted = {key: self.payments[key] for key in to.adjusted}
