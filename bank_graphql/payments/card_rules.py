"""Rules about transactions made with cards that several commands share. No I/O."""

from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.cards.enums import DeclineReason
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.cards.rules import check_limits
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Forbidden, Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.ledger.rules import TransactionState
from bank_graphql.payments.state import BatchState

DECLINES = (StateConflict, LimitExceeded, AccountStatusRefused, InsufficientFunds)
"""Refusals by which an authorisation is declined: it is recorded as a DECLINED transaction of the card."""


def check_capture(actor: Actor, hold: TransactionState, amount: Money, state: BatchState) -> None:
    """Check that an amount may be captured of a card's hold: what remains, and the tolerance of the merchant's category.

    Raises:
        StateConflict: `OVER_CAPTURE`: the amount exceeds hold and tolerance. `WRONG_STATUS`: see `refuse_card_account`.
        LimitExceeded: what exceeds the hold exceeds a limit too.
        AccountStatusRefused: there is an excess, and the account is frozen.
    """
    payment = state.cards.payments[hold.id]
    maximum = state.cards.policy.capture_maximum(hold.amount, payment.merchant.category) - hold.captured
    if amount.minor > maximum:
        message = f"At most {Money(maximum, hold.currency)} can be captured of this authorisation."
        raise StateConflict(StateConflictCode.OVER_CAPTURE, hold.status, message)
    excess = amount.minor - hold.remaining
    if excess > 0:
        refuse_card_account(actor, hold.from_account_id, state, AccountStatus.FROZEN)
        check_limits(
            state.cards.current_card(payment),
            Money(excess, hold.currency),
            state.cards.spending,
            payment.authorized_at,
            authorized=hold.amount,
        )


def add_capture(hold: TransactionState, capture: TransactionState, state: BatchState) -> None:
    """Make the capture of a card's hold count toward limits, and the hold only what it still reserves."""
    payment = state.cards.payments[hold.id]
    state.cards.adjust_for_hold(hold)
    state.cards.add_payment(capture, payment, payment.merchant, payment.authorized_at, counted=capture.amount)


def check_reversal(original: TransactionState, state: BatchState) -> None:
    """Check that a transaction may be reversed as far as cards are concerned: nothing of a card payment was refunded.

    Raises:
        StateConflict: `OVER_REFUND`.
    """
    payment = state.cards.payments.get(original.id)
    if payment is not None and original.kind == TransactionKind.CARD_PAYMENT and payment.counted != original.amount:
        message = "A part of the payment was refunded already."
        raise StateConflict(StateConflictCode.OVER_REFUND, original.status, message)


def adjust_for_reversal(original: TransactionState, state: BatchState) -> None:
    """Adjust spending for a reversal: a reversed payment no longer counts; a payment whose refund is reversed counts again."""
    if original.kind == TransactionKind.CARD_PAYMENT:
        state.cards.adjust_spending(original.id, 0)
    elif original.kind == TransactionKind.CARD_REFUND and original.parent_id is not None:
        payment = state.cards.payments[original.parent_id]
        state.cards.adjust_spending(original.parent_id, payment.counted + original.amount)


def require_network(actor: Actor, account_id: UUID, state: BatchState) -> None:
    """Check that the actor is the card network. In a sandbox the account's owner may play it.

    Raises:
        Forbidden: the actor is neither.
    """
    access = state.access(actor, account_id)
    if access.is_party:
        if not (access.is_owner and state.sandbox):
            raise Forbidden("This is for the card network, and not for cards of one's own.")
    elif not actor.is_allowed(Permission.PROCESS_CARDS):
        raise Forbidden("This is for the card network.")


def refuse_card_account(actor: Actor, account_id: UUID, state: BatchState, *statuses: AccountStatus) -> None:
    """Refuse a card's account that has one of these statuses.

    Raises:
        AccountStatusRefused: it has, and is visible to the actor.
        StateConflict: `WRONG_STATUS`: it has, and is not visible, so that its id is not named.
    """
    try:
        state.refuse_status(account_id, *statuses)
    except AccountStatusRefused as refusal:
        if state.access(actor, account_id).is_visible:
            raise
        message = f"The account is {refusal.status.lower()}."
        raise StateConflict(StateConflictCode.WRONG_STATUS, refusal.status, message) from None


def decline_reason(refusal: Refusal) -> DeclineReason:
    """Return why an authorisation was declined.

    Raises:
        TypeError: the refusal is none of `DECLINES`.
    """
    match refusal:
        case LimitExceeded():
            return DeclineReason.LIMIT_EXCEEDED
        case InsufficientFunds():
            return DeclineReason.INSUFFICIENT_FUNDS
        case AccountStatusRefused() | StateConflict(conflict=StateConflictCode.WRONG_STATUS):
            return DeclineReason.ACCOUNT_NOT_ACTIVE
        case StateConflict(conflict=conflict):
            return DeclineReason(conflict)
        case _:
            raise TypeError(type(refusal))
