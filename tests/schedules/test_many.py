"""Standing orders in large numbers: processes that die while they make transfers, and two years of them."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.app import create_app
from bank_graphql.bank import CHECKS
from bank_graphql.kit.db import Database
from bank_graphql.ledger import verification
from bank_graphql.settings import Settings
from tests.client import Client
from tests.e2e.processes import command, environment, run_and_kill
from tests.schedules.orders import START, order
from tests.serving import serving

pytestmark = pytest.mark.deep
ORDERS, DATES = 100, 10
_BACK = """
UPDATE scheduled_transfers SET starts_on = current_date - 10, planned_for = current_date - 10, due_at = now() - interval '10 days',
    recurrence = 'FREQ=DAILY;COUNT=10'
"""


async def require_right(dsn: str) -> None:
    """Check that the books are right."""
    db = await Database.open(dsn)
    try:
        assert [each for each in await verification.verify(db, CHECKS) if not each.ok] == []
    finally:
        await db.close()


async def test_a_thousand_transfers_are_made_once_by_processes_that_die(
    settings: Settings, dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with serving(create_app(settings.model_copy(update={"run_schedules": False}))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        payer, payee = (await ada.open(deposit="5000"))["id"], (await ada.open())["id"]
        for _ in range(ORDERS):
            assert (await order(ada, payer, {"accountId": payee}, "1", startsOn="2999-01-01"))[
                "__typename"
            ] == "ScheduledTransfer"
    await raw.execute(_BACK)
    variables = {"DATABASE_URL": dsn, "BANK_SANDBOX": "true"}

    async def count() -> int:
        found: int = await raw.fetchval("SELECT count(*) FROM scheduled_runs")
        return found

    async def a_minute_passes() -> None:
        await raw.execute("UPDATE scheduled_transfers SET claimed_until = NULL")

    goal = ORDERS * DATES - 150
    kills = await run_and_kill(
        "run-schedules", environment(settings.data_dir, **variables), count, goal, seed=7, after_each=a_minute_passes
    )
    ended = command("run-schedules", folder=settings.data_dir, **variables)
    assert ended.returncode == 0, ended.stderr
    assert kills > 5
    runs = await raw.fetch("SELECT status, count(*), count(DISTINCT transaction_id) FROM scheduled_runs GROUP BY 1")
    assert [tuple(each) for each in runs] == [("MOVED", ORDERS * DATES, ORDERS * DATES)]
    made = await raw.fetchval("SELECT count(*) FROM transactions WHERE kind = 'TRANSFER'")
    assert made == ORDERS * DATES, "not one more"
    assert await raw.fetchval("SELECT count(*) FROM scheduled_transfers WHERE status = 'COMPLETED'") == ORDERS
    await require_right(dsn)


async def test_two_years_of_a_hundred_accounts(settings: Settings, dsn: str) -> None:
    async with serving(create_app(settings)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        await ada.advance(START)
        pot = (await ada.open())["id"]
        accounts: list[Any] = [(await ada.open(deposit="100"))["id"] for _ in range(100)]
        for each in accounts:
            await order(ada, each, {"accountId": pot}, "1", recurrence="FREQ=MONTHLY", startsOn="2030-01-31")
        await ada.advance(START + timedelta(days=730))
        assert await ada.booked(pot) == "2400.00"
        assert {await ada.booked(each) for each in accounts} == {"76.00"}
        shown = await ada.account(
            pot, "statements(first: 50) { nodes { from to openingBalance { amount } closingBalance { amount } } }"
        )
        closings = [each["closingBalance"]["amount"] for each in shown["statements"]["nodes"]][::-1]
        assert closings == [f"{100 * (number + 1)}.00" for number in range(len(closings))]
        assert len(closings) == 24
    await require_right(dsn)
