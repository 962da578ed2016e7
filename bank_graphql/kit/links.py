"""Links that open a document for a short time, for whoever has the link: they are signed, and carry no user.

Path and expiry are signed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bank_graphql.kit.clock import Clock
from bank_graphql.kit.signatures import Signatures

LIFETIME = timedelta(minutes=15)
"""How long a link is valid, counted from the last full minute, so that all links that are made within it are the same."""


class Links:
    """Makes links and checks them.

    Args:
        address: the address that the paths are below.
        keys: the keys; the first signs, and all are accepted, so that keys can be rotated.
        clock: gives the real time.
    """

    def __init__(self, address: str, keys: Sequence[bytes], clock: Clock) -> None:
        self._address = address
        self._signatures = Signatures(keys, "bank links")
        self._clock = clock

    def make(self, path: str) -> tuple[str, datetime]:
        """Return a link to a path, e.g. `/statements/….pdf`, and when it expires."""
        expires_at = self._clock().astimezone(UTC).replace(second=0, microsecond=0) + LIFETIME
        expires = str(int(expires_at.timestamp()))
        return f"{self._address}{path}?expires={expires}&signature={self._signatures.sign(_signed(path, expires))}", expires_at

    def is_valid(self, path: str, expires: str, signature: str) -> bool:
        """Return whether a link to a path is one of ours and has not expired."""
        is_ours = self._signatures.is_valid(_signed(path, expires), signature)
        return is_ours and self._clock().timestamp() < int(expires)


def _signed(path: str, expires: str) -> str:
    return f"{path}?{expires}"
