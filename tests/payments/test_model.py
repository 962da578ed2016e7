"""A model of balances, holds and reversals: whatever commands are executed, the bank agrees with it."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from bank_graphql.accounts.service import Accounts, Ending
from bank_graphql.bank import Bank
from bank_graphql.cards import service as cards
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.queries import BALANCES
from bank_graphql.payments import service
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
from tests.actors import create_actor
from tests.machines import CONFLICTS, ModelMachine, run
from tests.policy import policy
from tests.verification import assert_verified

AMOUNTS = st.integers(1, 70)
ACCOUNTS = st.integers(0, 3)
ANY = st.integers(0, 30)


@dataclass
class Hold:
    """A hold of the model."""

    id: Any
    source: int
    target: int
    amount: int
    expires: datetime | None
    captured: int = 0
    status: str = "PENDING"


@dataclass
class Model:
    """The state of a bank, as plain numbers and lists."""

    booked: list[int] = field(default_factory=lambda: [0] * 4)
    frozen: list[bool] = field(default_factory=lambda: [False] * 4)
    holds: list[Hold] = field(default_factory=list)
    posted: list[tuple[Any, int | None, int | None, int]] = field(default_factory=list)
    reversed: set[Any] = field(default_factory=set)
    reversals: set[Any] = field(default_factory=set)

    def held(self, account: int) -> int:
        return sum(h.amount - h.captured for h in self.holds if h.source == account and h.status == "PENDING")

    def available(self, account: int) -> int:
        return self.booked[account] - self.held(account)

    def post(self, transaction_id: Any, source: int | None, target: int | None, amount: int) -> None:
        self.posted.append((transaction_id, source, target, amount))
        if source is not None:
            self.booked[source] -= amount
        if target is not None:
            self.booked[target] += amount


class PaymentMachine(ModelMachine):
    """Moves money between four accounts, freezes them, and reverses transactions."""

    dsn: str

    @initialize()
    def open(self) -> None:
        self.now = datetime.now(UTC)
        self.policy = policy(lambda: self.now)
        self.db: Database = self.runner.run(Database.open(self.dsn, max_size=2))
        self.accounts = Accounts(self.db, lambda: self.now, Ending(_nothing, _nothing, cards.cancel_of_account))
        self.model = Model()
        self.ids = []
        for _ in range(4):
            outcome = self.execute(OpenAccount, kind="CHECKING", currency="EUR", name="x")
            assert isinstance(outcome, Opened)
            self.ids.append(outcome.account_id)
        for account in range(4):
            outcome = self.execute(Deposit, account_id=self.ids[account], amount=Money(100, "EUR"))
            self.model.post(outcome.transaction_id, None, account, 100)

    def execute(self, command_type: type[Command], actor: Actor | None = None, **given: Any) -> Any:
        command = command_type(actor=actor or self.owner, key=new_id().hex, **given)
        first, second = (self.runner.run(service.execute(self.db, self.policy, [command]))[0] for _ in range(2))
        if isinstance(first, Refusal):
            assert isinstance(second, Refusal)
        else:
            assert second.replayed  # type: ignore[union-attr]
        return first

    @rule(account=ACCOUNTS, amount=AMOUNTS)
    def deposit(self, account: int, amount: int) -> None:
        outcome = self.execute(Deposit, account_id=self.ids[account], amount=Money(amount, "EUR"))
        if self.expect(outcome, None):
            self.model.post(outcome.transaction_id, None, account, amount)

    @rule(account=ACCOUNTS, amount=AMOUNTS)
    def withdraw(self, account: int, amount: int) -> None:
        outcome = self.execute(Withdraw, account_id=self.ids[account], amount=Money(amount, "EUR"))
        if self.expect(outcome, self._refuses_debit(account, amount)):
            self.model.post(outcome.transaction_id, account, None, amount)

    @rule(source=ACCOUNTS, payee=ACCOUNTS, amount=AMOUNTS)
    def transfer(self, source: int, payee: int, amount: int) -> None:
        to = Destination(account_id=self.ids[payee])
        outcome = self.execute(Transfer, from_account_id=self.ids[source], to=to, amount=Money(amount, "EUR"))
        if self.expect(outcome, "ValidationFailed" if source == payee else self._refuses_debit(source, amount)):
            self.model.post(outcome.transaction_id, source, payee, amount)

    @rule(source=ACCOUNTS, payee=ACCOUNTS, amount=AMOUNTS, seconds=st.none() | st.integers(1, 60))
    def place(self, source: int, payee: int, amount: int, seconds: int | None) -> None:
        expires = None if seconds is None else self.now + timedelta(seconds=seconds)
        to = Destination(account_id=self.ids[payee])
        outcome = self.execute(PlaceHold, account_id=self.ids[source], to=to, amount=Money(amount, "EUR"), expires_at=expires)
        if self.expect(outcome, "ValidationFailed" if source == payee else self._refuses_debit(source, amount)):
            self.model.holds.append(Hold(outcome.transaction_id, source, payee, amount, expires))

    @precondition(lambda self: self.model.holds)
    @rule(number=ANY, amount=st.none() | AMOUNTS, final=st.booleans())
    def capture(self, number: int, amount: int | None, final: bool) -> None:
        hold = self.model.holds[number % len(self.model.holds)]
        given = None if amount is None else Money(amount, "EUR")
        outcome = self.execute(CaptureHold, transaction_id=hold.id, amount=given, final=final)
        self._expire(hold)
        remaining = hold.amount - hold.captured
        captured = remaining if amount is None else amount
        refusal = CONFLICTS[hold.status] or ("OVER_CAPTURE" if captured > remaining else None)
        if self.expect(outcome, refusal):
            hold.captured += captured
            self.model.post(outcome.transaction_id, hold.source, hold.target, captured)
            if final or hold.captured == hold.amount:
                hold.status = "POSTED"

    @precondition(lambda self: self.model.holds)
    @rule(number=ANY)
    def release(self, number: int) -> None:
        hold = self.model.holds[number % len(self.model.holds)]
        outcome = self.execute(ReleaseHold, transaction_id=hold.id)
        self._expire(hold)
        if self.expect(outcome, CONFLICTS[hold.status]):
            hold.status = "VOIDED"

    @rule(number=ANY)
    def reverse(self, number: int) -> None:
        posted, source, target, amount = self.model.posted[number % len(self.model.posted)]
        outcome = self.execute(ReverseTransaction, actor=self.teller, transaction_id=posted, reason="r")
        refusal = "NOT_REVERSIBLE" if posted in self.model.reversals else None
        if refusal is None and posted in self.model.reversed:
            refusal = "ALREADY_REVERSED"
        if refusal is None and target is not None and self.model.available(target) < amount:
            refusal = "InsufficientFunds"  # that its account is frozen does not matter
        if self.expect(outcome, refusal):
            self.model.reversed.add(posted)
            self.model.reversals.add(outcome.transaction_id)
            self.model.post(outcome.transaction_id, target, source, amount)

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
            for hold in self.model.holds:
                self._expire(hold)

    @invariant()
    def balances_agree(self) -> None:
        if not hasattr(self, "model") or len(self.model.posted) < 4:
            return
        rows = self.runner.run(self.db.fetch(BALANCES, ids=self.ids))
        found = {row.account_id: (row.booked, row.held) for row in rows}
        assert [found[i] for i in self.ids] == [(self.model.booked[n], self.model.held(n)) for n in range(4)]

    def teardown(self) -> None:
        if hasattr(self, "db"):
            try:
                self.runner.run(assert_verified(self.db))
            finally:
                self.runner.run(self.db.close())

    def _refuses_debit(self, account: int, amount: int) -> str | None:
        if self.model.frozen[account]:
            return "AccountStatusRefused"
        return "InsufficientFunds" if self.model.available(account) < amount else None

    def _expire(self, hold: Hold) -> None:
        if hold.status == "PENDING" and hold.expires is not None and hold.expires <= self.now:
            hold.status = "EXPIRED"


@pytest.fixture
async def actors(bank: Bank) -> dict[str, Actor]:
    """A customer and a teller."""
    return {"owner": await create_actor(bank, "owner"), "teller": await create_actor(bank, "teller", UserRole.TELLER)}


def test_the_bank_agrees_with_the_model_after_any_commands(dsn: str, actors: dict[str, Actor]) -> None:
    with asyncio.Runner() as runner:
        run(PaymentMachine, steps=25, dsn=dsn, runner=runner, **actors)


async def _nothing(*_: object) -> None:
    pass
