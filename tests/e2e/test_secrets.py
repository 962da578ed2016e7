"""Card numbers and security codes: however many cards there are, they are nowhere but in what `revealCard` answers."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from bank_graphql.cards.rules import check_digit
from bank_graphql.cards.vault import SEALED, Vault
from bank_graphql.keys import card_keys
from bank_graphql.kit.db import Database
from bank_graphql.kit.embedded import EmbeddedPostgres, binaries
from bank_graphql.settings import Settings
from tests.client import PASSWORD, Client, money
from tests.e2e.processes import Server

AT_A_TIME = 20
CODES = re.compile(r"cvv|cvc|cvn|security|number$|pan$", re.IGNORECASE)
REVEAL = "mutation ($id: ID!, $password: String!) { revealCard(id: $id, password: $password) { ... on CardSecrets { number securityCode } } }"
AUTHORIZE = "mutation ($i: AuthorizeCardInput!) { authorizeCard(input: $i) { __typename ... on MoneyMoved { transaction { id card { last4 } } } ... on Rejection { message } } }"
ISSUE = (
    f"mutation ({', '.join(f'$i{n}: IssueCardInput!' for n in range(AT_A_TIME))}) "
    f"{{ {' '.join(f'a{n}: issueCard(input: $i{n}) {{ ... on Card {{ id last4 holderName }} }}' for n in range(AT_A_TIME))} }}"
)


def numbers_in(data: bytes) -> Iterator[str]:
    """Everything that may be a card number of ours."""
    for found in re.finditer(rb"(?=(990055[0-9]{10}))", data):
        number = found[1].decode()
        if check_digit(number[:-1]) == number[-1]:
            yield number


class Listener(httpx.AsyncBaseTransport):
    """Notes all answers but those of `revealCard`."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        if b"revealCard" not in request.content:
            self.heard += body + repr(response.headers.raw).encode()
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def issue_many(ada: Client, account: str, how_many: int) -> None:
    """Many cards, by many at a time."""
    waiting = iter(range(how_many // AT_A_TIME))

    async def some() -> None:
        for batch in waiting:
            inputs = {f"i{n}": {"accountId": account, "idempotencyKey": f"{batch}/{n}"} for n in range(AT_A_TIME)}
            data = await ada.run(ISSUE, **inputs)
            assert all("id" in card for card in data.values())

    await asyncio.gather(*(some() for _ in range(16)))


async def use_numbers(ada: Client, cards: list[str]) -> int:
    """Look at some numbers, and send them in all the ways that clients get right and wrong."""
    merchant = {"name": "Shop", "categoryCode": "5411", "country": "DE"}
    for card in cards:
        number = (await ada.run(REVEAL, id=card, password=PASSWORD))["revealCard"]["number"]
        assert list(numbers_in(f'{{"number":"{number}"}}'.encode())) == [number]
        fine = {"cardNumber": number, "amount": money("0.01"), "merchant": merchant, "idempotencyKey": f"pay {card}"}
        assert (await ada.run(AUTHORIZE, i=fine))["authorizeCard"]["__typename"] == "MoneyMoved"
        for wrong in (
            {**fine, "idempotencyKey": 5}, {**fine, "cardNumber": [number]}, {**fine, "cardNumber": int(number)},
            {**fine, number: 1}, {**fine, "cardNumber": number + "0"}, {**fine, "cardId": number}, {**fine, "amount": money(number)},
            {**fine, "amount": number}, number,
        ):  # fmt: skip
            await ada.post(AUTHORIZE, i=wrong)
        await ada.post(AUTHORIZE.replace("$i:", f'$n: Int = "{number}", $i:'), i=fine)
        await ada.post(f'mutation {{ authorizeCard(input: {{cardNumber: "{number}"}}) {{ __typename }} }}')
        await ada.post(f'{{ x(number: "{number}") }}')
        await ada.http.get("/graphql", params={"query": f'{{ node(id: "{number}") {{ id }} }}'})
        await ada.http.post("/graphql", content=f'{{"query": "{number}'.encode(), headers={"content-type": "application/json"})
    return len(cards)


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The database as it lies on the disk, its write-ahead log too."""
    for path in sorted((folder / "postgres").rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()


@pytest.mark.timeout(240)
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="it reads its own PostgreSQL's files, never another's")
@pytest.mark.deep
@pytest.mark.parametrize("how_many", [400, 10_000])
async def test_no_number_and_no_code_is_stored_or_logged(folder: Path, how_many: int) -> None:
    listener = Listener()
    async with Server(folder, BANK_DEMO="false", BANK_LOG_LEVEL="DEBUG") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60, transport=listener) as http:
            ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
            account = (await ada.open(deposit="100"))["id"]
            begun = {path.name for path in (folder / "postgres" / "pg_wal").iterdir()}
            await issue_many(ada, account, how_many)
            page = (await ada.account(account, "cards(first: 20) { nodes { id } }"))["cards"]["nodes"]
            await use_numbers(ada, [card["id"] for card in page])
        stored = dict(files_of(folder))
        await server.end()
    assert begun <= {Path(path).name for path in stored} | {"archive_status", "summaries"}  # nothing of the log is gone yet
    assert sum(len(data) for path, data in stored.items() if "pg_wal" in path) > how_many * 1000
    assert not [path for path, data in stored.items() if any(numbers_in(data))]
    log = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    assert len(log) > how_many // AT_A_TIME
    assert not [name for line in log for name in line if CODES.search(name)]
    assert not list(numbers_in(server.output.encode()))
    assert len(listener.heard) > how_many * 30
    assert not list(numbers_in(bytes(listener.heard)))
    async with EmbeddedPostgres(folder) as dsn:
        dump = subprocess.run([binaries() / "pg_dump", dsn], check=True, capture_output=True).stdout
        stored_numbers = await look_at_the_database(dsn, dump, Settings(data_dir=folder, _env_file=None))  # type: ignore[call-arg]
    assert len(stored_numbers) == how_many
    assert all(list(numbers_in(number.encode())) == [number] for number in stored_numbers)  # the scanner would have seen each


async def look_at_the_database(dsn: str, dump: bytes, settings: Settings) -> set[str]:
    """See that no number is in the database, and return those that are sealed in it."""
    assert not list(numbers_in(dump))
    connection = await asyncpg.connect(dsn)
    columns = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    found = {f"{row[0]}.{row[1]}" for row in columns if CODES.search(row[1])}
    assert found == {
        "accounts.number", "card_secrets.sealed_number", "external_transactions.account_number", "payees.account_number",
        "scheduled_transfers.to_number", "payment_requests.to_number",
        "statements.number", "users.phone_number",
    }  # fmt: skip
    ids = [row["card_id"] for row in await connection.fetch("SELECT card_id FROM card_secrets")]
    await connection.close()
    db = await Database.open(dsn)
    vault = await Vault.open(db, card_keys(settings), settings.card_bin)
    rows: list[Any] = [await db.fetch_one(SEALED, card=each) for each in ids]
    await db.close()
    return {vault.number_of(row) for row in rows}
