"""One bank and one browser for all tests: starting them takes longer than most of the tests."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.client import Client, key
from tests.e2e.browser import browser
from tests.e2e.online.customer import Customer, customer
from tests.e2e.processes import Server, command
from tests.folders import reachable_folder

Sit = Callable[..., AbstractAsyncContextManager[Customer]]
STAFF = {"TELLER": "Tessa Teller", "AUDITOR": "Otto Auditor", "ADMIN": "Anna Admin"}
STAFF_PASSWORD = "another fine long passphrase"


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser, with a new profile for each window."""
    async with browser() as started:
        yield started


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Server]:
    """A bank whose staff can sign in."""
    with reachable_folder() as folder:
        settings = {"BANK_DEMO": "false", "BANK_LOG_IN_RATE_LIMIT": "100000", "BANK_RATE_LIMIT": "10000000"}
        async with Server(folder, **settings) as running:
            for role, name in STAFF.items():
                arguments = ["create-user", "--role", role, "--email", f"{role.lower()}@bank.test", "--full-name", name]
                made = command(*arguments, folder=folder, stdin=STAFF_PASSWORD + "\n", **settings)
                assert made.returncode == 0, made.stderr
            yield running


@pytest.fixture
async def ada(server: Server) -> Client:
    """A new customer, with money."""
    client = await Client(server.http).sign_up(f"ada-{key()}@bank.test", "Ada Lovelace")
    await client.open(deposit="1000", name="Everyday")
    return client


@pytest.fixture
async def grace(server: Server) -> Client:
    """Another new customer, with money."""
    client = await Client(server.http).sign_up(f"grace-{key()}@bank.test", "Grace Hopper")
    await client.open(deposit="1000", name="Everyday")
    return client


@pytest.fixture
def sit(chromium: Browser, server: Server) -> Sit:
    """Puts a client in front of the online bank."""
    return partial(customer, chromium, server.url)


def code_mailed_to(server: Server, email: str) -> str:
    """The code in the newest mail to an address; empty if there is none yet."""
    mails = [path.read_text() for path in sorted((server.folder / "mails").glob("*.eml"), key=lambda path: path.stat().st_mtime)]
    codes = [re.findall(r"^[0-9A-Z]{5}-[0-9A-Z]{5}", mail, re.MULTILINE) for mail in mails if f"To: {email}" in mail]
    return codes[-1][0] if codes and codes[-1] else ""


async def staff(server: Server, role: str) -> Client:
    """A member of staff, signed in."""
    return await Client(server.http).log_in(f"{role.lower()}@bank.test", STAFF_PASSWORD)


async def account_of(client: Client) -> dict[str, Any]:
    """The first account of a customer."""
    data = await client.run("{ me { accounts { nodes { id number balance { booked { amount } } } } } }")
    account: dict[str, Any] = data["me"]["accounts"]["nodes"][0]
    return account
