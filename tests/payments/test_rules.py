"""Deciding a batch is deciding its commands one after another; refusals come back as they were given."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.accounts.errors import AccountStatusRefused, StateConflict
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.ledger.rules import AccountState, Book
from bank_graphql.payments.commands import Command, Deposit, Destination, OpenAccount, Transfer, Withdraw
from bank_graphql.payments.rules import STICKY, Customer, Facts, decide, recall, remember

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OWNERS = [UUID(int=100 + n) for n in range(3)]
ACCOUNTS = [UUID(int=n) for n in range(5)]
CURRENCIES = ["EUR", "EUR", "EUR", "USD", "EUR"]
STATUSES = ["ACTIVE", "ACTIVE", "FROZEN", "ACTIVE", "CLOSED"]
ACTORS = [Actor(owner, None, frozenset()) for owner in OWNERS]


def bank() -> tuple[Facts, Book]:
    customers = {ACCOUNTS[n]: Customer(OWNERS[n % 3], STATUSES[n]) for n in range(5)}
    balance = [50, 20, 30, 40, 0]
    book = Book(AccountState(ACCOUNTS[n], CURRENCIES[n], None, balance[n], 0, 5 if n == 0 else 0, NOW) for n in range(5))
    return Facts(NOW, True, customers, {"NUMBER": ACCOUNTS[1]}), book


amounts = st.builds(Money, st.integers(1, 60), st.sampled_from(["EUR", "USD"]))
actors = st.sampled_from(ACTORS)
accounts = st.sampled_from([*ACCOUNTS, UUID(int=999)])
destinations = st.one_of(
    st.builds(Destination, account_id=accounts), st.builds(Destination, account_number=st.sampled_from(["NUMBER", "OTHER"]))
)
common = {"key": st.none(), "dry_run": st.booleans()}
commands = st.one_of(
    st.builds(Deposit, actor=actors, account_id=accounts, amount=amounts, **common),
    st.builds(Withdraw, actor=actors, account_id=accounts, amount=amounts, **common),
    st.builds(Transfer, actor=actors, from_account_id=accounts, to=destinations, amount=amounts, **common),
    st.builds(
        OpenAccount, actor=actors, key=st.none(), kind=st.just("CHECKING"), currency=st.just("EUR"), name=st.just("x"),
        opening_deposit=st.none() | st.integers(1, 50),
    ),
)  # fmt: skip


def outcome(command: Command, facts: Facts, book: Book) -> object:
    try:
        return decide(command, facts, book)
    except Refusal as refusal:
        return (type(refusal), str(refusal))


def comparable(result: object) -> object:
    return result if isinstance(result, tuple) else (type(result), str(getattr(result, "amount", "")))


@given(st.lists(commands, max_size=25))
def test_whatever_is_asked_the_books_hold(asked: list[Command]) -> None:
    facts, book = bank()
    total = sum(account.booked for account in book.accounts.values())
    results = []
    for command in asked:
        before = {i: (a.booked, a.held) for i, a in book.accounts.items()}
        entries = len(book.entries)
        result = outcome(command, facts, book)
        results.append(result)
        if isinstance(result, tuple) or command.dry_run:
            after = {i: (a.booked, a.held) for i, a in book.accounts.items() if i in before}
            assert after == before
            assert len(book.entries) == entries
        assert sum(account.booked for account in book.accounts.values()) == total
        assert all(account.available >= 0 for account in book.accounts.values() if account.purpose is None)
    # The same commands, each on a book that was rebuilt from what is written after the one before it.
    facts_again, book_again = bank()
    for command, result in zip(asked, results, strict=True):
        assert comparable(outcome(command, facts_again, book_again)) == comparable(result)
        written = [AccountState(*(getattr(a, f.name) for f in fields(a))) for a in book_again.accounts.values()]
        book_again = Book(written)


@given(st.sampled_from(ACTORS), accounts, destinations, amounts)
def test_a_preview_tells_what_the_real_thing_does(actor: Actor, source: UUID, to: Destination, amount: Money) -> None:
    facts, book = bank()
    dry = outcome(Transfer(actor=actor, key=None, dry_run=True, from_account_id=source, to=to, amount=amount), facts, book)
    real = outcome(Transfer(actor=actor, key=None, from_account_id=source, to=to, amount=amount), facts, book)
    if isinstance(real, tuple):
        assert dry == real
    else:
        assert dry.from_available_after.minor == book.accounts[source].available  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "refusal",
    [
        InsufficientFunds(Money(5, "EUR"), Money(7, "EUR")),
        AccountStatusRefused(ACCOUNTS[2], "FROZEN"),
        StateConflict("WRONG_STATUS", "CLOSED", "It is closed."),
    ],
)
def test_sticky_refusals_come_back_as_given(refusal: Refusal) -> None:

    again = recall(json.loads(json.dumps(remember(refusal), default=str)))
    assert type(again) is type(refusal)
    assert str(again) == str(refusal)
    assert vars(again) == vars(refusal)


def test_every_sticky_refusal_is_tried_here() -> None:
    assert set(STICKY) == {"InsufficientFunds", "AccountStatusRefused", "StateConflict"}


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
        Deposit(**given, account_id=ACCOUNTS[1], amount=Money(5, "EUR")): "c9858122d2d9af5d6c83ca74b0f75e74",
        Withdraw(**given, account_id=ACCOUNTS[1], amount=Money(5, "EUR"), description="x"): "6df268d26043df440074b1fdbae257b4",
        Transfer(
            **given, from_account_id=ACCOUNTS[1], to=Destination(account_number="N"), amount=Money(5, "EUR")
        ): "b06914026d4e53edfe359c7e9c8703ce",
        OpenAccount(**given, kind="CHECKING", currency="EUR", name="x"): "23383eb605ea77cfbc31ff7c990665b8",
    }
    assert {command.fingerprint().hex() for command in pinned} == set(pinned.values())
