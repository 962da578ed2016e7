"""Links that open a document for a short time, for whoever has the link: they are signed, and carry no user.

The signature is an HMAC (RFC 2104) with SHA-256 of path and expiry. Its secrets are derived from keys that the processes share.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bank_graphql.kit.clock import Clock

LIFETIME = timedelta(minutes=15)
"""How long a link is valid, counted from the last full minute, so that all links that are made within it are the same."""
_PERSON = b"bank links"


class Links:
    """Makes links and checks them.

    Args:
        address: the address that the paths are below.
        keys: the keys; the first signs, and all are accepted, so that keys can be rotated.
        clock: gives the real time.
    """

    def __init__(self, address: str, keys: Sequence[bytes], clock: Clock) -> None:
        self._address = address
        self._secrets = [hashlib.blake2b(key, digest_size=32, person=_PERSON).digest() for key in keys]
        self._clock = clock

    def make(self, path: str) -> tuple[str, datetime]:
        """Return a link to a path, e.g. `/statements/….pdf`, and when it expires."""
        expires_at = self._clock().astimezone(UTC).replace(second=0, microsecond=0) + LIFETIME
        expires = str(int(expires_at.timestamp()))
        return f"{self._address}{path}?expires={expires}&signature={_sign(self._secrets[0], path, expires)}", expires_at

    def is_valid(self, path: str, expires: str, signature: str) -> bool:
        """Return whether a link to a path is one of ours and has not expired."""
        signed = [hmac.compare_digest(_sign(secret, path, expires).encode(), signature.encode()) for secret in self._secrets]
        return any(signed) and self._clock().timestamp() < int(expires)


def _sign(secret: bytes, path: str, expires: str) -> str:
    return hmac.new(secret, f"{path}?{expires}".encode(), hashlib.sha256).hexdigest()
