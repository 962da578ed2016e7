"""Registered clients act for users who have consented."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jws
from joserfc.jwk import ECKey
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.oauth.tokens import MAX_CONSENTS
from bank_graphql.settings import Settings
from tests.accounts.members import join
from tests.accounts.programs import ROTATE, decide, pay
from tests.client import Client
from tests.oauth.flow import (
    ALL,
    BACK,
    App,
    answer,
    client_of,
    code_for,
    consent_page,
    register,
    returned,
    sealed_in,
    tokens_for,
)
from tests.serving import serving

ME = "{ me { email accessGrants { id kind name scopes accounts { id } lastUsedAt } } }"
REVOKE = "mutation ($id: ID!) { x: revokeAccessGrant(id: $id) { __typename } }"
ADA = "ada@bank.test"


@pytest.fixture
async def shop(app: Starlette, http: httpx.AsyncClient) -> App:
    """A registered client with a secret."""
    return await register(app, http)


@pytest.fixture
async def account(ada: Client) -> str:
    """An account with money."""
    opened: str = (await ada.open(deposit="100"))["id"]
    return opened


async def is_refused(client: Client) -> bool:
    """Whether a token is not valid any more."""
    errors = (await client.post("{ me { id } }")).get("errors", [])
    return [error["extensions"]["code"] for error in errors] == ["UNAUTHENTICATED"]


async def test_a_client_acts_within_the_consent(ada: Client, grace: Client, account: str, shop: App) -> None:
    mine, hidden = account, (await ada.open(deposit="7"))["id"]
    tokens = await tokens_for(shop, ADA, mine)
    assert (tokens["token_type"], tokens["scope"].split()) == ("Bearer", sorted(ALL.split()))
    program = client_of(shop, tokens)
    assert await program.booked(mine) == "100.00"
    assert await program.account(hidden) is None
    to = {"accountNumber": (await grace.open())["number"]}
    assert (await pay(program, mine, to, "30", "k1"))["__typename"] == "MoneyMoved"
    assert (await pay(program, mine, to, "30", "k2"))["__typename"] == "ApprovalRequiredRejection"
    [consent] = (await ada.run(ME))["me"]["accessGrants"]
    assert (consent["kind"], consent["name"], consent["accounts"]) == ("CONSENT", "Shop", [{"id": mine}])
    assert consent["lastUsedAt"] is not None
    who = (await shop.http.get("/oauth/userinfo", headers={"authorization": f"Bearer {program.token}"})).json()
    assert (who["name"], who["email"]) == ("Ada Lovelace", ADA)


async def test_the_id_token_and_the_access_token_say_what_the_standards_want(ada: Client, account: str, shop: App) -> None:
    tokens = await tokens_for(shop, ADA, account)
    metadata = (await shop.http.get("/.well-known/openid-configuration")).json()
    keys = (await shop.http.get("/.well-known/jwks.json")).json()
    key = ECKey.import_key(keys["keys"][0])
    identity = jws.deserialize_compact(tokens["id_token"], key, ["ES256"])
    claims = httpx.Response(200, content=identity.payload).json()
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (metadata["issuer"], shop.client_id, "n1")
    access = jws.deserialize_compact(tokens["access_token"], key, ["ES256"])
    claims = httpx.Response(200, content=access.payload).json()
    assert (access.headers()["typ"], claims["client_id"]) == ("at+jwt", shop.client_id)
    assert {"iss", "aud", "sub", "iat", "exp", "jti", "scope"} <= claims.keys()
    assert await is_refused(Client(shop.http, tokens["id_token"]))


async def test_a_user_refuses(ada: Client, shop: App) -> None:
    page = await consent_page(shop, ADA)
    back = returned(await answer(page, shop.http, "deny"))
    assert (back["error"], back["state"], back["iss"]) == ("access_denied", "s1", shop.address)
    again = await answer(page, shop.http, "allow", limit="1")  # the page's session has ended
    assert again.status_code == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "accounts:read cards:read"}, "invalid_scope"),
        ({"scope": "users:manage"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"resource": "https://other.test"}, "invalid_target"),
        ({"nonce": "\1"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "x"}, "request_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"dpop_jkt": "notathumb"}, "invalid_request"),
        ({"scope": "transactions:read"}, "invalid_scope"),
    ],
)
async def test_a_wrong_request_is_answered_at_the_redirect_uri(shop: App, changed: dict[str, str], error: str) -> None:
    back = returned(await shop.http.get("/oauth/authorize", params=shop.request(**changed)))
    assert (back["error"], back["state"], back["iss"]) == (error, "s1", shop.address)
    pushed = await shop.post("/oauth/par", **shop.request(**changed))
    assert (pushed.status_code, pushed.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": f"{BACK}/more"},
        {"redirect_uri": "https://shop.test.evil.test/back"},
        {"redirect_uri": ""},
        {"client_id": "0" * 32},
        {"client_id": "nonsense"},
    ],
)
async def test_nothing_is_sent_to_an_address_that_is_not_registered(shop: App, changed: dict[str, str]) -> None:
    page = await shop.http.get("/oauth/authorize", params=shop.request(**changed))
    assert (page.status_code, page.headers.get("location")) == (400, None)


async def test_parameters_that_occur_twice_are_refused(shop: App) -> None:
    page = await shop.http.get("/oauth/authorize", params=[*shop.request().items(), ("redirect_uri", BACK)])
    assert page.status_code == 400


async def test_the_pages_have_neither_script_nor_cookie(ada: Client, account: str, shop: App) -> None:
    page = await consent_page(shop, ADA)
    assert "<script" not in page.text
    assert "set-cookie" not in page.headers
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"form-action 'self' {BACK.removesuffix('/back')}" in policy
    assert page.headers["cache-control"] == "no-store"


async def test_a_wrong_password_is_said_on_the_page(ada: Client, shop: App) -> None:
    page = await consent_page(shop, ADA, "a wrong passphrase")
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert (await answer(page, shop.http, "allow")).status_code == 400


async def test_a_page_that_was_forged_is_refused(shop: App) -> None:
    for given in ("", "x", "a.b.c"):
        response = await shop.http.post("/oauth/authorize", data={"request": given, "step": "allow"})
        assert response.status_code == 400
        assert "location" not in response.headers


async def test_a_consent_without_an_account_is_refused_on_the_page(ada: Client, grace: Client, shop: App) -> None:
    others = (await grace.open())["id"]
    page = await consent_page(shop, ADA)
    for accounts in ([], [others], ["nonsense"]):
        again = await answer(page, shop.http, "allow", account=accounts, limit="5", currency="EUR", days="30")
        assert (again.status_code, "location" in again.headers) == (422, False)


async def test_a_limit_that_is_no_amount_is_refused_on_the_page(ada: Client, account: str, shop: App) -> None:
    page = await consent_page(shop, ADA)
    for limit in ("", "much", "-1", "1.999"):
        again = await answer(page, shop.http, "allow", account=[account], limit=limit, currency="EUR", days="30")
        assert again.status_code == 422


async def test_a_code_needs_its_verifier_its_address_and_its_client(app: Starlette, ada: Client, account: str, shop: App) -> None:
    other = await register(app, shop.http)
    code = await code_for(shop, ADA, account)
    assert (await shop.exchange(code, code_verifier="wrong")).json()["error"] == "invalid_grant"
    assert (await shop.exchange(code, redirect_uri="https://shop.test/other")).json()["error"] == "invalid_grant"
    other.verifier = shop.verifier
    assert (await other.exchange(code)).json()["error"] == "invalid_grant"
    assert (await shop.exchange(code)).status_code == 200


async def test_a_code_is_good_for_one_use_and_a_second_ends_the_consent(ada: Client, account: str, shop: App) -> None:
    code = await code_for(shop, ADA, account)
    tokens = (await shop.exchange(code)).json()
    program = client_of(shop, tokens)
    assert await program.booked(account) == "100.00"
    assert (await shop.exchange(code)).json()["error"] == "invalid_grant"
    assert await is_refused(program)
    assert (await shop.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_of_racing_exchanges_of_a_code_at_most_one_wins(ada: Client, account: str, shop: App) -> None:
    codes = [await code_for(shop, ADA, account) for _ in range(5)]
    for code in codes:
        answers = await asyncio.gather(*(shop.exchange(code) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [200, *[400] * 9]


async def test_refresh_tokens_rotate_and_a_second_use_ends_the_consent(ada: Client, account: str, shop: App) -> None:
    first = await tokens_for(shop, ADA, account)
    second = (await shop.refresh(first["refresh_token"], scope="accounts:read")).json()
    assert second["scope"] == "accounts:read"
    less = client_of(shop, second)
    assert await less.booked(account) == "100.00"
    assert (await less.run("{ me { email } }"))["me"] is None
    more = await shop.refresh(second["refresh_token"], scope="accounts:read cards:read")
    assert more.json()["error"] == "invalid_scope"
    third = (await shop.refresh(second["refresh_token"])).json()
    assert third["scope"].split() == sorted(ALL.split())
    assert (await shop.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    for tokens in (first, second, third):
        assert await is_refused(client_of(shop, tokens))


async def test_a_user_lists_and_ends_consents(ada: Client, account: str, shop: App) -> None:
    tokens = await tokens_for(shop, ADA, account)
    [consent] = (await ada.run(ME))["me"]["accessGrants"]
    assert consent["lastUsedAt"] is None
    program = client_of(shop, tokens)
    assert await program.booked(account) == "100.00"
    await ada.run(REVOKE, id=consent["id"])
    assert await is_refused(program)
    assert (await shop.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_client_revokes_and_introspects(app: Starlette, ada: Client, account: str, shop: App) -> None:
    other = await register(app, shop.http)
    tokens = await tokens_for(shop, ADA, account)
    for kind in ("access_token", "refresh_token"):
        known = (await shop.post("/oauth/introspect", token=tokens[kind])).json()
        assert (known["active"], known["client_id"]) == (True, shop.client_id)
        assert (await other.post("/oauth/introspect", token=tokens[kind])).json() == {"active": False}
        assert (await other.post("/oauth/revoke", token=tokens[kind])).status_code == 200
    assert await client_of(shop, tokens).booked(account) == "100.00"
    assert (await shop.post("/oauth/revoke", token=tokens["refresh_token"])).status_code == 200
    assert await is_refused(client_of(shop, tokens))
    for kind in ("access_token", "refresh_token"):
        assert (await shop.post("/oauth/introspect", token=tokens[kind])).json() == {"active": False}


async def test_a_client_proves_who_it_is(shop: App) -> None:
    for client_id, secret in ((shop.client_id, "wrong"), ("0" * 32, shop.secret), (shop.client_id, None)):
        stranger = App(shop.http, client_id, secret, shop.address)
        for path in ("/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/introspect"):
            refused = await stranger.post(path, token="x", grant_type="authorization_code", code="x")
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_a_pushed_request_is_of_its_client(app: Starlette, ada: Client, account: str, shop: App) -> None:
    pushed = await shop.post("/oauth/par", **shop.request())
    assert pushed.status_code == 201
    uri = pushed.json()["request_uri"]
    other = await register(app, shop.http)
    for client_id, status in ((shop.client_id, 200), (other.client_id, 400)):
        page = await shop.http.get("/oauth/authorize", params={"client_id": client_id, "request_uri": uri})
        assert page.status_code == status
    page = await shop.http.get("/oauth/authorize", params={"client_id": shop.client_id, "request_uri": f"{uri}x"})
    assert page.status_code == 400


async def test_a_client_that_is_disabled_has_no_consent_any_more(app: Starlette, ada: Client, account: str, shop: App) -> None:
    tokens = await tokens_for(shop, ADA, account)
    assert await app.state.oauth.clients.disable(shop.client_id)
    assert not await app.state.oauth.clients.disable(shop.client_id)
    assert (await shop.refresh(tokens["refresh_token"])).json()["error"] == "invalid_client"
    assert (await shop.http.get("/oauth/authorize", params=shop.request())).status_code == 400
    assert (await ada.run("{ me { accessGrants { id } } }"))["me"]["accessGrants"] == []


async def test_secrets_are_stored_as_hashes(
    ada: Client, account: str, shop: App, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    code = await code_for(shop, ADA, account)
    tokens = (await shop.exchange(code)).json()
    stored: list[Any] = []
    for table in ("oauth_clients", "oauth_codes", "oauth_refresh_tokens", "grant_tokens", "access_grants", "audit_events"):
        stored += [str(tuple(row)) for row in await raw.fetch(f"SELECT * FROM {table}")]
    for secret in (shop.secret, code, tokens["access_token"], tokens["refresh_token"]):
        assert secret is not None
        assert not any(secret in row for row in stored)


async def test_the_oldest_of_many_consents_to_a_client_ends(ada: Client, account: str, shop: App) -> None:
    tokens = [await tokens_for(shop, ADA, account) for _ in range(MAX_CONSENTS + 1)]
    assert len((await ada.run(ME))["me"]["accessGrants"]) == MAX_CONSENTS
    assert [await is_refused(client_of(shop, each)) for each in tokens] == [True, *[False] * MAX_CONSENTS]


async def waiting(ada: Client, account: str, program: Client, number: str, key: str) -> str:
    """A payment of a program that waits for its owner."""
    answered = await pay(program, account, {"accountNumber": number}, "60", key)
    approval: str = answered["approval"]["id"]
    return approval


@pytest.mark.parametrize("end", ["revoke", "reuse", "disable"])
async def test_what_waits_is_not_paid_once_the_consent_has_ended(
    app: Starlette, ada: Client, grace: Client, account: str, shop: App, end: str
) -> None:
    code = await code_for(shop, ADA, account)
    tokens = (await shop.exchange(code)).json()
    approval = await waiting(ada, account, client_of(shop, tokens), (await grace.open())["number"], "k1")
    if end == "revoke":
        await shop.post("/oauth/revoke", token=tokens["access_token"])
    elif end == "reuse":
        await shop.exchange(code)
    else:
        await app.state.oauth.clients.disable(shop.client_id)
        decided = await decide(ada, approval, approve=True)
        assert (decided["conflict"], decided["state"]) == ("WRONG_STATUS", "REVOKED")
        await decide(ada, approval, approve=False)
    [found] = (await ada.run("{ me { approvals { id status } } }"))["me"]["approvals"]
    assert found == {"id": approval, "status": "REJECTED"}
    assert (await ada.account(account))["balance"]["held"]["amount"] == "0.00"


async def test_a_user_who_is_suspended_gives_no_tokens(
    ada: Client, account: str, shop: App, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    tokens = await tokens_for(shop, ADA, account)
    code = await code_for(shop, ADA, account)
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    assert (await shop.exchange(code)).json()["error"] == "invalid_grant"
    assert (await shop.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    for kind in ("access_token", "refresh_token"):
        assert (await shop.post("/oauth/introspect", token=tokens[kind])).json() == {"active": False}


async def test_a_page_that_is_sent_twice_makes_one_consent(ada: Client, account: str, shop: App) -> None:
    page = await consent_page(shop, ADA)
    fields = {"account": [account], "limit": "5", "currency": "EUR", "days": "30"}
    done = await asyncio.gather(*(answer(page, shop.http, "allow", **fields) for _ in range(8)))
    assert sorted(response.status_code for response in done) == [303, *[400] * 7]
    assert len((await ada.run(ME))["me"]["accessGrants"]) == 1
    page = await consent_page(shop, ADA)
    refused = await asyncio.gather(*(answer(page, shop.http, "deny") for _ in range(4)))
    assert sorted(response.status_code for response in refused) == [303, *[400] * 3]


async def test_the_token_of_a_consent_is_not_rotated_by_hand(ada: Client, account: str, shop: App) -> None:
    await tokens_for(shop, ADA, account)
    [consent] = (await ada.run(ME))["me"]["accessGrants"]
    rotated = (await ada.run(ROTATE, id=consent["id"], overlap=5))["x"]
    assert rotated["__typename"] == "ValidationRejection"


@pytest.mark.parametrize(
    "fields",
    [{"days": "²"}, {"days": "9" * 5000}, {"days": ""}, {"currency": "ABC"}, {"limit": "9" * 400}, {"account": "\0"}],
)
async def test_what_a_page_cannot_send_is_no_fault_of_the_server(
    ada: Client, account: str, shop: App, fields: dict[str, str]
) -> None:
    page = await consent_page(shop, ADA)
    given = {"account": account, "limit": "5", "currency": "EUR", "days": "30", **fields}
    assert (await answer(page, shop.http, "allow", **given)).status_code in {303, 400, 422}


async def test_a_login_page_takes_no_character_that_nothing_can_store(shop: App) -> None:
    page = await shop.http.get("/oauth/authorize", params=shop.request())
    assert (await answer(page, shop.http, "login", email="a\0@bank.test", password="x")).status_code == 400


async def test_a_client_names_the_token_and_itself_once(shop: App) -> None:
    for path in ("/oauth/revoke", "/oauth/introspect"):
        assert (await shop.post(path)).json()["error"] == "invalid_request"
    twice = await shop.post("/oauth/revoke", token="x", client_id="0" * 32)
    assert twice.json()["error"] == "invalid_request"


async def test_a_page_is_no_pushed_request(shop: App) -> None:
    page = await shop.http.get("/oauth/authorize", params=shop.request())
    for given in (sealed_in(page), f"urn:ietf:params:oauth:request_uri:{sealed_in(page)}"):
        params = {"client_id": shop.client_id, "request_uri": given}
        assert (await shop.http.get("/oauth/authorize", params=params)).status_code == 400


async def test_userinfo_needs_the_scope(ada: Client, account: str, shop: App) -> None:
    tokens = await tokens_for(shop, ADA, account, scope="openid accounts:read")
    for token, status in ((tokens["access_token"], 403), ("x", 401)):
        response = await shop.http.post("/oauth/userinfo", headers={"authorization": f"Bearer {token}"})
        assert (response.status_code, "error=" in response.headers["www-authenticate"]) == (status, True)


async def test_the_metadata_are_what_the_standards_define(shop: App) -> None:
    for path in ("oauth-authorization-server", "openid-configuration"):
        text = (await shop.http.get(f"/.well-known/{path}")).text.replace(shop.address, "https://bank.test")
        found = httpx.Response(200, text=text).json()
        AuthorizationServerMetadata(found).validate()
    resource = (await shop.http.get("/.well-known/oauth-protected-resource")).json()
    assert (resource["resource"], resource["authorization_servers"]) == (shop.address, [shop.address])


async def test_what_waits_under_a_replaced_consent_is_rejected(ada: Client, grace: Client, account: str, shop: App) -> None:
    first = await tokens_for(shop, ADA, account)
    await waiting(ada, account, client_of(shop, first), (await grace.open())["number"], "k1")
    for _ in range(MAX_CONSENTS):
        await tokens_for(shop, ADA, account)
    assert [each["status"] for each in (await ada.run("{ me { approvals { status } } }"))["me"]["approvals"]] == ["REJECTED"]


async def test_a_joint_owner_may_choose_the_account_and_a_member_may_not(
    ada: Client, grace: Client, account: str, shop: App, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    seen = (await ada.open())["id"]
    await join(raw, ada, account, grace, "grace@bank.test", role="OWNER", mayPay=True, mayManageCards=True)
    await join(raw, ada, seen, grace, "grace@bank.test", mayPay=True)
    page = await consent_page(shop, "grace@bank.test")
    assert (account in page.text, seen in page.text) == (True, False)
    done = await answer(page, shop.http, "allow", account=[account], limit="5", currency="EUR", days="30")
    tokens = (await shop.exchange(returned(done)["code"])).json()
    assert await client_of(shop, tokens).booked(account) == "100.00"


async def test_an_address_that_sends_too_much_is_slowed_down(settings: Settings) -> None:
    limited = create_app(settings.model_copy(update={"rate_limit": 2400}))
    async with serving(limited) as http:
        shop = await register(limited, http)
        answers = [await shop.post("/oauth/introspect", token="x") for _ in range(6)]
        assert [each.status_code for each in answers] == [200] * 4 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await http.get("/oauth/authorize", params=shop.request())).status_code == 429
