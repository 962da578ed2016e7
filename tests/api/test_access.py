"""Access of every role to every field and mutation, on the actor's own things, on those of others, and on missing ones."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.api.schema import build_schema
from bank_graphql.bank import Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.checks import Finding
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.ids import uuid_of
from bank_graphql.ledger import verification
from tests.api.accounts import FREEZE
from tests.client import Client, key

STRANGER = "stranger"
READS_ALL = {UserRole.TELLER, UserRole.AUDITOR, UserRole.ADMIN}
CASHIERS, MANAGERS = {UserRole.TELLER}, {UserRole.TELLER, UserRole.ADMIN}

ACCOUNT_MUTATIONS: dict[str, str] = {
    "renameAccount": 'id: $id, name: "Mine now"',
    "freezeAccount": "id: $id",
    "unfreezeAccount": "id: $id",
    "closeAccount": "id: $id",
    "setOverdraftLimit": 'id: $id, limit: {amount: "1", currency: EUR}',
}
MONEY_MUTATIONS = {
    "deposit": 'input: {accountId: $id, amount: {amount: "1", currency: EUR}, idempotencyKey: $key}',
    "withdraw": 'input: {accountId: $id, amount: {amount: "1", currency: EUR}, idempotencyKey: $key}',
    "transfer": 'input: {fromAccountId: $id, to: {accountId: $other}, amount: {amount: "1", currency: EUR}, idempotencyKey: $key}',
    "placeHold": 'input: {accountId: $id, to: {accountId: $other}, amount: {amount: "1", currency: EUR}, idempotencyKey: $key}',
}
TRANSACTION_MUTATIONS = {
    "captureHold": "input: {transactionId: $id, idempotencyKey: $key}",
    "releaseHold": "input: {transactionId: $id, idempotencyKey: $key}",
    "reverseTransaction": 'input: {transactionId: $id, reason: "r", idempotencyKey: $key}',
}
CLEARING_MUTATIONS = {
    "settleTransfer": "transactionId: $id, idempotencyKey: $key",
    "returnTransfer": 'transactionId: $id, reason: "AC04", idempotencyKey: $key',
}
RECEIVE = {
    "receiveTransfer": 'input: {accountNumber: $number, amount: {amount: "1", currency: EUR}, fromAccountNumber: "GB33BUKB20201555555555", fromName: "Jane", reference: $key, idempotencyKey: $key}'
}
CARD_MUTATIONS = {
    "activateCard": "id: $id",
    "freezeCard": "id: $id",
    "unfreezeCard": "id: $id",
    "setCardLimits": "id: $id, limits: []",
    "replaceCard": "id: $id, idempotencyKey: $key",
    "authorizeCard": 'input: {cardId: $id, amount: {amount: "1", currency: EUR}, merchant: {name: "A", categoryCode: "5812", country: "DE"}, idempotencyKey: $key}',
    "revealCard": 'id: $id, password: "a fine long passphrase"',
    "cancelCard": "id: $id",
}
CARD_MONEY_MUTATIONS = {"refundCardPayment": "transactionId: $id, idempotencyKey: $key"}
BATCH = {
    "transferBatch": 'input: {transfers: [{fromAccountId: $id, to: {accountId: $other}, amount: {amount: "1", currency: EUR}, idempotencyKey: $key}]}'
}
OWN_MUTATIONS = {
    "issueCard": "input: {accountId: $id, idempotencyKey: $key}",
    "openAccount": "input: {kind: CHECKING, currency: EUR, idempotencyKey: $key}",
    "addPayee": 'name: "Me", accountNumber: "DE02120300000000202051"',
    "verifyPayee": 'name: "Me", accountNumber: "DE02120300000000202051"',
    "renamePayee": 'id: $id, name: "Me"',
    "removePayee": "id: $id",
    "updateProfile": 'fullName: "Me"',
    "advanceClock": 'to: "2000-01-01T00:00:00Z"',
    "exportEntries": 'accountId: $id, from: "2020-01-01", to: "2999-12-31", format: CSV',
    "issueStatements": 'month: "2000-01-01"',
    "logOut": "",
}
ALL = {
    **ACCOUNT_MUTATIONS,
    **MONEY_MUTATIONS,
    **TRANSACTION_MUTATIONS,
    **CLEARING_MUTATIONS,
    **RECEIVE,
    **CARD_MUTATIONS,
    **CARD_MONEY_MUTATIONS,
    **BATCH,
    **OWN_MUTATIONS,
}
OPEN_MUTATIONS = {"signUp", "logIn", "refreshSession"}
QUERIES = {"account", "accountByNumber", "transaction", "card", "statement", "node", "nodes"}
OPEN_QUERIES = {"me", "rateLimit", "clock"}
FEED = {"transactionEvents", "feedCursor"}
OWN_QUERIES = {"payees"}
RESTRICTED_QUERIES = {"ledgerVerification": {UserRole.AUDITOR, UserRole.ADMIN}, "suspense": READS_ALL}


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


def test_the_matrix_covers_the_schema() -> None:
    schema = build_schema()._schema
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    assert set(schema.query_type.fields) == QUERIES | OPEN_QUERIES | FEED | OWN_QUERIES | set(RESTRICTED_QUERIES)
    assert set(schema.mutation_type.fields) == {*ALL, *OPEN_MUTATIONS}
    assert schema.subscription_type is not None
    assert set(schema.subscription_type.fields) == {"transactionFeed"}


async def test_who_sees_an_account_sees_its_statements_and_exports_its_entries(
    other: tuple[str, Client], target: dict[str, Any], ada: Client
) -> None:
    role, client = other
    await ada.advance(await ada.clock() + timedelta(days=32))
    [statement] = (await ada.account(target["account"], "statements(last: 1) { nodes { id } }"))["statements"]["nodes"]
    query = "query ($id: ID!) { statement(id: $id) { pdfUrl csvUrl camt053Url } node(id: $id) { id } }"
    found = await client.run(query, id=statement["id"])
    export = mutation("exportEntries", OWN_MUTATIONS["exportEntries"])
    exported = (await client.run(export, id=target["account"]))["exportEntries"]["__typename"]
    issued = (await client.run(mutation("issueStatements", OWN_MUTATIONS["issueStatements"])))["issueStatements"]["__typename"]
    if role in READS_ALL:
        assert found["statement"]["pdfUrl"].startswith("http")
        assert exported == "EntryExport"
    else:
        assert found == {"statement": None, "node": None}
        assert exported == "NotFoundRejection"
    assert issued == ("StatementsIssued" if role in MANAGERS else "ForbiddenRejection")


def mutation(name: str, arguments: str) -> str:
    declared = (("id", "ID!"), ("key", "String!"), ("other", "ID!"), ("number", "String!"))
    used = [f"${each}: {kind}" for each, kind in declared if f"${each}" in arguments]
    header = f"({', '.join(used)})" if used else ""
    return f"mutation {header} {{ {name}{f'({arguments})' if arguments else ''} {{ __typename }} }}"


def variables(arguments: str, **given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if f"${name}" in arguments}


@pytest.mark.parametrize("name", ALL)
async def test_a_signed_out_client_cannot_execute_mutations(visitor: Client, target: dict[str, Any], name: str) -> None:
    arguments = ALL[name]
    given = variables(arguments, id=target["account"], other=target["other"], number=target["number"], key=key())
    error = await visitor.error(mutation(name, arguments), **given)
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_signed_out_client_sees_nothing(visitor: Client, target: dict[str, Any]) -> None:
    for query in queries_by_id(target):
        answer = await visitor.post(query)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert not answer["data"] or not any(answer["data"].values())


async def test_only_cashiers_and_managers_change_the_accounts_of_others(
    other: tuple[str, Client], target: dict[str, Any], ada: Client
) -> None:
    role, client = other
    for name, arguments in {**ACCOUNT_MUTATIONS, **MONEY_MUTATIONS}.items():
        given = variables(arguments, id=target["account"], other=target["other"], key=key())
        outcome = (await client.run(mutation(name, arguments), **given))[name]["__typename"]
        allowed = (name in {"deposit", "withdraw"} and role in CASHIERS) or (
            name in {"freezeAccount", "unfreezeAccount", "setOverdraftLimit"} and role in MANAGERS
        )
        if role not in READS_ALL:
            assert outcome == "NotFoundRejection", name
        elif not allowed:
            assert outcome == "ForbiddenRejection", name
        else:
            assert outcome in {"Account", "MoneyMoved"}, name
    if role not in CASHIERS:
        assert await ada.booked(target["account"]) == "99.00"
    account = await ada.account(target["account"])
    assert (account["name"], account["status"]) == ("Checking EUR", "ACTIVE")


async def test_only_managers_and_processors_change_the_cards_of_others(
    other: tuple[str, Client], target: dict[str, Any], ada: Client
) -> None:
    role, client = other
    for name, arguments in CARD_MUTATIONS.items():
        outcome = (await client.run(mutation(name, arguments), **variables(arguments, id=target["card"], key=key())))[name]
        allowed = (name == "authorizeCard" and role == UserRole.PROCESSOR) or (
            name in {"freezeCard", "unfreezeCard", "cancelCard"} and role in MANAGERS
        )
        if allowed:
            assert outcome["__typename"] in {"Card", "MoneyMoved"}, name
        else:
            seen = role in READS_ALL and name != "revealCard"
            assert outcome["__typename"] == ("ForbiddenRejection" if seen else "NotFoundRejection"), name
    assert (await ada.card(target["card"]))["status"] == ("CANCELLED" if role in MANAGERS else "ACTIVE")
    issue = ALL["issueCard"]
    outcome = (await client.run(mutation("issueCard", issue), id=target["account"], key=key()))["issueCard"]["__typename"]
    assert outcome == ("ForbiddenRejection" if role in READS_ALL else "NotFoundRejection")


async def test_only_processors_capture_release_and_refund_the_card_payments_of_others(
    other: tuple[str, Client], target: dict[str, Any], ada: Client
) -> None:
    role, client = other
    refused = "ForbiddenRejection" if role in READS_ALL else "NotFoundRejection"
    for name in ("releaseHold", "captureHold", "refundCardPayment"):
        subject = (await ada.authorize(target["card"], "1"))["transaction"]["id"]
        if name == "refundCardPayment":
            subject = (await ada.capture_hold(subject))["transaction"]["id"]
        outcome = (await client.run(mutation(name, ALL[name]), id=subject, key=key()))[name]["__typename"]
        assert outcome == ("MoneyMoved" if role == UserRole.PROCESSOR else refused), name
        if role == UserRole.PROCESSOR:
            seen = await client.run("query ($id: ID!) { transaction(id: $id) { merchant { name } card { id } } }", id=subject)
            assert seen["transaction"] == {"merchant": {"name": "Café Central"}, "card": None}


async def test_only_processors_settle_return_and_receive_payments_of_others(
    other: tuple[str, Client], target: dict[str, Any], ada: Client
) -> None:
    role, client = other
    refused = "ForbiddenRejection" if role in READS_ALL else "NotFoundRejection"
    for name, arguments in CLEARING_MUTATIONS.items():
        sent = (await ada.send(target["account"], "1"))["transaction"]["id"]
        outcome = (await client.run(mutation(name, arguments), id=sent, key=key()))[name]["__typename"]
        assert outcome == ("MoneyMoved" if role == UserRole.PROCESSOR else refused), name
    received = await client.run(mutation("receiveTransfer", RECEIVE["receiveTransfer"]), number=target["number"], key=key())
    outcome = received["receiveTransfer"]["__typename"]
    assert outcome == ("MoneyMoved" if role == UserRole.PROCESSOR else "ForbiddenRejection")


async def test_staff_see_the_suspense_accounts(other: tuple[str, Client], ada: Client) -> None:
    role, client = other
    for seen, reader in ((role in RESTRICTED_QUERIES["suspense"], client), (False, ada)):
        answer = await reader.post("{ suspense(currency: EUR) { nodes { id } } }")
        assert answer["data"] == {"suspense": {"nodes": []} if seen else None}


async def test_only_managers_change_the_transactions_of_others(
    other: tuple[str, Client], target: dict[str, Any], ada: Client, grace: Client
) -> None:
    role, client = other
    if role == STRANGER:
        client = await ada.sign_up("eve@bank.test", "Eve")
    hold = (await ada.place_hold(target["account"], target["other"], "1"))["transaction"]["id"]
    for name, allowed_roles in {"captureHold": MANAGERS, "reverseTransaction": MANAGERS, "releaseHold": MANAGERS}.items():
        subject = target["transaction"] if name == "reverseTransaction" else hold
        outcome = (await client.run(mutation(name, ALL[name]), id=subject, key=key()))[name]["__typename"]
        if role not in READS_ALL:
            assert outcome == "NotFoundRejection", name
        elif role not in allowed_roles:
            assert outcome == "ForbiddenRejection", name
        else:
            assert outcome in {"MoneyMoved", "StateConflictRejection", "InsufficientFundsRejection"}, name
    batch = await client.run(
        "mutation ($i: TransferBatchInput!) { transferBatch(input: $i) { ... on TransferBatchOutcome { results { __typename } } } }",
        i={
            "transfers": [
                {
                    "fromAccountId": target["account"],
                    "to": {"accountId": target["other"]},
                    "amount": {"amount": "1", "currency": "EUR"},
                    "idempotencyKey": key(),
                }
            ]
        },
    )
    refused = "ForbiddenRejection" if role in READS_ALL else "NotFoundRejection"
    assert batch["transferBatch"]["results"] == [{"__typename": refused}]


async def test_only_auditors_and_admins_read_the_ledger_verification(
    other: tuple[str, Client], visitor: Client, ada: Client, bank: Bank
) -> None:
    role, client = other
    query = "{ ledgerVerification { ok checkedAt checks { name ok examined firstProblem } } }"
    assert (await visitor.error(query))["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await ada.error(query))["extensions"]["code"] == "FORBIDDEN"
    if role not in RESTRICTED_QUERIES["ledgerVerification"]:
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


async def test_only_staff_that_reads_all_sees_the_objects_of_others(other: tuple[str, Client], target: dict[str, Any]) -> None:
    role, client = other
    for query in queries_by_id(target):
        data = await client.run(query)
        seen = data["x"] if isinstance(data["x"], list) else [data["x"]]
        assert any(seen) is (role in READS_ALL), query


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
