"""Reads through the API: pages in both directions, filters, and the number of statements that a query takes."""

import asyncio
from typing import Any

import asyncpg
import pytest

from bank_graphql.accounts import entries
from bank_graphql.kit.db import Connection
from tests.client import Client, money

PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
ENTRIES = (
    "query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { account(id: $id) { "
    f"list: entries(first: $first, after: $after, last: $last, before: $before) {{ nodes {{ id amount {{ amount }} }} edges {{ cursor node {{ id }} }} {PAGE} }} }} }}"
)
TRANSACTIONS = ENTRIES.replace("entries(", "transactions(")
FILTERED = (
    "query ($id: ID!, $filter: TransactionFilter) { account(id: $id) { "
    "transactions(filter: $filter) { nodes { amount { amount } kind description reference createdAt } } } }"
)


@pytest.fixture
async def busy(ada: Client) -> dict[str, Any]:
    """An account with deposits of 1 to 25."""
    account = await ada.open()
    for amount in range(1, 26):
        await ada.deposit(account["id"], str(amount))
    return account


async def page(client: Client, query: str, account: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    data: dict[str, Any] = (await client.run(query, id=account["id"], **arguments))["account"]["list"]
    return data


@pytest.mark.parametrize("query", [ENTRIES, TRANSACTIONS])
async def test_lists_are_paged_in_both_directions(ada: Client, busy: dict[str, Any], query: str) -> None:
    everything = await page(ada, query, busy, first=100)
    amounts = [node["amount"]["amount"] for node in everything["nodes"]]
    assert amounts == [f"{n}.00" for n in range(25, 0, -1)]
    assert everything["pageInfo"]["hasNextPage"] is False
    assert everything["pageInfo"]["hasPreviousPage"] is False
    ids = [node["id"] for node in everything["nodes"]]
    assert len((await page(ada, query, busy))["nodes"]) == 20
    forward: list[str] = []
    after = None
    while True:
        part = await page(ada, query, busy, first=10, after=after)
        assert part["pageInfo"]["hasPreviousPage"] is (after is not None)
        forward += [node["id"] for node in part["nodes"]]
        assert part["edges"][-1]["cursor"] == part["pageInfo"]["endCursor"]
        if not part["pageInfo"]["hasNextPage"]:
            break
        after = part["pageInfo"]["endCursor"]
    assert forward == ids
    backward: list[str] = []
    before = None
    while True:
        part = await page(ada, query, busy, last=10, before=before)
        assert part["pageInfo"]["hasNextPage"] is (before is not None)
        backward = [node["id"] for node in part["nodes"]] + backward
        if not part["pageInfo"]["hasPreviousPage"]:
            break
        before = part["pageInfo"]["startCursor"]
    assert backward == ids
    cursors = [edge["cursor"] for edge in everything["edges"]]
    between = await page(ada, query, busy, after=cursors[4], before=cursors[8])
    assert [node["id"] for node in between["nodes"]] == ids[5:8]
    assert (await page(ada, query, busy, first=0))["nodes"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"first": 1, "last": 1},
        {"first": 101},
        {"last": 101},
        {"first": -1},
        {"after": "nonsense"},
        {"after": ""},
        {"after": "QEFjY291bnQ6MQ"},
        {"before": "x" * 5000},
        {"after": "QEVudHJ5Om5vcGU"},
    ],
)
async def test_invalid_page_arguments_are_refused(ada: Client, busy: dict[str, Any], arguments: dict[str, Any]) -> None:
    error = await ada.error(ENTRIES, id=busy["id"], **arguments)
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_transactions_are_filtered_by_kind_status_amount_text_and_time(ada: Client, grace: Client) -> None:
    account, his = await ada.open(deposit="100"), await grace.open()
    await ada.transfer(account["id"], his["id"], "10", description="Concert TICKETS 100%")
    await ada.withdraw(account["id"], "20", description="Cash_machine")

    async def found(**given: Any) -> list[str]:
        data = await ada.run(FILTERED, id=account["id"], filter=given)
        return [node["amount"]["amount"] for node in data["account"]["transactions"]["nodes"]]

    assert await found() == ["20.00", "10.00", "100.00"]
    assert await found(kinds=["TRANSFER", "WITHDRAWAL"]) == ["20.00", "10.00"]
    assert await found(kinds=[]) == []
    assert await found(statuses=["POSTED"]) == ["20.00", "10.00", "100.00"]
    assert await found(minAmount="20") == ["20.00", "100.00"]
    assert await found(maxAmount=20, minAmount="10.01") == ["20.00"]
    assert await found(search="tickets") == ["10.00"]
    assert await found(search="100%") == ["10.00"]
    assert await found(search="_") == ["20.00"]
    assert await found(search="nothing like it") == []
    data = await ada.run(FILTERED, id=account["id"], filter={})
    newest = data["account"]["transactions"]["nodes"][0]
    assert await found(search=newest["reference"].lower()) == ["20.00"]
    assert await found(**{"from": newest["createdAt"]}) == ["20.00"]
    assert await found(to=newest["createdAt"]) == ["10.00", "100.00"]
    for wrong in ({"minAmount": 0.5}, {"maxAmount": "x"}, {"minAmount": "0.001"}, {"search": "x" * 201}):
        error = await ada.error(FILTERED, id=account["id"], filter=wrong)
        assert error["extensions"]["code"] == "BAD_REQUEST"
    await ada.withdraw(account["id"], "1", description="Cafe\u0301")
    for spelling in ("Caf\u00e9", "CAFE\u0301", " caf\u00e9 "):
        assert await found(search=spelling) == ["1.00"]


async def test_a_nested_query_takes_at_most_four_statements(ada: Client, grace: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    his = await grace.open(deposit="1000")
    for _ in range(10):
        account = await ada.open(deposit="1000")
        for number in range(10):
            await ada.transfer(account["id"], his["id"], str(number + 1))
            await grace.transfer(his["id"], account["id"], "1")
    statements = []
    fetch = Connection.fetch

    async def recorded(self: Connection, query: Any, **arguments: Any) -> Any:
        task = asyncio.current_task()
        if task is None or getattr(task.get_coro(), "__qualname__", "") != "_repeat":  # not those of the jobs
            statements.append(query.sql)
        return await fetch(self, query, **arguments)

    monkeypatch.setattr(Connection, "fetch", recorded)
    data = await ada.run(
        "{ me { accounts(first: 10) { nodes { balance { booked { amount } } "
        "entries(first: 20) { nodes { amount { amount } transaction { kind description } counterparty { name accountNumber } } "
        "} } } } }"
    )
    accounts = data["me"]["accounts"]["nodes"]
    assert [len(account["entries"]["nodes"]) for account in accounts] == [20] * 10
    assert accounts[3]["entries"]["nodes"][0]["counterparty"] == {
        "name": "Grace Hopper",
        "accountNumber": f"••••{his['number'][-4:]}",
    }
    assert len(statements) in {
        3,
        4,
    }  # maybe the session; the user, the accounts, and their entries with transactions and counterparties


async def test_a_page_at_any_depth_is_read_by_index(ada: Client, busy: dict[str, Any], raw: asyncpg.Connection) -> None:
    assert busy
    await raw.execute("SET enable_seqscan = off")
    account_id = await raw.fetchval("SELECT id FROM accounts")
    query = entries.ENTRIES._descending
    values = {"listed_parents": [account_id], "lows": [0], "highs": [2**63 - 1], "viewers": [account_id], "fetch": 21}
    plan = await raw.fetch(f"EXPLAIN {query.sql}", *query.arguments(values))
    text = "\n".join(row[0] for row in plan)
    assert "ix_entries_account_id_id" in text
    assert "Sort Key: entries" not in text


async def test_node_and_nodes_return_objects_of_every_type_and_null_for_unknown_ids(ada: Client) -> None:
    account = await ada.open(deposit="5")
    transaction = (await ada.account(account["id"], "entries { nodes { id transaction { id } } }"))["entries"]["nodes"][0]
    ids = [ada.user_id, account["id"], transaction["transaction"]["id"], transaction["id"]]
    data = await ada.run("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=[*ids, "nonsense", "", ids[1]])
    assert [node and node["__typename"] for node in data["nodes"]] == [
        "User",
        "Account",
        "Transaction",
        "Entry",
        None,
        None,
        "Account",
    ]
    assert [node["id"] for node in data["nodes"][:4]] == ids
    for each in ids:
        assert (await ada.run("query ($id: ID!) { node(id: $id) { id } }", id=each))["node"] == {"id": each}
    error = await ada.error("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids * 30)
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_an_amount_is_read_with_the_digits_of_its_currency(ada: Client) -> None:
    account = await ada.open("KWD", "1")
    assert (await ada.account(account["id"], "balance { booked { amount currency } }"))["balance"]["booked"] == money(
        "1.000", "KWD"
    )
