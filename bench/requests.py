"""The requests: of the bank, and those of PostGraphile that ask for the same."""

import secrets
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
    """A request's body."""
    return orjson.dumps({"query": query, "variables": variables})


def account(number: int) -> str:
    """The global id of an account."""
    return global_id("Account", UUID(data.account_id(number)))


def cursor(entry: int) -> str:
    """The cursor of an entry."""
    return encode_cursor("Entry", entry)


def nested(bank: Server) -> Load:
    """Each user's own accounts, their entries, and what is around them."""
    return fixed(bank.url, [body(NESTED)], bank.tokens)


def nested_of_tables(peer: Server) -> Load:
    """The same over the tables: the other side of a transaction is one of both."""
    return fixed(peer.url, [body(_TABLES, user=str(UUID(data.user_id(n)))) for n in range(data.USERS)])


def nested_of_view(peer: Server) -> Load:
    """The same over a view that somebody wrote for this very page."""
    return fixed(peer.url, [body(_VIEW, user=str(UUID(data.user_id(n)))) for n in range(data.USERS)])


def point(bank: Server, accounts: int) -> Load:
    """One account with its balance: each user one of its own."""
    step = max(1, accounts // data.USERS // 40) * data.USERS
    numbers = [n + user for n in range(0, accounts - data.USERS, step) for user in range(data.USERS)]
    return fixed(bank.url, [body(POINT, id=account(n)) for n in numbers], bank.tokens)


def point_of_tables(peer: Server, accounts: int) -> Load:
    """The same over the tables."""
    step = max(1, accounts // 1280)
    return fixed(peer.url, [body(_ACCOUNT, id=str(UUID(data.account_id(n)))) for n in range(0, accounts, step)])


def transfer_body(number: int, *, source: int, target: int) -> bytes:
    """A transfer with a key of its own."""
    given = {
        "idempotencyKey": f"{secrets.token_hex(4)}-{number}",
        "fromAccountId": account(source),
        "to": {"accountId": account(target)},
        "amount": {"amount": "0.01", "currency": data.CURRENCY},
    }
    return orjson.dumps({"query": TRANSFER, "variables": {"input": given}})


def of_schema(bank: Server) -> Load:
    """What is work for the process, and none for the database; so much that the generator takes next to nothing beside it."""
    return fixed(bank.url, [body(SCHEMA)], bank.tokens)


def transfer(bank: Server, accounts: int, *, hot: bool = False) -> Load:
    """Transfers between any accounts, or from any onto a single one."""
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
    """Batches of transfers between any accounts."""
    return transfers(
        bank.url, bank.tokens, query=BATCH, item=_ITEM, account=_BANK_ID, accounts=accounts, users=data.USERS, batch=size
    )


def transfer_by_function(peer: Server, accounts: int) -> Load:
    """Calls of a bare function in the database."""
    return transfers(
        peer.url,
        (),
        query=_FUNCTION,
        item="""'{"from":"' .. account(from) .. '","to":"' .. account(to) .. '"}'""",
        account=_TABLE_ID,
        accounts=accounts,
        users=data.USERS,
    )
