"""Access tokens: JWTs after RFC 9068, signed with ES256, verified as RFC 8725 advises; and the keys that sign them."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
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
        except (JoseError, ValueError, TypeError, AttributeError):
            return None


def load_keys(source: str | None, folder: Path | None) -> KeySet:
    """The signing keys.

    Args:
        source: a JWK set (RFC 7517) with private EC keys on P-256, or the path of a file that holds one.
        folder: where keys are kept, and at the first start made, when there is no `source`.

    Raises:
        ConfigurationError: there is neither, or what there is holds no usable key.
    """
    if source is None and folder is None:
        raise ConfigurationError("No signing keys: set BANK_SIGNING_KEYS to a JWK set or to the path of a file that holds one.")
    try:
        if source is not None:
            text = source if source.lstrip().startswith("{") else Path(source).read_text()
        else:
            text = _read_or_make(folder)  # type: ignore[arg-type]
        keys = [ECKey.import_key(key) for key in json.loads(text)["keys"]]
    except OSError as error:
        raise ConfigurationError(f"The signing keys cannot be read: {error.strerror}: {error.filename}.") from error
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError("The signing keys are no JWK set with private EC keys (BANK_SIGNING_KEYS).") from error
    usable = [key for key in keys if key.is_private and key.curve_name == "P-256"]
    if not usable:
        raise ConfigurationError("The signing keys hold no private EC key on the curve P-256 (BANK_SIGNING_KEYS).")
    for key in usable:
        key.ensure_kid()
    return KeySet(usable)  # type: ignore[arg-type]


def rotate_keys(folder: Path) -> None:
    """Put a new private key in front of the folder's; the older ones go on verifying.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _FILE
        older = json.loads(path.read_text())["keys"] if path.exists() else []
        _draft(folder, older).replace(path)
    except OSError as error:
        raise ConfigurationError(f"The signing keys cannot be written: {error.strerror}: {error.filename}.") from error


def _read_or_make(folder: Path) -> str:
    path = folder / _FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = _draft(folder, [])
        with contextlib.suppress(FileExistsError):  # another process was first
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()


def _draft(folder: Path, older: list[Any]) -> Path:
    """A file that only we can read, with a new key in front of older ones."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    draft = folder / f".{_FILE}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"keys": [key.as_dict(private=True), *older]}, file)
    return draft
