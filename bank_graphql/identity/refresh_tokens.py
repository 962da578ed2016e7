"""Refresh tokens: opaque, stored as hashes, and good for one use.

The answer to a use is stored for a moment, because it may be lost on its way to the client. It is encrypted with a key that is
derived from the token, which the database does not hold: only a client that presents the token again gets the answer again, and
only from the same address and with the same user agent.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bank_graphql.kit.actor import Origin

REPLAY_FOR = timedelta(seconds=30)
"""For how long the second use of a token gets the same answer as the first."""
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer to the use of a refresh token. `expires_at` is the access token's."""

    access_token: str
    refresh_token: str
    expires_at: datetime


def new_refresh_token() -> str:
    """Return a new token of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """Return the hash by which a token is stored."""
    return hashlib.sha256(token.encode()).digest()


def seal(tokens: Tokens, used: str, origin: Origin) -> bytes:
    """Return the encrypted answer to the use of the token `used`. It can be read with that token, from the same origin."""
    plain = json.dumps([tokens.access_token, tokens.refresh_token, tokens.expires_at.isoformat()]).encode()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(used)).encrypt(nonce, plain, _client(origin))


def unseal(sealed: bytes, used: str, origin: Origin) -> Tokens | None:
    """Return the answer that `seal` encrypted, or None for another token or another origin."""
    try:
        plain = AESGCM(_key(used)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _client(origin))
    except InvalidTag:
        return None
    access_token, refresh_token, expires_at = json.loads(plain)
    return Tokens(access_token, refresh_token, datetime.fromisoformat(expires_at))


def _key(token: str) -> bytes:
    return HKDF(SHA256(), 32, None, b"bank_graphql refresh reply").derive(token.encode())


def _client(origin: Origin) -> bytes:
    return json.dumps([origin.ip_address, origin.user_agent]).encode()
