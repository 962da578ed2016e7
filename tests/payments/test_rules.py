"""A batch is decided one command after another; replayed refusals are those that were stored."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.accounts.access import Delegate
from bank_graphql.accounts.enums import AccountKind, AccountStatus, MemberRole
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.cards.enums import CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.cards.rules import PERIODS, CardPolicy, CardState, Merchant, Spending, windows_at
from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.ledger.rules import AccountState, LedgerState, internal_account_id
from bank_graphql.payments.card_state import CardsState
from bank_graphql.payments.clearing_state import ClearingState
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    Destination,
    OpenAccount,
    PlaceHold,
    ReceiveTransfer,
    RefundCardPayment,
    ReleaseHold,
    ReturnTransfer,
    ReverseTransaction,
    SettleTransfer,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.delegate_state import DelegatesState
from bank_graphql.payments.errors import DelegateLimitExceeded, PaymentApprovalRequired
from bank_graphql.payments.idempotency import REPLAYABLE, decode_refusal, encode_refusal
from bank_graphql.payments.outcomes import Declined, Moved
from bank_graphql.payments.state import BatchState, CustomerAccount
from tests.policy import CLEARING
from tests.policy import UTC as CALENDAR

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OWNERS = [UUID(int=100 + n) for n in range(3)]
ACCOUNTS = [UUID(int=n) for n in range(5)]
CURRENCIES = ["EUR", "EUR", "EUR", "USD", "EUR"]
STATUSES = [AccountStatus(name) for name in ("ACTIVE", "ACTIVE", "FROZEN", "ACTIVE", "CLOSED")]
ACTORS = [
    *(Actor(owner, None, frozenset()) for owner in OWNERS),
    *(Actor(UUID(int=200), None, PERMISSIONS[role]) for role in (UserRole.TELLER, UserRole.PROCESSOR)),
]
ABROAD, OURS = ExternalAccount("GB33BUKB20201555555555", "Jane"), "DE72999999990000000001"
CARDS = [UUID(int=300 + n) for n in range(3)]
CARD_STATUSES = [CardStatus.ACTIVE, CardStatus.ACTIVE, CardStatus.FROZEN]
POLICY = CardPolicy(CALENDAR, hold_for=timedelta(seconds=40), tolerances={"5812": 20})
SHOP, TABLE, BLOCKED = (Merchant("Shop", category, "DE") for category in ("5411", "5812", "7995"))


def members() -> DelegatesState:
    """The second customer may pay from the first account, 30 a day; the third sees it."""
    may = [
        Delegate(UUID(int=401), MemberRole.MEMBER, True, False, 30),
        Delegate(UUID(int=402), MemberRole.MEMBER, False, False, None),
    ]
    return DelegatesState(NOW.date(), {(OWNERS[n + 1], ACCOUNTS[0]): member for n, member in enumerate(may)}, {})


def bank() -> BatchState:
    customers = {ACCOUNTS[n]: CustomerAccount(OWNERS[n % 3], STATUSES[n], AccountKind.CHECKING) for n in range(5)}
    balance = [50, 20, 30, 40, 0]
    ledger = LedgerState(AccountState(ACCOUNTS[n], CURRENCIES[n], None, balance[n], 0, 5 if n == 0 else 0, NOW) for n in range(5))
    return BatchState(NOW, True, ledger, cards_state(), ClearingState(CLEARING), members(), customers, {"NUMBER": ACCOUNTS[1]})


def cards_state() -> CardsState:
    """Two cards of one series on the first account, and a frozen one on another."""
    later = NOW + timedelta(days=100)
    cards = {
        CARDS[n]: CardState(
            *(
                CARDS[n],
                ACCOUNTS[n // 2],
                CARDS[n // 2 * 2],
                CardKind.DEBIT,
                CardForm.VIRTUAL,
                CARD_STATUSES[n],
                None,
                "x",
                later,
            ),
            *(["7995"], False, {LimitWindow.TRANSACTION: 30, LimitWindow.DAY: 45} if n else {LimitWindow.MONTH: 70}),
        )
        for n in range(3)
    }
    spent = {window: 0 for card in cards.values() for window in windows_at(CALENDAR, card.series_id, NOW)}
    return CardsState(POLICY, cards, {b"hash": CARDS[0]}, {}, Spending(CALENDAR, spent))


amounts = st.builds(Money, st.integers(1, 60), st.sampled_from(["EUR", "USD"]))
actors = st.sampled_from(ACTORS)
accounts = st.sampled_from([*ACCOUNTS, UUID(int=999)])
destinations = st.one_of(
    st.builds(Destination, account_id=accounts),
    st.builds(Destination, account_number=st.sampled_from(["NUMBER", "OTHER"])),
    st.builds(
        Destination, external=st.sampled_from([ABROAD, ExternalAccount("NUMBER", "Ours"), ExternalAccount(OURS, "Nobody")])
    ),
)
common: dict[str, Any] = {"actor": actors, "key": st.none()}


@dataclass(frozen=True)
class Later:
    """A command about the n-th of the transactions that exist when it is executed."""

    kind: Any
    actor: Actor
    number: int
    more: dict[str, Any]


commands = st.one_of(
    st.builds(Deposit, account_id=accounts, amount=amounts, **common),
    st.builds(Withdraw, account_id=accounts, amount=amounts, **common),
    st.builds(Transfer, from_account_id=accounts, to=destinations, amount=amounts, **common),
    st.builds(OpenAccount, kind=st.just(AccountKind.CHECKING), currency=st.just("EUR"), name=st.just("x"), opening_deposit=st.none() | st.integers(1, 50), **common),
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
    st.builds(
        ReceiveTransfer, account_number=st.sampled_from(["NUMBER", "OTHER"]), amount=amounts, sender=st.just(ABROAD),
        reference=st.sampled_from(["A", "B", "C"]), **common,
    ),
    st.builds(Later, st.just(SettleTransfer), actors, st.integers(0, 12), st.just({})),
    st.builds(Later, st.just(ReturnTransfer), actors, st.integers(0, 12), st.just({"reason": "AC04"})),
    st.builds(Later, st.just(ReverseTransaction), actors, st.integers(0, 12), st.just({"reason": "r"})),
)  # fmt: skip


def resolved(requested: Command | Later, state: BatchState) -> Command:
    """Return the command, with the id of a transaction that exists now."""
    if isinstance(requested, Command):
        return requested
    kinds = {CaptureHold: ("HOLD",), ReleaseHold: ("HOLD",), RefundCardPayment: ("CARD_PAYMENT",)}.get(requested.kind)
    found = [key for key, each in state.ledger.transactions.items() if (each.kind in kinds if kinds else each.kind != "HOLD")]
    named = found[requested.number % len(found)] if found and requested.number < 12 else UUID(int=7)
    command: Command = requested.kind(actor=requested.actor, key=None, transaction_id=named, **requested.more)
    return command


def outcome(command: Command, state: BatchState) -> object:
    try:
        decision = command.decide(state)
    except Refusal as refusal:
        return (type(refusal), str(refusal))
    return (type(decision.refusal), str(decision.refusal)) if isinstance(decision, Declined) else decision


def comparable(result: object, state: BatchState) -> object:
    """Return an outcome without the ids that differ from run to run."""
    if isinstance(result, tuple):
        return result
    made = state.ledger.transactions.get(getattr(result, "transaction_id", UUID(int=0)))
    return type(result), made and (
        made.kind,
        made.status,
        made.amount,
        made.captured,
        *(i if i in ACCOUNTS else None for i in (made.from_account_id, made.to_account_id)),
    )


def written(state: BatchState) -> LedgerState:
    """Return the ledger as it is loaded again after it was written."""
    return LedgerState(map(replace, state.ledger.accounts.values()), map(replace, state.ledger.transactions.values()))


def check_ledger(state: BatchState, total: int) -> None:
    """Assert the invariants of a ledger."""
    assert sum(account.booked for account in state.ledger.accounts.values()) == total
    reserved: Counter[UUID] = Counter()
    captured: Counter[UUID] = Counter()
    for each in state.ledger.transactions.values():
        if each.kind == "HOLD":
            assert 0 <= each.captured <= each.amount * 1.2
            assert (each.status == "POSTED") == (each.posted_at is not None)
        if each.status == "PENDING":
            reserved[each.from_account_id] += each.remaining
        if each.parent_id and each.kind != "CARD_REFUND":
            captured[each.parent_id] += each.amount
    for account in state.ledger.accounts.values():
        assert account.held == reserved[account.account_id]
        assert account.purpose or account.available >= 0
    for hold in state.ledger.transactions.values():
        if hold.kind == "HOLD":
            assert hold.captured == captured[hold.id]


def check_cards(state: BatchState) -> None:
    """Assert that card payments count toward limits exactly what the ledger has posted and reserved."""
    reversed_ = {each.reverses_id for each in state.ledger.transactions.values()}
    refunded: Counter[UUID] = Counter()
    for each in state.ledger.transactions.values():
        if each.kind == "CARD_REFUND" and each.parent_id and each.id not in reversed_:
            refunded[each.parent_id] += each.amount
    spent: Counter[UUID] = Counter()
    for key, paid in state.cards.payments.items():
        made = state.ledger.transactions[key]
        if made.kind == "HOLD":
            counts = made.remaining if made.status == "PENDING" else 0
            assert made.captured <= POLICY.capture_maximum(made.amount, paid.merchant.category)
        else:
            counts = made.amount - refunded[key] if made.kind == "CARD_PAYMENT" and key not in reversed_ else 0
            assert counts >= 0
        assert paid.counted == counts
        assert (made.status == "DECLINED") == (paid.decline_reason is not None)
        spent[paid.series_id] += counts
    for series in (CARDS[0], CARDS[2]):
        spent_in_windows = {state.cards.spending.of(series, window, NOW) for window in PERIODS}
        assert spent_in_windows == {spent[series]}


def check_clearing(state: BatchState) -> None:
    """Assert that what the clearing knows of payments agrees with them, and that each came back once at most."""
    ledger, payments = state.ledger, state.clearing.payments
    clearing = internal_account_id(Purpose.CLEARING, "EUR")
    through = {key for key, each in ledger.transactions.items() if clearing in {each.from_account_id, each.to_account_id}}
    assert through == {key for key in payments if ledger.transactions[key].currency == "EUR"}
    returned = Counter(payment.returned_id for payment in payments.values() if payment.returned_id is not None)
    assert set(returned.values()) <= {1}
    for key, payment in payments.items():
        assert payment.is_returned == (key in returned)
        if payment.settles_on is not None:
            assert (ledger.transactions[key].status == "VOIDED") == (payment.return_reason is not None)


@given(st.lists(st.tuples(commands, st.integers(0, 10)), max_size=30))
def test_the_ledger_is_consistent_whatever_is_requested(requested: list[tuple[Command | Later, int]]) -> None:
    state = bank()
    total = sum(account.booked for account in state.ledger.accounts.values())
    results = []
    for command, seconds in requested:
        state.now += timedelta(seconds=seconds)
        before = [replace(account) for account in state.ledger.accounts.values() if account.purpose is None]
        result = outcome(resolved(command, state), state)
        results.append(comparable(result, state))
        if isinstance(result, tuple) and result[0] is not StateConflict:
            assert [account for account in state.ledger.accounts.values() if account.purpose is None] == before
        check_ledger(state, total)
        check_cards(state)
        check_clearing(state)
    # The same commands, each on a ledger that is written and loaded again after the command before it.
    state = bank()
    for (command, seconds), expected in zip(requested, results, strict=True):
        state.now += timedelta(seconds=seconds)
        result = outcome(resolved(command, state), state)
        assert comparable(result, state) == expected
        state.ledger = written(state)


@given(st.lists(commands, max_size=12), st.lists(commands, max_size=6))
def test_roll_back_restores_the_whole_state(first: list[Command | Later], second: list[Command | Later]) -> None:
    state = bank()
    for command in first:
        outcome(resolved(command, state), state)

    def contents() -> object:
        ledger, cards = state.ledger, state.cards
        return repr(
            (
                *(ledger.accounts, ledger.transactions, ledger.new_accounts, ledger.new_transactions, ledger.new_entries),
                *(ledger.changes, state.customers, state.new_accounts, cards.cards, cards.payments, cards.new_cards),
                *(cards.new_payments, cards.adjusted, cards.spending._spent),
                *(state.clearing.payments, state.clearing.received, state.clearing.new_payments, state.clearing.changed),
                *(state.delegates.spent, state.delegates.new_payments),
            )
        )

    before, savepoint = contents(), state.savepoint()
    for command in second:
        outcome(resolved(command, state), state)
    state.roll_back(savepoint)
    assert contents() == before
    outcomes = [comparable(outcome(resolved(command, state), state), state) for command in second]
    assert len(outcomes) == len(second)
    check_ledger(state, 140)


@given(st.sampled_from(ACTORS), accounts, destinations, amounts)
def test_a_preview_shows_what_the_command_does(actor: Actor, source: UUID, to: Destination, amount: Money) -> None:
    state = bank()
    command = Transfer(actor=actor, key=None, from_account_id=source, to=to, amount=amount)
    real = outcome(command, state)
    if isinstance(real, Moved):
        shown = state.preview(actor, real)
        assert shown.from_available_after == Money(
            state.ledger.accounts[source].available, "EUR" if source != ACCOUNTS[3] else "USD"
        )


@pytest.mark.parametrize(
    "refusal",
    [
        InsufficientFunds(Money(5, "EUR"), Money(7, "EUR")),
        AccountStatusRefused(ACCOUNTS[2], AccountStatus.FROZEN),
        StateConflict(StateConflictCode.WRONG_STATUS, "CLOSED", "It is closed."),
        LimitExceeded(LimitWindow.DAY, Money(5, "EUR"), Money(4, "EUR")),
        DelegateLimitExceeded(LimitWindow.DAY, Money(5, "EUR"), Money(4, "EUR")),
        PaymentApprovalRequired(ACCOUNTS[0], "The amount is large."),
    ],
)
def test_a_replayable_refusal_is_decoded_as_it_was_encoded(refusal: Refusal) -> None:
    again = decode_refusal(json.loads(json.dumps(encode_refusal(refusal), default=str)))
    assert type(again) is type(refusal)
    assert str(again) == str(refusal)
    assert vars(again) == vars(refusal)


def test_every_replayable_refusal_is_tested_here() -> None:
    tested = {
        "InsufficientFunds",
        "AccountStatusRefused",
        "StateConflict",
        "LimitExceeded",
        "DelegateLimitExceeded",
        "PaymentApprovalRequired",
    }
    assert set(REPLAYABLE) == tested


def test_a_fingerprint_depends_on_the_input_alone() -> None:
    one = Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "EUR"))
    assert one.fingerprint() == Deposit(actor=ACTORS[1], key="b", account_id=ACCOUNTS[0], amount=Money(5, "EUR")).fingerprint()
    for other in (
        Withdraw(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "EUR")),
        Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[1], amount=Money(5, "EUR")),
        Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "USD")),
        Deposit(actor=ACTORS[0], key="a", account_id=ACCOUNTS[0], amount=Money(5, "EUR"), description=""),
    ):
        assert other.fingerprint() != one.fingerprint()


def test_fingerprints_are_the_same_in_every_version() -> None:
    given: dict[str, Any] = {"actor": ACTORS[0], "key": "a"}
    pinned = {
        Deposit(**given, account_id=ACCOUNTS[1], amount=Money(5, "EUR")): "546262edb9c0bda361998deacf380b12",
        Withdraw(**given, account_id=ACCOUNTS[1], amount=Money(5, "EUR"), description="x"): "be435fe16a4e1e3314ebee6a884b46ae",
        Transfer(
            **given, from_account_id=ACCOUNTS[1], to=Destination(account_number="N"), amount=Money(5, "EUR")
        ): "ae7f06670ee9b8fff4ea13cbb57e5838",
        OpenAccount(**given, kind=AccountKind.CHECKING, currency="EUR", name="x"): "69dfe65858cebbec93a5c60dfaa5e945",
    }
    assert {command.fingerprint().hex() for command in pinned} == set(pinned.values())


@given(st.integers(1, 50), st.lists(st.tuples(st.none() | st.integers(1, 30), st.booleans()), max_size=5), st.booleans())
def test_a_hold_is_captured_up_to_its_amount_or_released(
    amount: int, captures: list[tuple[int | None, bool]], released: bool
) -> None:
    state = bank()
    payer, teller = ACTORS[0], ACTORS[3]
    to = Destination(account_id=ACCOUNTS[1])
    placed = outcome(PlaceHold(actor=payer, key=None, account_id=ACCOUNTS[0], to=to, amount=Money(amount, "EUR")), state)
    assert isinstance(placed, Moved)
    hold, captured = state.ledger.transactions[placed.transaction_id], 0
    for part, final in captures:
        money = None if part is None else Money(part, "EUR")
        capture = CaptureHold(actor=teller, key=None, transaction_id=hold.id, amount=money, final=final)
        remaining, was_pending = hold.remaining, hold.status == "PENDING"
        result = outcome(capture, state)
        if was_pending and (part is None or part <= remaining):
            assert isinstance(result, Moved)
            captured += remaining if part is None else part
            assert hold.status == ("POSTED" if final or captured == amount else "PENDING")
        else:
            assert isinstance(result, tuple)
        check_ledger(state, 140)
    if released:
        outcome(ReleaseHold(actor=teller, key=None, transaction_id=hold.id), state)
        assert hold.status != "PENDING"
    source = state.ledger.accounts[ACCOUNTS[0]]
    assert hold.captured == captured
    assert (source.booked, source.held) == (50 - captured, amount - captured if hold.status == "PENDING" else 0)
