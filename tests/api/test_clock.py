"""The clock of a sandbox can be moved: what falls due happens in order, each at its own time, and nothing else happens."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from bank_graphql.app import create_app
from bank_graphql.bank import Bank, open_bank
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.jobs import DueJob
from bank_graphql.payments.clock import BankClock
from bank_graphql.settings import Settings
from tests.actors import create_actor
from tests.client import Client
from tests.databases import Databases, dsn_of
from tests.serving import sandbox, serving

START = datetime(2030, 1, 15, 12, tzinfo=UTC)
EVENTS = (
    "query ($after: String) { transactionEvents(after: $after, first: 100) { nodes { kind occurredAt transaction { id } } } }"
)


def text(at: datetime) -> str:
    """A time as the API shows it."""
    return at.isoformat().replace("+00:00", "Z")


async def test_the_clock_is_real_until_it_is_moved_and_then_stands_still(ada: Client, visitor: Client) -> None:
    before = utc_now()
    seen = (await visitor.run("{ clock { now movable } }"))["clock"]
    assert seen["movable"] is True
    assert before <= datetime.fromisoformat(seen["now"]) <= utc_now()
    outcome = await ada.advance(START)
    assert outcome == {"__typename": "ClockAdvanced", "now": text(START), "happened": 0, "details": []}
    account = (await ada.open(deposit="10"))["id"]
    fields = "openedAt entries { nodes { bookedAt transaction { createdAt postedAt } } }"
    shown = await ada.account(account, fields)
    assert shown["openedAt"] == text(START)
    [entry] = shown["entries"]["nodes"]
    assert {entry["bookedAt"], *entry["transaction"].values()} == {text(START)}
    assert await ada.clock() == START
    assert (await ada.advance(START))["happened"] == 0


async def test_what_falls_due_happens_in_order_and_at_its_time(
    ada: Client, raw: "asyncpg.Connection[asyncpg.Record]", wait_until_idle: Callable[[], Awaitable[None]]
) -> None:
    await ada.advance(START)
    payer, payee = (await ada.open(deposit="100"))["id"], (await ada.open())["id"]
    card = (await ada.issue(payer))["id"]
    days = (9, 3, 400, 5)
    holds = {}
    for day in days:
        at = START + timedelta(days=day)
        holds[day] = (await ada.place_hold(payer, payee, "5", expiresAt=text(at)))["transaction"]["id"]
    released = (await ada.place_hold(payer, payee, "5", expiresAt=text(START + timedelta(days=4))))["transaction"]["id"]
    await ada.release_hold(released)
    authorised = (await ada.authorize(card, "7"))["transaction"]
    await wait_until_idle()
    cursor = (await ada.run("{ feedCursor }"))["feedCursor"]

    outcome = await ada.advance(START + timedelta(days=30))
    assert (outcome["happened"], outcome["details"]) == (
        6, [{"what": "expire holds", "count": 4}, {"what": "issue statements", "count": 2}],
    )  # fmt: skip
    await wait_until_idle()
    events = (await ada.run(EVENTS, after=cursor))["transactionEvents"]["nodes"]
    assert {each["kind"] for each in events} == {"EXPIRED"}
    seen = list(dict.fromkeys((each["transaction"]["id"], each["occurredAt"]) for each in events))
    expected = [(holds[day], text(START + timedelta(days=day))) for day in (3, 5)]
    expected += [(authorised["id"], authorised["expiresAt"]), (holds[9], text(START + timedelta(days=9)))]
    assert seen == sorted(expected, key=lambda each: each[1])

    outcome = await ada.advance(START + timedelta(days=365 * 4 + 100))
    assert outcome["details"][:2] == [{"what": "expire holds", "count": 1}, {"what": "expire cards", "count": 1}]
    assert (await ada.card(card))["status"] == "EXPIRED"
    updated = await raw.fetchval("SELECT updated_at FROM cards")
    assert updated == datetime(2034, 2, 1, tzinfo=UTC)


async def test_a_payment_just_before_a_hold_expires_still_lacks_its_money(ada: Client) -> None:
    await ada.advance(START)
    payer, payee = (await ada.open(deposit="10"))["id"], (await ada.open())["id"]
    until = START + timedelta(days=1)
    hold = (await ada.place_hold(payer, payee, "10", expiresAt=text(until)))["transaction"]["id"]
    await ada.advance(until - timedelta(microseconds=1))
    assert (await ada.transfer(payer, payee, "1"))["__typename"] == "InsufficientFundsRejection"
    await ada.advance(until)
    assert (await ada.transfer(payer, payee, "1"))["__typename"] == "MoneyMoved"
    assert (await ada.capture_hold(hold))["conflict"] == "EXPIRED"


@pytest.mark.parametrize(
    ("step", "code"), [(timedelta(microseconds=-1), "PAST"), (timedelta(days=5 * 366, microseconds=1), "TOO_FAR")]
)
async def test_the_clock_moves_forward_by_five_years_at_most(ada: Client, step: timedelta, code: str) -> None:
    await ada.advance(START)
    outcome = await ada.advance(START + step)
    assert (outcome["__typename"], outcome["fields"]) == ("ValidationRejection", [{"path": ["to"], "code": code}])
    assert await ada.clock() == START


async def test_the_clock_of_a_bank_that_is_no_sandbox_cannot_be_moved(
    plain: Client, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ada = await plain.sign_up("ada@example.com", "Ada")
    assert (await ada.run("{ clock { movable } }"))["clock"] == {"movable": False}
    assert (await ada.advance(utc_now() + timedelta(days=1)))["__typename"] == "ForbiddenRejection"
    assert await raw.fetchval("SELECT count(*) FROM bank_time") == 0
    assert await raw.fetchval("SELECT array_agg(outcome) FROM audit_events WHERE action = 'advanceClock'") == ["Forbidden"]


async def test_a_bank_whose_clock_was_moved_stays_a_sandbox(settings: Settings, ada: Client) -> None:
    await ada.advance(START)
    with pytest.raises(ConfigurationError, match="The clock of this bank was moved to 2030-01-15 12:00"):
        async with open_bank(settings.model_copy(update={"sandbox": False})):
            pass


async def test_tokens_and_the_audit_keep_the_real_time(
    ada: Client, visitor: Client, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ada.advance(START + timedelta(days=365))
    account = (await ada.open(deposit="1"))["id"]
    assert await ada.booked(account) == "1.00"
    again = await visitor.log_in("ada@bank.test")
    assert (await again.run("{ me { email } }"))["me"]["email"] == "ada@bank.test"
    latest = await raw.fetch("SELECT at, action FROM audit_events ORDER BY id DESC LIMIT 4")
    assert {row["action"] for row in latest} >= {"advanceClock", "openAccount", "logIn"}
    assert all(abs(row["at"] - utc_now()) < timedelta(minutes=5) for row in latest)


async def test_another_process_sees_the_moved_clock(settings: Settings, ada: Client) -> None:
    async with serving(create_app(settings)) as other:
        there = await Client(other).log_in("ada@bank.test")
        account = (await there.open(deposit="5"))["id"]
        await asyncio.gather(*(client.advance(START + timedelta(days=n)) for n in range(3) for client in (ada, there)))
        assert await there.clock() == await ada.clock() == START + timedelta(days=2)
        moved = await there.transfer(account, (await ada.open())["id"], "1")
        fields = "entries(first: 1) { nodes { bookedAt transaction { id } } }"
        [entry] = (await ada.account(account, fields))["entries"]["nodes"]
        assert entry == {
            "bookedAt": text(START + timedelta(days=2)),
            "transaction": {"id": moved["transaction"]["id"]},
        }


async def scenario(http: httpx.AsyncClient) -> None:
    """Some months in the life of two accounts."""
    ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
    await ada.advance(START)
    payer, payee = (await ada.open(deposit="1000"))["id"], (await ada.open())["id"]
    card = (await ada.issue(payer))["id"]
    for month in range(6):
        rent = await ada.transfer(payer, payee, "100", description=f"Rent {month}")
        await ada.place_hold(payer, payee, "30", expiresAt=text(START + timedelta(days=30 * month + 11)))
        paid = (await ada.authorize(card, "12.50"))["transaction"]["id"]
        if month % 2:
            await ada.refund((await ada.capture_hold(paid))["transaction"]["id"], "2.50")
        await ada.withdraw(payee, "1")
        assert rent["__typename"] == "MoneyMoved"
        await ada.advance(START + timedelta(days=30 * (month + 1)))


BOOKS = """
    SELECT a.name, a.number, t.kind, t.status, t.amount, t.captured, t.created_at, t.posted_at, t.expires_at, n.description,
        e.amount AS entry, e.balance_after, e.booked_at
    FROM transactions t LEFT JOIN transaction_notes n ON n.transaction_id = t.id LEFT JOIN entries e ON e.transaction_id = t.id
    LEFT JOIN accounts a ON a.id = e.account_id ORDER BY t.id, e.id
"""


async def test_two_runs_of_one_scenario_have_the_same_books(
    server: str, template: str, databases: Databases, folder: Path
) -> None:
    books = []
    for run in ("first", "second"):
        name = await databases.create(template)
        dsn = dsn_of(server, name)
        async with serving(create_app(sandbox(dsn, folder / run))) as http:
            await scenario(http)
        connection = await asyncpg.connect(dsn)
        books.append(await connection.fetch(BOOKS))
        await connection.close()
        await databases.drop(name)
    assert len(books[0]) == 50
    assert repr(books[0]) == repr(books[1])


async def test_periodic_jobs_stand_aside_while_the_clock_is_moved(db: Database, bank: Bank) -> None:
    """Otherwise one of them may do what falls due on the way, and it would be missing in the answer."""
    clock = await BankClock.open(db, utc_now, is_movable=True)
    order: list[str] = []
    moving, gate = asyncio.Event(), asyncio.Event()

    async def run_due() -> int:
        order.append("done")
        return 1

    async def run_on_the_way() -> int:
        moving.set()
        await gate.wait()
        order.append("on the way")
        return 1

    async def never(_: datetime) -> None:
        return None

    job = clock.periodic(DueJob("a job", 1, run_due, never))
    actor = await create_actor(bank, "mover")
    advancing = asyncio.create_task(clock.advance(actor, START, [DueJob("a job", 1, run_on_the_way, never)]))
    await moving.wait()
    running = asyncio.ensure_future(job.run())
    await asyncio.sleep(0)
    gate.set()
    assert (await advancing).done["a job"] == 2
    await running
    assert order == ["on the way", "on the way", "done"]
    assert job.counts


@pytest.mark.parametrize("sandbox", [True, False])
async def test_many_requests_to_move_the_clock_hold_nobody_up(settings: Settings, sandbox: bool) -> None:
    """They take no more connections than there are."""
    few = settings.model_copy(update={"sandbox": sandbox, "pool_min_size": 2, "pool_max_size": 3})
    async with serving(create_app(few)) as http:
        ada = await Client(http).sign_up("ada@example.com", "Ada Lovelace")
        moving = [asyncio.create_task(ada.advance(START + timedelta(days=31 * n))) for n in range(20)]
        async with asyncio.timeout(5):
            assert (await ada.run("{ me { accounts { nodes { id } } } }"))["me"]["accounts"]["nodes"] == []
        outcomes = {outcome["__typename"] for outcome in await asyncio.gather(*moving)}
    assert outcomes <= ({"ClockAdvanced", "ValidationRejection"} if sandbox else {"ForbiddenRejection"})
