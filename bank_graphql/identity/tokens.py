"""Access tokens: JWTs per RFC 9068, signed with ES256 and verified as RFC 8725 advises. And the keys that sign them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
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


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a valid access token."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


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
            return Claims(*ids, datetime.fromtimestamp(expires, UTC)), expires
        except (JoseError, ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
            return None  # malformed claims, such as a time beyond the calendar


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
