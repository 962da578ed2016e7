"""Tokens that carry data which only this bank can have made: sealed by an HMAC (RFC 2104) with SHA-256, readable by anyone.

The secrets are derived from keys that the processes share, for one purpose each.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson

_MAX_CHARACTERS = 4096


class Seals:
    """Makes and opens tokens for one purpose.

    Args:
        keys: the keys; the first seals, and all are accepted, so that keys can be rotated.
        purpose: what the tokens are for, in at most 16 ASCII characters.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._secrets = [hashlib.blake2b(key, digest_size=32, person=purpose.encode()).digest() for key in keys]

    def seal(self, data: dict[str, Any]) -> str:
        """Return a token that carries data, which JSON can express."""
        text = urlsafe_b64encode(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).decode()
        return f"{text}.{self._sign(self._secrets[0], text)}"

    def open(self, token: str) -> dict[str, Any] | None:
        """Return what a token carries; None if it was not sealed here."""
        text, _, signature = token.partition(".")
        if len(token) > _MAX_CHARACTERS or not token.isascii():
            return None
        sealed = [hmac.compare_digest(self._sign(secret, text), signature) for secret in self._secrets]
        if not any(sealed):
            return None
        data: dict[str, Any] = orjson.loads(urlsafe_b64decode(text))
        return data

    @staticmethod
    def _sign(secret: bytes, text: str) -> str:
        return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
