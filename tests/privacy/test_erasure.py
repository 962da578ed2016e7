"""A user who was erased: nowhere in the database, but where the law wants the books kept."""

from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.db import Database
from tests.api.test_matrix import passkey_of
from tests.api.test_users import Staff
from tests.client import PASSWORD, Client
from tests.serving import connect
from tests.verification import assert_verified

ERASE = "mutation ($id: ID!) { x: eraseUser(userId: $id) { __typename ... on User { fullName email phoneNumber erasedAt } ... on StateConflictRejection { conflict state } } }"
CLOSE = "mutation ($p: String!) { x: closeUser(password: $p) { __typename ... on Rejection { message } } }"
KEPT = {
    ("statements", "holder_name"): "issued statements are books",
    ("statements", "account_name"): "issued statements are books",
    ("audit_events", "ip_address"): "the audit is sealed",
}
"""Where words of an erased user stay, and why."""
WORDS = ("Zora", "zora@", "+49", "Nest egg", "Rent of May", "Landlady", "Zebra", "198.51.100.7", "Laptop")
"""What Zora is known by, or wrote."""


async def where(raw: asyncpg.Connection, words: tuple[str, ...]) -> dict[str, set[tuple[str, str]]]:
    """Return the columns of all tables that contain each word."""
    columns = await raw.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for table, column, kind in columns:
        text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
        for word in words:
            if await raw.fetchval(f"SELECT count(*) FROM {table} WHERE {text} ILIKE '%' || $1 || '%'", word):
                found.setdefault(word, set()).add((table, column))
    return found


@pytest.fixture
async def admin(staff: Staff) -> Client:
    return await staff(UserRole.ADMIN)


@pytest.fixture
async def zora(app: Starlette, grace: Client) -> Client:
    """Somebody with a history, whose accounts are empty."""
    zora = await Client(connect(app, "198.51.100.7", **{"user-agent": "Laptop of Z."})).sign_up(
        "zora@bank.test", "Zora Neale Hurston"
    )
    await zora.run('mutation { updateProfile(phoneNumber: "+49 30 901820") { __typename } }')
    account, other = await zora.open(deposit="100", name="Nest egg"), await grace.open()
    await zora.issue(account["id"], holderName="Zora Zebra")
    await zora.run('mutation { addPayee(name: "Landlady", accountNumber: "DE02120300000000202051") { __typename } }')
    token = (await zora.run(
        "mutation ($n: String!) { x: verifyPayee(name: \"Landlady\", accountNumber: $n) { ... on PayeeVerification { token } } }",
        n=other["number"],
    ))["x"]["token"]  # fmt: skip
    destination = {"accountNumber": other["number"]}
    await zora.transfer(
        account["id"], destination, "100", description="Rent of May", payeeVerification=token, idempotencyKey="Zora 1"
    )
    await passkey_of(zora)
    return zora


async def test_a_closed_user_is_erased_and_the_books_stay(
    app: Starlette, zora: Client, admin: Client, visitor: Client, db: Database, raw: asyncpg.Connection
) -> None:
    early = (await admin.run(ERASE, id=zora.user_id))["x"]
    assert (early["conflict"], early["state"]) == ("WRONG_STATUS", "ACTIVE")
    assert set(await where(raw, WORDS)) >= {
        "Zora",
        "zora@",
        "+49",
        "Nest egg",
        "Rent of May",
        "Landlady",
        "Zebra",
        "198.51.100.7",
        "Laptop",
    }
    assert (await zora.run(CLOSE, p=PASSWORD))["x"]["__typename"] == "User"
    books = await counted(raw)
    erased = (await admin.run(ERASE, id=zora.user_id))["x"]
    assert erased["fullName"] == "Erased user"
    assert erased["email"].endswith("@erased.invalid")
    assert erased["phoneNumber"] is None
    assert erased["erasedAt"] is not None
    left = await where(raw, WORDS)
    assert {place for places in left.values() for place in places} <= set(KEPT), left
    assert await counted(raw) == books
    await assert_verified(db)
    assert await raw.fetchval("SELECT wrapped_key FROM card_secrets") == b""  # so nobody can decrypt the number
    assert await app.state.graphql._services.cards._vault.rotate(db) == 0
    again = (await admin.run(ERASE, id=zora.user_id))["x"]
    assert (again["conflict"], again["state"]) == ("WRONG_STATUS", "ERASED")
    new = await visitor.sign_up("zora@bank.test", "Zora Neale Hurston")
    assert new.user_id != zora.user_id


async def counted(raw: asyncpg.Connection) -> list[Any]:
    """Return what must not change."""
    return [
        await raw.fetch("SELECT * FROM transactions ORDER BY id"),
        await raw.fetch("SELECT * FROM entries ORDER BY id"),
        await raw.fetch("SELECT * FROM balances ORDER BY account_id"),
        await raw.fetch("SELECT id, owner_id, number, status FROM accounts ORDER BY id"),
    ]


async def test_what_others_wrote_and_own_stays(zora: Client, admin: Client, grace: Client, raw: asyncpg.Connection) -> None:
    [account] = (await grace.run("{ me { accounts { nodes { id } } } }"))["me"]["accounts"]["nodes"]
    paid = await zora.open()
    await grace.transfer(account["id"], paid["id"], "1", description="Thanks, Zora")
    await zora.transfer(paid["id"], account["id"], "1")
    await zora.run(CLOSE, p=PASSWORD)
    await admin.run(ERASE, id=zora.user_id)
    entries = "entries { nodes { transaction { description from { name } to { name } } } }"
    seen = [each["transaction"] for each in (await grace.account(account["id"], entries))["entries"]["nodes"]]
    assert [(each["description"], each["from"]["name"]) for each in seen] == [
        (None, "Erased user"), ("Thanks, Zora", "Grace Hopper"), (None, "Erased user"),
    ]  # fmt: skip
