"""Decides what becomes of a command about cards: facts and the book in, an outcome or a refusal out. Pure."""

from uuid import UUID

from bank_graphql.accounts.errors import AccountStatusRefused, StateConflict
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.cards.rules import (
    CardState,
    NewCard,
    check_authorization,
    check_limits,
    check_step,
    first_status,
    fits,
)
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal, ValidationFailed
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import CurrencyMismatch, InsufficientFunds
from bank_graphql.ledger.rules import Book, TransactionState
from bank_graphql.payments.commands import AuthorizeCard, IssueCard, Issued, Moved, RefundCardPayment, ReplaceCard
from bank_graphql.payments.state import Facts, may_read, owns, refuse_status, require_currency, visible, visible_transaction

SETTLEMENT = "CARD_SETTLEMENT"
_DECLINES = (StateConflict, LimitExceeded, AccountStatusRefused, InsufficientFunds)


def issue(command: IssueCard, facts: Facts, book: Book) -> Issued:
    """A new card.

    Raises:
        NotFound, Forbidden, AccountStatusRefused, ValidationFailed, CurrencyMismatch: no such account, not one's own, not open,
            the wrong kind of card for it, limits in another currency.
    """
    account = visible(command.actor, command.account_id, facts, book)
    if not owns(command.actor, command.account_id, facts):
        raise Forbidden("Only its owner gets cards for an account.")
    refuse_status(command.account_id, facts, "CLOSED", "FROZEN")
    if not fits(command.kind, facts.customers[command.account_id].kind):
        told = "Credit accounts have CREDIT cards, checking and savings accounts DEBIT cards."
        raise ValidationFailed.of("kind", "WRONG_KIND", told)
    for _, amount in command.limits:
        require_currency(account, amount)
    card_id, limits = new_id(), tuple((window, amount.minor) for window, amount in command.limits)
    expiry = facts.cards.policy.calendar.expiry(facts.now, facts.cards.policy.years)
    facts.cards.issued.append(
        NewCard(
            *(card_id, account.account_id, card_id, None, command.kind, command.form, first_status(command.form)),
            *(command.holder_name, expiry),
            limits,
            command.blocked_categories,
        )
    )
    return Issued(card_id)


def replace(command: ReplaceCard, facts: Facts, _: Book) -> Issued:
    """A new card instead of one, of the same series.

    Raises:
        NotFound, Forbidden, AccountStatusRefused, StateConflict: no such card, not one's own or frozen by the bank, an account
            that is not open, a card that is cancelled or was replaced before.
    """
    old = facts.cards.cards.get(command.card_id)
    if old is None or not may_read(command.actor, old.account_id, facts):
        raise NotFound("card", global_id("Card", command.card_id))
    if not owns(command.actor, old.account_id, facts):
        raise Forbidden("Only its owner has a card replaced.")
    if old.frozen_by == "STAFF":
        raise Forbidden("The bank froze this card: ask the bank.")
    status = check_step(command.action, old.status, old.expires_at, facts.now)
    if old.is_replaced:
        raise StateConflict("WRONG_STATUS", status, "The card was replaced already.")
    refuse_status(old.account_id, facts, "CLOSED", "FROZEN")
    card_id = new_id()
    expiry = facts.cards.policy.calendar.expiry(facts.now, facts.cards.policy.years)
    facts.cards.issued.append(
        NewCard(
            *(card_id, old.account_id, old.series_id, old.id, old.kind, old.form, first_status(old.form)),
            *(old.holder_name, expiry),
            tuple(old.limits.items()),
            tuple(old.blocked_categories),
        )
    )
    old.is_replaced = True
    if status != "EXPIRED":  # which is as final as CANCELLED
        old.status = "CANCELLED"
    return Issued(card_id)


def authorize(command: AuthorizeCard, facts: Facts, book: Book) -> Moved:
    """A hold for a merchant, or a declined transaction and why.

    Raises:
        NotFound, Forbidden, CurrencyMismatch: no such card, not the card network, not the account's currency.
        StateConflict, LimitExceeded, AccountStatusRefused, InsufficientFunds: declined; the book has a DECLINED transaction.
    """
    card = _card(command, facts)
    account, amount = book.accounts[card.account_id], command.amount
    require_currency(account, amount)
    settlement = book.internal(SETTLEMENT, account.currency, facts.now)
    try:
        check_authorization(card, command.merchant, amount, facts.cards.spending, facts.now)
        _refuse_status(command.actor, card.account_id, facts, "CLOSED", "FROZEN")
        hold = book.place(account, settlement, amount, None, facts.now, expires_at=facts.now + facts.cards.policy.hold_for)
    except _DECLINES as refusal:
        declined = book.decline(account, settlement, amount, facts.now)
        facts.cards.add(declined, card, command.merchant, facts.now, 0, _reason(refusal))
        facts.cards.declined[id(command)] = declined.id
        raise
    facts.cards.add(hold, card, command.merchant, facts.now, amount.minor)
    return Moved(hold.id, hold)


def check_capture(actor: Actor, hold: TransactionState, amount: Money, facts: Facts) -> None:
    """Whether so much may be captured of a card's hold: what is left, and within the tolerance of the merchant's category more.

    Raises:
        StateConflict: `OVER_CAPTURE`.
        LimitExceeded, AccountStatusRefused: what goes beyond the hold is more than a limit leaves, or new on a frozen account.
    """
    payment = facts.cards.payments[hold.id]
    most = Money(facts.cards.policy.most(hold.amount, payment.merchant.category) - hold.captured, hold.currency)
    if amount.minor > most.minor:
        raise StateConflict("OVER_CAPTURE", hold.status, f"At most {most} can be captured of this authorisation.")
    excess = amount.minor - hold.left
    if excess > 0:
        _refuse_status(actor, hold.from_account_id, facts, "FROZEN")
        beyond = Money(excess, hold.currency)
        check_limits(facts.cards.in_force(payment), beyond, facts.cards.spending, payment.authorized_at, authorized=hold.amount)


def captured(hold: TransactionState, made: TransactionState, facts: Facts) -> None:
    """Count a capture of a card's hold."""
    payment = facts.cards.payments[hold.id]
    facts.cards.settle(hold)
    facts.cards.add(made, payment, payment.merchant, payment.authorized_at, made.amount)


def refund(command: RefundCardPayment, facts: Facts, book: Book) -> Moved:
    """Money back from a merchant.

    Raises:
        NotFound, Forbidden, CurrencyMismatch: no such transaction, not the card network, not the payment's currency.
        StateConflict: `NOT_REVERSIBLE` (no card payment), `ALREADY_REVERSED`, `OVER_REFUND`.
        AccountStatusRefused, or to whom may not see it StateConflict: the account is closed.
    """
    payment = visible_transaction(command.actor, command.transaction_id, facts, book)
    if payment.kind != "CARD_PAYMENT":
        raise StateConflict("NOT_REVERSIBLE", payment.status, "Only a card payment can be refunded.")
    require_network(command.actor, payment.from_account_id, facts)
    if payment.is_reversed:
        raise StateConflict("ALREADY_REVERSED", payment.status, "The payment was taken back already.")
    counted = facts.cards.payments[payment.id]
    left = Money(counted.counted, payment.currency)
    amount = command.amount or left
    if amount.currency != payment.currency:
        raise CurrencyMismatch(expected=payment.currency, given=amount.currency)
    if not left.minor or amount.minor > left.minor:
        told = f"Only {left} are left of the payment to refund." if left.minor else "The payment was refunded in full already."
        raise StateConflict("OVER_REFUND", payment.status, told)
    _refuse_status(command.actor, payment.from_account_id, facts, "CLOSED")
    source, target = book.accounts[payment.to_account_id], book.accounts[payment.from_account_id]
    made = book.post("CARD_REFUND", source, target, amount, None, facts.now, parent=payment)
    facts.cards.recount(payment.id, left.minor - amount.minor)
    facts.cards.add(made, counted, counted.merchant, counted.authorized_at, 0)
    return Moved(made.id, made)


def check_reversal(original: TransactionState, facts: Facts) -> None:
    """Whether a transaction of a card may be taken back: of a payment, only one of which nothing was refunded.

    Raises:
        StateConflict: `OVER_REFUND`.
    """
    payment = facts.cards.payments.get(original.id)
    if payment is not None and original.kind == "CARD_PAYMENT" and payment.counted != original.amount:
        raise StateConflict("OVER_REFUND", original.status, "A part of the payment was refunded already.")


def reversed_(original: TransactionState, facts: Facts) -> None:
    """Count what was taken back: a payment no longer, a payment whose refund was taken back again."""
    if original.kind == "CARD_PAYMENT":
        facts.cards.recount(original.id, 0)
    elif original.kind == "CARD_REFUND" and original.parent_id is not None:
        facts.cards.recount(original.parent_id, facts.cards.payments[original.parent_id].counted + original.amount)


def require_network(actor: Actor, account_id: UUID, facts: Facts) -> None:
    """See to it that the actor is the card network; in a sandbox the account's owner may play it.

    Raises:
        Forbidden: neither.
    """
    if owns(actor, account_id, facts):
        if not facts.sandbox:
            raise Forbidden("This is for the card network, and not for cards of one's own.")
    elif not actor.is_allowed(Permission.PROCESS_CARDS):
        raise Forbidden("This is for the card network.")


def _card(command: AuthorizeCard, facts: Facts) -> CardState:
    """The card that is to pay, if the actor may have it pay."""
    card_id = command.card_id or facts.cards.ids_by_hash.get(command.number_hash or b"")
    card = facts.cards.cards.get(card_id) if card_id else None
    if card is None or not (
        may_read(command.actor, card.account_id, facts) or command.actor.is_allowed(Permission.PROCESS_CARDS)
    ):
        raise NotFound("card", global_id("Card", command.card_id) if command.card_id else None)
    require_network(command.actor, card.account_id, facts)
    return card


def _refuse_status(actor: Actor, account_id: UUID, facts: Facts, *statuses: str) -> None:
    """As `refuse_status`; who may not see the account learns of its status as a conflict."""
    try:
        refuse_status(account_id, facts, *statuses)
    except AccountStatusRefused as refusal:
        if may_read(actor, account_id, facts):
            raise
        raise StateConflict("WRONG_STATUS", refusal.status, f"The account is {refusal.status.lower()}.") from None


def _reason(refusal: Refusal) -> str:
    """Why an authorisation was declined, in a word."""
    match refusal:
        case StateConflict(conflict="WRONG_STATUS") | AccountStatusRefused():
            return "ACCOUNT_NOT_ACTIVE"
        case StateConflict(conflict=conflict):
            return conflict
        case LimitExceeded():
            return "LIMIT_EXCEEDED"
        case InsufficientFunds():
            return "INSUFFICIENT_FUNDS"
        case _:
            raise TypeError(type(refusal))
