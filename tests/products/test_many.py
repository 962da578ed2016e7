"""Interest and fees in large numbers: processes that die while they close months, and two years of them."""

import asyncio
import random
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.bank import Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.ids import new_id, uuid_of
from bank_graphql.products.enums import DayCount
from bank_graphql.products.rules import DatedProduct, Terms, Tier, segments
from bank_graphql.settings import Settings
from tests.client import Client
from tests.e2e.processes import command, environment, run_and_kill
from tests.products.products import START, make, rates
from tests.schedules.orders import order
from tests.schedules.test_many import require_right
from tests.serving import serving, sign_in_staff

ACCOUNTS, MONTHS = 50, 10


async def test_accruing_day_by_day_gives_what_accruing_at_once_gives(
    app: Starlette, visitor: Client, ada: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ada.advance(START)
    admin = await sign_in_staff(app, visitor, UserRole.ADMIN)
    await make(admin, dayCount="THIRTY_E_360", creditRates=rates(("0", "1"), ("50", "3")), debitRates=rates(("0", "9")))
    account = (await ada.open(kind="SAVINGS", deposit="100"))["id"]
    terms = Terms(START.date(), (Tier(0, 1_000_000), Tier(5000, 3_000_000)), (Tier(0, 9_000_000),))
    product, chance, balance, days = DatedProduct(new_id(), DayCount.THIRTY_E_360, (terms,)), random.Random(3), 10_000, []
    for number in range(75):
        day = START + timedelta(days=number)
        await bank.clock._move(day)
        if chance.random() < 0.4:
            change = chance.randrange(1, 40)
            is_paid_in = chance.random() < 0.5 or balance < change * 100
            await (ada.deposit if is_paid_in else ada.withdraw)(account, change)
            balance += (1 if is_paid_in else -1) * change * 100
        days.append((day.date(), balance, product))
        if chance.random() < 0.5:
            await bank.interest.accrue()
    await bank.clock._move(START + timedelta(days=75))
    await asyncio.gather(*(bank.interest.accrue() for _ in range(3)))
    rows = await raw.fetch(
        "SELECT first_day, last_day, balance, amount::text FROM interest_accruals WHERE account_id = $1 ORDER BY first_day",
        uuid_of(account, "Account"),
    )
    found: list[tuple[date, date, int, int]] = [(*row[:3], int(row[3])) for row in rows]
    assert sum(row[3] for row in found) == sum(each.amount for each in segments(days))
    assert [row[:3] for row in found] == [(each.first_day, each.last_day, each.balance) for each in segments(days)]


@pytest.mark.deep
async def test_months_are_closed_once_by_processes_that_die(
    settings: Settings, dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    app = create_app(settings.model_copy(update={"run_schedules": False}))
    async with serving(app) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        await ada.advance(START)
        await make(await sign_in_staff(app, Client(http), UserRole.ADMIN), creditRates=rates(("0", "6")), monthlyFee="1")
        for _ in range(ACCOUNTS):
            await ada.open(kind="SAVINGS", deposit="1000")
        await ada.advance(START + timedelta(days=31 * MONTHS))
    variables = {"DATABASE_URL": dsn, "BANK_SANDBOX": "true"}

    async def progress() -> int:
        found: int = await raw.fetchval(
            "SELECT (SELECT count(*) FROM interest_accruals) + (SELECT count(*) FROM interest_postings) "
            "+ (SELECT count(*) FROM due_postings WHERE transaction_id IS NOT NULL)"
        )
        return found

    goal = ACCOUNTS * (4 * MONTHS - 1) - 200  # accruals, their postings, and all that is posted
    kills = await run_and_kill("close-month", environment(settings.data_dir, **variables), progress, goal, seed=5)
    ended = command("close-month", folder=settings.data_dir, **variables)
    assert ended.returncode == 0, ended.stderr
    assert kills > 5
    made = await raw.fetch("SELECT kind, count(*) FROM transactions WHERE kind IN ('FEE', 'INTEREST') GROUP BY 1 ORDER BY 1")
    assert [tuple(each) for each in made] == [("FEE", ACCOUNTS * (MONTHS - 1)), ("INTEREST", ACCOUNTS * MONTHS)]
    assert await raw.fetchval("SELECT count(DISTINCT booked) FROM balances WHERE purpose IS NULL") == 1, "all have the same"
    await require_right(dsn)


@pytest.mark.deep
async def test_two_years_of_interest_fees_and_orders_of_a_hundred_accounts(
    settings: Settings, dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    app = create_app(settings)
    async with serving(app) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        await ada.advance(START)
        admin = await sign_in_staff(app, Client(http), UserRole.ADMIN)
        await make(admin, creditRates=rates(("0", "1.5"), ("500", "2.25")))
        await make(admin, kind="CHECKING", monthlyFee="0.50", dayCount="ACT_360", creditRates=rates(("0", "0.1")))
        accounts: list[Any] = []
        for _ in range(50):
            checking, savings = (await ada.open(deposit="2000"))["id"], (await ada.open(kind="SAVINGS"))["id"]
            await order(
                ada, checking, {"accountId": savings}, "25", recurrence="FREQ=MONTHLY;BYMONTHDAY=31", startsOn="2030-01-31"
            )
            accounts += [checking, savings]
        await ada.advance(START + timedelta(days=730))
        for account in accounts[:20]:
            shown = await ada.account(
                account,
                "balance { booked { amount } } "
                "statements(first: 50) { nodes { openingBalance { amount } closingBalance { amount } } }",
            )
            statements = shown["statements"]["nodes"][::-1]
            assert len(statements) == 24
            closings = [each["closingBalance"]["amount"] for each in statements]
            assert [each["openingBalance"]["amount"] for each in statements] == ["0.00", *closings[:-1]]
    made = await raw.fetch("SELECT kind, count(*) FROM transactions WHERE kind IN ('FEE', 'INTEREST') GROUP BY 1 ORDER BY 1")
    # A fee for all months but the first; no interest on what a saver had for one day of that.
    assert {row[0]: row[1] for row in made} == {"FEE": 50 * 23, "INTEREST": 50 * 24 + 50 * 23}
    await require_right(dsn)
