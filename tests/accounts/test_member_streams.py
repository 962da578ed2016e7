"""The feed of shared accounts: members get its events as long as they are members, and no event after."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql import app as application
from bank_graphql.accounts.feed import EventRow
from bank_graphql.api.streams import CHECK_SECONDS
from bank_graphql.app import create_app
from bank_graphql.events.errors import AccessEnded
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.ids import uuid_of
from bank_graphql.settings import Settings
from tests.accounts.members import end, join
from tests.client import Client
from tests.serving import serving

GRACE = "grace@bank.test"
PAGE = "{ transactionEvents { nodes { account { id } } } }"


@pytest.fixture
async def shared(ada: Client) -> str:
    """An account of Ada's, with money."""
    account_id: str = (await ada.open(deposit="100"))["id"]
    return account_id


async def actor_of(app: Starlette, client: Client) -> Actor:
    """Return the actor that a client's token stands for."""
    found: Actor | None = await app.state.graphql._services.identity.sessions.authenticate(client.token, Origin())
    assert found is not None
    return found


async def follow(app: Starlette, client: Client, *account_ids: str) -> AsyncIterator[EventRow]:
    """Subscribe to the given accounts, or to all, and return the events."""
    services: Any = app.state.graphql._services
    actor = await actor_of(app, client)
    interest = await services.feed.interest_of(actor, [uuid_of(each, "Account") for each in account_ids] or None)
    events: AsyncIterator[EventRow] = services.streams.events(actor, interest, None)
    return events


async def subscribed(app: Starlette, how_many: int = 1) -> None:
    """Wait for subscribers."""
    while app.state.graphql._services.streams._hub.subscriber_count < how_many:
        await asyncio.sleep(0.005)


@pytest.fixture
def without_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that checks for what other processes have ended does not run."""
    monkeypatch.setattr(application, "CHECK_SECONDS", 10_000)


@pytest.mark.usefixtures("without_checks")
@pytest.mark.parametrize("is_named", [True, False], ids=["by its id", "among all"])
async def test_a_stream_ends_with_the_membership_in_the_same_process(
    app: Starlette, ada: Client, grace: Client, shared: str, raw: asyncpg.Connection, is_named: bool
) -> None:
    own = (await grace.open())["id"]
    membership = await join(raw, ada, shared, grace, GRACE)
    events = await follow(app, grace, *([shared] if is_named else []))
    first = asyncio.ensure_future(anext(events))
    await subscribed(app)
    await ada.transfer(shared, own, "1")
    assert (await first).account_id == uuid_of(shared, "Account") or not is_named
    second = asyncio.ensure_future(_exhaust(events))
    assert (await end(ada, membership))["__typename"] == "Done"
    await ada.transfer(shared, own, "1")
    with pytest.raises(AccessEnded):
        await second


async def test_a_stream_ends_with_the_membership_that_another_process_ends(
    app: Starlette, settings: Settings, ada: Client, grace: Client, shared: str, raw: asyncpg.Connection
) -> None:
    membership = await join(raw, ada, shared, grace, GRACE)
    events = await follow(app, grace, shared)
    rest = asyncio.ensure_future(_exhaust(events))
    await subscribed(app)
    async with serving(create_app(settings)) as other:
        elsewhere = Client(other, ada.token)
        assert (await end(elsewhere, membership))["__typename"] == "Done"
        async with asyncio.timeout(CHECK_SECONDS * 1.2 + 1):
            with pytest.raises(AccessEnded):
                await rest


async def test_a_stream_goes_on_while_the_membership_does(
    app: Starlette, ada: Client, grace: Client, shared: str, raw: asyncpg.Connection
) -> None:
    await join(raw, ada, shared, grace, GRACE)
    events = await follow(app, grace)
    first = asyncio.ensure_future(anext(events))
    await subscribed(app)
    await app.state.graphql._services.streams.check()
    await ada.deposit(shared, "1")
    assert (await first).account_id == uuid_of(shared, "Account")


async def test_events_of_shared_accounts_are_among_ones_own(
    ada: Client, grace: Client, shared: str, raw: asyncpg.Connection
) -> None:
    own = (await grace.open(deposit="1"))["id"]
    assert [each["account"]["id"] for each in (await grace.run(PAGE))["transactionEvents"]["nodes"]] == [own]
    membership = await join(raw, ada, shared, grace, GRACE)
    assert {each["account"]["id"] for each in (await grace.run(PAGE))["transactionEvents"]["nodes"]} == {own, shared}
    await end(ada, membership)
    assert [each["account"]["id"] for each in (await grace.run(PAGE))["transactionEvents"]["nodes"]] == [own]


async def _exhaust(events: AsyncIterator[EventRow]) -> None:
    async for _ in events:
        pass
