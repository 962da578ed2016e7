"""A registered client and the browser of a user, for tests."""

import hashlib
import html
import re
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette

from bank_graphql.web.oauth import OAuth
from tests.client import PASSWORD, Client

BACK = "https://shop.test/back"
ALL = "openid profile accounts:read transactions:read payments:write"


def challenge_of(verifier: str) -> str:
    """The PKCE challenge of a verifier."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class App:
    """A registered client.

    Attributes:
        http: reaches the bank.
        client_id: its id.
        secret: its secret; None if it is public.
        address: the bank's address, for proofs.
        verifier: its PKCE verifier.
        key: the key that it proves to hold, if it does.
    """

    http: httpx.AsyncClient
    client_id: str
    secret: str | None
    address: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    key: ECKey | None = None

    def request(self, scope: str = ALL, **changed: str) -> dict[str, str]:
        """The parameters of an authorization request."""
        given = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": BACK,
            "scope": scope,
            "state": "s1",
            "nonce": "n1",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**given, **changed}.items() if value}

    def proof(self, method: str, path: str, token: str | None = None, **changed: Any) -> str:
        """A proof that the client holds its key."""
        assert self.key is not None
        claims = {"jti": secrets.token_urlsafe(8), "htm": method, "htu": f"{self.address}{path}", "iat": int(time.time())}
        if token is not None:
            claims["ath"] = challenge_of(token)
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self.key.as_dict(private=False)}
        return jwt.encode(header, {**claims, **changed}, self.key)

    async def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form to an endpoint, as this client."""
        headers = {} if self.key is None else {"dpop": self.proof("POST", path)}
        auth = None if self.secret is None else (self.client_id, self.secret)
        given = form if self.secret is not None else {"client_id": self.client_id, **form}
        return await self.http.post(path, data=given, auth=auth or httpx.USE_CLIENT_DEFAULT, headers=headers)

    async def exchange(self, code: str, **changed: str) -> httpx.Response:
        """Exchange a code."""
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": self.verifier}
        return await self.post("/oauth/token", **{**given, **changed})

    async def refresh(self, token: str, **more: str) -> httpx.Response:
        """Exchange a refresh token."""
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=token, **more)


async def register(app: Starlette, http: httpx.AsyncClient, *, public: bool = False, scope: str = ALL) -> App:
    """Register a client."""
    oauth: OAuth = app.state.oauth
    client_id, secret = await oauth.clients.register("Shop", [BACK], frozenset(scope.split()), is_confidential=not public)
    return App(http, client_id.hex, secret, oauth.address)


def sealed_in(page: httpx.Response) -> str:
    """What a page carries."""
    found = re.search(r'name="request" value="([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


async def answer(page: httpx.Response, http: httpx.AsyncClient, step: str, **fields: Any) -> httpx.Response:
    """Fill in a page, and send it."""
    return await http.post("/oauth/authorize", data={"request": sealed_in(page), "step": step, **fields})


async def consent_page(app: App, email: str, password: str = PASSWORD, **request: str) -> httpx.Response:
    """The page on which a user decides."""
    page = await app.http.get("/oauth/authorize", params=app.request(**request))
    assert page.status_code == 200, page.text
    return await answer(page, app.http, "login", email=email, password=password)


def returned(response: httpx.Response) -> dict[str, str]:
    """What a browser brings back to the client."""
    assert response.status_code == 303, response.text
    location = response.headers["location"]
    assert location.startswith(BACK), location
    return dict(parse_qsl(urlsplit(location).query))


async def code_for(app: App, email: str, *accounts: str, limit: str = "50", **request: str) -> str:
    """The code that a user's consent gives a client."""
    page = await consent_page(app, email, **request)
    done = await answer(page, app.http, "allow", account=list(accounts), limit=limit, currency="EUR", days="30")
    return returned(done)["code"]


async def tokens_for(app: App, email: str, *accounts: str, **request: str) -> dict[str, Any]:
    """The tokens that a user's consent gives a client."""
    response = await app.exchange(await code_for(app, email, *accounts, **request))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def consented(app: App, owner: Client, *accounts: str, scope: str) -> Client:
    """A client of the API with a user's consent; its `user_id` is the id of its grant."""
    email = (await owner.run("{ me { email } }"))["me"]["email"]
    tokens = await tokens_for(app, email, *accounts, scope=scope)
    grants = (await owner.run("{ me { accessGrants { id kind } } }"))["me"]["accessGrants"]
    [consent] = [each["id"] for each in grants if each["kind"] == "CONSENT"]
    return Client(app.http, tokens["access_token"], consent)


def client_of(app: App, tokens: dict[str, Any]) -> Client:
    """A client of the API with an access token."""
    return Client(app.http, tokens["access_token"])
