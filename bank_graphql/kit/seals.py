"""Tokens that carry data which only this bank can have made. Anyone can read them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from bank_graphql.kit.signatures import Signatures

_MAX_CHARACTERS = 4096


class Seals:
    """Makes and opens tokens for one purpose.

    Args:
        keys: the keys; the first seals, and all are accepted, so that keys can be rotated.
        purpose: what the tokens are for, in at most 16 ASCII characters.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._signatures = Signatures(keys, purpose)

    def seal(self, data: dict[str, Any]) -> str:
        """Return a token that carries data, which JSON can express."""
        text = urlsafe_b64encode(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).decode()
        return f"{text}.{self._signatures.sign(text)}"

    def open(self, token: str) -> dict[str, Any] | None:
        """Return what a token carries; None if it was not sealed here."""
        text, _, signature = token.partition(".")
        if len(token) > _MAX_CHARACTERS or not token.isascii() or not self._signatures.is_valid(text, signature):
            return None
        data: dict[str, Any] = orjson.loads(urlsafe_b64decode(text))
        return data
