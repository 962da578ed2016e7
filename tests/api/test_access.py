"""What is said of access beside `test_matrix`: details of what is seen, and rules that depend on more than the role."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from bank_graphql.bank import Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.checks import Finding
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.ids import uuid_of
from bank_graphql.ledger import verification
from tests.api.accounts import FREEZE
from tests.client import Client

STRANGER = "stranger"
READS_ALL = {UserRole.TELLER, UserRole.AUDITOR, UserRole.ADMIN}


@pytest.fixture
async def target(ada: Client, grace: Client) -> dict[str, Any]:
    """An account of Ada's, with the ids of everything that belongs to it."""
    account, payee = await ada.open(deposit="100"), await grace.open()
    await ada.transfer(account["id"], payee["id"], "1")
    card = await ada.issue(account["id"])
    entry = (await ada.account(account["id"], "entries { nodes { id transaction { id } } }"))["entries"]["nodes"][0]
    deposit = (await ada.account(account["id"], "entries(last: 1) { nodes { id transaction { id } } }"))["entries"]["nodes"][0]
    return {
        "account": account["id"], "number": account["number"], "entry": entry["id"], "other": payee["id"],
        "transaction": deposit["transaction"]["id"], "shared": entry["transaction"]["id"], "user": ada.user_id,
        "card": card["id"],
    }  # fmt: skip


@pytest.fixture(params=[STRANGER, *(role.value for role in UserRole if role != UserRole.CUSTOMER)])
async def other(
    request: pytest.FixtureRequest, grace: Client, staff: Callable[[UserRole], Awaitable[Client]]
) -> tuple[str, Client]:
    """A role, and a user with it who does not own the target."""
    return request.param, grace if request.param == STRANGER else await staff(UserRole(request.param))


async def test_the_card_network_sees_the_merchant_and_not_the_card(
    ada: Client, staff: Callable[[UserRole], Awaitable[Client]], target: dict[str, Any]
) -> None:
    paid = (await ada.authorize(target["card"], "1"))["transaction"]["id"]
    query = "query ($id: ID!) { transaction(id: $id) { merchant { name } card { id } } }"
    assert (await (await staff(UserRole.PROCESSOR)).run(query, id=paid))["transaction"] == {
        "merchant": {"name": "Café Central"}, "card": None,
    }  # fmt: skip


async def test_only_auditors_and_admins_read_the_ledger_verification(
    other: tuple[str, Client], visitor: Client, ada: Client, bank: Bank
) -> None:
    role, client = other
    query = "{ ledgerVerification { ok checkedAt checks { name ok examined firstProblem } } }"
    assert (await visitor.error(query))["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await ada.error(query))["extensions"]["code"] == "FORBIDDEN"
    if role not in {UserRole.AUDITOR, UserRole.ADMIN}:
        answer = await client.post(query)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert answer["data"] == {"ledgerVerification": None}
        return
    assert await client.run(query) == {"ledgerVerification": None}
    findings = await verification.verify(bank.db)
    await verification.record(bank.db, [*findings, Finding("made up", 10**12, "entry 7")], utc_now())
    found = (await client.run(query))["ledgerVerification"]
    assert found["ok"] is False
    assert [check["name"] for check in found["checks"] if check["ok"]] == [check.name for check in verification.CHECKS]
    assert found["checks"][-1] == {"name": "made up", "ok": False, "examined": "1000000000000", "firstProblem": "entry 7"}


async def test_the_payer_can_neither_capture_nor_release_a_hold(ada: Client, target: dict[str, Any]) -> None:
    hold = (await ada.place_hold(target["account"], target["other"], "1"))["transaction"]["id"]
    assert (await ada.capture_hold(hold))["__typename"] == "ForbiddenRejection"
    assert (await ada.release_hold(hold))["__typename"] == "ForbiddenRejection"


async def test_an_invisible_object_is_indistinguishable_from_a_missing_one(grace: Client, target: dict[str, Any]) -> None:
    missing = target | {
        "account": "QWNjb3VudDowMTlhYjY1NDBhYzU3MmQxOGM1YzBhY2I5ZDZhZGU5Nw",
        "transaction": "VHJhbnNhY3Rpb246MDE5YWI2NTQwYWM1NzJkMThjNWMwYWNiOWQ2YWRlOTc",
        "entry": "RW50cnk6OTk5OTk5",
        "user": "VXNlcjowMTlhYjY1NDBhYzU3MmQxOGM1YzBhY2I5ZDZhZGU5Nw",
        "card": "Q2FyZDowMTlhYjY1NDBhYzU3MmQxOGM1YzBhY2I5ZDZhZGU5Nw",
        "number": "DE00000000000000000000",
    }
    for foreign, absent in zip(queries_by_id(target), queries_by_id(missing), strict=True):
        assert await grace.post(foreign) == await grace.post(absent)


async def test_both_sides_see_a_shared_transaction_and_only_their_own_entries(
    ada: Client, grace: Client, target: dict[str, Any]
) -> None:
    query = (
        f'{{ transaction(id: "{target["shared"]}") {{ id entries {{ amount {{ amount }} }} from {{ name accountNumber }} }} }}'
    )
    payers, payees = (await ada.run(query))["transaction"], (await grace.run(query))["transaction"]
    assert payers["id"] == payees["id"]
    assert payers["entries"] == [{"amount": {"amount": "-1.00"}}]
    assert payees["entries"] == [{"amount": {"amount": "1.00"}}]
    assert payers["from"]["accountNumber"] == target["number"]
    assert payees["from"] == {"name": "Ada Lovelace", "accountNumber": f"••••{target['number'][-4:]}"}


async def test_a_counterparty_has_a_name_and_four_digits(grace: Client, target: dict[str, Any]) -> None:
    answer = await grace.post(
        "{ me { accounts { nodes { entries { nodes { counterparty { name accountNumber } "
        "transaction { id description from { name accountNumber } to { name accountNumber } entries { account { id number } } } } } } } } }"
    )
    text = str(answer)
    assert "Ada Lovelace" in text
    assert target["number"] not in text
    assert target["account"] not in text
    assert "ada@bank.test" not in text


async def test_outside_a_sandbox_only_tellers_handle_cash(plain: Client, staff: Callable[[UserRole], Awaitable[Client]]) -> None:
    ada = await plain.sign_up("ada@example.com", "Ada Lovelace")
    account = await ada.open(kind="CREDIT")
    assert account["balance"]["available"]["amount"] == "0.00"
    assert (await ada.open(deposit="1"))["__typename"] == "ForbiddenRejection"
    assert (await ada.deposit(account["id"], "1"))["__typename"] == "ForbiddenRejection"
    teller = await (await staff(UserRole.TELLER)).log_in("teller@bank.test")
    assert (await Client(plain.http, teller.token).deposit(account["id"], "1"))["__typename"] == "MoneyMoved"
    assert (await ada.withdraw(account["id"], "1"))["__typename"] == "ForbiddenRejection"


async def test_staff_has_no_permissions_on_its_own_accounts(
    plain: Client, staff: Callable[[UserRole], Awaitable[Client]], raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for role in UserRole:
        email = f"{role.lower()}@bank.test"
        if role == UserRole.CUSTOMER:
            email = "customer@example.com"
            await plain.sign_up(email, "Someone")
        else:
            await staff(role)
        someone = await plain.log_in(email)
        assert (await someone.open(deposit="1"))["__typename"] == "ForbiddenRejection"
        account, other = (await someone.open())["id"], (await someone.open())["id"]
        for handle_cash in (someone.deposit, someone.withdraw):
            assert (await handle_cash(account, "1"))["__typename"] == "ForbiddenRejection"
        await raw.execute("UPDATE balances SET overdraft_limit = 100000 WHERE account_id = $1", uuid_of(account, "Account"))
        hold = (await someone.place_hold(account, other, "1"))["transaction"]["id"]
        assert (await someone.capture_hold(hold))["__typename"] == "MoneyMoved"  # as the payee
        moved = (await someone.transfer(account, other, "1"))["transaction"]["id"]
        assert (await someone.reverse(moved))["__typename"] == "ForbiddenRejection"
        card = (await someone.issue(account))["id"]
        assert (await someone.authorize(card, "1"))["__typename"] == "ForbiddenRejection"


async def test_a_payment_to_a_frozen_account_can_be_reversed(ada: Client, grace: Client, teller: Client) -> None:
    source, target = (await ada.open(deposit="5"))["id"], (await grace.open())["id"]
    moved = (await ada.transfer(source, target, "5"))["transaction"]["id"]
    await teller.run(FREEZE, id=target)
    assert (await teller.reverse(moved))["__typename"] == "MoneyMoved"
    assert (await ada.booked(source), await grace.booked(target)) == ("5.00", "0.00")
    assert (await grace.transfer(target, source, "1"))["accountStatus"] == "FROZEN"


def queries_by_id(ids: dict[str, Any]) -> list[str]:
    """Return every query that reads one of the objects by its id or number."""
    nodes = ", ".join(f'"{ids[name]}"' for name in ("account", "transaction", "entry", "user", "card"))
    return [
        f'{{ x: account(id: "{ids["account"]}") {{ __typename }} }}',
        f'{{ x: accountByNumber(number: "{ids["number"]}") {{ __typename }} }}',
        f'{{ x: transaction(id: "{ids["transaction"]}") {{ __typename }} }}',
        f'{{ x: card(id: "{ids["card"]}") {{ __typename }} }}',
        *(f'{{ x: node(id: "{ids[name]}") {{ __typename }} }}' for name in ("account", "transaction", "entry", "user", "card")),
        f"{{ x: nodes(ids: [{nodes}]) {{ __typename }} }}",
    ]


async def test_the_feed_has_events_of_visible_accounts_only(
    target: dict[str, Any], other: tuple[str, Client], ada: Client, wait_until_idle: Callable[[], Awaitable[None]]
) -> None:
    await wait_until_idle()
    role, client = other
    query = "query ($ids: [ID!]) { transactionEvents(accountIds: $ids) { nodes { account { id } } } }"
    own = await ada.run(query, ids=[target["account"]])
    assert {event["account"]["id"] for event in own["transactionEvents"]["nodes"]} == {target["account"]}
    if role in READS_ALL:
        assert await client.run(query, ids=[target["account"]]) == own
    else:
        errors = [await client.error(query, ids=[each]) for each in (target["account"], "QWNjb3VudDow", "garbage")]
        assert {error["message"] for error in errors} == {"There is no such account."}
    mine = await client.run(query)
    assert target["account"] not in {event["account"]["id"] for event in mine["transactionEvents"]["nodes"]}
