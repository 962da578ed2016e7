"""Access tokens (RFC 9068, RFC 8725) and their keys."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from bank_graphql.identity.tokens import AccessTokens, load_keys, signing_keys
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.ids import new_id

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BANK = "https://bank.example"


def tokens(keys: KeySet, **more: str) -> AccessTokens:
    given = {"issuer": BANK, "audience": BANK, **more}
    return AccessTokens(keys, lifetime=timedelta(minutes=30), **given)


@pytest.fixture
def keys(tmp_path: Path) -> KeySet:
    return load_keys(signing_keys(None, tmp_path))


def test_a_token_has_the_claims_of_rfc_9068(keys: KeySet) -> None:
    user, session = new_id(), new_id()
    token, expires_at = tokens(keys).issue(user, session, NOW)
    claims = tokens(keys).verify(token, NOW)
    assert claims is not None
    assert (claims.user_id, claims.session_id) == (user, session)
    assert expires_at == NOW + timedelta(minutes=30)
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.header["kid"] == keys.keys[0].kid
    assert {"iss", "aud", "sub", "client_id", "iat", "exp", "jti"} <= set(decoded.claims)


def test_a_token_expires(keys: KeySet) -> None:
    token, expires_at = tokens(keys).issue(new_id(), new_id(), NOW)
    assert tokens(keys).verify(token, expires_at - timedelta(seconds=1))
    assert tokens(keys).verify(token, expires_at + timedelta(seconds=1)) is None


def test_a_token_is_valid_where_the_clock_is_behind(keys: KeySet) -> None:
    """The clocks of two servers differ, and one that was wrong is set back."""
    token, _ = tokens(keys).issue(new_id(), new_id(), NOW)
    for behind in (timedelta(seconds=2), timedelta(days=1)):
        assert tokens(keys).verify(token, NOW - behind)


def test_a_token_of_another_issuer_audience_or_key_is_refused(keys: KeySet, tmp_path: Path) -> None:
    token, _ = tokens(keys).issue(new_id(), new_id(), NOW)
    assert tokens(keys, issuer="https://other.example").verify(token, NOW) is None
    assert tokens(keys, audience="https://other.example").verify(token, NOW) is None
    assert tokens(load_keys(signing_keys(None, tmp_path / "other"))).verify(token, NOW) is None


def test_other_algorithms_and_types_are_refused(keys: KeySet) -> None:
    ours = tokens(keys)
    token, _ = ours.issue(new_id(), new_id(), NOW)
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    key = keys.keys[0]
    header = {"alg": "ES256", "kid": key.kid}
    untyped = jws.serialize_compact(header, json.dumps(decoded.claims), key, algorithms=["ES256"])
    assert ours.verify(untyped, NOW) is None
    for typ in ({"typ": "JWT"}, {"typ": "id+jwt"}):
        assert ours.verify(jwt.encode({**header, **typ}, decoded.claims, key, algorithms=["ES256"]), NOW) is None
    public = OctKey.import_key(json.dumps(key.as_dict(private=False)))
    confused = jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": key.kid}, decoded.claims, public, algorithms=["HS256"])
    assert ours.verify(confused, NOW) is None
    head, body, _ = token.split(".")
    assert ours.verify(f"{head}.{body}.", NOW) is None
    assert ours.verify(f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{body}.", NOW) is None


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "sub", "sid", "jti", "client_id"])
def test_a_token_without_one_of_the_claims_is_refused(keys: KeySet, claim: str) -> None:
    token, _ = tokens(keys).issue(new_id(), new_id(), NOW)
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    del decoded.claims[claim]
    assert tokens(keys).verify(jwt.encode(decoded.header, decoded.claims, keys.keys[0], algorithms=["ES256"]), NOW) is None


EXPIRIES: list[Any] = [10**30, -(10**30), 1e300, "1e300", [], {}, True, None, float("inf")]
ISSUED: list[Any] = [10**30, "x", []]
IDS: list[Any] = [5, "x", "", [], {"a": 1}, "0" * 33, None]


@pytest.mark.parametrize(
    "malformed",
    [
        *({"exp": value} for value in EXPIRIES),
        *({"iat": value} for value in ISSUED),
        *({name: value} for name in ("sub", "sid") for value in IDS),
        {"iss": ["https://bank.example"]},
        {"aud": {"a": BANK}},
    ],
)
def test_a_signed_token_with_malformed_claims_is_refused(keys: KeySet, malformed: dict[str, object]) -> None:
    ours = tokens(keys)
    token, _ = ours.issue(new_id(), new_id(), NOW)
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    claims = json.dumps({**decoded.claims, **malformed})
    assert ours.verify(jws.serialize_compact(decoded.header, claims, keys.keys[0], algorithms=["ES256"]), NOW) is None


def test_deeply_nested_headers_and_claims_are_refused(keys: KeySet) -> None:
    deep = urlsafe_b64encode(b'{"a":' * 600).decode().rstrip("=")
    body = urlsafe_b64encode(b"{}").decode().rstrip("=")
    for garbage in (f"{deep}.{body}.x", f"{body}.{deep}.x"):
        assert tokens(keys).verify(garbage, NOW) is None


@pytest.mark.parametrize("garbage", ["", "x", "a.b.c", "é", "." * 100, "x" * 10_000, "eyJ.eyJ.x"])
def test_garbage_is_refused(keys: KeySet, garbage: str) -> None:
    assert tokens(keys).verify(garbage, NOW) is None


def test_rotated_keys_verify_older_tokens(keys: KeySet, tmp_path: Path) -> None:
    token, _ = tokens(keys).issue(new_id(), new_id(), NOW)
    source = signing_keys(None, tmp_path)
    with source.locked():
        source.add()
    rotated = load_keys(signing_keys(None, tmp_path))
    assert len(rotated.keys) == 2
    assert tokens(rotated).verify(token, NOW)
    newer, _ = tokens(rotated).issue(new_id(), new_id(), NOW)
    assert jwt.decode(newer, rotated, algorithms=["ES256"]).header["kid"] != keys.keys[0].kid
    assert all("d" not in key for key in tokens(rotated).jwks["keys"])


def test_keys_are_generated_once_in_a_private_file(keys: KeySet, tmp_path: Path) -> None:
    assert (tmp_path / "signing-keys.json").stat().st_mode & 0o777 == 0o600
    assert load_keys(signing_keys(None, tmp_path)).keys[0].kid == keys.keys[0].kid
    assert [path.name for path in tmp_path.iterdir()] == ["signing-keys.json"]


def test_keys_are_read_from_a_setting_or_a_file(tmp_path: Path) -> None:
    text = json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=True)]})
    (tmp_path / "keys.json").write_text(text)
    assert (
        load_keys(signing_keys(text, None)).keys[0].kid == load_keys(signing_keys(str(tmp_path / "keys.json"), None)).keys[0].kid
    )


@pytest.mark.parametrize(
    "source",
    [
        "{}",
        "{",
        '{"keys": []}',
        '{"keys": [{}]}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        json.dumps({"keys": [ECKey.generate_key("P-384").as_dict(private=True)]}),
        json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}),
        "/no/such/file",
        None,
    ],
)
def test_unusable_keys_are_reported_in_one_line(source: str | None) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_keys(signing_keys(source, None))
    assert "\n" not in str(error.value)
