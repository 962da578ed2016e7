"""Refresh tokens: opaque, stored hashed, and used once. The answer to a use is kept for a moment, in case it is lost on its way.

It is kept sealed under a key that is derived from the token, which the database does not hold: so only who presents that token
again can have the answer again, and only from the same address with the same program.
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
"""For how long a token that was used gets the same answer again."""
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a use of a refresh token is answered with."""

    access_token: str
    refresh_token: str
    expires_at: datetime


def new_refresh_token() -> str:
    """Return a new token, of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """Return what a token is stored as."""
    return hashlib.sha256(token.encode()).digest()


def seal(tokens: Tokens, used: str, origin: Origin) -> bytes:
    """Return the answer to a use, sealed for who presents the token `used` again from the same origin."""
    plain = json.dumps([tokens.access_token, tokens.refresh_token, tokens.expires_at.isoformat()]).encode()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(used)).encrypt(nonce, plain, _client(origin))


def unseal(sealed: bytes, used: str, origin: Origin) -> Tokens | None:
    """Return what `seal` has sealed, or None for another token or another origin."""
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
