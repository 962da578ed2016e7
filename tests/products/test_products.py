"""Products by the API, on the movable clock: interest to the cent, fees with what causes them, each once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.bank import CHECKS, Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.ids import new_id, uuid_of
from bank_graphql.kit.money import Money
from bank_graphql.ledger import verification
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.payments import service as payments
from bank_graphql.payments import verification as payments_verification
from bank_graphql.payments.commands import PostDue
from bank_graphql.products import verification as products_verification
from tests.client import PASSWORD, Client, key
from tests.products.products import START, TODAY, change, give, make, owed, posted, rates
from tests.serving import sign_in_staff
from tests.verification import found_wrong


@pytest.fixture
async def admin(app: Starlette, visitor: Client, ada: Client) -> Client:
    """An administrator, in January 2030."""
    await ada.advance(START)
    return await sign_in_staff(app, visitor, UserRole.ADMIN)


@pytest.fixture
async def teller(app: Starlette, visitor: Client) -> Client:
    """A teller."""
    return await sign_in_staff(app, visitor, UserRole.TELLER)


def at(text: str) -> datetime:
    """Return a time in UTC, the time zone of the bank in tests."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def limit(teller: Client, account: str, amount: str) -> None:
    """Let an account go below zero."""
    query = """mutation ($id: ID!, $limit: MoneyInput!) { setOverdraftLimit(id: $id, limit: $limit) { __typename } }"""
    answer = await teller.run(query, id=account, limit={"amount": amount, "currency": "EUR"})
    assert answer["setOverdraftLimit"]["__typename"] == "Account"


async def test_interest_accrues_daily_and_is_posted_once_a_month(ada: Client, admin: Client) -> None:
    product = await make(admin, creditRates=rates(("0", "1"), ("1000", "2.5")))
    assert product["terms"]["creditRates"] == [
        {"above": {"amount": "0.00"}, "rate": "1"}, {"above": {"amount": "1000.00"}, "rate": "2.5"},
    ]  # fmt: skip
    savings = (await ada.open(kind="SAVINGS", deposit="5000"))["id"]
    assert await owed(ada, savings) == ("5000.00", "0.00", "0.00")
    await ada.advance(at("2030-01-16T00:00:00"))
    # A day of 1000 at 1 % and 4000 at 2.5 %, of a year of 365 days: 0.0274 + 0.2740.
    assert await owed(ada, savings) == ("5000.00", "0.30", "0.00")
    await ada.advance(at("2030-01-20T09:00:00"))
    await ada.withdraw(savings, "4000")
    await ada.advance(at("2030-02-01T00:00:00"))
    # Five days of 0.301369… and twelve of 0.027397….
    [interest] = await posted(ada, savings)
    assert (interest["amount"], interest["kind"]) == ({"amount": "1.84", "currency": "EUR"}, "INTEREST")
    assert interest["description"] == "Interest, 2030-01-15 to 2030-01-31"
    assert await owed(ada, savings) == ("1001.84", "0.00", "0.00")
    explanation = interest["explanation"]
    assert [(line["from"], line["to"], line["days"], line["part"]["amount"], line["rate"], line["interest"]) for line in explanation["lines"]] == [
        ("2030-01-15", "2030-01-19", 5, "1000.00", "1", "0.1369863014"),
        ("2030-01-15", "2030-01-19", 5, "4000.00", "2.5", "1.3698630137"),
        ("2030-01-20", "2030-01-31", 12, "1000.00", "1", "0.3287671233"),
    ]  # fmt: skip
    assert (explanation["side"], explanation["carried"], explanation["accrued"], explanation["carriedOn"]) == (
        "CREDIT", "0.0000000000", "1.8356164384", "-0.0043835616",
    )  # fmt: skip
    await ada.advance(at("2030-03-01T00:00:00"))
    february = (await posted(ada, savings))[1]
    assert february["explanation"]["carried"] == "-0.0043835616"
    # 28 days of 1000 at 1 % and 1.84 at 2.5 % is 0.7706…, less what was carried.
    assert february["amount"]["amount"] == "0.77"


async def test_what_an_account_owes_bears_interest_and_what_it_has_does_not(ada: Client, admin: Client, teller: Client) -> None:
    await make(admin, kind="CHECKING", dayCount="ACT_360", debitRates=rates(("0", "12")))
    account = (await ada.open(deposit="100"))["id"]
    await limit(teller, account, "1000")
    await ada.advance(at("2030-01-20T09:00:00"))
    await ada.withdraw(account, "400")
    await ada.advance(at("2030-01-30T09:00:00"))
    assert await owed(ada, account) == ("-300.00", "-1.00", "0.00")  # ten days of 0.10
    await ada.deposit(account, "500")
    await ada.advance(at("2030-02-01T00:00:00"))
    [interest] = await posted(ada, account)
    assert (interest["amount"]["amount"], interest["to"]["name"], interest["explanation"]["side"]) == (
        "1.00", "Interest", "DEBIT",
    )  # fmt: skip
    assert await owed(ada, account) == ("199.00", "0.00", "0.00")


async def test_interest_that_would_break_the_floor_is_due_and_posted_when_money_comes(
    ada: Client, admin: Client, teller: Client
) -> None:
    await make(admin, kind="CHECKING", dayCount="ACT_360", debitRates=rates(("0", "12")))
    account = (await ada.open())["id"]
    await limit(teller, account, "300")
    await ada.withdraw(account, "300")
    await ada.advance(at("2030-02-01T00:00:00"))
    assert await owed(ada, account) == ("-300.00", "0.00", "1.70")
    assert await posted(ada, account) == []
    await ada.deposit(account, "1.69")
    await ada.advance(at("2030-02-01T01:00:00"))
    assert await owed(ada, account) == ("-298.31", "0.00", "1.70")
    await ada.deposit(account, "0.01")
    await ada.advance(at("2030-02-01T02:00:00"))
    assert await owed(ada, account) == ("-300.00", "0.00", "0.00")
    assert [each["amount"]["amount"] for each in await posted(ada, account)] == ["1.70"]


async def test_an_account_is_closed_with_its_interest(ada: Client, admin: Client) -> None:
    await make(admin, creditRates=rates(("0", "10")))
    savings, other = (await ada.open(kind="SAVINGS", deposit="1000"))["id"], (await ada.open())["id"]
    close = "mutation ($id: ID!) { closeAccount(id: $id) { __typename ... on StateConflictRejection { conflict } } }"
    await ada.advance(at("2030-01-20T09:00:00"))
    await ada.transfer(savings, other, "1000")
    assert (await ada.run(close, id=savings))["closeAccount"] == {
        "__typename": "StateConflictRejection",
        "conflict": "MONEY_REMAINS",
    }
    assert [each["amount"]["amount"] for each in await posted(ada, savings)] == ["1.37"]  # five days of 0.2739…
    await ada.transfer(savings, other, "1.37")
    assert (await ada.run(close, id=savings))["closeAccount"] == {"__typename": "Account"}
    await ada.advance(at("2030-03-01T00:00:00"))
    assert len(await posted(ada, savings)) == 1


async def test_a_user_is_closed_with_the_interest_of_all_accounts_or_not_at_all(
    ada: Client, grace: Client, admin: Client
) -> None:
    await make(admin, creditRates=rates(("0", "10")))
    await make(admin, kind="CHECKING", monthlyFee="1")
    savings, checking = (await ada.open(kind="SAVINGS", deposit="1000"))["id"], (await ada.open())["id"]
    hers = (await grace.open())["id"]
    close = """mutation ($p: String!) { closeUser(password: $p) {
        __typename ... on StateConflictRejection { conflict } } }"""
    open_accounts = "{ me { accounts { nodes { status } } } }"
    await ada.advance(at("2030-01-20T09:00:00"))
    await ada.transfer(savings, hers, "1000")
    refused = {"__typename": "StateConflictRejection", "conflict": "MONEY_REMAINS"}
    assert (await ada.run(close, p=PASSWORD))["closeUser"] == refused
    assert [each["amount"]["amount"] for each in await posted(ada, savings)] == ["1.37"]
    await ada.transfer(savings, hers, "1.37")
    await ada.advance(at("2030-03-01T00:00:00"))
    assert await owed(ada, checking) == ("0.00", "0.00", "1.00")
    assert (await ada.run(close, p=PASSWORD))["closeUser"] == refused
    assert (await ada.run(open_accounts))["me"]["accounts"]["nodes"] == [{"status": "ACTIVE"}] * 2
    await ada.deposit(checking, "1")
    await ada.advance(at("2030-03-01T01:00:00"))
    assert (await ada.run(close, p=PASSWORD))["closeUser"]["__typename"] == "User"


async def test_rates_change_from_a_day_on_and_never_the_past(ada: Client, admin: Client) -> None:
    product = await make(admin, dayCount="THIRTY_E_360", creditRates=rates(("0", "3.6")))
    savings = (await ada.open(kind="SAVINGS", deposit="1000"))["id"]
    changed = await change(admin, product["id"], "2030-01-21", creditRates=rates(("0", "7.2")), monthlyFee="0")
    assert [each["from"] for each in changed["allTerms"]] == [TODAY, "2030-01-21"]
    assert changed["terms"]["from"] == TODAY
    again = await change(admin, product["id"], "2030-01-21")
    assert (again["__typename"], again["fields"][0]["code"]) == ("ValidationRejection", "TAKEN")
    past = await change(admin, product["id"], "2030-01-14")
    assert (past["fields"][0]["path"], past["fields"][0]["code"]) == (["terms", "from"], "PAST")
    await ada.advance(at("2030-02-01T00:00:00"))
    [interest] = await posted(ada, savings)
    # 30E/360: six days at 0.10, and ten at 0.20, for the 31st is none.
    assert [(line["days"], line["interest"]) for line in interest["explanation"]["lines"]] == [
        (6, "0.6000000000"), (10, "2.0000000000"),
    ]  # fmt: skip
    assert interest["amount"]["amount"] == "2.60"


async def test_accounts_may_be_given_another_product(ada: Client, admin: Client) -> None:
    await make(admin, "Plain", creditRates=rates(("0", "3.65")))
    better = await make(admin, "Better", since=None, creditRates=rates(("0", "7.3")))
    wrong = await make(admin, "Other", kind="CHECKING", since=None)
    savings = (await ada.open(kind="SAVINGS", deposit="1000"))["id"]
    assert (await give(admin, savings, wrong["id"], TODAY))["fields"][0]["code"] == "WRONG_KIND"
    assert (await give(admin, savings, better["id"], "2030-01-10"))["fields"][0]["code"] == "PAST"
    given = await give(admin, savings, better["id"], "2030-01-25")
    assert given["product"]["id"] != better["id"]
    assert (await give(admin, savings, better["id"], "2030-01-25"))["fields"][0]["code"] == "TAKEN"
    await ada.advance(at("2030-02-01T00:00:00"))
    [interest] = await posted(ada, savings)
    assert interest["amount"]["amount"] == "2.40"  # ten days of 0.10, seven of 0.20
    assert (await ada.account(savings, "product { id name }"))["product"] == {"id": better["id"], "name": "Better"}


@pytest.mark.parametrize(("currency", "deposit", "expected"), [("JPY", "1000000", "466"), ("KWD", "1000", "0.466")])
async def test_interest_is_rounded_to_the_digits_of_the_currency(
    ada: Client, admin: Client, currency: str, deposit: str, expected: str
) -> None:
    await make(admin, currency=currency, creditRates=rates(("0", "1")))
    savings = (await ada.open(kind="SAVINGS", currency=currency, deposit=deposit))["id"]
    await ada.advance(at("2030-02-01T00:00:00"))
    [interest] = await posted(ada, savings)
    assert interest["amount"] == {"amount": expected, "currency": currency}  # 17 days of 1 %: 465.75…


async def test_the_monthly_fee_is_waived_above_a_balance(ada: Client, admin: Client) -> None:
    await make(admin, kind="CHECKING", monthlyFee="4.90", monthlyFeeWaivedAbove="500")
    rich, poor, dipping, broke = [(await ada.open(deposit=amount))["id"] for amount in ("500", "499.99", "900", None)]
    await ada.advance(at("2030-02-01T00:00:00"))
    assert [await posted(ada, each) for each in (rich, poor, dipping, broke)] == [[]] * 4  # opened in this month
    await ada.advance(at("2030-02-10T12:00:00"))
    await ada.withdraw(dipping, "600")
    await ada.advance(at("2030-02-11T12:00:00"))
    await ada.deposit(dipping, "600")
    new = (await ada.open(deposit="10"))["id"]
    await ada.advance(at("2030-03-01T00:00:00"))
    fees = [[each["description"] for each in await posted(ada, account)] for account in (rich, poor, dipping, broke, new)]
    assert fees == [[], ["Monthly fee, February 2030"], ["Monthly fee, February 2030"], [], []]
    assert [(await owed(ada, account))[2] for account in (poor, broke)] == ["0.00", "4.90"]


async def test_a_transfer_to_another_bank_costs_a_fee(ada: Client, admin: Client) -> None:
    product = await make(admin, kind="CHECKING", externalTransferFee="0.35")
    account, other = (await ada.open(deposit="10"))["id"], (await ada.open())["id"]
    preview = await ada.run(
        """mutation ($input: TransferInput!) { transfer(input: $input) {
            ... on MoneyPreview { amount { amount } fee { amount } fromAvailableAfter { amount } } } }""",
        input={
            "fromAccountId": account, "to": {"external": {"accountNumber": "GB33BUKB20201555555555", "name": "Jane"}},
            "amount": {"amount": "5", "currency": "EUR"}, "idempotencyKey": key(), "dryRun": True,
        },
    )  # fmt: skip
    assert preview["transfer"] == {
        "amount": {"amount": "5.00"},
        "fee": {"amount": "0.35"},
        "fromAvailableAfter": {"amount": "4.65"},
    }
    assert await owed(ada, account) == ("10.00", "0.00", "0.00")
    sent = (await ada.send(account, "5"))["transaction"]
    found = await ada.run(
        """query ($id: ID!) { transaction(id: $id) { status fee { kind status amount { amount } parent { id } } returnedBy { id } } }""",
        id=sent["id"],
    )
    assert found["transaction"] == {
        "status": "PENDING", "fee": {"kind": "FEE", "status": "POSTED", "amount": {"amount": "0.35"}, "parent": {"id": sent["id"]}},
        "returnedBy": None,
    }  # fmt: skip
    refused = await ada.send(account, "4.31")
    assert (refused["__typename"], refused["required"]["amount"]) == ("InsufficientFundsRejection", "4.66")
    assert (await ada.transfer(account, other, "4.55"))["__typename"] == "MoneyMoved"  # inside the bank it is free
    assert len(await posted(ada, account)) == 1
    await change(admin, product["id"], "2030-01-17", externalTransferFee="0.05")
    dearer = await make(admin, "Dear", kind="CHECKING", since=None, externalTransferFee="0.01")
    await give(admin, account, dearer["id"], "2030-01-18")
    for day in ("2030-01-16", "2030-01-17", "2030-01-18"):
        await ada.advance(at(f"{day}T12:00:00"))
        await ada.send(account, "0.01")
    assert [each["amount"]["amount"] for each in await posted(ada, account)] == ["0.35", "0.05", "0.01"]


async def test_a_card_that_is_replaced_costs_a_fee_that_may_be_due(ada: Client, admin: Client) -> None:
    await make(admin, kind="CHECKING", cardReplacementFee="8")
    account = (await ada.open(deposit="10"))["id"]
    card = (await ada.issue(account))["id"]
    replace = "mutation ($id: ID!, $key: String!) { replaceCard(id: $id, idempotencyKey: $key) { ... on Card { id } } }"
    dry = """mutation ($id: ID!) { replaceCard(id: $id, idempotencyKey: "k", dryRun: true) {
        ... on MoneyPreview { amount { amount } fee { amount } fromAvailableAfter { amount } } } }"""
    expected = {"amount": {"amount": "0.00"}, "fee": {"amount": "8.00"}, "fromAvailableAfter": {"amount": "2.00"}}
    assert [(await ada.run(dry, id=card))["replaceCard"] for _ in range(2)] == [expected] * 2
    assert await owed(ada, account) == ("10.00", "0.00", "0.00")
    card = (await ada.run(replace, id=card, key=key()))["replaceCard"]["id"]
    assert [each["description"] for each in await posted(ada, account)] == ["Fee for the replacement of a card"]
    assert (await ada.run(dry, id=card))["replaceCard"]["fromAvailableAfter"] == {"amount": "2.00"}  # the fee will be due
    await ada.run(replace, id=card, key=key())
    assert await owed(ada, account) == ("2.00", "0.00", "8.00")
    await ada.deposit(account, "6")
    await ada.advance(START + timedelta(hours=1))
    assert await owed(ada, account) == ("0.00", "0.00", "0.00")


async def test_what_is_due_is_posted_as_far_as_the_money_goes(ada: Client, admin: Client) -> None:
    await make(admin, kind="CHECKING", cardReplacementFee="8")
    account = (await ada.open())["id"]
    card = (await ada.issue(account))["id"]
    replace = "mutation ($id: ID!, $key: String!) { replaceCard(id: $id, idempotencyKey: $key) { ... on Card { id } } }"
    for _ in range(2):
        card = (await ada.run(replace, id=card, key=key()))["replaceCard"]["id"]
    assert await owed(ada, account) == ("0.00", "0.00", "16.00")
    await ada.deposit(account, "10")
    await ada.advance(START + timedelta(hours=1))
    assert await owed(ada, account) == ("2.00", "0.00", "8.00")
    await ada.deposit(account, "10")
    await ada.advance(START + timedelta(hours=2))
    assert await owed(ada, account) == ("4.00", "0.00", "0.00")


async def test_a_frozen_account_gets_interest_and_pays_none(ada: Client, admin: Client, bank: Bank) -> None:
    await make(admin, kind="CHECKING", monthlyFee="1", creditRates=rates(("0", "3.65")))
    account = (await ada.open(deposit="1000"))["id"]
    await ada.run("mutation ($id: ID!) { freezeAccount(id: $id) { __typename } }", id=account)
    await ada.advance(at("2030-03-01T00:00:00"))
    assert await owed(ada, account) == ("1004.50", "0.00", "1.00")  # 17 days and 28 days of 0.10
    due = PostDue(
        actor=payments.BANK,
        key=None,
        due_id=new_id(),
        account_id=uuid_of(account, "Account") or new_id(),
        kind=TransactionKind.FEE,
        amount=Money(-100, "EUR"),
        description="Fee",
    )
    [outcome] = await payments.execute(bank.db, bank.policy, [due])
    assert isinstance(outcome, AccountStatusRefused)
    await ada.run("mutation ($id: ID!) { unfreezeAccount(id: $id) { __typename } }", id=account)
    await ada.advance(at("2030-03-01T01:00:00"))
    assert await owed(ada, account) == ("1003.50", "0.00", "0.00")


async def test_an_account_that_is_not_closed_after_all_goes_on_bearing_interest(ada: Client, admin: Client) -> None:
    await make(admin, creditRates=rates(("0", "3.65")))
    savings, other = (await ada.open(kind="SAVINGS", deposit="1000"))["id"], (await ada.open())["id"]
    await ada.advance(at("2030-01-20T09:00:00"))
    await ada.transfer(savings, other, "1000")
    await ada.run("mutation ($id: ID!) { closeAccount(id: $id) { __typename } }", id=savings)
    await ada.transfer(other, savings, "999.50")  # the same balance as on the day before
    assert await owed(ada, savings) == ("1000.00", "0.00", "0.00")
    await ada.advance(at("2030-02-01T00:00:00"))
    assert [each["amount"]["amount"] for each in await posted(ada, savings)] == ["0.50", "1.20"]


async def test_an_account_with_fees_that_are_due_is_not_closed(ada: Client, admin: Client) -> None:
    await make(admin, kind="CHECKING", monthlyFee="1")
    account = (await ada.open())["id"]
    await ada.advance(at("2030-03-02T00:00:00"))
    close = """mutation ($id: ID!) { closeAccount(id: $id) { __typename ... on StateConflictRejection { conflict } } }"""
    assert (await ada.run(close, id=account))["closeAccount"] == {
        "__typename": "StateConflictRejection", "conflict": "MONEY_REMAINS",
    }  # fmt: skip
    await ada.deposit(account, "1")
    await ada.advance(at("2030-03-03T00:00:00"))
    assert (await ada.run(close, id=account))["closeAccount"] == {"__typename": "Account"}


async def test_who_closes_an_account_before_the_job_has_run_pays_the_fee_of_the_month(
    ada: Client, admin: Client, app: Starlette, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make(admin, kind="CHECKING", monthlyFee="1")
    account, other = (await ada.open(deposit="10"))["id"], (await ada.open(kind="SAVINGS"))["id"]
    await ada.advance(at("2030-02-28T23:59:00"))
    await app.state.graphql._services.clock._move(at("2030-03-01T00:00:10"))
    await ada.transfer(account, other, "10")
    close = """mutation ($id: ID!) { closeAccount(id: $id) { __typename ... on StateConflictRejection { conflict } } }"""
    assert (await ada.run(close, id=account))["closeAccount"]["__typename"] == "StateConflictRejection"
    await ada.transfer(other, account, "1")
    await ada.advance(at("2030-03-01T00:02:00"))
    assert (await ada.run(close, id=account))["closeAccount"]["__typename"] == "Account"
    await ada.advance(at("2030-05-01T00:00:00"))
    assert [each["description"] for each in await posted(ada, account)] == ["Monthly fee, February 2030"]
    assert await raw.fetchval("SELECT count(*) FROM due_postings WHERE transaction_id IS NULL") == 0


async def test_an_account_that_was_committed_after_its_day_had_accrued_bears_interest_for_it(
    ada: Client, admin: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make(admin, creditRates=rates(("0", "3.65")))
    await ada.advance(at("2030-01-20T23:59:59"))
    account = (await ada.open(kind="SAVINGS", deposit="1000"))["id"]
    await raw.execute("INSERT INTO accrual_days VALUES ('2030-01-20', now())")  # by a process that could not see the account
    await ada.advance(at("2030-02-01T00:00:00"))
    assert [each["amount"]["amount"] for each in await posted(ada, account)] == ["1.20"]


async def test_days_far_away_are_refused(ada: Client, admin: Client) -> None:
    far = await make(admin, since=None, **{"from": "9999-12-15"})
    assert (far["fields"][0]["path"], far["fields"][0]["code"]) == (["terms", "from"], "TOO_FAR")
    later = await make(admin, since=None, **{"from": "2999-12-31"})
    await ada.advance(at("2030-02-16T00:00:00"))
    savings = (await ada.open(kind="SAVINGS"))["id"]
    assert (await give(admin, savings, later["id"], "2030-02-16"))["fields"][0]["code"] == "BEFORE_TERMS"
    own = (await admin.open(kind="SAVINGS"))["id"]
    assert (await give(admin, own, later["id"], "2999-12-31"))["__typename"] == "ForbiddenRejection"


async def test_products_are_made_by_administrators_only_and_with_sense(ada: Client, admin: Client, teller: Client) -> None:
    for other in (ada, teller):
        assert (await make(other))["__typename"] == "ForbiddenRejection"
    assert (await make(admin))["__typename"] == "Product"

    async def code(**more: Any) -> Any:
        answer = await make(admin, **more)
        assert answer["__typename"] == "ValidationRejection", answer
        return ".".join(answer["fields"][0]["path"]), answer["fields"][0]["code"]

    assert await code() == ("name", "TAKEN")
    assert await code(name="B") == ("defaultFrom", "TAKEN")
    assert await code(name="B", since="2030-01-14") == ("defaultFrom", "BEFORE_TERMS")
    assert await code(name="C", since=None, creditRates=rates(("0", "1.1234567"))) == ("terms.creditRates.0.rate", "INVALID")
    assert await code(name="C", since=None, creditRates=rates(("0", "101"))) == ("terms.creditRates.0.rate", "TOO_LARGE")
    assert await code(name="C", since=None, debitRates=rates(("5", "1"), ("5", "2"))) == ("terms.debitRates", "NOT_RISING")
    assert await code(name="C", since=None, debitRates=rates(("-5", "1"))) == ("terms.debitRates", "NEGATIVE")
    assert await code(name="C", since=None, monthlyFee="-1") == ("terms.monthlyFee", "NEGATIVE")
    assert await code(name="C", since=None, monthlyFee="0.001") == ("terms.monthlyFee", "TOO_PRECISE")
    listed = (await ada.run("{ products { name kind terms { monthlyFee { amount } } } }"))["products"]
    assert listed == [{"name": "Plain", "kind": "SAVINGS", "terms": {"monthlyFee": {"amount": "0.00"}}}]


async def test_runs_at_the_same_time_post_each_month_once(ada: Client, admin: Client, bank: Bank) -> None:
    await make(admin, creditRates=rates(("0", "5")), monthlyFee="1")
    accounts = [(await ada.open(kind="SAVINGS", deposit="1000"))["id"] for _ in range(5)]
    await ada.advance(at("2030-01-31T23:59:59"))
    await bank.clock.read()
    await bank.clock._move(at("2030-03-05T00:00:00"))
    await asyncio.gather(*(bank.interest.close_months() for _ in range(4)), *(bank.interest.accrue() for _ in range(2)))
    for account in accounts:
        kinds = [each["kind"] for each in await posted(ada, account)]
        assert sorted(kinds) == ["FEE", "INTEREST", "INTEREST"]
    assert all(finding.ok for finding in await verification.verify(bank.db, CHECKS))


WRONG = (
    ("UPDATE interest_accruals SET amount = amount + 1", "interest postings"),
    ("UPDATE interest_accruals SET amount = amount + 1", "interest accruals"),
    ("UPDATE interest_accruals SET balance = 2 * balance", "interest accruals"),
    ("UPDATE interest_accruals SET first_day = first_day + 3", "interest accruals"),
    ("UPDATE product_terms SET credit_tiers = '[]'", "interest accruals"),
    ("DELETE FROM interest_postings", "interest that is due"),
    ("UPDATE due_postings SET transaction_id = NULL", "due postings noted"),
    ("UPDATE due_postings SET transaction_id = NULL", "fees and interest"),
    ("UPDATE interest_postings SET carried = 1", "interest postings"),
    ("UPDATE interest_postings SET posted = posted + 1", "interest postings"),
    ("UPDATE due_postings SET amount = amount + 1", "due postings"),
    ("UPDATE due_postings SET kind = 'FEE'", "due postings"),
    (
        "INSERT INTO interest_accruals SELECT gen_random_uuid(), account_id, first_day + 1, last_day, balance, product_id, "
        "terms_since, amount FROM interest_accruals",
        "interest accruals",
    ),
)
"""What may go wrong with the books of interest, and the check that finds it."""


async def test_verify_finds_what_is_wrong(ada: Client, admin: Client, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await make(admin, creditRates=rates(("0", "5")))
    await ada.open(kind="SAVINGS", deposit="1000")
    await ada.advance(at("2030-02-01T00:00:00"))
    checks = (*payments_verification.CHECKS, *products_verification.CHECKS)
    assert await found_wrong(raw, checks, "SELECT 1") == set()
    for change_books, check in WRONG:
        assert check in await found_wrong(raw, checks, change_books), change_books
