"""Tokens that are bound to a key (DPoP), with a client that has no secret."""

import secrets
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.applications import Starlette

from bank_graphql.kit.clock import utc_now
from bank_graphql.oauth.dpop import Proofs
from tests.client import Client
from tests.oauth.flow import App, code_for, register, tokens_for

ADA = "ada@bank.test"
BODY = {"query": "{ me { email } }"}


@pytest.fixture
async def phone(app: Starlette, http: httpx.AsyncClient) -> App:
    """A registered client without a secret, which holds a key."""
    made = await register(app, http, public=True)
    made.key = ECKey.generate_key("P-256")
    return made


async def answer_to(app: App, token: str, **headers: str) -> dict[str, Any]:
    """The answer of the API to a request with these headers."""
    given = {"authorization": f"DPoP {token}", **headers}
    found: dict[str, Any] = (await app.http.post("/graphql", json=BODY, headers=given)).json()
    return found


async def test_a_bound_token_needs_its_key(ada: Client, phone: App) -> None:
    account = (await ada.open())["id"]
    tokens = await tokens_for(phone, ADA, account)
    token = tokens["access_token"]
    assert tokens["token_type"] == "DPoP"
    proof = phone.proof("POST", "/graphql", token)
    assert (await answer_to(phone, token, dpop=proof))["data"]["me"]["email"] == ADA
    thief = App(phone.http, phone.client_id, None, phone.address, key=ECKey.generate_key("P-256"))
    wrong = {
        "replayed": proof,
        "missing": "",
        "of another key": thief.proof("POST", "/graphql", token),
        "of another method": phone.proof("GET", "/graphql", token),
        "of another address": phone.proof("POST", "/oauth/token", token),
        "of another token": phone.proof("POST", "/graphql", token + "x"),
        "without a token": phone.proof("POST", "/graphql"),
        "old": phone.proof("POST", "/graphql", token, iat=int(time.time()) - 120),
        "of the future": phone.proof("POST", "/graphql", token, iat=int(time.time()) + 120),
        "without an id": phone.proof("POST", "/graphql", token, jti=None),
        "nonsense": "a.b.c",
    }
    for why, given in wrong.items():
        answer = await answer_to(phone, token, dpop=given)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", why
    as_bearer = await answer_to(phone, token, authorization=f"Bearer {token}")
    assert as_bearer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_refresh_token_of_a_public_client_needs_its_key(ada: Client, phone: App) -> None:
    tokens = await tokens_for(phone, ADA, (await ada.open())["id"])
    thief = App(phone.http, phone.client_id, None, phone.address, key=ECKey.generate_key("P-256"))
    assert (await thief.refresh(tokens["refresh_token"])).json()["error"] == "invalid_dpop_proof"
    thief.key = None
    assert (await thief.refresh(tokens["refresh_token"])).json()["error"] == "invalid_dpop_proof"
    assert (await phone.refresh(tokens["refresh_token"])).json()["token_type"] == "DPoP"


async def test_a_code_is_bound_to_the_key_that_the_request_names(ada: Client, phone: App) -> None:
    assert phone.key is not None
    account = (await ada.open())["id"]
    code = await code_for(phone, ADA, account, dpop_jkt=phone.key.thumbprint())
    own, phone.key = phone.key, ECKey.generate_key("P-256")
    assert (await phone.exchange(code)).json()["error"] == "invalid_dpop_proof"
    phone.key = own
    assert (await phone.exchange(code)).status_code == 200


async def test_a_pushed_request_with_a_proof_binds_its_code(ada: Client, phone: App) -> None:
    other = ECKey.generate_key("P-256").thumbprint()
    refused = await phone.post("/oauth/par", **phone.request(dpop_jkt=other))
    assert refused.json()["error"] == "invalid_dpop_proof"


def proof_of(key: Any, algorithm: str, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
    """A proof by a key."""
    own = {"jti": secrets.token_urlsafe(8), "htm": "POST", "htu": "https://bank.test/graphql", "iat": int(time.time())}
    given = {"alg": algorithm, "typ": "dpop+jwt", "jwk": key.as_dict(private=False), **(header or {})}
    return jwt.encode(given, {**own, **(claims or {})}, key, algorithms=[algorithm])


def test_proofs_by_other_kinds_of_keys() -> None:
    curve, edwards, rsa = ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)
    proofs = Proofs(utc_now)
    found = proofs.check(proof_of(curve, "ES256"), "POST", "https://bank.test/graphql?x=1")
    assert found is not None
    assert found.key_thumbprint == curve.thumbprint()
    assert [proofs.use(found), proofs.use(found)] == [True, False]
    found = proofs.check(proof_of(edwards, "Ed25519"), "POST", "https://bank.test/graphql")
    assert found is not None
    assert found.key_thumbprint == edwards.thumbprint()
    refused = [
        proof_of(rsa, "RS256"),
        proof_of(curve, "ES256", {"jwk": curve.as_dict(private=True)}),
        proof_of(curve, "ES256", {"jwk": ECKey.generate_key("P-256").as_dict(private=False)}),
        proof_of(curve, "ES256", {"jwk": {"kty": "oct", "k": "AA"}}),
        proof_of(curve, "ES256", {"typ": "JWT"}),
        proof_of(curve, "ES256", claims={"htu": "http://["}),
        proof_of(curve, "ES256", claims={"iat": 10**320}),
        proof_of(curve, "ES256", claims={"jti": "x" * 300}),
        proof_of(curve, "ES256", claims={"jti": ""}),
        "x" * 5000,
    ]
    for given in refused:
        assert proofs.check(given, "POST", "https://bank.test/graphql") is None
