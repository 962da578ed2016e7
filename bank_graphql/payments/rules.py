"""Decides what becomes of a command: facts and the book in, an outcome or a refusal out. Pure; knows no database."""

from functools import singledispatch
from uuid import UUID

from bank_graphql.accounts.errors import AccountStatusRefused, StateConflict
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.money import CURRENCY_DIGITS, Money
from bank_graphql.ledger.errors import CurrencyMismatch
from bank_graphql.ledger.rules import AccountState, Book, TransactionState
from bank_graphql.payments import card_rules
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    Destination,
    ExpireHold,
    IssueCard,
    Moved,
    OpenAccount,
    Opened,
    Outcome,
    PlaceHold,
    Preview,
    RefundCardPayment,
    ReleaseHold,
    ReplaceCard,
    ReverseTransaction,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.state import (
    Customer,
    Facts,
    NewAccount,
    expire_if_due,
    may_read,
    owns,
    refuse_status,
    require_currency,
    visible,
    visible_transaction,
)

CASH = "CASH"
_TOLD = {
    "POSTED": "The hold was captured already.",
    "VOIDED": "The hold was released already.",
    "EXPIRED": "The hold has expired.",
    "DECLINED": "The authorisation was declined.",
}
_ENDED = {"POSTED": "ALREADY_CAPTURED", "VOIDED": "ALREADY_RELEASED", "EXPIRED": "EXPIRED", "DECLINED": "WRONG_STATUS"}


@singledispatch
def decide(command: Command, facts: Facts, book: Book) -> Outcome:  # noqa: ARG001 - for commands that nobody knows
    """Carry the command out in the book, or refuse it.

    Raises:
        Refusal: the command is refused; the book is as it was, but that a hold whose time has come has expired, and that an
            authorisation is noted as declined.
    """
    raise TypeError(type(command))


@decide.register
def _(command: Deposit, facts: Facts, book: Book) -> Outcome:
    account = visible(command.actor, command.account_id, facts, book)
    _may_handle_cash(command.actor, command.account_id, facts)
    require_currency(account, command.amount)
    refuse_status(command.account_id, facts, "CLOSED")
    cash = book.internal(CASH, account.currency, facts.now)
    return _move("DEPOSIT", command, cash, account, facts, book)


@decide.register
def _(command: Withdraw, facts: Facts, book: Book) -> Outcome:
    account = visible(command.actor, command.account_id, facts, book)
    _may_handle_cash(command.actor, command.account_id, facts)
    require_currency(account, command.amount)
    refuse_status(command.account_id, facts, "CLOSED", "FROZEN")
    cash = book.internal(CASH, account.currency, facts.now)
    return _move("WITHDRAWAL", command, account, cash, facts, book)


@decide.register
def _(command: Transfer, facts: Facts, book: Book) -> Outcome:
    source, target = _payment(command.actor, command.from_account_id, command.to, command.amount, facts, book)
    return _move("TRANSFER", command, source, target, facts, book)


@decide.register
def _(command: PlaceHold, facts: Facts, book: Book) -> Outcome:
    source, target = _payment(command.actor, command.account_id, command.to, command.amount, facts, book)
    if command.expires_at is not None and command.expires_at <= facts.now:
        raise ValidationFailed.of("expiresAt", "PAST", "A hold expires in the future.")
    hold = book.place(source, target, command.amount, command.description, facts.now, expires_at=command.expires_at)
    return Moved(hold.id, hold)


@decide.register
def _(command: CaptureHold, facts: Facts, book: Book) -> Outcome:
    hold = _pending_hold(command.actor, command.transaction_id, facts, book)
    amount = command.amount or Money(hold.left, hold.currency)
    if amount.currency != hold.currency:
        raise CurrencyMismatch(expected=hold.currency, given=amount.currency)
    if hold.id in facts.cards.payments:
        card_rules.check_capture(command.actor, hold, amount, facts)
        made = book.capture(hold, amount, facts.now, final=command.final, kind="CARD_PAYMENT")
        card_rules.captured(hold, made, facts)
        return Moved(made.id, made)
    if amount.minor > hold.left:
        left = Money(hold.left, hold.currency)
        raise StateConflict("OVER_CAPTURE", hold.status, f"Only {left} are left of the hold.")
    refuse_status(hold.to_account_id, facts, "CLOSED")
    made = book.capture(hold, amount, facts.now, final=command.final)
    return Moved(made.id, made)


@decide.register
def _(command: ReleaseHold, facts: Facts, book: Book) -> Outcome:
    hold = _pending_hold(command.actor, command.transaction_id, facts, book)
    book.end(hold, "VOIDED", facts.now)
    facts.cards.settle(hold)
    return Moved(hold.id, hold)


@decide.register
def _(command: ExpireHold, facts: Facts, book: Book) -> Outcome:
    hold = book.transactions[command.transaction_id]
    if not expire_if_due(hold, facts, book):
        raise StateConflict("WRONG_STATUS", hold.status, "The hold is not due.")
    return Moved(hold.id, hold)


@decide.register
def _(command: ReverseTransaction, facts: Facts, book: Book) -> Outcome:
    original = visible_transaction(command.actor, command.transaction_id, facts, book)
    if not command.actor.is_allowed(Permission.REVERSE):
        raise Forbidden("Only staff takes transactions back.")
    if any(owns(command.actor, side, facts) for side in (original.from_account_id, original.to_account_id)):
        raise Forbidden("Nobody takes back a payment of their own.")
    if original.kind in {"HOLD", "REVERSAL"} or original.status != "POSTED":
        raise StateConflict("NOT_REVERSIBLE", original.status, "Such a transaction cannot be taken back.")
    if original.is_reversed:
        raise StateConflict("ALREADY_REVERSED", original.status, "The transaction was taken back already.")
    card_rules.check_reversal(original, facts)
    # A frozen payee is no obstacle: to unfreeze the account first would open a window for a withdrawal.
    for account_id in (original.to_account_id, original.from_account_id):
        if account_id in facts.customers:
            refuse_status(account_id, facts, "CLOSED")
    source, target = book.accounts[original.to_account_id], book.accounts[original.from_account_id]
    amount = Money(original.amount, original.currency)
    made = book.post("REVERSAL", source, target, amount, command.reason, facts.now, reverses=original)
    card_rules.reversed_(original, facts)
    return Moved(made.id, made)


@decide.register
def _(command: OpenAccount, facts: Facts, book: Book) -> Outcome:
    if command.opening_deposit and not facts.sandbox:
        # The account is the actor's own, and nobody handles their own money as staff.
        raise Forbidden("Only a teller may pay cash in, and not to an account of their own.")
    limit = facts.credit_limit * 10 ** CURRENCY_DIGITS[command.currency] if command.kind == "CREDIT" else 0
    account = AccountState(new_id(), command.currency, None, 0, 0, limit, facts.now)
    if command.opening_deposit:
        amount = Money(command.opening_deposit, command.currency)
        cash = book.internal(CASH, command.currency, facts.now)
        book.check(cash, account, amount)
        book.open(account)
        book.post("DEPOSIT", cash, account, amount, "Opening deposit", facts.now)
    else:
        book.open(account)
    facts.customers[account.account_id] = Customer(command.actor.user_id, "ACTIVE", command.kind)
    facts.opened.append(NewAccount(account.account_id, command.actor.user_id, command.name, command.kind))
    return Opened(account.account_id)


decide.register(IssueCard, card_rules.issue)
decide.register(ReplaceCard, card_rules.replace)
decide.register(AuthorizeCard, card_rules.authorize)
decide.register(RefundCardPayment, card_rules.refund)


def preview(command: Command, moved: Moved, facts: Facts, book: Book) -> Preview:
    """What a command has come to in the book, as a dry run tells it."""
    made = book.transactions[moved.transaction_id]
    source, target = book.accounts[made.from_account_id], book.accounts[made.to_account_id]
    return Preview(
        Money(made.amount, made.currency),
        Money(source.available, source.currency) if may_read(command.actor, source.account_id, facts) else None,
        Money(target.booked, target.currency) if may_read(command.actor, target.account_id, facts) else None,
    )


def _move(
    kind: str, command: Deposit | Withdraw | Transfer, source: AccountState, target: AccountState, facts: Facts, book: Book
) -> Outcome:
    made = book.post(kind, source, target, command.amount, command.description, facts.now)
    return Moved(made.id, made)


def _payment(
    actor: Actor, source_id: UUID, to: Destination, amount: Money, facts: Facts, book: Book
) -> tuple[AccountState, AccountState]:
    """Source and target of a payment out of an account of the actor's."""
    source = visible(actor, source_id, facts, book)
    if facts.customers[source_id].owner_id != actor.user_id:
        raise Forbidden("Only its owner may pay from an account.")
    target = _destination(actor, to, facts, book)
    if target is source:
        raise ValidationFailed.of("to", "SAME_ACCOUNT", "A payment goes to another account than it comes from.")
    require_currency(source, amount)
    require_currency(target, amount)
    refuse_status(source_id, facts, "CLOSED", "FROZEN")
    return source, target


def _pending_hold(actor: Actor, transaction_id: UUID, facts: Facts, book: Book) -> TransactionState:
    """A hold that the actor may capture or release now. One whose time has come expires here and now."""
    hold = visible_transaction(actor, transaction_id, facts, book)
    if hold.kind != "HOLD":
        raise StateConflict("NOT_A_HOLD", hold.status, "This transaction is no hold.")
    if hold.id in facts.cards.payments:
        card_rules.require_network(actor, hold.from_account_id, facts)
    elif not owns(actor, hold.to_account_id, facts) and (
        owns(actor, hold.from_account_id, facts) or not actor.is_allowed(Permission.SETTLE_HOLDS)
    ):
        raise Forbidden("A hold is captured or released by who is to be paid, or by staff.")
    expire_if_due(hold, facts, book)
    if hold.status != "PENDING":
        conflict = _ENDED[hold.status]
        raise StateConflict(conflict, hold.status, _TOLD[hold.status])
    return hold


def _destination(actor: Actor, to: Destination, facts: Facts, book: Book) -> AccountState:
    account_id = to.account_id or facts.numbers.get(to.account_number or "")
    customer = facts.customers.get(account_id) if account_id else None
    if account_id is None or customer is None:
        raise NotFound("account", global_id("Account", to.account_id) if to.account_id else None)
    if customer.status == "CLOSED":
        if may_read(actor, account_id, facts):
            raise AccountStatusRefused(account_id, customer.status)
        raise NotFound("account", global_id("Account", to.account_id) if to.account_id else None)
    return book.accounts[account_id]


def _may_handle_cash(actor: Actor, account_id: UUID, facts: Facts) -> None:
    if owns(actor, account_id, facts):
        if not facts.sandbox:
            raise Forbidden("Only a teller may pay cash in or out, and not for an account of their own.")
    elif not actor.is_allowed(Permission.HANDLE_CASH):
        raise Forbidden("Only a teller may pay cash in or out.")
