"""Access tokens: JWTs after RFC 9068, signed with ES256, verified as RFC 8725 advises; and the keys that sign them."""

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
_LONGEST = 4096
_MOST_VERIFIED = 10_000
_FILE = "signing-keys.json"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


class AccessTokens:
    """Issues and verifies access tokens.

    Args:
        keys: the key set; its first key signs, all of them verify, so that keys can be exchanged without logging anyone out.
        issuer: the bank's name for itself in tokens.
        audience: who the tokens are for.
        lifetime: how long a token is good.
    """

    def __init__(self, keys: KeySet, *, issuer: str, audience: str, lifetime: timedelta) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime
        self._verified: LRUCache[bytes, tuple[Claims, int]] = LRUCache(_MOST_VERIFIED)
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
    def jwks(self) -> Mapping[str, Any]:
        """The public keys, as published (RFC 7517)."""
        return {"keys": [key.as_dict(private=False) for key in self._keys.keys]}

    def issue(self, user_id: UUID, session_id: UUID, now: datetime) -> tuple[str, datetime]:
        """A token for a user's session, and when it expires."""
        expires_at = (now + self.lifetime).replace(microsecond=0)
        key = self._keys.keys[0]
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id.hex,
            "sid": session_id.hex,
            "client_id": self._audience,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": new_id().hex,
        }
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM]), expires_at

    def verify(self, token: str, now: datetime) -> Claims | None:
        """What the token says, or None if it is not one of ours, not of this kind, or expired.

        A signature that was good is good again: what a token said is kept by its digest, and only its time is looked at anew.
        """
        if len(token) > _LONGEST:
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
            claims.validate(now=int(now.timestamp()), leeway=0)
            expires = int(decoded.claims["exp"])
            ids = UUID(decoded.claims["sub"]), UUID(decoded.claims["sid"])
            return Claims(*ids, datetime.fromtimestamp(expires, UTC)), expires
        except (JoseError, ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
            return None  # whatever a token says that no token of ours does, moments beyond any calendar included


def signing_keys(given: str | None, folder: Path | None) -> KeySource:
    """Where the signing keys come from: private EC keys on P-256.

    Args:
        given: a JWK set, or the path of a file that holds one.
        folder: where keys are kept, and made at the first start, when none are given.
    """
    return KeySource("signing keys", "BANK_SIGNING_KEYS", _new_key, given, None if folder is None else folder / _FILE)


def load_keys(source: KeySource) -> KeySet:
    """The signing keys.

    Raises:
        ConfigurationError: there are none, or what there is holds no usable key.
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
