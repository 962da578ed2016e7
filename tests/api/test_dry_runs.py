"""Dry runs: each mutation that moves or reserves money previews what it then does, and writes nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from graphql import GraphQLInputObjectType, get_named_type

from bank_graphql.api.schema import build_schema
from tests.client import Client, key, money

TABLES = (
    "accounts", "audit_events", "balances", "card_transactions", "cards", "entries", "idempotency_outcomes", "transactions",
    "transaction_events", "external_transactions",
)  # fmt: skip
Call = Callable[..., Awaitable[dict[str, Any]]]


Prepared = tuple[Call, str, str | None]
"""Makes the request; the amount that it moves or reserves; and the paying account, if it is visible to who makes it."""


@dataclass
class Scene:
    """Accounts and a card, and for each mutation what prepares a request of it."""

    ada: Client
    grace: Client
    teller: Client
    payer: str
    payee: str
    credit: str
    card: str

    async def _hold(self) -> str:
        return str((await self.ada.place_hold(self.payer, self.payee, "10"))["transaction"]["id"])

    async def _card_payment(self) -> str:
        authorised = (await self.ada.authorize(self.card, "7"))["transaction"]["id"]
        return str((await self.ada.capture_hold(authorised))["transaction"]["id"])

    async def deposit(self) -> Prepared:
        return lambda **more: self.ada.deposit(self.payer, "5", **more), "5.00", None

    async def withdraw(self) -> Prepared:
        return lambda **more: self.ada.withdraw(self.payer, "5", **more), "5.00", self.payer

    async def transfer(self) -> Prepared:
        return lambda **more: self.ada.transfer(self.payer, self.payee, "5", **more), "5.00", self.payer

    async def place_hold(self) -> Prepared:
        return lambda **more: self.ada.place_hold(self.payer, self.payee, "5", **more), "5.00", self.payer

    async def capture_hold(self) -> Prepared:
        placed = await self._hold()
        return lambda **more: self.grace.capture_hold(placed, "4", **more), "4.00", None

    async def capture_hold_of_card(self) -> Prepared:
        authorised = (await self.ada.authorize(self.card, "7"))["transaction"]["id"]
        return lambda **more: self.ada.capture_hold(authorised, "8", **more), "8.00", self.payer

    async def release_hold(self) -> Prepared:
        placed = await self._hold()
        await self.grace.capture_hold(placed, "4", final=False)
        return lambda **more: self.grace.release_hold(placed, **more), "6.00", None

    async def reverse_transaction(self) -> Prepared:
        made = (await self.ada.transfer(self.payer, self.payee, "5"))["transaction"]["id"]
        return lambda **more: self.teller.reverse(made, **more), "5.00", self.payee

    async def authorize_card(self) -> Prepared:
        return lambda **more: self.ada.authorize(self.card, "5", **more), "5.00", self.payer

    async def refund_card_payment(self) -> Prepared:
        payment = await self._card_payment()
        return lambda **more: self.ada.refund(payment, **more), "7.00", None

    async def transfer_to_another_bank(self) -> Prepared:
        return lambda **more: self.ada.send(self.payer, "5", **more), "5.00", self.payer

    async def settle_transfer(self) -> Prepared:
        sent = (await self.ada.send(self.payer, "5"))["transaction"]["id"]
        return lambda **more: self.ada.settle(sent, **more), "5.00", self.payer

    async def return_transfer(self) -> Prepared:
        sent = (await self.ada.send(self.payer, "5"))["transaction"]["id"]
        return lambda **more: self.ada.return_transfer(sent, **more), "5.00", self.payer

    async def return_settled_transfer(self) -> Prepared:
        sent = (await self.ada.send(self.payer, "5"))["transaction"]["id"]
        await self.ada.settle(sent)
        return lambda **more: self.ada.return_transfer(sent, **more), "5.00", None

    async def receive_transfer(self) -> Prepared:
        number = (await self.ada.account(self.payer, "number"))["number"]
        return lambda **more: self.ada.receive(number, "5", **more), "5.00", None

    async def transfer_from_credit(self) -> Prepared:
        return lambda **more: self.ada.transfer(self.credit, self.payer, "5", **more), "5.00", self.credit


@pytest.fixture
async def scene(ada: Client, grace: Client, teller: Client) -> Scene:
    """A scene of three people."""
    payer, payee = (await ada.open(deposit="100"))["id"], (await grace.open())["id"]
    credit = (await ada.open(kind="CREDIT"))["id"]
    return Scene(ada, grace, teller, payer, payee, credit, (await ada.issue(payer))["id"])


NAMES = (
    "deposit", "withdraw", "transfer", "transfer_from_credit", "place_hold", "capture_hold", "capture_hold_of_card",
    "release_hold", "reverse_transaction", "authorize_card", "refund_card_payment",
)  # fmt: skip


async def content(raw: "asyncpg.Connection[asyncpg.Record]") -> dict[str, Any]:
    """All rows of the tables that payments write."""
    return {table: await raw.fetch(f"SELECT * FROM {table} ORDER BY {table}::text") for table in TABLES}


@pytest.mark.parametrize("name", NAMES)
async def test_a_dry_run_shows_what_then_happens(scene: Scene, raw: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    call, amount, payer = await getattr(scene, name)()
    before, same = await content(raw), key()
    preview = await call(dryRun=True, idempotencyKey=same)
    assert preview["__typename"] == "MoneyPreview", preview
    assert preview["amount"] == money(amount)
    assert await content(raw) == before
    done = await call(idempotencyKey=same)
    assert (done["__typename"], done["replayed"]) == ("MoneyMoved", False)
    if payer is not None:
        available = (await scene.teller.account(payer))["balance"]["available"]
        assert preview["fromAvailableAfter"] == available


async def test_an_opening_is_previewed(ada: Client, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    before = await content(raw)
    for deposit, amount in (("12.30", "12.30"), (None, "0.00")):
        given = {"kind": "CHECKING", "currency": "EUR", "openingDeposit": deposit, "idempotencyKey": key(), "dryRun": True}
        data = await ada.run(
            "mutation ($input: OpenAccountInput!) { openAccount(input: $input) { ... on MoneyPreview "
            "{ amount { amount currency } fromAvailableAfter { amount } toBookedAfter { amount } } } }",
            input=given,
        )
        assert data["openAccount"] == {
            "amount": money(amount),
            "fromAvailableAfter": None,
            "toBookedAfter": {"amount": amount},
        }
    assert await content(raw) == before


async def test_a_refusal_is_shown_and_not_recorded(ada: Client, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """A declined authorisation makes no transaction, and a hold without funds stores no outcome."""
    account, other = (await ada.open(deposit="3"))["id"], (await ada.open())["id"]
    card = (await ada.issue(account))["id"]
    before = await content(raw)
    for refused in (await ada.authorize(card, "5", dryRun=True), await ada.place_hold(account, other, "5", dryRun=True)):
        assert refused["__typename"] == "InsufficientFundsRejection"
    assert await content(raw) == before


def test_every_mutation_that_moves_or_reserves_money_has_a_dry_run() -> None:
    mutations = build_schema()._schema.mutation_type
    assert mutations is not None
    for name, field in mutations.fields.items():
        if name == "openAccount" or get_named_type(field.type).name == "MoveMoneyResult":
            inputs = [get_named_type(each.type) for each in field.args.values()]
            given = {*field.args, *(of for each in inputs if isinstance(each, GraphQLInputObjectType) for of in each.fields)}
            assert "dryRun" in given, name
