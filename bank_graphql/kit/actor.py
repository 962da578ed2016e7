"""Who asks, and from where. Rooms ask an `Actor` what it may do; what a role may do is decided in `identity`."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Network
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: for the audit, the logs and the list of sessions. All of it may be unknown."""

    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None

    @property
    def network(self) -> str | None:
        """What limits are counted for: the address; of IPv6 its network of 64 bits, all addresses of which one customer has."""
        return _network(self.ip_address)


@lru_cache(maxsize=4096)
def _network(address: str | None) -> str | None:
    if address is None or ":" not in address:
        return address
    return str(IPv6Network((address, 64), strict=False).network_address)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as that is known.

    Attributes:
        actor: whose access token came with it; None without one, or with one that is not good.
        origin: where it came from.
        has_bad_token: whether an access token came with it that is not good: no token of ours, expired, or of an ended session.
    """

    actor: "Actor | None"
    origin: Origin
    has_bad_token: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in user for the length of one request, or the bank's own command line.

    Attributes:
        user_id: the user on whose behalf things happen.
        session_id: the session of the access token; None for the command line.
        permissions: names of what the user's role allows.
        origin: where the request came from.
        expires_at: when the access token expires; None for the command line.
    """

    user_id: UUID
    session_id: UUID | None
    permissions: frozenset[str]
    origin: Origin = field(default_factory=Origin)
    expires_at: datetime | None = None

    def is_allowed(self, permission: str) -> bool:
        """Whether the actor's role grants `permission`."""
        return permission in self.permissions
