"""Accounts through the API: opening, changing, freezing and closing them, and their balances."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from schwifty import IBAN

from bank_graphql.ledger.service import account_lock
from tests.client import ACCOUNT, REJECTIONS, Client, money

RESULT = f"__typename ... on Account {{ {ACCOUNT} freezeReason overdraftLimit {{ amount }} closedAt }} {REJECTIONS}"
RENAME = f"mutation ($id: ID!, $name: String!) {{ renameAccount(id: $id, name: $name) {{ {RESULT} }} }}"
FREEZE = f"mutation ($id: ID!, $reason: String) {{ freezeAccount(id: $id, reason: $reason) {{ {RESULT} }} }}"
UNFREEZE = f"mutation ($id: ID!) {{ unfreezeAccount(id: $id) {{ {RESULT} }} }}"
CLOSE = f"mutation ($id: ID!) {{ closeAccount(id: $id) {{ {RESULT} }} }}"
OVERDRAFT = f"mutation ($id: ID!, $limit: MoneyInput!) {{ setOverdraftLimit(id: $id, limit: $limit) {{ {RESULT} }} }}"


async def test_accounts_have_valid_numbers_of_their_own(ada: Client) -> None:
    accounts = [await ada.open(currency) for currency in ("EUR", "EUR", "USD", "JPY", "KWD")]
    numbers = [account["number"] for account in accounts]
    assert len(set(numbers)) == 5
    assert all(IBAN(number).country_code == "DE" for number in numbers)
    data = await ada.run("{ me { accounts { nodes { number currency } } } }")
    assert [node["number"] for node in data["me"]["accounts"]["nodes"]] == numbers


async def test_an_opening_deposit_is_booked(ada: Client) -> None:
    account = await ada.open("KWD", "1.234", name=" Savings ", kind="SAVINGS")
    assert account["name"] == "Savings"
    assert account["balance"] == {"booked": {"amount": "1.234"}, "held": {"amount": "0.000"}, "available": {"amount": "1.234"}}
    entries = await ada.account(account["id"], "entries { nodes { amount { amount } transaction { kind } } }")
    assert entries["entries"]["nodes"] == [{"amount": {"amount": "1.234"}, "transaction": {"kind": "DEPOSIT"}}]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"openingDeposit": "0"}, "openingDeposit"),
        ({"openingDeposit": "1.001"}, "openingDeposit"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
    ],
)
async def test_invalid_input_opens_no_account(ada: Client, wrong: dict[str, str], path: str) -> None:
    answer = await ada.open(**{"deposit": wrong.pop("openingDeposit", None), **wrong})  # type: ignore[arg-type]
    assert answer["__typename"] == "ValidationRejection"
    assert answer["fields"][0]["path"] == [path]


async def test_credit_accounts_have_an_overdraft_limit_in_a_sandbox(ada: Client) -> None:
    account, other = await ada.open("JPY", kind="CREDIT"), await ada.open("JPY")
    assert account["balance"]["available"]["amount"] == "1000"
    assert (await ada.transfer(account["id"], other["id"], "1000", "JPY"))["__typename"] == "MoneyMoved"
    assert (await ada.transfer(account["id"], other["id"], "1", "JPY"))["__typename"] == "InsufficientFundsRejection"
    assert await ada.booked(account["id"]) == "-1000"


async def test_an_account_is_renamed_but_never_to_an_empty_name(ada: Client) -> None:
    account = await ada.open()
    assert (await ada.run(RENAME, id=account["id"], name="Fun"))["renameAccount"]["name"] == "Fun"
    assert (await ada.run(RENAME, id=account["id"], name=""))["renameAccount"]["__typename"] == "ValidationRejection"


async def test_owners_unfreeze_what_they_froze_and_not_what_staff_froze(ada: Client, teller: Client) -> None:
    account = await ada.open(deposit="5")
    frozen = (await ada.run(FREEZE, id=account["id"], reason="Lost my phone"))["freezeAccount"]
    assert (frozen["status"], frozen["freezeReason"]) == ("FROZEN", "Lost my phone")
    assert (await ada.run(FREEZE, id=account["id"]))["freezeAccount"]["status"] == "FROZEN"
    active = (await ada.run(UNFREEZE, id=account["id"]))["unfreezeAccount"]
    assert (active["status"], active["freezeReason"]) == ("ACTIVE", None)
    again = (await ada.run(UNFREEZE, id=account["id"]))["unfreezeAccount"]
    assert (again["__typename"], again["conflict"], again["state"]) == ("StateConflictRejection", "WRONG_STATUS", "ACTIVE")
    await teller.run(FREEZE, id=account["id"], reason="Court order")
    assert (await ada.run(UNFREEZE, id=account["id"]))["unfreezeAccount"]["__typename"] == "ForbiddenRejection"
    assert (await ada.run(FREEZE, id=account["id"]))["freezeAccount"]["freezeReason"] == "Court order"
    assert (await ada.run(CLOSE, id=account["id"]))["closeAccount"]["__typename"] == "AccountStatusRejection"
    assert (await teller.run(UNFREEZE, id=account["id"]))["unfreezeAccount"]["status"] == "ACTIVE"
    assert (await ada.run(FREEZE, id=account["id"], reason="x" * 501))["freezeAccount"]["__typename"] == "ValidationRejection"


async def test_only_an_empty_account_is_closed_and_it_stays_closed(ada: Client) -> None:
    account = await ada.open(deposit="5")
    refused = (await ada.run(CLOSE, id=account["id"]))["closeAccount"]
    assert (refused["__typename"], refused["conflict"]) == ("StateConflictRejection", "MONEY_REMAINS")
    await ada.withdraw(account["id"], "5")
    closed = (await ada.run(CLOSE, id=account["id"]))["closeAccount"]
    assert closed["status"] == "CLOSED"
    assert closed["closedAt"]
    for mutation in (CLOSE, FREEZE):
        again = next(iter((await ada.run(mutation, id=account["id"])).values()))
        assert (again["__typename"], again["state"]) == ("StateConflictRejection", "CLOSED")
    assert (await ada.account(account["id"]))["status"] == "CLOSED"


async def test_overdraft_limits_are_set_by_staff_on_accounts_of_others(ada: Client, teller: Client) -> None:
    account, other = await ada.open(), await ada.open()
    assert (await ada.run(OVERDRAFT, id=account["id"], limit=money("10")))["setOverdraftLimit"][
        "__typename"
    ] == "ForbiddenRejection"
    set_by_teller = (await teller.run(OVERDRAFT, id=account["id"], limit=money("10")))["setOverdraftLimit"]
    assert set_by_teller["overdraftLimit"]["amount"] == "10.00"
    assert set_by_teller["balance"]["available"]["amount"] == "10.00"
    await ada.transfer(account["id"], other["id"], "7")
    own = await teller.open()
    assert (await teller.run(OVERDRAFT, id=own["id"], limit=money("10")))["setOverdraftLimit"][
        "__typename"
    ] == "ForbiddenRejection"
    for limit, kind in [
        (money("6.99"), "ValidationRejection"),
        (money("-1"), "ValidationRejection"),
        (money("1", "USD"), "CurrencyMismatchRejection"),
        (money("7"), "Account"),
    ]:
        assert (await teller.run(OVERDRAFT, id=account["id"], limit=limit))["setOverdraftLimit"]["__typename"] == kind


async def test_the_balance_at_a_time_is_that_after_the_last_entry_by_then(ada: Client) -> None:
    account = await ada.open(deposit="1")
    await ada.deposit(account["id"], "2")
    fields = "openedAt entries { nodes { bookedAt balanceAfter { amount } } }"
    data = await ada.account(account["id"], fields)
    at = "query ($id: ID!, $at: DateTime!) { account(id: $id) { balanceAt(at: $at) { amount currency } } }"
    for entry in data["entries"]["nodes"]:
        answer = await ada.run(at, id=account["id"], at=entry["bookedAt"])
        assert answer["account"]["balanceAt"] == money(entry["balanceAfter"]["amount"])
    assert (await ada.run(at, id=account["id"], at="2020-01-01T00:00:00Z"))["account"]["balanceAt"] == money("0.00")
    assert (await ada.run(at, id=account["id"], at="2999-01-01T01:00:00+01:00"))["account"]["balanceAt"] == money("3.00")
    for wrong in ("2020-01-01", "2020-01-01T00:00:00", "yesterday", 0, datetime.now(UTC).timestamp()):
        assert (await ada.error(at, id=account["id"], at=wrong))["extensions"]["code"] == "BAD_REQUEST"


async def test_tellers_handle_cash_on_any_account_but_transfer_from_none(ada: Client, teller: Client) -> None:
    account, other = await ada.open(), await ada.open()
    assert (await teller.deposit(account["id"], "10"))["__typename"] == "MoneyMoved"
    assert (await teller.withdraw(account["id"], "1"))["__typename"] == "MoneyMoved"
    assert (await teller.transfer(account["id"], other["id"], "1"))["__typename"] == "ForbiddenRejection"
    assert await teller.booked(account["id"]) == "9.00"


async def test_a_deposit_during_a_closure_leaves_no_money_on_a_closed_account(ada: Client) -> None:
    for _ in range(10):
        account = await ada.open()
        closing, paying = await asyncio.gather(ada.run(CLOSE, id=account["id"]), ada.deposit(account["id"], "5"))
        now = await ada.account(account["id"])
        if closing["closeAccount"]["__typename"] == "Account":
            assert paying["__typename"] == "AccountStatusRejection"
            assert (now["status"], now["balance"]["booked"]["amount"]) == ("CLOSED", "0.00")
        else:
            assert paying["__typename"] == "MoneyMoved"
            assert (now["status"], now["balance"]["booked"]["amount"]) == ("ACTIVE", "5.00")


async def test_changes_to_an_account_wait_for_its_lock(ada: Client, raw: asyncpg.Connection) -> None:
    account = await ada.open()
    account_id = await raw.fetchval("SELECT id FROM accounts")
    async with raw.transaction():
        await raw.execute("SELECT pg_advisory_xact_lock($1)", account_lock(account_id))
        closing = asyncio.create_task(ada.run(CLOSE, id=account["id"]))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        async with asyncio.timeout(10):
            while not await raw.fetchval(waiting):
                assert not closing.done()
    assert (await closing)["closeAccount"]["status"] == "CLOSED"
