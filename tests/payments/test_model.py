"""A plain model of the bank beside the real one: whatever is done, the two agree."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from bank_graphql.accounts.service import Accounts
from bank_graphql.cards import service as cards
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger import verification
from bank_graphql.ledger.queries import BALANCES
from bank_graphql.payments import service
from bank_graphql.payments import verification as payments_verification
from bank_graphql.payments.commands import (
    CaptureHold,
    Command,
    Deposit,
    Destination,
    OpenAccount,
    PlaceHold,
    ReleaseHold,
    ReverseTransaction,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.outcomes import Opened
from tests.policy import policy

AMOUNTS = st.integers(1, 70)
ACCOUNTS = st.integers(0, 3)
ANY = st.integers(0, 30)


@dataclass
class Held:
    """A hold, as the model knows it."""

    id: Any
    source: int
    target: int
    amount: int
    expires: datetime | None
    captured: int = 0
    status: str = "PENDING"


@dataclass
class Model:
    """What a bank is, said as plainly as can be."""

    booked: list[int] = field(default_factory=lambda: [0] * 4)
    frozen: list[bool] = field(default_factory=lambda: [False] * 4)
    holds: list[Held] = field(default_factory=list)
    moved: list[tuple[Any, int | None, int | None, int]] = field(default_factory=list)
    reversed: set[Any] = field(default_factory=set)

    def held(self, account: int) -> int:
        return sum(h.amount - h.captured for h in self.holds if h.source == account and h.status == "PENDING")

    def available(self, account: int) -> int:
        return self.booked[account] - self.held(account)

    def move(self, made: Any, source: int | None, target: int | None, amount: int) -> None:
        self.moved.append((made, source, target, amount))
        if source is not None:
            self.booked[source] -= amount
        if target is not None:
            self.booked[target] += amount


class Bank(RuleBasedStateMachine):
    """Does the same to the model and to the bank, and compares."""

    dsn: str
    owner: Actor
    teller: Actor
    runner: asyncio.Runner

    @initialize()
    def open(self) -> None:
        self.now = datetime.now(UTC)
        self.policy = policy(lambda: self.now)
        self.db: Database = self.runner.run(Database.open(self.dsn, max_size=2))
        self.accounts = Accounts(self.db, lambda: self.now, cards.cancel_of_account)
        self.model = Model()
        self.ids = []
        for _ in range(4):
            outcome = self.do(OpenAccount, kind="CHECKING", currency="EUR", name="x")
            assert isinstance(outcome, Opened)
            self.ids.append(outcome.account_id)
        for account in range(4):
            made = self.do(Deposit, account_id=self.ids[account], amount=Money(100, "EUR"))
            self.model.move(made.transaction_id, None, account, 100)

    def do(self, command_type: type[Command], actor: Actor | None = None, **given: Any) -> Any:
        command = command_type(actor=actor or self.owner, key=new_id().hex, **given)
        first, second = (self.runner.run(service.execute(self.db, self.policy, [command]))[0] for _ in range(2))
        if isinstance(first, Refusal):
            assert isinstance(second, Refusal)
        else:
            assert second.replayed  # type: ignore[union-attr]
        return first

    def expect(self, outcome: Any, refusal: str | None) -> bool:
        told = type(outcome).__name__ if isinstance(outcome, Refusal) else None
        told = getattr(outcome, "conflict", told)
        assert told == refusal, f"{outcome!r}"
        return refusal is None

    def expire(self) -> None:
        for hold in self.model.holds:
            if hold.status == "PENDING" and hold.expires is not None and hold.expires <= self.now:
                hold.status = "EXPIRED"

    @rule(account=ACCOUNTS, amount=AMOUNTS)
    def deposit(self, account: int, amount: int) -> None:
        made = self.do(Deposit, account_id=self.ids[account], amount=Money(amount, "EUR"))
        if self.expect(made, None):
            self.model.move(made.transaction_id, None, account, amount)

    @rule(account=ACCOUNTS, amount=AMOUNTS)
    def withdraw(self, account: int, amount: int) -> None:
        made = self.do(Withdraw, account_id=self.ids[account], amount=Money(amount, "EUR"))
        if self.expect(made, self._refuses_debit(account, amount)):
            self.model.move(made.transaction_id, account, None, amount)

    @rule(source=ACCOUNTS, payee=ACCOUNTS, amount=AMOUNTS)
    def transfer(self, source: int, payee: int, amount: int) -> None:
        to = Destination(account_id=self.ids[payee])
        made = self.do(Transfer, from_account_id=self.ids[source], to=to, amount=Money(amount, "EUR"))
        if self.expect(made, "ValidationFailed" if source == payee else self._refuses_debit(source, amount)):
            self.model.move(made.transaction_id, source, payee, amount)

    @rule(source=ACCOUNTS, payee=ACCOUNTS, amount=AMOUNTS, seconds=st.none() | st.integers(1, 60))
    def place(self, source: int, payee: int, amount: int, seconds: int | None) -> None:
        expires = None if seconds is None else self.now + timedelta(seconds=seconds)
        to = Destination(account_id=self.ids[payee])
        made = self.do(PlaceHold, account_id=self.ids[source], to=to, amount=Money(amount, "EUR"), expires_at=expires)
        if self.expect(made, "ValidationFailed" if source == payee else self._refuses_debit(source, amount)):
            self.model.holds.append(Held(made.transaction_id, source, payee, amount, expires))

    @precondition(lambda self: self.model.holds)
    @rule(number=ANY, amount=st.none() | AMOUNTS, final=st.booleans())
    def capture(self, number: int, amount: int | None, final: bool) -> None:
        hold = self.model.holds[number % len(self.model.holds)]
        given = None if amount is None else Money(amount, "EUR")
        made = self.do(CaptureHold, transaction_id=hold.id, amount=given, final=final)
        self._expire_one(hold)
        left = hold.amount - hold.captured
        taken = left if amount is None else amount
        refusal = self._ended(hold) or ("OVER_CAPTURE" if taken > left else None)
        if self.expect(made, refusal):
            hold.captured += taken
            self.model.move(made.transaction_id, hold.source, hold.target, taken)
            if final or hold.captured == hold.amount:
                hold.status = "POSTED"

    @precondition(lambda self: self.model.holds)
    @rule(number=ANY)
    def release(self, number: int) -> None:
        hold = self.model.holds[number % len(self.model.holds)]
        made = self.do(ReleaseHold, transaction_id=hold.id)
        self._expire_one(hold)
        if self.expect(made, self._ended(hold)):
            hold.status = "VOIDED"

    @rule(number=ANY)
    def reverse(self, number: int) -> None:
        made, source, target, amount = self.model.moved[number % len(self.model.moved)]
        back = self.do(ReverseTransaction, actor=self.teller, transaction_id=made, reason="r")
        refusal = "NOT_REVERSIBLE" if made in self.model.reversed and (made, "back") in self.model.reversed else None
        if refusal is None and made in self.model.reversed:
            refusal = "ALREADY_REVERSED"
        if refusal is None and target is not None and self.model.available(target) < amount:
            refusal = "InsufficientFunds"  # that its account is frozen does not matter
        if self.expect(back, refusal):
            self.model.reversed |= {made, back.transaction_id, (back.transaction_id, "back")}
            self.model.move(back.transaction_id, target, source, amount)

    @rule(account=ACCOUNTS)
    def freeze_or_unfreeze(self, account: int) -> None:
        if self.model.frozen[account]:
            self.runner.run(self.accounts.unfreeze(self.owner, self.ids[account]))
        else:
            self.runner.run(self.accounts.freeze(self.owner, self.ids[account], None))
        self.model.frozen[account] = not self.model.frozen[account]

    @rule(seconds=st.integers(1, 30), job=st.booleans())
    def wait(self, seconds: int, job: bool) -> None:
        self.now += timedelta(seconds=seconds)
        if job:
            self.runner.run(service.expire_holds(self.db, self.policy))
            self.expire()

    @invariant()
    def balances_agree(self) -> None:
        if not hasattr(self, "model") or len(self.model.moved) < 4:
            return
        rows = self.runner.run(self.db.fetch(BALANCES, ids=self.ids))
        found = {row.account_id: (row.booked, row.held) for row in rows}
        assert [found[i] for i in self.ids] == [(self.model.booked[n], self.model.held(n)) for n in range(4)]

    def teardown(self) -> None:
        if hasattr(self, "db"):
            checks = (*verification.CHECKS, *payments_verification.CHECKS)
            findings = self.runner.run(verification.verify(self.db, checks))
            self.runner.run(self.db.close())
            assert [(each.name, each.first_problem) for each in findings if not each.ok] == []

    def _refuses_debit(self, account: int, amount: int) -> str | None:
        if self.model.frozen[account]:
            return "AccountStatusRefused"
        return "InsufficientFunds" if self.model.available(account) < amount else None

    def _expire_one(self, hold: Held) -> None:
        if hold.status == "PENDING" and hold.expires is not None and hold.expires <= self.now:
            hold.status = "EXPIRED"

    def _ended(self, hold: Held) -> str | None:
        return {"PENDING": None, "POSTED": "ALREADY_CAPTURED", "VOIDED": "ALREADY_RELEASED", "EXPIRED": "EXPIRED"}[hold.status]


@pytest.fixture
async def actors(bank: Any) -> dict[str, Actor]:
    """A customer and a teller."""
    made = {}
    for name, role in (("owner", UserRole.CUSTOMER), ("teller", UserRole.TELLER)):
        user_id = await bank.identity.create_user(
            email=f"{name}@bank.test", password="a fine long passphrase", full_name=name, role=role
        )
        made[name] = Actor(user_id, None, PERMISSIONS[role])
    return made


def test_the_bank_is_what_the_model_says(dsn: str, actors: dict[str, Actor]) -> None:
    with asyncio.Runner() as runner:
        machine = type("Machine", (Bank,), {"dsn": dsn, "runner": runner, **actors})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
            ),
        )
