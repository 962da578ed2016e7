"""A client of others goes through the whole flow with a bank that runs, and 1,000 codes are raced for."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from websockets import ConnectionClosed

from tests.client import PASSWORD, Client
from tests.e2e.processes import Server, command
from tests.e2e.sockets import socket
from tests.oauth.flow import BACK, App, answer, code_for, register, tokens_for
from tests.ports import free_port

HERE = Path(__file__).parent / "client"
ADA = "ada@bank.test"
RACED, ROUNDS = 1_000, 20

pytestmark = pytest.mark.deep


@pytest.fixture
async def running(filled_folder: Path) -> AsyncIterator[Server]:
    """A bank."""
    port = str(free_port())
    public = f"http://127.0.0.1:{port}"
    async with Server(filled_folder, "--port", port, BANK_DEMO="false", BANK_PUBLIC_URL=public) as server:
        yield server


def run(folder: Path, *arguments: str) -> str:
    """Run the command line, and return what it printed."""
    done = command(*arguments, folder=folder, BANK_DEMO="false")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(
    not (HERE / "node_modules").exists(), reason="npm is not installed, or 'make tools' was not run; .ci/run does"
)
async def test_a_client_goes_through_the_whole_flow(running: Server, filled_folder: Path) -> None:
    ada = await Client(running.http).sign_up(ADA, "Ada Lovelace")
    account = (await ada.open(deposit="5", name="Household"))["id"]
    printed = run(
        filled_folder,
        *("register-client", "Shop", "--redirect-uri", BACK),
        *(part for scope in ("openid", "profile", "accounts:read") for part in ("--scope", scope)),
    )
    client_id, secret = (line.partition("=")[2] for line in printed.split())
    process = await asyncio.create_subprocess_exec(
        *("node", "flow.js", running.url, client_id, secret, BACK),
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said = await process.stdout.readline()
    assert said, (await process.communicate())[1].decode()
    opened = json.loads(said)["open"]
    page = await running.http.get(opened)
    page = await answer(page, running.http, "login", email=ADA, password=PASSWORD)
    done = await answer(page, running.http, "allow", account=[account], days="30")
    said, errors = await process.communicate(done.headers["location"].encode() + b"\n")
    assert said, errors.decode()
    found: dict[str, Any] = json.loads(said)
    assert found["type"].lower() == "dpop"
    assert found["user"]["name"] == "Ada Lovelace"
    assert found["data"]["data"]["accounts"]["nodes"] == [{"name": "Household"}]
    assert found["known"]["active"] is True
    assert found["after"] == "invalid_token"
    assert "disabled" in run(filled_folder, "disable-client", client_id) + run(filled_folder, "clients")


async def test_a_stream_under_a_bound_token_ends_with_the_consent(running: Server, filled_folder: Path) -> None:
    ada = await Client(running.http).sign_up(ADA, "Ada Lovelace")
    account = (await ada.open())["id"]
    scopes = ("accounts:read", "transactions:read")
    options = [part for scope in scopes for part in ("--scope", scope)]
    printed = run(filled_folder, "register-client", "Phone", "--redirect-uri", BACK, "--public", *options)
    phone = App(running.http, printed.strip().partition("=")[2], None, running.url, key=ECKey.generate_key("P-256"))
    token = (await tokens_for(phone, ADA, account, scope=" ".join(scopes)))["access_token"]
    headers = {"authorization": f"DPoP {token}", "dpop": phone.proof("GET", "/graphql", token)}
    async with socket(running.url, additional_headers=headers) as stream:
        await stream.start()
        await stream.subscribe()
        await ada.deposit(account, "5")
        assert (await stream.event())["account"]["id"] == account
        [consent] = (await ada.run("{ me { accessGrants { id } } }"))["me"]["accessGrants"]
        await ada.run(f'mutation {{ revokeAccessGrant(id: "{consent["id"]}") {{ __typename }} }}')
        with pytest.raises(ConnectionClosed) as closed:
            await stream.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403
    async with socket(running.url, additional_headers=headers) as stream:
        with pytest.raises(ConnectionClosed):
            await stream.start()


async def test_a_thousand_codes_are_each_good_for_one_of_the_exchanges_that_race_for_them(
    app: Starlette, http: httpx.AsyncClient, visitor: Client
) -> None:
    shop = await register(app, http)

    async def customer(number: int) -> tuple[str, str]:
        email = f"customer{number}@bank.test"
        return email, (await (await visitor.sign_up(email, "Customer")).open())["id"]

    async def race(email: str, account: str) -> None:
        code = await code_for(shop, email, account)
        statuses = [response.status_code for response in await asyncio.gather(*(shop.exchange(code) for _ in range(3)))]
        assert sorted(statuses) == [200, 400, 400]

    customers = [await customer(number) for number in range(RACED // ROUNDS)]
    for _ in range(ROUNDS):
        await asyncio.gather(*(race(*each) for each in customers))
