"""Signatures that all processes of the bank can make and check: an HMAC (RFC 2104) with SHA-256."""

import hashlib
import hmac
from collections.abc import Sequence


class Signatures:
    """Makes and checks signatures for one purpose.

    Args:
        keys: keys that the processes share; the first signs, and all are accepted, so that keys can be rotated.
        purpose: what is signed, in at most 16 ASCII characters. Signatures for another purpose are not accepted.
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._secrets = [hashlib.blake2b(key, digest_size=32, person=purpose.encode()).digest() for key in keys]

    def sign(self, text: str) -> str:
        """Return the signature of a text: 64 hexadecimal digits."""
        return _sign(self._secrets[0], text)

    def is_valid(self, text: str, signature: str) -> bool:
        """Return whether this is a signature of a text."""
        given = signature.encode()
        valid = [hmac.compare_digest(_sign(secret, text).encode(), given) for secret in self._secrets]
        return any(valid)


def _sign(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
