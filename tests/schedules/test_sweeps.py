"""Sweeps, which move what is above an amount or what is missing up to it; and how customers learn of orders that are refused."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from bank_graphql.bank import CHECKS, Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.ids import new_id, uuid_of
from bank_graphql.kit.money import Money
from bank_graphql.ledger import verification
from bank_graphql.payments import service as payments
from bank_graphql.payments.commands import Destination, RunScheduledTransfer
from tests.client import ABROAD, Client
from tests.products.products import make
from tests.schedules.orders import START, act, day, order, read, statuses

EVENTS = """query ($ids: [ID!]) { transactionEvents(accountIds: $ids, first: 100) { nodes { kind account { id }
    transaction { id kind status amount { amount } description declineReason to { name accountNumber } } } } }"""


@pytest.fixture
async def current(ada: Client) -> str:
    """An account with 100 euros."""
    await ada.advance(START)
    account: str = (await ada.open(deposit="100"))["id"]
    return account


@pytest.fixture
async def savings(ada: Client, current: str) -> str:
    """An empty account of the same customer."""
    account: str = (await ada.open(kind="SAVINGS"))["id"]
    return account


async def declined(customer: Client, account: str) -> list[Any]:
    """Return the transactions of an account that the feed shows as declined."""
    nodes = (await customer.run(EVENTS, ids=[account]))["transactionEvents"]["nodes"]
    return [each["transaction"] for each in nodes if each["kind"] == "DECLINED"]


async def test_what_is_above_an_amount_is_moved_each_night(ada: Client, current: str, savings: str) -> None:
    made = await order(ada, current, {"accountId": savings}, "60", sweep="ABOVE")
    await ada.advance(day(1, 7))
    assert (await ada.booked(current), await ada.booked(savings)) == ("60.00", "40.00")
    await ada.advance(day(2, 7))
    await ada.deposit(current, "5")
    await ada.place_hold(current, savings, "3")  # what is held is not above
    await ada.advance(day(3, 7))
    assert (await ada.booked(current), await ada.booked(savings)) == ("63.00", "42.00")
    found = await read(ada, made["id"])
    assert statuses(found) == [("16", "MOVED"), ("17", "SKIPPED"), ("18", "MOVED")]
    assert found["runs"][1]["rejection"] is None
    assert [run["transaction"] and run["transaction"]["amount"]["amount"] for run in found["runs"]] == ["40.00", None, "2.00"]
    assert await declined(ada, current) == []


async def test_all_can_be_swept_and_the_overdraft_is_not(ada: Client, teller: Client, current: str, savings: str) -> None:
    limit = 'mutation ($id: ID!) { setOverdraftLimit(id: $id, limit: {amount: "50", currency: EUR}) { __typename } }'
    await teller.run(limit, id=current)
    made = await order(ada, current, {"accountId": savings}, "0", sweep="ABOVE", recurrence="ONCE")
    assert made["__typename"] == "ScheduledTransfer"
    await ada.advance(day(1, 7))
    assert (await ada.booked(current), await ada.booked(savings)) == ("0.00", "100.00")


async def test_an_account_is_filled_up_to_an_amount(ada: Client, current: str, savings: str) -> None:
    made = await order(ada, current, {"accountId": savings}, "30", sweep="UP_TO")
    await ada.advance(day(1, 7))
    await ada.withdraw(savings, "12.50")
    await ada.advance(day(3, 7))
    found = await read(ada, made["id"])
    assert [run["transaction"] and run["transaction"]["amount"]["amount"] for run in found["runs"]] == ["30.00", "12.50", None]
    assert await ada.booked(savings) == "30.00"
    await ada.withdraw(current, "50")
    changed = await act(ada, "change", made["id"], {"amount": {"amount": "60", "currency": "EUR"}})
    assert changed["amount"]["amount"] == "60.00"
    await ada.advance(day(4))
    [*_, last] = (await read(ada, made["id"]))["runs"]
    assert (last["status"], last["rejection"]["required"]["amount"]) == ("REFUSED", "30.00")
    assert [each["amount"]["amount"] for each in await declined(ada, current)] == ["30.00"]


async def test_a_sweep_to_another_bank_leaves_what_it_says_after_its_fee(
    ada: Client, staff: Callable[[UserRole], Awaitable[Client]], current: str
) -> None:
    await make(await staff(UserRole.ADMIN), kind="CHECKING", externalTransferFee="0.35")
    await order(ada, current, {"external": {"accountNumber": ABROAD, "name": "Jane"}}, "5", sweep="ABOVE", recurrence="ONCE")
    await ada.advance(day(1, 7))
    assert (await ada.account(current, "balance { available { amount } }"))["balance"]["available"]["amount"] == "5.00"


@pytest.mark.parametrize(
    ("sweep", "amount", "code"), [("UP_TO", "10", "NOT_OWN"), ("UP_TO", "0", "NOT_POSITIVE"), ("ABOVE", "-1", "NOT_POSITIVE")]
)
async def test_nobody_learns_a_strangers_balance_by_filling_it_up(
    ada: Client, grace: Client, current: str, sweep: str, amount: str, code: str
) -> None:
    stranger = (await grace.open(deposit="5"))["id"]
    refused = await order(ada, current, {"accountId": stranger}, amount, sweep=sweep)
    assert (refused["__typename"], refused["fields"][0]["code"]) == ("ValidationRejection", code)
    abroad = {"external": {"accountNumber": ABROAD, "name": "Jane"}}
    assert (await order(ada, current, abroad, "10", sweep="UP_TO"))["fields"][0]["code"] == "OTHER_BANK"


async def test_the_payer_alone_sees_an_order_that_was_refused(ada: Client, grace: Client, bank: Bank, current: str) -> None:
    payee = (await grace.open())["id"]
    made = await order(ada, current, {"accountId": payee}, "150", recurrence="ONCE", description="Rent")
    await ada.advance(day(1, 15))
    assert await declined(ada, current) == []  # it is tried again at 18:00
    await ada.advance(day(2))
    [notice] = await declined(ada, current)
    assert (notice["kind"], notice["status"], notice["amount"]["amount"], notice["declineReason"]) == (
        "TRANSFER", "DECLINED", "150.00", "STANDING_ORDER",
    )  # fmt: skip
    assert notice["description"] == "Not paid: Rent. Only 100.00 EUR are available, and 150.00 EUR are needed."
    assert statuses(await read(ada, made["id"])) == [("16", "REFUSED")]
    assert await ada.booked(current) == "100.00"
    assert all(each.ok for each in await verification.verify(bank.db, CHECKS))
    assert await declined(grace, payee) == []
    assert (await grace.account(payee, "transactions { nodes { id } }"))["transactions"]["nodes"] == []
    assert (await grace.run("query ($id: ID!) { transaction(id: $id) { id } }", id=notice["id"]))["transaction"] is None
    capture = 'mutation ($id: ID!) { x: captureHold(input: {transactionId: $id, idempotencyKey: "k"}) { __typename } }'
    assert (await ada.run(capture, id=notice["id"]))["x"]["__typename"] == "StateConflictRejection"


async def test_an_order_from_a_frozen_account_shows_in_the_feed(ada: Client, current: str, savings: str) -> None:
    await order(ada, current, {"accountId": savings}, "1", recurrence="ONCE")
    await ada.run("mutation ($id: ID!) { freezeAccount(id: $id) { __typename } }", id=current)
    await ada.advance(day(1))
    assert [each["description"] for each in await declined(ada, current)] == ["Not paid. The account is frozen."]


async def test_a_suspended_payer_finds_the_order_that_was_not_paid_in_the_feed(
    ada: Client, staff: Callable[[UserRole], Awaitable[Client]], current: str, savings: str
) -> None:
    await order(ada, current, {"accountId": savings}, "1", recurrence="ONCE")
    admin = await staff(UserRole.ADMIN)
    await admin.run('mutation ($id: ID!) { suspendUser(userId: $id, reason: "A check") { __typename } }', id=ada.user_id)
    await admin.advance(day(1))
    assert [each["description"] for each in await declined(admin, current)] == ["Not paid. The user is SUSPENDED."]


async def test_a_try_that_is_sent_again_declines_once_and_a_later_one_is_decided_anew(
    ada: Client, grace: Client, bank: Bank, current: str
) -> None:
    payee = (await grace.open())["id"]
    await grace.run("mutation ($id: ID!) { closeAccount(id: $id) { __typename } }", id=payee)
    source = uuid_of(current, "Account") or new_id()
    actor = Actor(uuid_of(ada.user_id, "User") or new_id(), None, frozenset())

    async def send(schedule: Any, to: str, amount: int, *, is_last: bool) -> Any:
        command = RunScheduledTransfer(
            actor=actor, key=None, from_account_id=source, to=Destination(account_id=uuid_of(to, "Account")),
            amount=Money(amount, "EUR"), schedule_id=schedule, planned_for=date(2030, 1, 16), attempt=3, is_last=is_last,
        )  # fmt: skip
        [outcome] = await payments.execute(bank.db, bank.policy, [command])
        return type(outcome).__name__

    to_closed, waiting = new_id(), new_id()
    assert [await send(to_closed, payee, 100, is_last=True) for _ in range(2)] == ["NotFound"] * 2
    assert len(await declined(ada, current)) == 1
    own = (await ada.open())["id"]
    assert await send(waiting, own, 15_000, is_last=False) == "InsufficientFunds"
    await ada.deposit(current, "100")
    assert [await send(waiting, own, 15_000, is_last=True) for _ in range(2)] == ["Moved"] * 2
    assert await ada.booked(own) == "150.00"
