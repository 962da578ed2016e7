"""Deciding a batch is deciding its commands one after another; refusals come back as they were given."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.accounts.errors import AccountStatusRefused, StateConflict
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.cards.rules import CardPolicy, CardState, Merchant, Spending, windows
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.ledger.rules import AccountState, Book
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    Destination,
    Moved,
    OpenAccount,
    PlaceHold,
    RefundCardPayment,
    ReleaseHold,
    ReverseTransaction,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.idempotency import STICKY, recall, remember
from bank_graphql.payments.rules import decide, preview
from bank_graphql.payments.state import CardFacts, Customer, Facts
from tests.policy import UTC as CALENDAR

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OWNERS = [UUID(int=100 + n) for n in range(3)]
ACCOUNTS = [UUID(int=n) for n in range(5)]
CURRENCIES = ["EUR", "EUR", "EUR", "USD", "EUR"]
STATUSES = ["ACTIVE", "ACTIVE", "FROZEN", "ACTIVE", "CLOSED"]
ACTORS = [
    *(Actor(owner, None, frozenset()) for owner in OWNERS),
    *(Actor(UUID(int=200), None, PERMISSIONS[role]) for role in (UserRole.TELLER, UserRole.PROCESSOR)),
]
CARDS = [UUID(int=300 + n) for n in range(3)]
CARD_STATUSES = ["ACTIVE", "ACTIVE", "FROZEN"]
POLICY = CardPolicy(CALENDAR, hold_for=timedelta(seconds=40), tolerances={"5812": 20})
SHOP, TABLE, BLOCKED = (Merchant("Shop", category, "DE") for category in ("5411", "5812", "7995"))


def bank() -> tuple[Facts, Book]:
    customers = {ACCOUNTS[n]: Customer(OWNERS[n % 3], STATUSES[n], "CHECKING") for n in range(5)}
    balance = [50, 20, 30, 40, 0]
    book = Book(AccountState(ACCOUNTS[n], CURRENCIES[n], None, balance[n], 0, 5 if n == 0 else 0, NOW) for n in range(5))
    return Facts(NOW, True, customers, {"NUMBER": ACCOUNTS[1]}, card_facts()), book


def card_facts() -> CardFacts:
    """Two cards of one series on the first account, and a frozen one on another."""
    later = NOW + timedelta(days=100)
    cards = {
        CARDS[n]: CardState(
            *(CARDS[n], ACCOUNTS[n // 2], CARDS[n // 2 * 2], "DEBIT", "VIRTUAL", CARD_STATUSES[n], None, "x", later),
            *(["7995"], False, {"TRANSACTION": 30, "DAY": 45} if n else {"MONTH": 70}),
        )
        for n in range(3)
    }
    spent = {window: 0 for card in cards.values() for window in windows(CALENDAR, card.series_id, NOW)}
    return CardFacts(POLICY, cards, {b"hash": CARDS[0]}, {}, Spending(CALENDAR, spent))


amounts = st.builds(Money, st.integers(1, 60), st.sampled_from(["EUR", "USD"]))
actors = st.sampled_from(ACTORS)
accounts = st.sampled_from([*ACCOUNTS, UUID(int=999)])
destinations = st.one_of(
    st.builds(Destination, account_id=accounts), st.builds(Destination, account_number=st.sampled_from(["NUMBER", "OTHER"]))
)
common: dict[str, Any] = {"actor": actors, "key": st.none()}


@dataclass(frozen=True)
class Later:
    """A command about the n-th transaction that there is when it is carried out."""

    kind: type[Command]
    actor: Actor
    number: int
    more: dict[str, Any]


commands = st.one_of(
    st.builds(Deposit, account_id=accounts, amount=amounts, **common),
    st.builds(Withdraw, account_id=accounts, amount=amounts, **common),
    st.builds(Transfer, from_account_id=accounts, to=destinations, amount=amounts, **common),
    st.builds(OpenAccount, kind=st.just("CHECKING"), currency=st.just("EUR"), name=st.just("x"), opening_deposit=st.none() | st.integers(1, 50), **common),
    st.builds(
        PlaceHold, account_id=accounts, to=destinations, amount=amounts,
        expires_at=st.none() | st.integers(1, 30).map(lambda n: NOW + timedelta(seconds=n)), **common,
    ),
    st.builds(Later, st.just(CaptureHold), actors, st.integers(0, 12), st.fixed_dictionaries({"amount": st.none() | amounts, "final": st.booleans()})),
    st.builds(Later, st.just(ReleaseHold), actors, st.integers(0, 12), st.just({})),
    st.builds(
        AuthorizeCard, card_id=st.sampled_from([*CARDS, UUID(int=9)]), number_hash=st.none(), amount=amounts,
        merchant=st.sampled_from([SHOP, TABLE, TABLE, BLOCKED]), **common,
    ),
    st.builds(AuthorizeCard, number_hash=st.sampled_from([b"hash", b"other"]), amount=amounts, merchant=st.just(TABLE), **common),
    st.builds(Later, st.just(RefundCardPayment), actors, st.integers(0, 12), st.fixed_dictionaries({"amount": st.none() | amounts})),
    st.builds(Later, st.just(ReverseTransaction), actors, st.integers(0, 12), st.just({"reason": "r"})),
)  # fmt: skip


def at_last(asked: Command | Later, book: Book) -> Command:
    """The command, now that it is known which transactions there are."""
    if isinstance(asked, Command):
        return asked
    kinds = {CaptureHold: ("HOLD",), ReleaseHold: ("HOLD",), RefundCardPayment: ("CARD_PAYMENT",)}.get(asked.kind)
    there = [key for key, each in book.transactions.items() if (each.kind in kinds if kinds else each.kind != "HOLD")]
    named = there[asked.number % len(there)] if there and asked.number < 12 else UUID(int=7)
    return asked.kind(actor=asked.actor, key=None, transaction_id=named, **asked.more)


def outcome(command: Command, facts: Facts, book: Book) -> object:
    try:
        return decide(command, facts, book)
    except Refusal as refusal:
        return (type(refusal), str(refusal))


def comparable(result: object, book: Book) -> object:
    """An outcome without the ids that differ from run to run."""
    if isinstance(result, tuple):
        return result
    made = book.transactions.get(getattr(result, "transaction_id", UUID(int=0)))
    return type(result), made and (
        made.kind,
        made.status,
        made.amount,
        made.captured,
        *(i if i in ACCOUNTS else None for i in (made.from_account_id, made.to_account_id)),
    )


def written(book: Book) -> Book:
    """The book as it is read again after it was written down."""
    return Book(map(replace, book.accounts.values()), map(replace, book.transactions.values()))


def hold_the_books(book: Book, total: int) -> None:
    """What is true of every book."""
    assert sum(account.booked for account in book.accounts.values()) == total
    reserved: Counter[UUID] = Counter()
    captured: Counter[UUID] = Counter()
    for each in book.transactions.values():
        if each.kind == "HOLD":
            assert 0 <= each.captured <= each.amount * 1.2
            assert (each.status == "POSTED") == (each.posted_at is not None)
        if each.status == "PENDING":
            reserved[each.from_account_id] += each.left
        if each.parent_id and each.kind != "CARD_REFUND":
            captured[each.parent_id] += each.amount
    for account in book.accounts.values():
        assert account.held == reserved[account.account_id]
        assert account.purpose or account.available >= 0
    for hold in book.transactions.values():
        if hold.kind == "HOLD":
            assert hold.captured == captured[hold.id]


def hold_the_cards(facts: Facts, book: Book) -> None:
    """What is true of what was paid by card: it counts what the books say, to the cent."""
    reversed_ = {each.reverses_id for each in book.transactions.values()}
    refunded: Counter[UUID] = Counter()
    for each in book.transactions.values():
        if each.kind == "CARD_REFUND" and each.parent_id and each.id not in reversed_:
            refunded[each.parent_id] += each.amount
    spent: Counter[UUID] = Counter()
    for key, paid in facts.cards.payments.items():
        made = book.transactions[key]
        if made.kind == "HOLD":
            counts = made.left if made.status == "PENDING" else 0
            assert made.captured <= POLICY.most(made.amount, paid.merchant.category)
        else:
            counts = made.amount - refunded[key] if made.kind == "CARD_PAYMENT" and key not in reversed_ else 0
            assert counts >= 0
        assert paid.counted == counts
        assert (made.status == "DECLINED") == (paid.decline_reason is not None)
        spent[paid.series_id] += counts
    for series in (CARDS[0], CARDS[2]):
        told = {facts.cards.spending.of(series, window, NOW) for window in ("DAY", "WEEK", "MONTH")}
        assert told == {spent[series]}


@given(st.lists(st.tuples(commands, st.integers(0, 10)), max_size=30))
def test_whatever_is_asked_the_books_hold(asked: list[tuple[Command | Later, int]]) -> None:
    facts, book = bank()
    total = sum(account.booked for account in book.accounts.values())
    results = []
    for command, seconds in asked:
        facts.now += timedelta(seconds=seconds)
        before = [replace(account) for account in book.accounts.values() if account.purpose is None]
        result = outcome(at_last(command, book), facts, book)
        results.append(comparable(result, book))
        if isinstance(result, tuple) and result[0] is not StateConflict:
            assert [account for account in book.accounts.values() if account.purpose is None] == before
        hold_the_books(book, total)
        hold_the_cards(facts, book)
    # The same commands, each on a book that was written and read again after the one before it.
    facts, book = bank()
    for (command, seconds), expected in zip(asked, results, strict=True):
        facts.now += timedelta(seconds=seconds)
        result = outcome(at_last(command, book), facts, book)
        assert comparable(result, book) == expected
        book = written(book)


@given(st.lists(commands, max_size=12), st.lists(commands, max_size=6))
def test_a_book_goes_back_to_what_it_was(first: list[Command | Later], second: list[Command | Later]) -> None:
    facts, book = bank()
    for command in first:
        outcome(at_last(command, book), facts, book)

    def state() -> object:
        return repr((book.accounts, book.transactions, book.opened, book.made, book.entries, book.changes))

    before, mark = state(), book.mark()
    for command in second:
        outcome(at_last(command, book), facts, book)
    book.go_back(mark)
    assert state() == before
    outcomes = [comparable(outcome(at_last(command, book), facts, book), book) for command in second]
    assert len(outcomes) == len(second)
    hold_the_books(book, 140)


@given(st.sampled_from(ACTORS), accounts, destinations, amounts)
def test_a_preview_tells_what_the_real_thing_does(actor: Actor, source: UUID, to: Destination, amount: Money) -> None:
    facts, book = bank()
    command = Transfer(actor=actor, key=None, from_account_id=source, to=to, amount=amount)
    real = outcome(command, facts, book)
    if isinstance(real, Moved):
        told = preview(command, real, facts, book)
        assert told.from_available_after == Money(book.accounts[source].available, "EUR" if source != ACCOUNTS[3] else "USD")


@pytest.mark.parametrize(
    "refusal",
    [
        InsufficientFunds(Money(5, "EUR"), Money(7, "EUR")),
        AccountStatusRefused(ACCOUNTS[2], "FROZEN"),
        StateConflict("WRONG_STATUS", "CLOSED", "It is closed."),
        LimitExceeded("DAY", Money(5, "EUR"), Money(4, "EUR")),
    ],
)
def test_sticky_refusals_come_back_as_given(refusal: Refusal) -> None:

    again = recall(json.loads(json.dumps(remember(refusal), default=str)))
    assert type(again) is type(refusal)
    assert str(again) == str(refusal)
    assert vars(again) == vars(refusal)


def test_every_sticky_refusal_is_tried_here() -> None:
    assert set(STICKY) == {"InsufficientFunds", "AccountStatusRefused", "StateConflict", "LimitExceeded"}


def test_a_fingerprint_is_of_what_is_asked() -> None:
    one = Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "EUR"))
    assert one.fingerprint() == Deposit(actor=ACTORS[1], key="b", account_id=ACCOUNTS[0], amount=Money(5, "EUR")).fingerprint()
    for other in (
        Withdraw(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "EUR")),
        Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[1], amount=Money(5, "EUR")),
        Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "USD")),
        Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "EUR"), description=""),
    ):
        assert other.fingerprint() != one.fingerprint()


def test_fingerprints_stay_what_they_are_across_versions() -> None:
    given = {"actor": ACTORS[0], "key": "a"}
    pinned = {
        Deposit(**given, account_id=ACCOUNTS[1], amount=Money(5, "EUR")): "546262edb9c0bda361998deacf380b12",
        Withdraw(**given, account_id=ACCOUNTS[1], amount=Money(5, "EUR"), description="x"): "be435fe16a4e1e3314ebee6a884b46ae",
        Transfer(
            **given, from_account_id=ACCOUNTS[1], to=Destination(account_number="N"), amount=Money(5, "EUR")
        ): "ae7f06670ee9b8fff4ea13cbb57e5838",
        OpenAccount(**given, kind="CHECKING", currency="EUR", name="x"): "69dfe65858cebbec93a5c60dfaa5e945",
    }
    assert {command.fingerprint().hex() for command in pinned} == set(pinned.values())


@given(st.integers(1, 50), st.lists(st.tuples(st.none() | st.integers(1, 30), st.booleans()), max_size=5), st.booleans())
def test_what_a_hold_reserves_is_taken_or_given_back(
    amount: int, captures: list[tuple[int | None, bool]], released: bool
) -> None:
    facts, book = bank()
    payer, teller = ACTORS[0], ACTORS[3]
    to = Destination(account_id=ACCOUNTS[1])
    placed = outcome(PlaceHold(actor=payer, key=None, account_id=ACCOUNTS[0], to=to, amount=Money(amount, "EUR")), facts, book)
    assert isinstance(placed, Moved)
    hold, taken = book.transactions[placed.transaction_id], 0
    for part, final in captures:
        money = None if part is None else Money(part, "EUR")
        asked = CaptureHold(actor=teller, key=None, transaction_id=hold.id, amount=money, final=final)
        left, was_pending = hold.left, hold.status == "PENDING"
        result = outcome(asked, facts, book)
        if was_pending and (part is None or part <= left):
            assert isinstance(result, Moved)
            taken += left if part is None else part
            assert hold.status == ("POSTED" if final or taken == amount else "PENDING")
        else:
            assert isinstance(result, tuple)
        hold_the_books(book, 140)
    if released:
        outcome(ReleaseHold(actor=teller, key=None, transaction_id=hold.id), facts, book)
        assert hold.status != "PENDING"
    source = book.accounts[ACCOUNTS[0]]
    assert hold.captured == taken
    assert (source.booked, source.held) == (50 - taken, amount - taken if hold.status == "PENDING" else 0)
