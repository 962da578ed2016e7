"""The requests to the bank, and those to PostGraphile for the same data."""

import secrets
from typing import Any
from uuid import UUID

import orjson

from bank_graphql.kit.ids import encode_cursor, global_id
from bench import data
from bench.load import Load, fixed, transfers
from bench.sides import Server

ENTRY = """
  id amount { amount currency } balanceAfter { amount currency } bookedAt
  transaction { id kind status description createdAt }
  counterparty { name accountNumber }
"""
NESTED = (
    "query Overview { me { accounts(first: 5) { nodes { id number name balance { booked { amount currency } } "
    f"entries(first: 20) {{ nodes {{ {ENTRY} }} }} }} }} }} }}"
)
POINT = """
query Account($id: ID!) {
  account(id: $id) { id name number balance { booked { amount currency } held { amount } available { amount } } }
}
"""
PAGE = f"query Page($id: ID!, $after: String) {{ account(id: $id) {{ entries(first: 20, after: $after) {{ nodes {{ {ENTRY} }} }} }} }}"
TRANSFER = """
mutation Transfer($input: TransferInput!) {
  transfer(input: $input) { __typename ... on MoneyMoved { replayed transaction { id status } } ... on Rejection { message } }
}
"""
BATCH = """
mutation Batch($input: TransferBatchInput!) {
  transferBatch(input: $input) { __typename ... on TransferBatchOutcome { moved rejected } ... on Rejection { message } }
}
"""
NOW = "{ __typename }"
SCHEMA = "{ __schema { types { name fields { name } } } }"

_TABLES = """
query Overview($user: UUID!) {
  userByRowId(rowId: $user) { accounts(first: 5) { nodes {
    rowId number name balance { booked currency }
    entries(first: 20, orderBy: [PRIMARY_KEY_DESC]) { nodes {
      rowId amount balanceAfter bookedAt
      transaction { rowId kind status currency createdAt note { description }
        fromAccount { number owner { fullName } } toAccount { number owner { fullName } } }
    } }
  } } }
}
"""
_VIEW = """
query Overview($user: UUID!) {
  userByRowId(rowId: $user) { accounts(first: 5) { nodes {
    rowId number name balance { booked currency }
    history(first: 20, orderBy: [PRIMARY_KEY_DESC]) { nodes {
      rowId amount currency balanceAfter bookedAt transactionId kind status description createdAt
      counterpartyName counterpartyNumber } }
  } } }
}
"""
_ACCOUNT = """
query Account($id: UUID!) {
  accountByRowId(rowId: $id) { rowId name number balance { booked held overdraftLimit currency } }
}
"""
_FUNCTION = """
mutation Transfer($from: UUID!, $to: UUID!) {
  benchTransfer(input: {from: $from, to: $to, amount: "1", currency: "EUR"}) { result }
}
"""
_ITEM = (
    """'{"idempotencyKey":"' .. KEY .. '","fromAccountId":"' .. account(from) .. '","to":{"accountId":"' .. account(to) .. """
    """'"},"amount":{"amount":"0.01","currency":"EUR"}}'"""
)
_BANK_ID = 'base64(string.format("Account:01900000000070008000%012x", n))'
_TABLE_ID = 'string.format("01900000-0000-7000-8000-%012x", n)'
PGBENCH = """
\\set a random(0, {last})
\\set b random(0, {last})
SELECT bench.transfer_between(:a, CASE WHEN :b = :a THEN (:b + 1) % {accounts} ELSE :b END);
"""


def body(query: str, **variables: str | None) -> bytes:
    """Return the body of a request."""
    return orjson.dumps({"query": query, "variables": variables})


def account(number: int) -> str:
    """Return the global id of an account."""
    return global_id("Account", UUID(data.account_id(number)))


def cursor(entry: int) -> str:
    """Return the cursor of an entry."""
    return encode_cursor("Entry", entry)


def nested(bank: Server) -> Load:
    """Return reads of each user's accounts, their entries, and the transactions and counterparties of these."""
    return fixed(bank.url, [body(NESTED)], bank.tokens)


def nested_of_tables(peer: Server) -> Load:
    """Return the same reads of the tables, with both sides of each transaction, one of which is the counterparty."""
    return fixed(peer.url, [body(_TABLES, user=str(UUID(data.user_id(n)))) for n in range(data.USERS)])


def nested_of_view(peer: Server) -> Load:
    """Return the same reads of a view that is written for this query."""
    return fixed(peer.url, [body(_VIEW, user=str(UUID(data.user_id(n)))) for n in range(data.USERS)])


def point(bank: Server, accounts: int) -> Load:
    """Return reads of one account with its balance, for each user of an own account."""
    step = max(1, accounts // data.USERS // 40) * data.USERS
    numbers = [n + user for n in range(0, accounts - data.USERS, step) for user in range(data.USERS)]
    return fixed(bank.url, [body(POINT, id=account(n)) for n in numbers], bank.tokens)


def point_of_tables(peer: Server, accounts: int) -> Load:
    """Return the same reads of the tables."""
    step = max(1, accounts // 1280)
    return fixed(peer.url, [body(_ACCOUNT, id=str(UUID(data.account_id(n)))) for n in range(0, accounts, step)])


def transfer_body(number: int, *, source: int, target: int) -> bytes:
    """Return the body of a transfer with a new key."""
    given = transfer_input(account(source), account(target), f"{secrets.token_hex(4)}-{number}")
    return orjson.dumps({"query": TRANSFER, "variables": {"input": given}})


def transfer_input(source: str, target: str, key: str) -> dict[str, Any]:
    """Return the input of a transfer of a cent."""
    amount = {"amount": "0.01", "currency": data.CURRENCY}
    return {"idempotencyKey": key, "fromAccountId": source, "to": {"accountId": target}, "amount": amount}


def of_schema(bank: Server) -> Load:
    """Return reads of the schema: work for the process and none for the database, and far more than the generator's own work."""
    return fixed(bank.url, [body(SCHEMA)], bank.tokens)


def transfer(bank: Server, accounts: int, *, hot: bool = False) -> Load:
    """Return transfers between any accounts, or from any onto a single one if `hot`."""
    return transfers(
        bank.url,
        bank.tokens,
        query=TRANSFER,
        item=f"'{{\"input\":' .. {_ITEM} .. '}}'",
        account=_BANK_ID,
        accounts=accounts,
        users=data.USERS,
        hot=accounts // 2 if hot else None,
    )


def batch(bank: Server, accounts: int, size: int) -> Load:
    """Return batches of `size` transfers between any accounts."""
    return transfers(
        bank.url, bank.tokens, query=BATCH, item=_ITEM, account=_BANK_ID, accounts=accounts, users=data.USERS, batch=size
    )


def transfer_by_function(peer: Server, accounts: int) -> Load:
    """Return transfers by PostGraphile's mutation for a function in the database."""
    return transfers(
        peer.url,
        (),
        query=_FUNCTION,
        item="""'{"from":"' .. account(from) .. '","to":"' .. account(to) .. '"}'""",
        account=_TABLE_ID,
        accounts=accounts,
        users=data.USERS,
    )
