"""Holds, reversals and batches of transfers through the API."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.api.accounts import CLOSE, FREEZE, UNFREEZE, balances
from tests.client import Client, key, money, transfer_of
from tests.serving import serving

HOLD = "query ($id: ID!) { transaction(id: $id) { kind status capturedAmount { amount } postedAt expiresAt parent { id } entries { id } } }"


async def hold_of(client: Client, hold_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.run(HOLD, id=hold_id))["transaction"]
    return found


@pytest.fixture
async def pair(ada: Client, grace: Client) -> tuple[str, str]:
    """An account of Ada's with 100, and one of Grace's."""
    return (await ada.open(deposit="100"))["id"], (await grace.open())["id"]


async def test_partial_captures_post_money_until_the_final_one_ends_the_hold(
    ada: Client, grace: Client, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    placed = await ada.place_hold(payer, payee, "60", description="Hotel")
    hold = placed["transaction"]
    assert (hold["kind"], hold["status"], hold["amount"], hold["capturedAmount"]) == (
        "HOLD",
        "PENDING",
        money("60.00"),
        {"amount": "0.00"},
    )
    assert await balances(ada, payer) == ("100.00", "60.00", "40.00")
    assert await balances(grace, payee) == ("0.00", "0.00", "0.00")  # an incoming hold is not spendable
    assert (await ada.transfer(payer, payee, "40.01"))["__typename"] == "InsufficientFundsRejection"
    part = (await grace.capture_hold(hold["id"], "25", final=False))["transaction"]
    assert (part["kind"], part["status"], part["description"]) == ("TRANSFER", "POSTED", "Hotel")
    assert (await hold_of(grace, part["id"]))["parent"] == {"id": hold["id"]}
    assert await balances(ada, payer) == ("75.00", "35.00", "40.00")
    assert (await hold_of(ada, hold["id"]))["status"] == "PENDING"
    over = await grace.capture_hold(hold["id"], "35.01")
    assert (over["conflict"], over["state"]) == ("OVER_CAPTURE", "PENDING")
    last = await grace.capture_hold(hold["id"], "30")
    assert last["transaction"]["amount"] == money("30.00")
    captured = await hold_of(ada, hold["id"])
    assert (captured["status"], captured["capturedAmount"]["amount"], captured["entries"]) == ("POSTED", "55.00", [])
    assert captured["postedAt"]
    assert await balances(ada, payer) == ("45.00", "0.00", "45.00")
    assert await balances(grace, payee) == ("55.00", "0.00", "55.00")
    for outcome in (await grace.capture_hold(hold["id"]), await grace.release_hold(hold["id"])):
        assert (outcome["conflict"], outcome["state"]) == ("ALREADY_CAPTURED", "POSTED")


async def test_a_capture_without_an_amount_is_of_the_remaining_amount(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    payer, payee = pair
    hold = (await ada.place_hold(payer, payee, "60"))["transaction"]["id"]
    assert (await grace.capture_hold(hold))["transaction"]["amount"] == money("60.00")
    hold = (await ada.place_hold(payer, payee, "40"))["transaction"]["id"]
    await grace.capture_hold(hold, "40", final=False)  # the remaining amount is zero
    assert (await hold_of(ada, hold))["status"] == "POSTED"
    assert await balances(grace, payee) == ("100.00", "0.00", "100.00")


async def test_a_release_frees_the_remaining_amount(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    payer, payee = pair
    hold = (await ada.place_hold(payer, payee, "60"))["transaction"]["id"]
    await grace.capture_hold(hold, "10", final=False)
    released = await grace.release_hold(hold)
    assert released["transaction"]["status"] == "VOIDED"
    assert released["transaction"]["capturedAmount"] == {"amount": "10.00"}
    assert await balances(ada, payer) == ("90.00", "0.00", "90.00")
    for outcome in (await grace.capture_hold(hold), await grace.release_hold(hold)):
        assert (outcome["conflict"], outcome["state"]) == ("ALREADY_RELEASED", "VOIDED")


async def test_invalid_holds_captures_and_releases_are_refused(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    payer, payee = pair
    assert (await ada.place_hold(payer, payee, "100.01"))["__typename"] == "InsufficientFundsRejection"
    assert (await ada.place_hold(payer, payer, "1"))["__typename"] == "ValidationRejection"
    assert (await ada.place_hold(payee, payer, "1"))["__typename"] == "NotFoundRejection"
    assert (await ada.place_hold(payer, payee, "1", "USD"))["__typename"] == "CurrencyMismatchRejection"
    past = await ada.place_hold(payer, payee, "1", expiresAt="2020-01-01T00:00:00Z")
    assert past["fields"] == [{"path": ["expiresAt"], "code": "PAST"}]
    hold = (await ada.place_hold(payer, payee, "50"))["transaction"]["id"]
    assert (await grace.capture_hold(hold, "1", "USD"))["__typename"] == "CurrencyMismatchRejection"
    assert (await grace.capture_hold(hold, "0"))["__typename"] == "ValidationRejection"
    moved = (await ada.transfer(payer, payee, "1"))["transaction"]["id"]
    for outcome in (await grace.capture_hold(moved), await grace.release_hold(moved)):
        assert (outcome["conflict"], outcome["state"]) == ("NOT_A_HOLD", "POSTED")
    for unknown in ("nonsense", payer, "VHJhbnNhY3Rpb246MDE5YWI2NTQwYWM1NzJkMThjNWMwYWNiOWQ2YWRlOTc"):
        assert (await grace.capture_hold(unknown))["__typename"] == "NotFoundRejection"
    assert await balances(ada, payer) == ("99.00", "50.00", "49.00")


async def test_holds_are_captured_from_frozen_accounts_and_never_to_closed_ones(
    ada: Client, grace: Client, teller: Client, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    close = "mutation ($id: ID!) { closeAccount(id: $id) { __typename ... on StateConflictRejection { conflict } } }"
    limit = "mutation ($id: ID!, $l: MoneyInput!) { setOverdraftLimit(id: $id, limit: $l) { __typename } }"
    first, second, third = [(await ada.place_hold(payer, payee, "20"))["transaction"]["id"] for _ in range(3)]
    await teller.run(FREEZE, id=payer)
    assert (await ada.place_hold(payer, payee, "1"))["accountStatus"] == "FROZEN"
    assert (await grace.capture_hold(first))["__typename"] == "MoneyMoved"
    assert (await grace.release_hold(second))["__typename"] == "MoneyMoved"
    await teller.run(UNFREEZE, id=payer)
    await ada.withdraw(payer, "60")
    assert await balances(ada, payer) == ("20.00", "20.00", "0.00")
    assert (await ada.run(close, id=payer))["closeAccount"]["conflict"] == "MONEY_REMAINS"
    assert (await teller.run(limit, id=payer, l=money("0")))["setOverdraftLimit"]["__typename"] == "Account"
    await grace.withdraw(payee, "20")
    assert (await grace.run(close, id=payee))["closeAccount"]["__typename"] == "Account"
    assert (await grace.capture_hold(third))["accountStatus"] == "CLOSED"
    assert (await grace.release_hold(third))["__typename"] == "MoneyMoved"


async def test_a_hold_expires_at_its_time_and_not_before(settings: Settings) -> None:
    now = datetime.now(UTC)
    async with serving(create_app(settings, clock=lambda: now)) as http:
        ada, grace = [await Client(http).sign_up(f"{name}@bank.test", name) for name in ("ada", "grace")]
        payer, payee = (await ada.open(deposit="100"))["id"], (await grace.open())["id"]
        until = (now + timedelta(minutes=5)).isoformat()
        holds = [(await ada.place_hold(payer, payee, "10", expiresAt=until))["transaction"]["id"] for _ in range(3)]
        forever = (await ada.place_hold(payer, payee, "10"))["transaction"]["id"]
        now += timedelta(minutes=5) - timedelta(microseconds=1)
        assert (await grace.capture_hold(holds[0]))["__typename"] == "MoneyMoved"
        now += timedelta(microseconds=1)
        for attempt in (grace.capture_hold, grace.release_hold):
            outcome = await attempt(holds[1])
            assert (outcome["conflict"], outcome["state"]) == ("EXPIRED", "EXPIRED")
        assert (await hold_of(ada, holds[1]))["status"] == "EXPIRED"  # by that attempt
        async with asyncio.timeout(20):  # and the other hold by the job
            while (await hold_of(ada, holds[2]))["status"] == "PENDING":
                await asyncio.sleep(0.05)
        assert (await hold_of(ada, holds[2]))["status"] == "EXPIRED"
        assert (await hold_of(ada, forever))["status"] == "PENDING"
        assert await balances(ada, payer) == ("90.00", "10.00", "80.00")


async def test_repeating_a_hold_or_capture_with_its_key_has_no_further_effect(
    ada: Client, grace: Client, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    same = key()
    placed = [await ada.place_hold(payer, payee, "30", idempotencyKey=same) for _ in range(2)]
    assert [outcome["replayed"] for outcome in placed] == [False, True]
    hold = placed[0]["transaction"]["id"]
    captured = await asyncio.gather(*(grace.capture_hold(hold, "10", final=False, idempotencyKey="c") for _ in range(10)))
    assert Counter(outcome["replayed"] for outcome in captured) == {False: 1, True: 9}
    assert await balances(ada, payer) == ("90.00", "20.00", "70.00")
    again = await ada.place_hold(payer, payee, "30", idempotencyKey=same)
    assert again["transaction"]["capturedAmount"] == {"amount": "10.00"}  # a replay reads the transaction as it is now
    over = await grace.capture_hold(hold, "50", idempotencyKey="o")
    await grace.release_hold(hold)
    assert await grace.capture_hold(hold, "50", idempotencyKey="o") == over


async def test_of_concurrent_captures_and_releases_exactly_one_succeeds(
    ada: Client, grace: Client, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    for _ in range(15):
        hold = (await ada.place_hold(payer, payee, "1"))["transaction"]["id"]
        outcomes = await asyncio.gather(
            grace.capture_hold(hold), grace.release_hold(hold), grace.capture_hold(hold, "0.50"), grace.release_hold(hold)
        )
        assert sorted(outcome["__typename"] for outcome in outcomes) == ["MoneyMoved", *["StateConflictRejection"] * 3]
    booked, held, _ = await balances(ada, payer)
    assert held == "0.00"
    assert float(booked) + float((await balances(grace, payee))[0]) == 100


async def test_staff_reverses_a_transaction_of_others_once(
    ada: Client, grace: Client, teller: Client, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    moved = (await ada.transfer(payer, payee, "30"))["transaction"]["id"]
    assert (await ada.reverse(moved))["__typename"] == "ForbiddenRejection"
    assert (await teller.reverse(moved, reason=" "))["fields"] == [{"path": ["reason"], "code": "REQUIRED"}]
    reversal = (await teller.reverse(moved, reason="Sent twice"))["transaction"]
    assert (reversal["kind"], reversal["description"], reversal["amount"]) == ("REVERSAL", "Sent twice", money("30.00"))
    assert (reversal["from"]["name"], reversal["to"]["name"]) == ("Grace Hopper", "Ada Lovelace")
    links = "query ($id: ID!) { transaction(id: $id) { status reverses { id } reversedBy { id } } }"
    assert (await grace.run(links, id=moved))["transaction"] == {
        "status": "POSTED",
        "reverses": None,
        "reversedBy": {"id": reversal["id"]},
    }
    assert (await ada.run(links, id=reversal["id"]))["transaction"] == {
        "status": "POSTED",
        "reverses": {"id": moved},
        "reversedBy": None,
    }
    assert await balances(ada, payer) == ("100.00", "0.00", "100.00")
    assert (await teller.reverse(moved))["conflict"] == "ALREADY_REVERSED"
    assert (await teller.reverse(reversal["id"]))["conflict"] == "NOT_REVERSIBLE"
    hold = (await ada.place_hold(payer, payee, "30"))["transaction"]["id"]
    assert (await teller.reverse(hold))["conflict"] == "NOT_REVERSIBLE"
    captured = (await grace.capture_hold(hold))["transaction"]["id"]
    assert (await teller.reverse(hold))["conflict"] == "NOT_REVERSIBLE"
    await grace.withdraw(payee, "10")
    short = await teller.reverse(captured)
    assert (short["__typename"], short["available"], short["required"]) == (
        "InsufficientFundsRejection",
        money("20.00"),
        money("30.00"),
    )
    own = await teller.open(deposit="5")
    paid = (await teller.transfer(own["id"], payee, "1"))["transaction"]["id"]
    assert (await teller.reverse(paid))["__typename"] == "ForbiddenRejection"
    reserved = (await teller.place_hold(own["id"], payee, "1"))["transaction"]["id"]
    assert (await teller.release_hold(reserved))["__typename"] == "ForbiddenRejection"
    emptied = await ada.open(deposit="7")
    closed = (await ada.transfer(emptied["id"], payer, "7"))["transaction"]["id"]
    await ada.run(CLOSE, id=emptied["id"])
    assert (await teller.reverse(closed))["accountStatus"] == "CLOSED"
    cash = (await ada.deposit(payer, "5"))["transaction"]["id"]
    outcomes = await asyncio.gather(*(teller.reverse(cash) for _ in range(5)))
    assert sorted(outcome["__typename"] for outcome in outcomes) == ["MoneyMoved", *["StateConflictRejection"] * 4]


async def test_a_batch_has_the_outcomes_of_its_transfers_in_their_order(
    ada: Client, grace: Client, pair: tuple[str, str]
) -> None:
    payer, payee = pair
    done = transfer_of(payer, payee, "10")
    outcome = await ada.batch(
        done, transfer_of(payer, payee, "95"), transfer_of(payer, payee, "0"), transfer_of("nonsense", payee, "1"), transfer_of(payee, payer, "1"),
        done, {**done, "amount": money("11")}, transfer_of(payer, payee, "90"),
    )  # fmt: skip
    assert [result["__typename"] for result in outcome["results"]] == [
        "MoneyMoved", "InsufficientFundsRejection", "ValidationRejection", "NotFoundRejection", "NotFoundRejection",
        "MoneyMoved", "IdempotencyConflictRejection", "MoneyMoved",
    ]  # fmt: skip
    assert (outcome["moved"], outcome["rejected"], outcome["previewed"]) == (3, 5, 0)
    assert outcome["results"][1]["available"] == money("90.00")
    assert outcome["results"][5]["replayed"] is True
    assert await balances(ada, payer) == ("0.00", "0.00", "0.00")


async def test_an_atomic_batch_is_all_or_none(ada: Client, grace: Client, pair: tuple[str, str], raw: asyncpg.Connection) -> None:
    payer, payee = pair
    items = [
        transfer_of(payer, payee, "40"),
        transfer_of(payer, payee, "70"),
        transfer_of(payer, payee, "50"),
        transfer_of(payer, payee, "80"),
    ]
    outcome = await ada.batch(*items, atomic=True)
    assert [result["__typename"] for result in outcome["results"]] == [
        "BatchAbortedRejection", "InsufficientFundsRejection", "BatchAbortedRejection", "InsufficientFundsRejection",
    ]  # fmt: skip
    assert outcome["results"][0]["index"] == 1
    assert await balances(ada, payer) == ("100.00", "0.00", "100.00")
    assert await raw.fetchval("SELECT count(*) FROM transactions WHERE kind = 'TRANSFER'") == 0
    items[1]["amount"], items[3]["amount"] = money("5"), money("5")
    moved = await ada.batch(*items, atomic=True)  # the same keys: no outcome was stored with them
    assert (moved["moved"], moved["rejected"]) == (4, 0)
    again = await ada.batch(*items, atomic=True)  # as a client repeats it after its connection broke
    assert [result["replayed"] for result in again["results"]] == [True] * 4
    assert [r["transaction"] for r in again["results"]] == [r["transaction"] for r in moved["results"]]
    used = {"path": ["transfers", "0", "idempotencyKey"], "code": "USED"}
    changed = [{**items[0], "amount": money("41")}, *items[1:]]
    for others in (items[::-1], items[:3], [*items, transfer_of(payer, payee, "1")], items[:1], changed):
        refused = await ada.batch(*others, atomic=True)
        assert refused["fields"][0] == used
    for others in ([items[0]], items):
        refused = await ada.batch(*others)
        assert {result["__typename"] for result in refused["results"]} == {"IdempotencyConflictRejection"}
    alone = await ada.transfer(payer, payee, "40", idempotencyKey=items[0]["idempotencyKey"])
    assert alone["__typename"] == "IdempotencyConflictRejection"
    assert alone["original"]["id"] == moved["results"][0]["transaction"]["id"]
    twice = transfer_of(payer, payee, "1")
    repeated: Any = (await ada.batch(twice, twice, atomic=True))["fields"]
    assert repeated == [{"path": ["transfers", "1", "idempotencyKey"], "code": "USED"}]
    await ada.deposit(payer, "1")
    aborted = await ada.batch(transfer_of(payer, payee, "1"), transfer_of(payer, payee, "x"), atomic=True)
    assert [result["__typename"] for result in aborted["results"]] == ["BatchAbortedRejection", "ValidationRejection"]
    mixed: Any = await ada.batch(transfer_of(payer, payee, "x"), items[0], atomic=True)
    assert mixed["fields"] == [{"path": ["transfers", "1", "idempotencyKey"], "code": "USED"}]
    nothing = await ada.batch(transfer_of(payer, payee, "x"), transfer_of("nonsense", payee, "1"))
    assert [result["__typename"] for result in nothing["results"]] == ["ValidationRejection", "NotFoundRejection"]
    assert await balances(ada, payer) == ("1.00", "0.00", "1.00")


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_dry_run_of_a_batch_previews_and_moves_nothing(ada: Client, pair: tuple[str, str], atomic: bool) -> None:
    payer, payee = pair
    outcome = await ada.batch(transfer_of(payer, payee, "60"), transfer_of(payer, payee, "30"), dryRun=True, atomic=atomic)
    assert [result["fromAvailableAfter"]["amount"] for result in outcome["results"]] == ["40.00", "10.00"]
    assert (outcome["moved"], outcome["rejected"], outcome["previewed"]) == (0, 0, 2)
    short = await ada.batch(transfer_of(payer, payee, "60"), transfer_of(payer, payee, "60"), dryRun=True, atomic=atomic)
    assert [result["__typename"] for result in short["results"]] == [
        "BatchAbortedRejection" if atomic else "MoneyPreview", "InsufficientFundsRejection",
    ]  # fmt: skip
    assert await balances(ada, payer) == ("100.00", "0.00", "100.00")


async def test_an_empty_overlong_or_partly_dry_batch_is_refused(ada: Client, pair: tuple[str, str]) -> None:
    payer, payee = pair
    assert (await ada.batch())["fields"] == [{"path": ["transfers"], "code": "REQUIRED"}]
    many = [transfer_of(payer, payee, "0.01") for _ in range(1001)]
    assert (await ada.batch(*many))["fields"] == [{"path": ["transfers"], "code": "TOO_MANY"}]
    dry = await ada.batch(transfer_of(payer, payee, "1"), transfer_of(payer, payee, "1", dryRun=True))
    assert dry["fields"] == [{"path": ["transfers", "1", "dryRun"], "code": "INVALID"}]


@pytest.mark.parametrize("how_many", [100, pytest.param(1000, marks=pytest.mark.deep)])
async def test_a_batch_has_the_outcomes_of_as_many_single_transfers(ada: Client, grace: Client, how_many: int) -> None:
    def summary(outcome: dict[str, Any]) -> tuple[Any, ...]:
        return outcome["__typename"], outcome.get("available"), outcome.get("replayed"), outcome.get("message")

    results = []
    for in_a_batch in (True, False):
        payer, payee = (await ada.open(deposit=f"{how_many * 7 // 10}"))["id"], (await grace.open())["id"]
        items = [transfer_of(payer, payee, "1" if n % 10 < 7 else "10000") for n in range(how_many)]
        if in_a_batch:
            outcome = await ada.batch(*items)
            assert (outcome["moved"], outcome["rejected"]) == (how_many * 7 // 10, how_many * 3 // 10)
            results.append([summary(each) for each in outcome["results"]])
        else:
            singles = [await ada.transfer(payer, payee, i["amount"]["amount"], idempotencyKey=i["idempotencyKey"]) for i in items]
            results.append([summary(each) for each in singles])
        assert await balances(ada, payer) == ("0.00", "0.00", "0.00")
    assert results[0] == results[1]


async def test_every_step_of_a_hold_and_a_reversal_is_in_the_feed(
    ada: Client, grace: Client, teller: Client, pair: tuple[str, str], raw: asyncpg.Connection
) -> None:
    payer, payee = pair
    await raw.execute("CREATE TEMPORARY TABLE seen AS SELECT max(sequence) AS last FROM transaction_events")
    hold = (await ada.place_hold(payer, payee, "10"))["transaction"]["id"]
    await grace.capture_hold(hold, "4", final=False)
    await grace.release_hold(hold)
    moved = (await ada.transfer(payer, payee, "1"))["transaction"]["id"]
    await teller.reverse(moved)
    rows = await raw.fetch("SELECT kind, count(*) AS n FROM transaction_events, seen WHERE sequence > last GROUP BY kind")
    assert {row["kind"]: row["n"] for row in rows} == {"PENDING": 2, "POSTED": 6, "CAPTURED": 2, "VOIDED": 2, "REVERSED": 2}
