"""Services of users get access tokens by client credentials: the id of their access grant, and its token."""

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from tests.accounts.programs import REVOKE, ROTATE, program
from tests.client import Client
from tests.oauth.flow import App


async def grant_token(service: App, **form: str) -> httpx.Response:
    """Request an access token."""
    return await service.post("/oauth/token", grant_type="client_credentials", **form)


def service_of(granted: Client, secret: str | None = None, client_id: str | None = None) -> App:
    """The service that has an access grant."""
    return App(granted.http, client_id or granted.user_id, secret or granted.token, "http://127.0.0.1:8000")


async def test_a_service_gets_a_token_for_scopes_of_its_grant(ada: Client) -> None:
    account = (await ada.open(deposit="5"))["id"]
    granted = await program(ada, account)
    answer: dict[str, Any] = (await grant_token(service_of(granted), scope="accounts:read")).json()
    assert (answer["token_type"], answer["scope"], "refresh_token" in answer) == ("Bearer", "accounts:read", False)
    client = Client(ada.http, answer["access_token"])
    assert await client.booked(account) == "5.00"
    shown = await client.run("{ accounts(first: 5) { nodes { entries(first: 5) { nodes { id } } } } }")
    assert shown["accounts"]["nodes"] == [{"entries": {"nodes": []}}]
    refused = await grant_token(service_of(granted), scope="accounts:read profile")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("end", [REVOKE, ROTATE])
async def test_its_token_ends_with_the_one_that_it_was_given_for(ada: Client, end: str) -> None:
    account = (await ada.open(deposit="5"))["id"]
    granted = await program(ada, account)
    client = Client(ada.http, (await grant_token(service_of(granted))).json()["access_token"])
    assert await client.booked(account) == "5.00"
    await ada.run(end, id=granted.user_id, **({} if end == REVOKE else {"overlap": 0}))
    assert (await client.error("{ me { id } }"))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_service_proves_its_key(ada: Client) -> None:
    granted = await program(ada, (await ada.open())["id"])
    service = service_of(granted)
    service.key = ECKey.generate_key("P-256")
    answer = (await grant_token(service)).json()
    assert answer["token_type"] == "DPoP"
    stolen = Client(ada.http, answer["access_token"])
    assert (await stolen.error("{ me { id } }"))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_nobody_else_gets_a_token(ada: Client, grace: Client) -> None:
    granted = await program(ada, (await ada.open())["id"])
    other = await program(grace, (await grace.open())["id"])
    exchanged = (await grant_token(service_of(granted))).json()["access_token"]
    for service in (
        service_of(granted, secret="bank_nonsense"),
        service_of(granted, secret=other.token),
        service_of(granted, client_id="nonsense"),
        service_of(granted, secret=exchanged),
        service_of(granted, secret=ada.token),
        service_of(granted, secret=ada.token, client_id=ada.user_id),
    ):
        refused = await grant_token(service)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
