"""Access tokens: JWTs per RFC 9068, signed with ES256 and verified as RFC 8725 advises. And the keys that sign them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
from cachetools import LRUCache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.keysets import Key, KeySource

ALGORITHM = "ES256"
TYPE = "at+jwt"
_MAX_CHARACTERS = 4096
_MAX_CACHED = 10_000
_UNLIMITED = 2**62
_FILE = "signing-keys.json"
PROGRAM_LIFETIME = timedelta(minutes=10)
"""How long the access token of a registered client is valid: it can refresh it."""


@dataclass(frozen=True, slots=True)
class ProgramClaims:
    """What the access token of a registered client says beyond a session's.

    Attributes:
        client_id: the client.
        scopes: what the client may do, of what its consent allows.
        key_thumbprint: the key that the token is bound to (RFC 9449); None if it is not bound.
    """

    client_id: str
    scopes: frozenset[str]
    key_thumbprint: str | None


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a valid access token.

    Attributes:
        user_id: the user.
        session_id: the session; of a registered client, its access grant.
        expires_at: when it expires.
        program: further claims of a registered client's token; None for a user's.
    """

    user_id: UUID
    session_id: UUID
    expires_at: datetime
    program: ProgramClaims | None = None


class AccessTokens:
    """Issues and verifies access tokens.

    Args:
        keys: the key set. Its first key signs, and all of them verify, so that keys can be rotated without ending sessions.
        issuer: the claim `iss`: the bank's own address.
        audience: the claim `aud`: the API that accepts the tokens.
        lifetime: how long a token is valid.
    """

    def __init__(self, keys: KeySet, *, issuer: str, audience: str, lifetime: timedelta) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        self._verified: LRUCache[bytes, tuple[Claims, int]] = LRUCache(_MAX_CACHED)
        self._options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": audience},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "sub": {"essential": True},
            "client_id": {"essential": True},
            "jti": {"essential": True},
            "sid": {"essential": True},
        }

    @property
    def jwks(self) -> Mapping[str, Sequence[Key]]:
        """The public keys as a JWK set (RFC 7517)."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self._keys.keys]}

    @property
    def private_keys(self) -> list[bytes]:
        """The private keys, the one that signs first, for secrets that are derived from them."""
        return [str(key.as_dict(private=True)["d"]).encode() for key in self._keys.keys]

    def issue(self, user_id: UUID, session_id: UUID, now: datetime) -> tuple[str, datetime]:
        """Return a new token for a user's session, and when it expires."""
        expires_at = (now + self.lifetime).replace(microsecond=0)
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id.hex,
            "sid": session_id.hex,
            "client_id": self._audience,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": new_id().hex,
        }
        return self._sign(claims, TYPE), expires_at

    def issue_to_program(
        self, user_id: UUID, grant_id: UUID, client_id: str, scopes: frozenset[str], key_thumbprint: str | None, now: datetime
    ) -> tuple[str, int]:
        """Return a new token for a registered client, and for how many seconds it is valid.

        Args:
            user_id: the user who consented.
            grant_id: the consent.
            client_id: the client.
            scopes: what it may do.
            key_thumbprint: the key that the token is bound to; None for a bearer token.
            now: the time.
        """
        seconds = int(PROGRAM_LIFETIME.total_seconds())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id.hex,
            "sid": grant_id.hex,
            "client_id": client_id,
            "scope": " ".join(sorted(scopes)),
            "iat": int(now.timestamp()),
            "exp": int(now.timestamp()) + seconds,
            "jti": new_id().hex,
        }
        if key_thumbprint is not None:
            claims["cnf"] = {"jkt": key_thumbprint}
        return self._sign(claims, TYPE), seconds

    def issue_identity(self, user_id: UUID, client_id: str, nonce: str | None, now: datetime) -> str:
        """Return an ID token (OpenID Connect) for a registered client: who the user is."""
        issued = int(now.timestamp())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": client_id,
            "sub": user_id.hex,
            "iat": issued,
            "exp": issued + int(PROGRAM_LIFETIME.total_seconds()),
            "auth_time": issued,
        }
        return self._sign(claims if nonce is None else {**claims, "nonce": nonce}, "JWT")

    def _sign(self, claims: dict[str, object], kind: str) -> str:
        key = self._keys.keys[0]
        return jwt.encode({"alg": ALGORITHM, "typ": kind, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])

    def verify(self, token: str, now: datetime) -> Claims | None:
        """Return the token's claims; None if this bank did not issue it, it is of another type, or it has expired.

        Verified claims are cached by the token's digest, so its signature is verified once. Its expiry is checked each time.
        """
        if len(token) > _MAX_CHARACTERS:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        verified: tuple[Claims, int] | None = self._verified.get(digest)
        if verified is None:
            verified = self._decode(token, now)
            if verified is None:
                return None
            self._verified[digest] = verified
        return verified[0] if int(now.timestamp()) <= verified[1] else None

    def _decode(self, token: str, now: datetime) -> "tuple[Claims, int] | None":
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[ALGORITHM])
            if decoded.header.get("typ") != TYPE:
                return None
            claims = JWTAccessTokenClaims(decoded.claims, decoded.header, self._options)
            # Times are accepted whatever they are, and `verify` checks the expiry. The time of issue may lie in the future: the
            # clocks of two servers differ, and one that was wrong is set back.
            claims.validate(now=int(now.timestamp()), leeway=_UNLIMITED)
            expires = int(decoded.claims["exp"])
            ids = UUID(decoded.claims["sub"]), UUID(decoded.claims["sid"])
            return Claims(*ids, datetime.fromtimestamp(expires, UTC), _program(decoded.claims)), expires
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, RecursionError):
            return None  # malformed claims, such as a time beyond the calendar


def _program(claims: Mapping[str, Any]) -> ProgramClaims | None:
    """Return what a registered client's token says beyond a session's. Raises TypeError, AttributeError if it is malformed."""
    if "scope" not in claims:
        return None
    bound = claims.get("cnf")
    return ProgramClaims(claims["client_id"], frozenset(claims["scope"].split()), None if bound is None else str(bound["jkt"]))


def signing_keys(given: str | None, folder: Path | None) -> KeySource:
    """Return the source of the signing keys, which are private EC keys on the curve P-256.

    Args:
        given: a JWK set, or the path of a file that holds one; None if the setting is not set.
        folder: where keys are stored, and generated at the first start, if none are given; None to require the setting.
    """
    return KeySource("signing keys", "BANK_SIGNING_KEYS", _new_key, given, None if folder is None else folder / _FILE)


def load_keys(source: KeySource) -> KeySet:
    """Return the signing keys of a source.

    Raises:
        ConfigurationError: there are no keys, they cannot be read, or none is usable.
    """
    try:
        keys = [ECKey.import_key(key) for key in source.read()]
    except (JoseError, ValueError, TypeError) as error:
        raise source.malformed from error
    usable = [key for key in keys if key.is_private and key.curve_name == "P-256"]
    if not usable:
        raise ConfigurationError("The signing keys hold no private EC key on the curve P-256 (BANK_SIGNING_KEYS).")
    for key in usable:
        key.ensure_kid()
    return KeySet(usable)  # type: ignore[arg-type]


def _new_key(_: Sequence[Key]) -> Key:
    made = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return dict(made.as_dict(private=True))
