"""Statements: one a month and account, issued once, adding up, and visible to whoever sees the account."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from bank_graphql.app import create_app
from bank_graphql.bank import CHECKS, Bank
from bank_graphql.kit.months import Months
from bank_graphql.ledger import verification
from bank_graphql.settings import Settings
from bank_graphql.statements import service
from bank_graphql.statements.rules import period
from tests.accounts.members import join
from tests.api.accounts import CLOSE
from tests.client import Client
from tests.serving import serving

JANUARY = datetime(2030, 1, 15, 12, tzinfo=UTC)
STATEMENT = (
    "id number from to openingBalance { amount currency } closingBalance { amount } totalCredits { amount } "
    "totalDebits { amount } entryCount issuedAt account { id }"
)
LIST = f"statements(first: 100) {{ nodes {{ {STATEMENT} }} }}"
ISSUE = (
    "mutation ($month: Date!) { issueStatements(month: $month) { __typename ... on StatementsIssued { month issued } "
    "... on ValidationRejection { fields { path code } } } }"
)


async def statements(client: Client, account: str) -> list[dict[str, Any]]:
    """The statements of an account, oldest first."""
    found: list[dict[str, Any]] = (await client.account(account, LIST))["statements"]["nodes"]
    return found[::-1]


def figures(statement: dict[str, Any]) -> tuple[Any, ...]:
    """What a statement says, without its id and account."""
    amounts = (statement[name]["amount"] for name in ("openingBalance", "totalCredits", "totalDebits", "closingBalance"))
    return statement["number"], statement["from"], statement["to"], *amounts, statement["entryCount"]


async def test_months_end_and_statements_are_issued(ada: Client) -> None:
    await ada.advance(JANUARY)
    account, other = (await ada.open(deposit="100"))["id"], (await ada.open())["id"]
    await ada.transfer(account, other, "30")
    await ada.advance(datetime(2030, 2, 10, tzinfo=UTC))
    await ada.transfer(other, account, "5.50")
    outcome = await ada.advance(datetime(2030, 4, 1, tzinfo=UTC))
    assert outcome["details"] == [{"what": "issue statements", "count": 4}]
    issued = await statements(ada, account)
    assert [figures(each) for each in issued] == [
        (1, "2030-01-15", "2030-01-31", "0.00", "100.00", "30.00", "70.00", 2),
        (2, "2030-02-01", "2030-02-28", "70.00", "5.50", "0.00", "75.50", 1),
        (3, "2030-03-01", "2030-03-31", "75.50", "0.00", "0.00", "75.50", 0),
    ]
    assert [each["issuedAt"] for each in issued] == [f"2030-0{month}-01T00:00:00Z" for month in (2, 3, 4)]
    assert issued[0]["account"] == {"id": account}


async def test_a_statement_is_read_by_its_id_and_as_a_node(ada: Client, grace: Client, teller: Client) -> None:
    await ada.advance(JANUARY)
    account = (await ada.open(deposit="100"))["id"]
    await ada.advance(JANUARY + timedelta(days=31))
    [issued] = await statements(ada, account)
    query = (
        f"query ($id: ID!) {{ statement(id: $id) {{ {STATEMENT} }} node(id: $id) {{ id ... on Statement {{ {STATEMENT} }} }} }}"
    )
    for client, found in ((ada, issued), (teller, issued), (grace, None)):
        assert await client.run(query, id=issued["id"]) == {"statement": found, "node": found}
    assert await statements(teller, account) == [issued]


async def test_an_account_that_was_closed_has_a_last_statement(ada: Client) -> None:
    await ada.advance(JANUARY)
    account, other = (await ada.open(deposit="100"))["id"], (await ada.open())["id"]
    await ada.advance(datetime(2030, 2, 10, 15, tzinfo=UTC))
    await ada.transfer(account, other, "100")
    await ada.run(CLOSE, id=account)
    await ada.advance(datetime(2030, 5, 1, tzinfo=UTC))
    assert [figures(each) for each in await statements(ada, account)] == [
        (1, "2030-01-15", "2030-01-31", "0.00", "100.00", "0.00", "100.00", 1),
        (2, "2030-02-01", "2030-02-10", "100.00", "0.00", "100.00", "0.00", 1),
    ]
    assert len(await statements(ada, other)) == 4


async def test_what_is_booked_after_a_statement_belongs_to_the_next(
    ada: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """Also if its time is in the month before, as for a process whose clock is late."""
    account = (await ada.open(deposit="100"))["id"]
    opened = await raw.fetchval("SELECT opened_at FROM accounts")
    month = opened.date().replace(day=1)
    following = (month + timedelta(days=32)).replace(day=1)
    issuer = replace(bank.issuer, clock=lambda: datetime(following.year, following.month, 1, tzinfo=UTC))
    assert await service.issue(bank.db, issuer) == 1
    await ada.deposit(account, "7")
    later = replace(bank.issuer, clock=lambda: opened + timedelta(days=70))
    await service.issue(bank.db, later)
    first, second, *_ = await statements(ada, account)
    assert (first["entryCount"], second["entryCount"], second["totalCredits"]) == (1, 1, {"amount": "7.00"})
    assert second["openingBalance"]["amount"] == first["closingBalance"]["amount"] == "100.00"
    assert all(finding.ok for finding in await verification.verify(bank.db, CHECKS))


async def test_staff_issues_statements_of_a_month_that_has_ended(ada: Client, teller: Client) -> None:
    await ada.advance(JANUARY)
    await ada.open(deposit="100")
    outcome = (await teller.run(ISSUE, month="2030-01-31"))["issueStatements"]
    assert outcome == {"__typename": "ValidationRejection", "fields": [{"path": ["month"], "code": "NOT_ENDED"}]}
    await ada.advance(datetime(2030, 2, 1, tzinfo=UTC))
    outcome = (await teller.run(ISSUE, month="2030-01-07"))["issueStatements"]
    assert outcome == {"__typename": "StatementsIssued", "month": "2030-01-01", "issued": 0}
    assert (await ada.run(ISSUE, month="2030-01-07"))["issueStatements"]["__typename"] == "ForbiddenRejection"


async def test_processes_that_issue_at_the_same_time_issue_each_statement_once(
    ada: Client, bank: Bank, settings: Settings, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await asyncio.gather(*(ada.open(deposit=str(n + 1)) for n in range(250)))
    opened = await raw.fetchval("SELECT min(opened_at) FROM accounts")
    later = replace(bank.issuer, clock=lambda: opened + timedelta(days=100))
    async with serving(create_app(settings)):
        issued = await asyncio.gather(*(service.issue(bank.db, later) for _ in range(4)))
    [row] = await raw.fetch("SELECT count(*) AS count, count(DISTINCT (account_id, number)) AS distinct FROM statements")
    months = await raw.fetchval("SELECT count(*) FROM statement_months")
    assert sum(issued) == row["count"] == row["distinct"] == 250 * months
    numbers = await raw.fetch("SELECT array_agg(number ORDER BY month) AS numbers FROM statements GROUP BY account_id")
    assert {tuple(each["numbers"]) for each in numbers} == {tuple(range(1, months + 1))}


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("UPDATE statements SET total_credits = total_credits + 1, total_debits = total_debits + 1", "statements"),
        ("UPDATE statements SET entry_count = entry_count + 1", "statements"),
        ("UPDATE statements SET last_entry_id = last_entry_id - 1 WHERE number = 2", "statements"),
        ("UPDATE statements SET number = number + 1 WHERE number = 3", "chains of statements"),
        ("UPDATE statements SET from_date = from_date - 1 WHERE number = 2", "chains of statements"),
    ],
)
async def test_verify_finds_a_statement_that_was_changed(
    ada: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]", damage: str, check: str
) -> None:
    await ada.advance(JANUARY)
    account = (await ada.open(deposit="100"))["id"]
    for month in (2, 3, 4):
        await ada.advance(datetime(2030, month, 1, tzinfo=UTC))
        await ada.deposit(account, "5")
    assert all(finding.ok for finding in await verification.verify(bank.db, CHECKS))
    await raw.execute("ALTER TABLE statements DISABLE TRIGGER is_append_only")
    await raw.execute(damage)
    failed = [finding.name for finding in await verification.verify(bank.db, CHECKS) if not finding.ok]
    assert check in failed


async def test_months_are_those_of_the_banks_time_zone(settings: Settings) -> None:
    zoned = settings.model_copy(update={"time_zone": "America/New_York"})
    async with serving(create_app(zoned)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        await ada.advance(JANUARY)
        account = (await ada.open(deposit="100"))["id"]
        await ada.advance(datetime(2030, 2, 1, 4, 59, 59, tzinfo=UTC))
        await ada.deposit(account, "1")
        await ada.advance(datetime(2030, 2, 1, 5, tzinfo=UTC))
        await ada.deposit(account, "2")
        [issued] = await statements(ada, account)
        assert (issued["to"], issued["closingBalance"]["amount"]) == ("2030-01-31", "101.00")
        history = 'balanceHistory(from: "2030-01-14", to: "2030-02-01") { date booked { amount } }'
        days = {day["date"]: day["booked"]["amount"] for day in (await ada.account(account, history))["balanceHistory"]}
        assert len(days) == 19
        assert (days["2030-01-14"], days["2030-01-15"], days["2030-01-31"]) == ("0.00", "100.00", "101.00")
        assert days["2030-02-01"] == "103.00"


async def test_a_closed_account_that_was_booked_on_has_one_more_statement(
    ada: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """As by a process whose clock is late: it pays the rest out and closes the account after the month's statement was issued."""
    account, other = (await ada.open(deposit="100"))["id"], (await ada.open())["id"]
    now = await ada.clock()
    first = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert await service.issue(bank.db, replace(bank.issuer, clock=lambda: first)) == 2
    await ada.transfer(account, other, "100")
    await ada.run(CLOSE, id=account)
    assert await service.issue(bank.db, replace(bank.issuer, clock=lambda: first + timedelta(days=32))) == 2
    issued = await statements(ada, account)
    assert [(each["entryCount"], each["closingBalance"]["amount"]) for each in issued] == [(1, "100.00"), (1, "0.00")]
    assert await service.issue(bank.db, replace(bank.issuer, clock=lambda: first + timedelta(days=63))) == 1
    assert all(finding.ok for finding in await verification.verify(bank.db, CHECKS))
    await raw.execute("ALTER TABLE statements DISABLE TRIGGER is_append_only")
    await raw.execute("DELETE FROM statements WHERE number = 2 AND entry_count = 1 AND closing_balance = 0")
    failed = [finding.name for finding in await verification.verify(bank.db, CHECKS) if not finding.ok]
    assert failed == ["statements of closed accounts"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "9999-12-01"])
async def test_days_far_away_are_refused_cleanly(ada: Client, teller: Client, day: str) -> None:
    account = (await ada.open(deposit="1"))["id"]
    query = "query ($id: ID!, $day: Date!) { account(id: $id) { balanceHistory(from: $day, to: $day) { date } } }"
    assert (await ada.error(query, id=account, day=day))["extensions"]["code"] == "BAD_REQUEST"
    export = (
        "mutation ($id: ID!, $day: Date!) { exportEntries(accountId: $id, from: $day, to: $day, format: PDF) "
        "{ ... on ValidationRejection { fields { code } } } }"
    )
    assert (await ada.run(export, id=account, day=day))["exportEntries"]["fields"] == [{"code": "INVALID"}]
    outcome = (await teller.run(ISSUE, month=day))["issueStatements"]["__typename"]
    assert outcome == ("StatementsIssued" if day < "2000" else "ValidationRejection")
    assert (await ada.advance(datetime.fromisoformat(f"{day}T00:00:00+00:00")))["__typename"] == "ValidationRejection"


async def test_a_history_ends_today(ada: Client) -> None:
    await ada.advance(JANUARY)
    account = (await ada.open(deposit="1"))["id"]
    history = 'balanceHistory(from: "2030-01-14", to: "2030-03-01") { date booked { amount } }'
    days = [(each["date"], each["booked"]["amount"]) for each in (await ada.account(account, history))["balanceHistory"]]
    assert days == [("2030-01-14", "0.00"), ("2030-01-15", "1.00")]


@pytest.mark.parametrize(("first", "last"), [("2030-01-02", "2030-01-01"), ("2030-01-01", "2031-02-05")])
async def test_a_history_has_one_to_four_hundred_days(ada: Client, first: str, last: str) -> None:
    account = (await ada.open())["id"]
    query = "query ($id: ID!, $from: Date!, $to: Date!) { account(id: $id) { balanceHistory(from: $from, to: $to) { date } } }"
    error = await ada.error(query, id=account, **{"from": first, "to": last})
    assert error["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kolkata"])
def test_months_follow_on_one_another(zone: str) -> None:
    months = Months(ZoneInfo(zone))
    month = date(2010, 1, 1)
    for ended in months.ended(month, datetime(2030, 1, 15, tzinfo=UTC)):
        assert ended == month
        month = months.month(months.end(ended))
        assert months.start(month) == months.end(ended)
    assert month == date(2030, 1, 1)


def test_a_first_statement_begins_when_the_account_was_opened() -> None:
    assert period(date(2030, 2, 1), date(2030, 1, 31), None, is_first=True) == (date(2030, 1, 31), date(2030, 2, 28))
    assert period(date(2030, 2, 1), date(2030, 1, 3), None, is_first=False) == (date(2030, 2, 1), date(2030, 2, 28))
    assert period(date(2030, 2, 1), date(2030, 1, 3), date(2030, 1, 31), is_first=False) == (date(2030, 2, 1), date(2030, 2, 28))
    assert period(date(2030, 2, 1), date(2030, 2, 3), date(2030, 2, 3), is_first=True) == (date(2030, 2, 3), date(2030, 2, 3))


async def test_a_statement_names_all_who_own_the_account(ada: Client, grace: Client, raw: asyncpg.Connection) -> None:
    account = (await ada.open(deposit="1"))["id"]
    await join(raw, ada, account, grace, "grace@bank.test", role="OWNER")
    await ada.advance(await ada.clock() + timedelta(days=32))
    assert (
        await raw.fetchval("SELECT holder_name FROM statements ORDER BY number DESC LIMIT 1") == "Ada Lovelace and Grace Hopper"
    )
