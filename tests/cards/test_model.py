"""A model of card payments: whatever is done in whatever order, the bank agrees with it to the cent."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from bank_graphql.bank import Bank, open_bank
from bank_graphql.cards import queries
from bank_graphql.cards.enums import LimitWindow
from bank_graphql.cards.rules import Merchant
from bank_graphql.cards.service import Cards
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.queries import BALANCES
from bank_graphql.payments import service
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
from tests.actors import create_actor
from tests.machines import CONFLICTS, ModelMachine, run
from tests.verification import assert_verified

AMOUNTS, ANY = st.integers(1, 40), st.integers(0, 30)
TABLE, SHOP = Merchant("Table", "5812", "DE"), Merchant("Shop", "5411", "DE")
LIMITS = {"TRANSACTION": 35, "DAY": 60, "WEEK": 90, "MONTH": 150}


@dataclass
class Hold:
    """The hold of an authorisation, in the model."""

    id: Any
    amount: int
    at: datetime
    expires: datetime
    tips: bool
    captured: int = 0
    status: str = "PENDING"
    payments: "list[Payment]" = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return max(0, self.amount - self.captured) if self.status == "PENDING" else 0

    @property
    def spent(self) -> int:
        return self.remaining + sum(each.amount - each.refunded for each in self.payments if not each.reversed)

    def is_in(self, window: str, now: datetime) -> bool:
        if window == "DAY":
            return self.at.date() == now.date()
        if window == "WEEK":
            return self.at.isocalendar()[:2] == now.isocalendar()[:2]
        return (self.at.year, self.at.month) == (now.year, now.month)


@dataclass
class Payment:
    """A captured payment, in the model."""

    id: Any
    of: Hold
    amount: int
    refunded: int = 0
    reversed: bool = False


class CardMachine(ModelMachine):
    """Issues a card, pays with it, and changes it."""

    bank: Bank

    @initialize()
    def open(self) -> None:
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)
        self.policy = replace(self.bank.policy, clock=lambda: self.now)
        self.cards = Cards(self.bank.db, self.bank.people.identity, self.policy.vault, lambda: self.now)
        self.account = self.execute(OpenAccount, kind="CHECKING", currency="EUR", name="x").account_id
        self.execute(Deposit, account_id=self.account, amount=Money(200, "EUR"))
        limits = tuple((window, Money(amount, "EUR")) for window, amount in LIMITS.items())
        self.card = self.execute(IssueCard, account_id=self.account, kind="DEBIT", form="VIRTUAL", limits=limits).card_id
        self.holds: list[Hold] = []
        self.payments: list[Payment] = []
        self.limits, self.frozen, self.booked = dict(LIMITS), False, 200

    def execute(self, command_type: type[Command], actor: Actor | None = None, **given: Any) -> Any:
        command = command_type(actor=actor or self.owner, key=new_id().hex, **given)
        [outcome] = self.runner.run(service.execute(self.bank.db, self.policy, [command]))
        return outcome

    @property
    def available(self) -> int:
        return self.booked - sum(each.remaining for each in self.holds)

    def spent(self, window: str, at: datetime) -> int:
        return 0 if window == "TRANSACTION" else sum(each.spent for each in self.holds if each.is_in(window, at))

    def exceeds(self, amount: int, at: datetime, authorized: int = 0) -> bool:
        return any(
            (authorized if window == "TRANSACTION" else self.spent(window, at)) + amount > limit
            for window, limit in self.limits.items()
        )

    @rule(amount=AMOUNTS, tips=st.booleans())
    def authorize(self, amount: int, tips: bool) -> None:
        outcome = self.execute(AuthorizeCard, card_id=self.card, amount=Money(amount, "EUR"), merchant=TABLE if tips else SHOP)
        refusal = "CARD_NOT_ACTIVE" if self.frozen else None
        refusal = refusal or ("LimitExceeded" if self.exceeds(amount, self.now) else None)
        refusal = refusal or ("InsufficientFunds" if amount > self.available else None)
        if self.expect(outcome, refusal):
            self.holds.append(Hold(outcome.transaction_id, amount, self.now, self.now + timedelta(days=7), tips))

    @precondition(lambda self: self.holds)
    @rule(number=ANY, amount=st.none() | AMOUNTS, final=st.booleans())
    def capture(self, number: int, amount: int | None, final: bool) -> None:
        hold = self.holds[number % len(self.holds)]
        given = None if amount is None else Money(amount, "EUR")
        outcome = self.execute(CaptureHold, transaction_id=hold.id, amount=given, final=final)
        self.expire(hold)
        captured = hold.remaining if amount is None else amount
        excess = captured - hold.remaining
        refusal = CONFLICTS[hold.status]
        if refusal is None and hold.captured + captured > hold.amount + (hold.amount // 5 if hold.tips else 0):
            refusal = "OVER_CAPTURE"
        if refusal is None and excess > 0 and self.exceeds(excess, hold.at, hold.amount):
            refusal = "LimitExceeded"
        if refusal is None and excess > self.available:
            refusal = "InsufficientFunds"
        if self.expect(outcome, refusal):
            hold.captured += captured
            self.booked -= captured
            self.payments.append(Payment(outcome.transaction_id, hold, captured))
            hold.payments.append(self.payments[-1])
            if final or hold.captured >= hold.amount:
                hold.status = "POSTED"

    @precondition(lambda self: self.holds)
    @rule(number=ANY)
    def release(self, number: int) -> None:
        hold = self.holds[number % len(self.holds)]
        outcome = self.execute(ReleaseHold, transaction_id=hold.id)
        self.expire(hold)
        if self.expect(outcome, CONFLICTS[hold.status]):
            hold.status = "VOIDED"

    @precondition(lambda self: self.payments)
    @rule(number=ANY, amount=st.none() | AMOUNTS)
    def refund(self, number: int, amount: int | None) -> None:
        payment = self.payments[number % len(self.payments)]
        outcome = self.execute(
            RefundCardPayment, transaction_id=payment.id, amount=None if amount is None else Money(amount, "EUR")
        )
        remaining = payment.amount - payment.refunded
        refunded = remaining if amount is None else amount
        over = not remaining or refunded > remaining
        refusal = "ALREADY_REVERSED" if payment.reversed else "OVER_REFUND" if over else None
        if self.expect(outcome, refusal):
            payment.refunded += refunded
            self.booked += refunded

    @precondition(lambda self: self.payments)
    @rule(number=ANY)
    def reverse(self, number: int) -> None:
        payment = self.payments[number % len(self.payments)]
        outcome = self.execute(ReverseTransaction, actor=self.teller, transaction_id=payment.id, reason="r")
        refusal = "ALREADY_REVERSED" if payment.reversed else "OVER_REFUND" if payment.refunded else None
        if self.expect(outcome, refusal):
            payment.reversed = True
            self.booked += payment.amount

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
        self.card = self.execute(ReplaceCard, card_id=self.card).card_id
        self.frozen = False

    @rule(hours=st.sampled_from([1, 20, 24, 80, 200]), job=st.booleans())
    def wait(self, hours: int, job: bool) -> None:
        self.now += timedelta(hours=hours)
        if job:
            self.runner.run(service.expire_holds(self.bank.db, self.policy))
            for each in self.holds:
                self.expire(each)

    @invariant()
    def balances_and_limits_agree(self) -> None:
        if not hasattr(self, "holds"):
            return
        [balance] = self.runner.run(self.bank.db.fetch(BALANCES, ids=[self.account]))
        assert (balance.booked, balance.held) == (self.booked, sum(each.remaining for each in self.holds))
        calendar = self.policy.cards.calendar
        [limits] = self.runner.run(queries.limits(self.bank.db, calendar, lambda: self.now, [(self.owner, [self.card])]))
        assert [(each.time_window, each.amount.minor, each.spent.minor) for each in limits] == [
            (window, self.limits[window], self.spent(window, self.now)) for window in LIMITS if window in self.limits
        ]

    def teardown(self) -> None:
        self.runner.run(assert_verified(self.bank.db))

    def expire(self, hold: Hold) -> None:
        if hold.status == "PENDING" and hold.expires <= self.now:
            hold.status = "EXPIRED"


@pytest.mark.timeout(180)
def test_the_bank_agrees_with_the_model_after_any_card_payments(settings: Settings) -> None:
    with asyncio.Runner() as runner:
        opened = open_bank(settings)
        bank = runner.run(opened.__aenter__())
        try:
            actors = {
                name: runner.run(create_actor(bank, name, role))
                for name, role in (("owner", UserRole.CUSTOMER), ("teller", UserRole.TELLER))
            }
            run(CardMachine, steps=30, bank=bank, runner=runner, **actors)
        finally:
            runner.run(opened.__aexit__(None, None, None))
