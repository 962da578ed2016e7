"""Payees: saved, found, and paid; and nobody sees or pays those of others."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import Client, key, transfer_of

ABROAD = ("GB33BUKB20201555555555", "FR1420041010050500013M02606", "NO9386011117947", "MT84MALT011000012345MTLCAST001S")
PAYEE = "id name accountNumber createdAt"
ANSWER = f"__typename ... on Payee {{ {PAYEE} }} ... on ValidationRejection {{ fields {{ path code }} }} ... on NotFoundRejection {{ subjectId }}"
CALLS = {
    "addPayee": ("$name: String!, $accountNumber: String!", "name: $name, accountNumber: $accountNumber"),
    "renamePayee": ("$id: ID!, $name: String!", "id: $id, name: $name"),
    "removePayee": ("$id: ID!", "id: $id"),
}


async def call(client: Client, mutation: str, **given: str) -> dict[str, Any]:
    """What a mutation about a payee answers."""
    declared, arguments = CALLS[mutation]
    answer: dict[str, Any] = (
        await client.run(f"mutation ({declared}) {{ x: {mutation}({arguments}) {{ {ANSWER} }} }}", **given)
    )["x"]
    return answer


async def names(client: Client, **given: Any) -> list[str]:
    """The names of a client's payees."""
    query = "query ($search: String, $first: Int) { payees(search: $search, first: $first) { nodes { name } } }"
    return [node["name"] for node in (await client.run(query, **given))["payees"]["nodes"]]


async def test_payees_are_added_renamed_found_and_removed(ada: Client) -> None:
    added = [await call(ada, "addPayee", name=f"Payee {n}", accountNumber=number) for n, number in enumerate(ABROAD)]
    assert [each["accountNumber"] for each in added] == list(ABROAD)
    renamed = await call(ada, "renamePayee", id=added[1]["id"], name="  Électricité  de France ")
    assert renamed == {**added[1], "name": "Électricité de France"}
    assert await names(ada) == ["Payee 0", "Électricité de France", "Payee 2", "Payee 3"]
    assert await names(ada, first=2) == ["Payee 0", "Électricité de France"]
    for search, found in (("électr", [1]), ("payee", [0, 2, 3]), ("gb33 bukb", [0]), ("%", []), ("5550", [])):
        expected = ["Électricité de France" if n == 1 else f"Payee {n}" for n in found]
        assert await names(ada, search=search) == expected, search
    assert await call(ada, "removePayee", id=added[1]["id"]) == renamed
    gone = {"__typename": "NotFoundRejection", "subjectId": added[1]["id"]}
    assert await call(ada, "removePayee", id=added[1]["id"]) == gone
    assert await call(ada, "renamePayee", id=added[1]["id"], name="Again") == gone
    assert len(await names(ada)) == 3
    again = await call(ada, "addPayee", name="Once more", accountNumber=ABROAD[1])
    assert again["__typename"] == "Payee"
    assert (await ada.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on Payee {{ {PAYEE} }} }} }}", id=again["id"]))["node"] == {
        name: again[name] for name in PAYEE.split()
    }


@pytest.mark.parametrize(
    ("name", "number", "path", "code"),
    [
        ("", ABROAD[0], "name", "REQUIRED"),
        ("x" * 141, ABROAD[0], "name", "TOO_LONG"),
        ("a\u200bb", ABROAD[0], "name", "INVALID"),
        ("Me", "GB33BUKB20201555555556", "accountNumber", "INVALID"),
        ("Me", "GB33BUKB2020155555555", "accountNumber", "INVALID"),
        ("Me", "XX00", "accountNumber", "INVALID"),
        ("Me", "", "accountNumber", "INVALID"),
        ("Me", "١٢٣", "accountNumber", "INVALID"),
        ("Me", "\u0000" * 300, "accountNumber", "INVALID"),
    ],
)
async def test_names_and_numbers_are_checked(ada: Client, name: str, number: str, path: str, code: str) -> None:
    refused = await call(ada, "addPayee", name=name, accountNumber=number)
    assert refused == {"__typename": "ValidationRejection", "fields": [{"path": [path], "code": code}]}


async def test_a_number_occurs_once_among_ones_payees(ada: Client, grace: Client) -> None:
    answers = await asyncio.gather(
        *(call(ada, "addPayee", name=f"No. {n}", accountNumber="gb33 BUKB 2020 1555 5555 55") for n in range(8))
    )
    assert sorted(each["__typename"] for each in answers) == ["Payee", *["ValidationRejection"] * 7]
    refused = next(each for each in answers if each["__typename"] == "ValidationRejection")
    assert refused["fields"] == [{"path": ["accountNumber"], "code": "TAKEN"}]
    assert (await call(grace, "addPayee", name="Mine", accountNumber=ABROAD[0]))["__typename"] == "Payee"


async def test_there_is_a_maximum_number(ada: Client, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await raw.execute(
        "INSERT INTO payees (id, owner_id, name, account_number, created_at) "
        "SELECT gen_random_uuid(), (SELECT id FROM users), 'x', n::text, now() FROM generate_series(1, 1000) AS n"
    )
    refused = await call(ada, "addPayee", name="Me", accountNumber=ABROAD[0])
    assert refused["fields"] == [{"path": ["accountNumber"], "code": "TOO_MANY"}]


async def test_nobody_changes_sees_or_pays_the_payees_of_others(ada: Client, grace: Client, teller: Client) -> None:
    payee = (await call(ada, "addPayee", name="Grace", accountNumber=(await grace.open())["number"]))["id"]
    for other in (grace, teller):
        assert (await call(other, "renamePayee", id=payee, name="Mine"))["__typename"] == "NotFoundRejection"
        assert (await call(other, "removePayee", id=payee))["__typename"] == "NotFoundRejection"
        assert await names(other) == []
        refused = await other.transfer((await other.open(deposit=None))["id"], {"payeeId": payee}, "1")
        assert (refused["__typename"], refused["subjectId"]) == ("NotFoundRejection", payee)
    assert (await grace.run("query ($id: ID!) { node(id: $id) { id } }", id=payee))["node"] is None
    assert await names(ada) == ["Grace"]


async def test_payments_go_to_a_payee(ada: Client, grace: Client) -> None:
    payer, target = (await ada.open(deposit="100"))["id"], await grace.open()
    payee = (await call(ada, "addPayee", name="Grace", accountNumber=target["number"]))["id"]
    same = key()
    moved = await ada.transfer(payer, {"payeeId": payee}, "30", idempotencyKey=same)
    assert (moved["__typename"], moved["transaction"]["to"]["name"]) == ("MoneyMoved", "Grace Hopper")
    held = await ada.place_hold(payer, {"payeeId": payee}, "20")
    assert (await grace.capture_hold(held["transaction"]["id"]))["__typename"] == "MoneyMoved"
    item = {**transfer_of(payer, "", "1"), "to": {"payeeId": payee}}
    assert (await ada.batch(item, {**transfer_of(payer, "", "1"), "to": {"payeeId": payer}}))["moved"] == 1
    preview = await ada.transfer(payer, {"payeeId": payee}, "1", dryRun=True)
    assert preview["__typename"] == "MoneyPreview"
    assert await grace.booked(target["id"]) == "51.00"
    await call(ada, "removePayee", id=payee)
    replayed = await ada.transfer(payer, {"payeeId": payee}, "30", idempotencyKey=same)
    assert (replayed["__typename"], replayed["replayed"]) == ("MoneyMoved", True)
    refused = await ada.transfer(payer, {"payeeId": payee}, "30")
    assert (refused["__typename"], refused["subjectId"]) == ("NotFoundRejection", payee)


async def test_a_key_with_another_destination_is_a_conflict(ada: Client, grace: Client) -> None:
    payer, target, same = (await ada.open(deposit="100"))["id"], await grace.open(), key()
    payee = (await call(ada, "addPayee", name="Grace", accountNumber=target["number"]))["id"]
    await ada.transfer(payer, {"payeeId": payee}, "30", idempotencyKey=same)
    other = await ada.transfer(payer, {"accountNumber": target["number"]}, "30", idempotencyKey=same)
    assert other["__typename"] == "IdempotencyConflictRejection"


async def test_a_payee_of_another_bank_is_paid_through_the_clearing(ada: Client) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    payee = (await call(ada, "addPayee", name="Abroad", accountNumber=ABROAD[0]))["id"]
    paid = (await ada.transfer(payer, {"payeeId": payee}, "1"))["transaction"]
    assert (paid["status"], paid["to"]["name"]) == ("PENDING", "Abroad")
    held = await ada.place_hold(payer, {"payeeId": payee}, "1")
    assert [(each["path"], each["code"]) for each in held["fields"]] == [(["to"], "OTHER_BANK")]
