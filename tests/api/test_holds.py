"""Holds, reversals and batches, as clients see them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.client import Client, key, money, transfer_of

BALANCE = "balance { booked { amount } held { amount } available { amount } }"
HOLD = "query ($id: ID!) { transaction(id: $id) { kind status capturedAmount { amount } postedAt expiresAt parent { id } entries { id } } }"


async def balance(client: Client, account_id: str) -> tuple[str, str, str]:
    found = (await client.account(account_id, BALANCE))["balance"]
    return found["booked"]["amount"], found["held"]["amount"], found["available"]["amount"]


async def hold_of(client: Client, hold_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.run(HOLD, id=hold_id))["transaction"]
    return found


@pytest.fixture
async def pair(ada: Client, grace: Client) -> tuple[str, str]:
    """An account of Ada's with 100, and one of Grace's."""
    return (await ada.open(deposit="100"))["id"], (await grace.open())["id"]


async def test_from_placing_to_the_final_capture(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    placed = await ada.place_hold(hers, his, "60", description="Hotel")
    hold = placed["transaction"]
    assert (hold["kind"], hold["status"], hold["amount"], hold["capturedAmount"]) == (
        "HOLD",
        "PENDING",
        money("60.00"),
        {"amount": "0.00"},
    )
    assert await balance(ada, hers) == ("100.00", "60.00", "40.00")
    assert await balance(grace, his) == ("0.00", "0.00", "0.00")  # an incoming hold is not spendable
    assert (await ada.transfer(hers, his, "40.01"))["__typename"] == "InsufficientFundsRejection"
    part = (await grace.capture_hold(hold["id"], "25", final=False))["transaction"]
    assert (part["kind"], part["status"], part["description"]) == ("TRANSFER", "POSTED", "Hotel")
    assert (await hold_of(grace, part["id"]))["parent"] == {"id": hold["id"]}
    assert await balance(ada, hers) == ("75.00", "35.00", "40.00")
    assert (await hold_of(ada, hold["id"]))["status"] == "PENDING"
    over = await grace.capture_hold(hold["id"], "35.01")
    assert (over["conflict"], over["state"]) == ("OVER_CAPTURE", "PENDING")
    last = await grace.capture_hold(hold["id"], "30")
    assert last["transaction"]["amount"] == money("30.00")
    ended = await hold_of(ada, hold["id"])
    assert (ended["status"], ended["capturedAmount"]["amount"], ended["entries"]) == ("POSTED", "55.00", [])
    assert ended["postedAt"]
    assert await balance(ada, hers) == ("45.00", "0.00", "45.00")
    assert await balance(grace, his) == ("55.00", "0.00", "55.00")
    for outcome in (await grace.capture_hold(hold["id"]), await grace.release_hold(hold["id"])):
        assert (outcome["conflict"], outcome["state"]) == ("ALREADY_CAPTURED", "POSTED")


async def test_capturing_all_that_is_left(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    hold = (await ada.place_hold(hers, his, "60"))["transaction"]["id"]
    assert (await grace.capture_hold(hold))["transaction"]["amount"] == money("60.00")
    hold = (await ada.place_hold(hers, his, "40"))["transaction"]["id"]
    await grace.capture_hold(hold, "40", final=False)  # nothing is left to wait for
    assert (await hold_of(ada, hold))["status"] == "POSTED"
    assert await balance(grace, his) == ("100.00", "0.00", "100.00")


async def test_releasing(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    hold = (await ada.place_hold(hers, his, "60"))["transaction"]["id"]
    await grace.capture_hold(hold, "10", final=False)
    released = await grace.release_hold(hold)
    assert released["transaction"]["status"] == "VOIDED"
    assert released["transaction"]["capturedAmount"] == {"amount": "10.00"}
    assert await balance(ada, hers) == ("90.00", "0.00", "90.00")
    for outcome in (await grace.capture_hold(hold), await grace.release_hold(hold)):
        assert (outcome["conflict"], outcome["state"]) == ("ALREADY_RELEASED", "VOIDED")


async def test_what_cannot_be_held_captured_or_released(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    assert (await ada.place_hold(hers, his, "100.01"))["__typename"] == "InsufficientFundsRejection"
    assert (await ada.place_hold(hers, hers, "1"))["__typename"] == "ValidationRejection"
    assert (await ada.place_hold(his, hers, "1"))["__typename"] == "NotFoundRejection"
    assert (await ada.place_hold(hers, his, "1", "USD"))["__typename"] == "CurrencyMismatchRejection"
    past = await ada.place_hold(hers, his, "1", expiresAt="2020-01-01T00:00:00Z")
    assert past["fields"] == [{"path": ["expiresAt"], "code": "PAST"}]
    hold = (await ada.place_hold(hers, his, "50"))["transaction"]["id"]
    assert (await grace.capture_hold(hold, "1", "USD"))["__typename"] == "CurrencyMismatchRejection"
    assert (await grace.capture_hold(hold, "0"))["__typename"] == "ValidationRejection"
    moved = (await ada.transfer(hers, his, "1"))["transaction"]["id"]
    for outcome in (await grace.capture_hold(moved), await grace.release_hold(moved)):
        assert (outcome["conflict"], outcome["state"]) == ("NOT_A_HOLD", "POSTED")
    for unknown in ("nonsense", hers, "VHJhbnNhY3Rpb246MDE5YWI2NTQwYWM1NzJkMThjNWMwYWNiOWQ2YWRlOTc"):
        assert (await grace.capture_hold(unknown))["__typename"] == "NotFoundRejection"
    assert await balance(ada, hers) == ("99.00", "50.00", "49.00")


async def test_holds_on_frozen_and_closed_accounts(ada: Client, grace: Client, teller: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    freeze = "mutation ($id: ID!) { freezeAccount(id: $id) { __typename } }"
    close = "mutation ($id: ID!) { closeAccount(id: $id) { __typename ... on StateConflictRejection { conflict } } }"
    limit = "mutation ($id: ID!, $l: MoneyInput!) { setOverdraftLimit(id: $id, limit: $l) { __typename } }"
    first, second, third = [(await ada.place_hold(hers, his, "20"))["transaction"]["id"] for _ in range(3)]
    await teller.run(freeze, id=hers)
    assert (await ada.place_hold(hers, his, "1"))["accountStatus"] == "FROZEN"
    assert (await grace.capture_hold(first))["__typename"] == "MoneyMoved"
    assert (await grace.release_hold(second))["__typename"] == "MoneyMoved"
    await teller.run("mutation ($id: ID!) { unfreezeAccount(id: $id) { __typename } }", id=hers)
    await ada.withdraw(hers, "60")
    assert await balance(ada, hers) == ("20.00", "20.00", "0.00")
    assert (await ada.run(close, id=hers))["closeAccount"]["conflict"] == "MONEY_REMAINS"
    assert (await teller.run(limit, id=hers, l=money("0")))["setOverdraftLimit"]["__typename"] == "Account"
    await grace.withdraw(his, "20")
    assert (await grace.run(close, id=his))["closeAccount"]["__typename"] == "Account"
    assert (await grace.capture_hold(third))["accountStatus"] == "CLOSED"
    assert (await grace.release_hold(third))["__typename"] == "MoneyMoved"


async def test_a_hold_expires_at_its_time_and_not_before(settings: Settings) -> None:
    now = datetime.now(UTC)
    app = create_app(settings, clock=lambda: now)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank") as http,
    ):
        ada, grace = [await Client(http).sign_up(f"{name}@bank.test", name) for name in ("ada", "grace")]
        hers, his = (await ada.open(deposit="100"))["id"], (await grace.open())["id"]
        until = (now + timedelta(minutes=5)).isoformat()
        holds = [(await ada.place_hold(hers, his, "10", expiresAt=until))["transaction"]["id"] for _ in range(3)]
        forever = (await ada.place_hold(hers, his, "10"))["transaction"]["id"]
        now += timedelta(minutes=5) - timedelta(microseconds=1)
        assert (await grace.capture_hold(holds[0]))["__typename"] == "MoneyMoved"
        now += timedelta(microseconds=1)
        for attempt in (grace.capture_hold, grace.release_hold):
            outcome = await attempt(holds[1])
            assert (outcome["conflict"], outcome["state"]) == ("EXPIRED", "EXPIRED")
        assert (await hold_of(ada, holds[1]))["status"] == "EXPIRED"  # by the very attempt
        async with asyncio.timeout(20):  # and the other by itself
            while (await hold_of(ada, holds[2]))["status"] == "PENDING":
                await asyncio.sleep(0.05)
        assert (await hold_of(ada, holds[2]))["status"] == "EXPIRED"
        assert (await hold_of(ada, forever))["status"] == "PENDING"
        assert await balance(ada, hers) == ("90.00", "10.00", "80.00")


async def test_holds_have_keys_too(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    same = key()
    placed = [await ada.place_hold(hers, his, "30", idempotencyKey=same) for _ in range(2)]
    assert [outcome["replayed"] for outcome in placed] == [False, True]
    hold = placed[0]["transaction"]["id"]
    captured = await asyncio.gather(*(grace.capture_hold(hold, "10", final=False, idempotencyKey="c") for _ in range(10)))
    assert Counter(outcome["replayed"] for outcome in captured) == {False: 1, True: 9}
    assert await balance(ada, hers) == ("90.00", "20.00", "70.00")
    again = await ada.place_hold(hers, his, "30", idempotencyKey=same)
    assert again["transaction"]["capturedAmount"] == {"amount": "10.00"}  # a repetition reads it as it is now
    over = await grace.capture_hold(hold, "50", idempotencyKey="o")
    await grace.release_hold(hold)
    assert await grace.capture_hold(hold, "50", idempotencyKey="o") == over


async def test_capture_release_and_capture_race_with_one_winner(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    for _ in range(15):
        hold = (await ada.place_hold(hers, his, "1"))["transaction"]["id"]
        outcomes = await asyncio.gather(
            grace.capture_hold(hold), grace.release_hold(hold), grace.capture_hold(hold, "0.50"), grace.release_hold(hold)
        )
        assert sorted(outcome["__typename"] for outcome in outcomes) == ["MoneyMoved", *["StateConflictRejection"] * 3]
    booked, held, _ = await balance(ada, hers)
    assert held == "0.00"
    assert float(booked) + float((await balance(grace, his))[0]) == 100


async def test_reversals(ada: Client, grace: Client, teller: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    moved = (await ada.transfer(hers, his, "30"))["transaction"]["id"]
    assert (await ada.reverse(moved))["__typename"] == "ForbiddenRejection"
    assert (await teller.reverse(moved, reason=" "))["fields"] == [{"path": ["reason"], "code": "REQUIRED"}]
    back = (await teller.reverse(moved, reason="Sent twice"))["transaction"]
    assert (back["kind"], back["description"], back["amount"]) == ("REVERSAL", "Sent twice", money("30.00"))
    assert (back["from"]["name"], back["to"]["name"]) == ("Grace Hopper", "Ada Lovelace")
    links = "query ($id: ID!) { transaction(id: $id) { status reverses { id } reversedBy { id } } }"
    assert (await grace.run(links, id=moved))["transaction"] == {
        "status": "POSTED",
        "reverses": None,
        "reversedBy": {"id": back["id"]},
    }
    assert (await ada.run(links, id=back["id"]))["transaction"] == {
        "status": "POSTED",
        "reverses": {"id": moved},
        "reversedBy": None,
    }
    assert await balance(ada, hers) == ("100.00", "0.00", "100.00")
    assert (await teller.reverse(moved))["conflict"] == "ALREADY_REVERSED"
    assert (await teller.reverse(back["id"]))["conflict"] == "NOT_REVERSIBLE"
    hold = (await ada.place_hold(hers, his, "30"))["transaction"]["id"]
    assert (await teller.reverse(hold))["conflict"] == "NOT_REVERSIBLE"
    captured = (await grace.capture_hold(hold))["transaction"]["id"]
    assert (await teller.reverse(hold))["conflict"] == "NOT_REVERSIBLE"
    await grace.withdraw(his, "10")
    short = await teller.reverse(captured)
    assert (short["__typename"], short["available"], short["required"]) == (
        "InsufficientFundsRejection",
        money("20.00"),
        money("30.00"),
    )
    own = await teller.open(deposit="5")
    paid = (await teller.transfer(own["id"], his, "1"))["transaction"]["id"]
    assert (await teller.reverse(paid))["__typename"] == "ForbiddenRejection"
    reserved = (await teller.place_hold(own["id"], his, "1"))["transaction"]["id"]
    assert (await teller.release_hold(reserved))["__typename"] == "ForbiddenRejection"
    emptied = await ada.open(deposit="7")
    gone = (await ada.transfer(emptied["id"], hers, "7"))["transaction"]["id"]
    await ada.run("mutation ($id: ID!) { closeAccount(id: $id) { __typename } }", id=emptied["id"])
    assert (await teller.reverse(gone))["accountStatus"] == "CLOSED"
    cash = (await ada.deposit(hers, "5"))["transaction"]["id"]
    outcomes = await asyncio.gather(*(teller.reverse(cash) for _ in range(5)))
    assert sorted(outcome["__typename"] for outcome in outcomes) == ["MoneyMoved", *["StateConflictRejection"] * 4]


async def test_a_batch_gives_each_outcome_in_its_place(ada: Client, grace: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    done = transfer_of(hers, his, "10")
    outcome = await ada.batch(
        done, transfer_of(hers, his, "95"), transfer_of(hers, his, "0"), transfer_of("nonsense", his, "1"), transfer_of(his, hers, "1"),
        done, {**done, "amount": money("11")}, transfer_of(hers, his, "90"),
    )  # fmt: skip
    assert [result["__typename"] for result in outcome["results"]] == [
        "MoneyMoved", "InsufficientFundsRejection", "ValidationRejection", "NotFoundRejection", "NotFoundRejection",
        "MoneyMoved", "IdempotencyConflictRejection", "MoneyMoved",
    ]  # fmt: skip
    assert (outcome["moved"], outcome["rejected"], outcome["previewed"]) == (3, 5, 0)
    assert outcome["results"][1]["available"] == money("90.00")
    assert outcome["results"][5]["replayed"] is True
    assert await balance(ada, hers) == ("0.00", "0.00", "0.00")


async def test_an_atomic_batch_is_all_or_none(ada: Client, grace: Client, pair: tuple[str, str], raw: asyncpg.Connection) -> None:
    hers, his = pair
    items = [
        transfer_of(hers, his, "40"),
        transfer_of(hers, his, "70"),
        transfer_of(hers, his, "50"),
        transfer_of(hers, his, "80"),
    ]
    outcome = await ada.batch(*items, atomic=True)
    assert [result["__typename"] for result in outcome["results"]] == [
        "BatchAbortedRejection", "InsufficientFundsRejection", "BatchAbortedRejection", "InsufficientFundsRejection",
    ]  # fmt: skip
    assert outcome["results"][0]["index"] == 1
    assert await balance(ada, hers) == ("100.00", "0.00", "100.00")
    assert await raw.fetchval("SELECT count(*) FROM transactions WHERE kind = 'TRANSFER'") == 0
    items[1]["amount"], items[3]["amount"] = money("5"), money("5")
    moved = await ada.batch(*items, atomic=True)  # the same keys: none was remembered
    assert (moved["moved"], moved["rejected"]) == (4, 0)
    again = await ada.batch(*items, atomic=True)  # as a client asks whose connection broke
    assert [result["replayed"] for result in again["results"]] == [True] * 4
    assert [r["transaction"] for r in again["results"]] == [r["transaction"] for r in moved["results"]]
    used = {"path": ["transfers", "0", "idempotencyKey"], "code": "USED"}
    changed = [{**items[0], "amount": money("41")}, *items[1:]]
    for others in (items[::-1], items[:3], [*items, transfer_of(hers, his, "1")], items[:1], changed):
        refused = await ada.batch(*others, atomic=True)
        assert refused["fields"][0] == used
    for others in ([items[0]], items):
        refused = await ada.batch(*others)
        assert {result["__typename"] for result in refused["results"]} == {"IdempotencyConflictRejection"}
    alone = await ada.transfer(hers, his, "40", idempotencyKey=items[0]["idempotencyKey"])
    assert alone["__typename"] == "IdempotencyConflictRejection"
    assert alone["original"]["id"] == moved["results"][0]["transaction"]["id"]
    twice = transfer_of(hers, his, "1")
    repeated: Any = (await ada.batch(twice, twice, atomic=True))["fields"]
    assert repeated == [{"path": ["transfers", "1", "idempotencyKey"], "code": "USED"}]
    await ada.deposit(hers, "1")
    spoilt = await ada.batch(transfer_of(hers, his, "1"), transfer_of(hers, his, "x"), atomic=True)
    assert [result["__typename"] for result in spoilt["results"]] == ["BatchAbortedRejection", "ValidationRejection"]
    mixed: Any = await ada.batch(transfer_of(hers, his, "x"), items[0], atomic=True)
    assert mixed["fields"] == [{"path": ["transfers", "1", "idempotencyKey"], "code": "USED"}]
    nothing = await ada.batch(transfer_of(hers, his, "x"), transfer_of("nonsense", his, "1"))
    assert [result["__typename"] for result in nothing["results"]] == ["ValidationRejection", "NotFoundRejection"]
    assert await balance(ada, hers) == ("1.00", "0.00", "1.00")


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_batch_tried_out(ada: Client, pair: tuple[str, str], atomic: bool) -> None:
    hers, his = pair
    outcome = await ada.batch(transfer_of(hers, his, "60"), transfer_of(hers, his, "30"), dryRun=True, atomic=atomic)
    assert [result["fromAvailableAfter"]["amount"] for result in outcome["results"]] == ["40.00", "10.00"]
    assert (outcome["moved"], outcome["rejected"], outcome["previewed"]) == (0, 0, 2)
    short = await ada.batch(transfer_of(hers, his, "60"), transfer_of(hers, his, "60"), dryRun=True, atomic=atomic)
    assert [result["__typename"] for result in short["results"]] == [
        "BatchAbortedRejection" if atomic else "MoneyPreview", "InsufficientFundsRejection",
    ]  # fmt: skip
    assert await balance(ada, hers) == ("100.00", "0.00", "100.00")


async def test_batches_that_are_none(ada: Client, pair: tuple[str, str]) -> None:
    hers, his = pair
    assert (await ada.batch())["fields"] == [{"path": ["transfers"], "code": "REQUIRED"}]
    many = [transfer_of(hers, his, "0.01") for _ in range(1001)]
    assert (await ada.batch(*many))["fields"] == [{"path": ["transfers"], "code": "TOO_MANY"}]
    dry = await ada.batch(transfer_of(hers, his, "1"), transfer_of(hers, his, "1", dryRun=True))
    assert dry["fields"] == [{"path": ["transfers", "1", "dryRun"], "code": "INVALID"}]


async def test_a_thousand_with_three_hundred_refusals_are_as_a_thousand_single_calls(ada: Client, grace: Client) -> None:
    async def told(outcome: dict[str, Any]) -> tuple[Any, ...]:
        return outcome["__typename"], outcome.get("available"), outcome.get("replayed"), outcome.get("message")

    results = []
    for in_one_go in (True, False):
        hers, his = (await ada.open(deposit="700"))["id"], (await grace.open())["id"]
        items = [transfer_of(hers, his, "1" if n % 10 < 7 else "10000") for n in range(1000)]
        if in_one_go:
            outcome = await ada.batch(*items)
            assert (outcome["moved"], outcome["rejected"]) == (700, 300)
            results.append([await told(each) for each in outcome["results"]])
        else:
            singles = [await ada.transfer(hers, his, i["amount"]["amount"], idempotencyKey=i["idempotencyKey"]) for i in items]
            results.append([await told(each) for each in singles])
        assert await balance(ada, hers) == ("0.00", "0.00", "0.00")
    assert results[0] == results[1]


async def test_the_feed_hears_of_every_step(
    ada: Client, grace: Client, teller: Client, pair: tuple[str, str], raw: asyncpg.Connection
) -> None:
    hers, his = pair
    await raw.execute("CREATE TEMPORARY TABLE seen AS SELECT max(sequence) AS last FROM transaction_events")
    hold = (await ada.place_hold(hers, his, "10"))["transaction"]["id"]
    await grace.capture_hold(hold, "4", final=False)
    await grace.release_hold(hold)
    moved = (await ada.transfer(hers, his, "1"))["transaction"]["id"]
    await teller.reverse(moved)
    rows = await raw.fetch("SELECT kind, count(*) AS n FROM transaction_events, seen WHERE sequence > last GROUP BY kind")
    assert {row["kind"]: row["n"] for row in rows} == {"PENDING": 2, "POSTED": 6, "CAPTURED": 2, "VOIDED": 2, "REVERSED": 2}
