"""A plain model of cards beside the real bank: in whatever order things are done with them, the two agree to the cent."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from bank_graphql.bank import Bank, open_bank
from bank_graphql.cards import queries
from bank_graphql.cards import verification as cards_verification
from bank_graphql.cards.enums import LimitWindow
from bank_graphql.cards.rules import Merchant
from bank_graphql.cards.service import Cards
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger import verification
from bank_graphql.ledger.queries import BALANCES
from bank_graphql.payments import service
from bank_graphql.payments import verification as payments_verification
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    IssueCard,
    OpenAccount,
    RefundCardPayment,
    ReleaseHold,
    ReplaceCard,
    ReverseTransaction,
)
from bank_graphql.settings import Settings

AMOUNTS, ANY = st.integers(1, 40), st.integers(0, 30)
TABLE, SHOP = Merchant("Table", "5812", "DE"), Merchant("Shop", "5411", "DE")
LIMITS = {"TRANSACTION": 35, "DAY": 60, "WEEK": 90, "MONTH": 150}


@dataclass
class Paid:
    """An authorisation as the model knows it."""

    id: Any
    amount: int
    at: datetime
    expires: datetime
    tips: bool
    captured: int = 0
    status: str = "PENDING"
    payments: "list[Payment]" = field(default_factory=list)

    @property
    def left(self) -> int:
        return max(0, self.amount - self.captured) if self.status == "PENDING" else 0

    @property
    def counted(self) -> int:
        return self.left + sum(each.amount - each.refunded for each in self.payments if not each.reversed)

    def is_in(self, window: str, now: datetime) -> bool:
        if window == "DAY":
            return self.at.date() == now.date()
        if window == "WEEK":
            return self.at.isocalendar()[:2] == now.isocalendar()[:2]
        return (self.at.year, self.at.month) == (now.year, now.month)


@dataclass
class Payment:
    """A capture as the model knows it."""

    id: Any
    of: Paid
    amount: int
    refunded: int = 0
    reversed: bool = False


class Shop(RuleBasedStateMachine):
    """Does the same to the model and to the bank, and compares."""

    bank: Bank
    owner: Actor
    teller: Actor
    runner: asyncio.Runner

    @initialize()
    def open(self) -> None:
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)
        self.policy = replace(self.bank.policy, clock=lambda: self.now)
        self.cards = Cards(self.bank.db, self.bank.identity, self.policy.vault, lambda: self.now)
        self.account = self.do(OpenAccount, kind="CHECKING", currency="EUR", name="x").account_id
        self.do(Deposit, account_id=self.account, amount=Money(200, "EUR"))
        limits = tuple((window, Money(amount, "EUR")) for window, amount in LIMITS.items())
        self.card = self.do(IssueCard, account_id=self.account, kind="DEBIT", form="VIRTUAL", limits=limits).card_id
        self.paid: list[Paid] = []
        self.payments: list[Payment] = []
        self.limits, self.frozen, self.cash = dict(LIMITS), False, 200

    def do(self, command_type: type[Command], actor: Actor | None = None, **given: Any) -> Any:
        command = command_type(actor=actor or self.owner, key=new_id().hex, **given)
        [outcome] = self.runner.run(service.execute(self.bank.db, self.policy, [command]))
        return outcome

    def expect(self, outcome: Any, refusal: str | None) -> bool:
        told = type(outcome).__name__ if isinstance(outcome, Refusal) else None
        assert getattr(outcome, "conflict", told) == refusal, f"{outcome!r}"
        return refusal is None

    @property
    def available(self) -> int:
        return self.cash - sum(each.left for each in self.paid)

    def spent(self, window: str, at: datetime) -> int:
        return 0 if window == "TRANSACTION" else sum(each.counted for each in self.paid if each.is_in(window, at))

    def exceeds(self, amount: int, at: datetime, authorized: int = 0) -> bool:
        return any(
            (authorized if window == "TRANSACTION" else self.spent(window, at)) + amount > limit
            for window, limit in self.limits.items()
        )

    def expire(self) -> None:
        for each in self.paid:
            if each.status == "PENDING" and each.expires <= self.now:
                each.status = "EXPIRED"

    @rule(amount=AMOUNTS, tips=st.booleans())
    def authorize(self, amount: int, tips: bool) -> None:
        made = self.do(AuthorizeCard, card_id=self.card, amount=Money(amount, "EUR"), merchant=TABLE if tips else SHOP)
        refusal = "CARD_NOT_ACTIVE" if self.frozen else None
        refusal = refusal or ("LimitExceeded" if self.exceeds(amount, self.now) else None)
        refusal = refusal or ("InsufficientFunds" if amount > self.available else None)
        if self.expect(made, refusal):
            self.paid.append(Paid(made.transaction_id, amount, self.now, self.now + timedelta(days=7), tips))

    @precondition(lambda self: self.paid)
    @rule(number=ANY, amount=st.none() | AMOUNTS, final=st.booleans())
    def capture(self, number: int, amount: int | None, final: bool) -> None:
        paid = self.paid[number % len(self.paid)]
        given = None if amount is None else Money(amount, "EUR")
        made = self.do(CaptureHold, transaction_id=paid.id, amount=given, final=final)
        self.due(paid)
        taken = paid.left if amount is None else amount
        excess = taken - paid.left
        refusal = self.ended(paid)
        if refusal is None and paid.captured + taken > paid.amount + (paid.amount // 5 if paid.tips else 0):
            refusal = "OVER_CAPTURE"
        if refusal is None and excess > 0 and self.exceeds(excess, paid.at, paid.amount):
            refusal = "LimitExceeded"
        if refusal is None and excess > self.available:
            refusal = "InsufficientFunds"
        if self.expect(made, refusal):
            paid.captured += taken
            self.cash -= taken
            self.payments.append(Payment(made.transaction_id, paid, taken))
            paid.payments.append(self.payments[-1])
            if final or paid.captured >= paid.amount:
                paid.status = "POSTED"

    @precondition(lambda self: self.paid)
    @rule(number=ANY)
    def release(self, number: int) -> None:
        paid = self.paid[number % len(self.paid)]
        made = self.do(ReleaseHold, transaction_id=paid.id)
        self.due(paid)
        if self.expect(made, self.ended(paid)):
            paid.status = "VOIDED"

    @precondition(lambda self: self.payments)
    @rule(number=ANY, amount=st.none() | AMOUNTS)
    def refund(self, number: int, amount: int | None) -> None:
        payment = self.payments[number % len(self.payments)]
        made = self.do(RefundCardPayment, transaction_id=payment.id, amount=None if amount is None else Money(amount, "EUR"))
        left = payment.amount - payment.refunded
        back = left if amount is None else amount
        refusal = "ALREADY_REVERSED" if payment.reversed else "OVER_REFUND" if not left or back > left else None
        if self.expect(made, refusal):
            payment.refunded += back
            self.cash += back

    @precondition(lambda self: self.payments)
    @rule(number=ANY)
    def reverse(self, number: int) -> None:
        payment = self.payments[number % len(self.payments)]
        made = self.do(ReverseTransaction, actor=self.teller, transaction_id=payment.id, reason="r")
        refusal = "ALREADY_REVERSED" if payment.reversed else "OVER_REFUND" if payment.refunded else None
        if self.expect(made, refusal):
            payment.reversed = True
            self.cash += payment.amount

    @rule()
    def freeze_or_unfreeze(self) -> None:
        change = self.cards.unfreeze if self.frozen else self.cards.freeze
        self.runner.run(change(self.owner, self.card))
        self.frozen = not self.frozen

    @rule(window=st.sampled_from(list(LIMITS)), amount=st.none() | st.integers(0, 150))
    def limit(self, window: str, amount: int | None) -> None:
        self.limits.pop(window, None)
        if amount is not None:
            self.limits[window] = amount
        given = [(LimitWindow(name), Money(each, "EUR")) for name, each in self.limits.items()]
        self.runner.run(self.cards.set_limits(self.owner, self.card, given, None))

    @rule()
    def replace_card(self) -> None:
        self.card = self.do(ReplaceCard, card_id=self.card).card_id
        self.frozen = False

    @rule(hours=st.sampled_from([1, 20, 24, 80, 200]), job=st.booleans())
    def wait(self, hours: int, job: bool) -> None:
        self.now += timedelta(hours=hours)
        if job:
            self.runner.run(service.expire_holds(self.bank.db, self.policy))
            self.expire()

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "paid"):
            return
        [balance] = self.runner.run(self.bank.db.fetch(BALANCES, ids=[self.account]))
        assert (balance.booked, balance.held) == (self.cash, sum(each.left for each in self.paid))
        calendar = self.policy.cards.calendar
        [told] = self.runner.run(queries.limits(self.bank.db, calendar, lambda: self.now, [(self.owner, [self.card])]))
        assert [(each.time_window, each.amount.minor, each.spent.minor) for each in told] == [
            (window, self.limits[window], self.spent(window, self.now)) for window in LIMITS if window in self.limits
        ]

    def teardown(self) -> None:
        checks = (*verification.CHECKS, *cards_verification.CHECKS, *payments_verification.CHECKS)
        findings = self.runner.run(verification.verify(self.bank.db, checks))
        assert [(each.name, each.first_problem) for each in findings if not each.ok] == []

    def due(self, paid: Paid) -> None:
        if paid.status == "PENDING" and paid.expires <= self.now:
            paid.status = "EXPIRED"

    def ended(self, paid: Paid) -> str | None:
        return {"PENDING": None, "POSTED": "ALREADY_CAPTURED", "VOIDED": "ALREADY_RELEASED", "EXPIRED": "EXPIRED"}[paid.status]


async def _customer(bank: Bank, name: str, role: UserRole) -> Actor:
    user_id = await bank.identity.create_user(
        email=f"{name}@bank.test", password="a fine long passphrase", full_name=name, role=role
    )
    return Actor(user_id, None, PERMISSIONS[role])


@pytest.mark.timeout(180)
def test_cards_are_what_the_model_says(settings: Settings) -> None:
    with asyncio.Runner() as runner:
        opened = open_bank(settings)
        bank = runner.run(opened.__aenter__())
        try:
            actors = {
                name: runner.run(_customer(bank, name, role))
                for name, role in (("owner", UserRole.CUSTOMER), ("teller", UserRole.TELLER))
            }
            run_state_machine_as_test(
                type("Machine", (Shop,), {"bank": bank, "runner": runner, **actors}),
                settings=hypothesis_settings(
                    max_examples=25,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                ),
            )
        finally:
            runner.run(opened.__aexit__(None, None, None))
