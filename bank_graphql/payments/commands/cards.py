"""Issuing and replacing cards, and the payments that merchants request with them."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus, FrozenBy
from bank_graphql.cards.enums import CardAction, CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.cards.rules import (
    CardState,
    Merchant,
    NewCard,
    check_authorization,
    first_status,
    is_card_for,
    status_after,
)
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.ledger.rules import internal_account_id
from bank_graphql.payments.card_rules import DECLINES, decline_reason, refuse_card_account, require_network
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.commands.charges import charge_or_owe
from bank_graphql.payments.outcomes import Decision, Declined, Issued, Moved
from bank_graphql.payments.state import BatchState, require_currency

CARD_REPLACEMENT_FEE = "Fee for the replacement of a card"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCard(Command):
    """Issue a card on an account of the actor. Without a holder's name it bears the actor's own."""

    account_id: UUID
    kind: CardKind
    form: CardForm
    holder_name: str | None = None
    limits: tuple[tuple[LimitWindow, Money], ...] = ()
    blocked_categories: tuple[str, ...] = ()

    action = "issueCard"

    def targets(self) -> Targets:
        """Return the account."""
        return Targets(accounts=(self.account_id,))

    def decide(self, state: BatchState) -> Decision:
        """Issue the card.

        Raises:
            NotFound: the account is not visible.
            Forbidden: the actor may not manage its cards.
            AccountStatusRefused: it is frozen or closed.
            ValidationFailed: the kind of card does not fit the account.
            CurrencyMismatch: a limit is in another currency.
        """
        account = state.visible_account(self.actor, self.account_id)
        if not state.access(self.actor, self.account_id).may_manage_cards:
            raise Forbidden("Only the account's owners, and members with mayManageCards, get cards for it.")
        state.refuse_status(self.account_id, AccountStatus.CLOSED, AccountStatus.FROZEN)
        if not is_card_for(self.kind, state.customers[self.account_id].kind):
            message = "Credit accounts have CREDIT cards, all others DEBIT cards."
            raise ValidationFailed.of("kind", "WRONG_KIND", message)
        for _, amount in self.limits:
            require_currency(account, amount)
        card_id, policy = new_id(), state.cards.policy
        state.cards.new_cards.append(
            NewCard(
                id=card_id,
                account_id=account.account_id,
                series_id=card_id,
                replaces_id=None,
                kind=self.kind,
                form=self.form,
                status=first_status(self.form),
                holder_name=self.holder_name,
                expiry=policy.calendar.expiry(state.now, policy.years),
                limits=tuple((window, amount.minor) for window, amount in self.limits),
                blocked_categories=self.blocked_categories,
            )
        )
        return Issued(card_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceCard(Command):
    """Issue a card with a new number in place of one, which is cancelled. Limits and blocked categories carry over."""

    card_id: UUID

    action = CardAction.REPLACE

    def targets(self) -> Targets:
        """Return the card, whose account may be charged a fee."""
        return Targets(cards=(self.card_id,), charges_cards=True)

    def decide(self, state: BatchState) -> Decision:
        """Issue the new card of the same series, and cancel the old one. Without money for its fee, that is due.

        Raises:
            NotFound: the card is not visible.
            Forbidden: the actor may not manage the account's cards, or staff froze it.
            AccountStatusRefused: its account is frozen or closed.
            StateConflict: it is cancelled, or was replaced before.
        """
        old = state.cards.cards.get(self.card_id)
        if old is None or not state.access(self.actor, old.account_id).is_visible:
            raise NotFound("card", global_id("Card", self.card_id))
        if not state.access(self.actor, old.account_id).may_manage_cards:
            raise Forbidden("Only the account's owners, and members with mayManageCards, replace a card.")
        if old.frozen_by == FrozenBy.STAFF:
            raise Forbidden("The bank froze this card: ask the bank.")
        status = status_after(CardAction.REPLACE, old.status, old.expires_at, state.now)
        if old.is_replaced:
            raise StateConflict(StateConflictCode.WRONG_STATUS, status, "The card was replaced already.")
        state.refuse_status(old.account_id, AccountStatus.CLOSED, AccountStatus.FROZEN)
        card_id, policy = new_id(), state.cards.policy
        state.cards.new_cards.append(
            NewCard(
                id=card_id,
                account_id=old.account_id,
                series_id=old.series_id,
                replaces_id=old.id,
                kind=old.kind,
                form=old.form,
                status=first_status(old.form),
                holder_name=old.holder_name,
                expiry=policy.calendar.expiry(state.now, policy.years),
                limits=tuple(old.limits.items()),
                blocked_categories=tuple(old.blocked_categories),
            )
        )
        old.is_replaced = True
        if status != CardStatus.EXPIRED:  # EXPIRED is as final as CANCELLED
            old.status = CardStatus.CANCELLED
        if fee := state.fees_of(old.account_id).card_replacement:
            account, reason = state.ledger.accounts[old.account_id], f"replacement/{card_id.hex}"
            charge_or_owe(state, account, fee, CARD_REPLACEMENT_FEE, reason)
        return Issued(card_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeCard(Command):
    """Reserve a card payment for a merchant. The card is named by exactly one of its id and the keyed hash of its number."""

    card_id: UUID | None = None
    number_hash: bytes | None = None
    amount: Money
    merchant: Merchant

    action = "authorizeCard"

    def targets(self) -> Targets:
        """Return the card, and the bank's card settlement account."""
        return Targets(
            accounts=(internal_account_id(Purpose.CARD_SETTLEMENT, self.amount.currency),),
            cards=(self.card_id,) if self.card_id else (),
            card_hashes=(self.number_hash,) if self.number_hash else (),
            checks_limits=True,
        )

    def decide(self, state: BatchState) -> Decision:
        """Place a hold for the merchant; or record a declined transaction, whose refusal is the outcome.

        Raises:
            NotFound: the card is not visible.
            Forbidden: the actor is not the card network.
            CurrencyMismatch: the amount is in another currency.
            ValidationFailed: `TOO_LARGE`: a balance would exceed the largest one.
        """
        card = self._card(state)
        account, amount, policy = state.ledger.accounts[card.account_id], self.amount, state.cards.policy
        require_currency(account, amount)
        settlement = state.ledger.internal_account(Purpose.CARD_SETTLEMENT, account.currency, state.now)
        try:
            check_authorization(card, self.merchant, amount, state.cards.spending, state.now)
            refuse_card_account(self.actor, card.account_id, state, AccountStatus.CLOSED, AccountStatus.FROZEN)
            expires_at = state.now + policy.hold_for
            hold = state.ledger.place_hold(account, settlement, amount, None, state.now, expires_at=expires_at)
        except DECLINES as refusal:
            declined = state.ledger.decline(account, settlement, amount, state.now)
            reason = decline_reason(refusal)
            state.cards.add_payment(declined, card, self.merchant, state.now, counted=0, decline_reason=reason)
            return Declined(refusal, declined.id)
        state.cards.add_payment(hold, card, self.merchant, state.now, counted=amount.minor)
        return Moved(hold.id, hold)

    def _card(self, state: BatchState) -> CardState:
        """Return the card, if it is visible to the actor and the actor may request payments with it."""
        card_id = self.card_id or state.cards.ids_by_hash.get(self.number_hash or b"")
        card = state.cards.cards.get(card_id) if card_id else None
        if card is None or not (
            state.access(self.actor, card.account_id).is_visible or self.actor.is_allowed(Permission.PROCESS_CARDS)
        ):
            raise NotFound("card", global_id("Card", self.card_id) if self.card_id else None)
        require_network(self.actor, card.account_id, state)
        return card


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCardPayment(Command):
    """Refund a card payment: the amount, or all that was not refunded yet."""

    transaction_id: UUID
    amount: Money | None = None

    action = "refundCardPayment"

    def targets(self) -> Targets:
        """Return the payment."""
        return Targets(transactions=(self.transaction_id,))

    def decide(self, state: BatchState) -> Decision:
        """Post the refund.

        Raises:
            NotFound: the payment is not visible.
            Forbidden: the actor is not the card network.
            CurrencyMismatch: the amount is in another currency.
            StateConflict: `NOT_REVERSIBLE` (not a card payment), `ALREADY_REVERSED`, `OVER_REFUND`; or the account is closed and
                not visible to the actor.
            AccountStatusRefused: the account is closed.
        """
        payment = state.visible_transaction(self.actor, self.transaction_id)
        if payment.kind != TransactionKind.CARD_PAYMENT:
            message = "Only a card payment can be refunded."
            raise StateConflict(StateConflictCode.NOT_REVERSIBLE, payment.status, message)
        require_network(self.actor, payment.from_account_id, state)
        if payment.is_reversed:
            message = "The payment was reversed already."
            raise StateConflict(StateConflictCode.ALREADY_REVERSED, payment.status, message)
        card_payment = state.cards.payments[payment.id]
        refundable = Money(card_payment.counted, payment.currency)
        amount = self.amount or refundable
        if amount.currency != payment.currency:
            raise CurrencyMismatch(expected=payment.currency, given=amount.currency)
        if not refundable.minor:
            message = "The payment was refunded in full already."
            raise StateConflict(StateConflictCode.OVER_REFUND, payment.status, message)
        if amount.minor > refundable.minor:
            message = f"Only {refundable} of the payment can still be refunded."
            raise StateConflict(StateConflictCode.OVER_REFUND, payment.status, message)
        refuse_card_account(self.actor, payment.from_account_id, state, AccountStatus.CLOSED)
        source, target = state.ledger.accounts[payment.to_account_id], state.ledger.accounts[payment.from_account_id]
        posted = state.ledger.post(TransactionKind.CARD_REFUND, source, target, amount, None, state.now, parent=payment)
        state.cards.adjust_spending(payment.id, refundable.minor - amount.minor)
        state.cards.add_payment(posted, card_payment, card_payment.merchant, card_payment.authorized_at, counted=0)
        return Moved(posted.id, posted)
