"""The user on whose behalf a request is served, and its origin. What each role is allowed to do is defined in `identity`."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a request, for the audit, the logs and the list of sessions. Each part is None if it is not known."""

    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None

    @property
    def network(self) -> str | None:
        """What rate limits apply to: an IPv4 address, or the /64 network of an IPv6 address, which belongs to one customer."""
        return _network(self.ip_address)


@lru_cache(maxsize=4096)
def _network(address: str | None) -> str | None:
    if address is None or ":" not in address:
        return address
    mapped = IPv6Address(address.partition("%")[0]).ipv4_mapped
    return str(mapped or IPv6Network((address, 64), strict=False).network_address)


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request.

    Attributes:
        actor: the user whose access token the request has; None without a valid token.
        origin: where the request came from.
        has_bad_token: whether the request has an invalid access token: one that the bank did not issue, an expired one, or one of
            an ended session.
    """

    actor: "Actor | None"
    origin: Origin
    has_bad_token: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user allows a program to do.

    Attributes:
        user_id: the user, for whom the program acts.
        scopes: what it may do. `identity.scopes` defines them.
    """

    user_id: UUID
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in user during one request, a program that a user lets act, or the bank's own command line.

    Attributes:
        user_id: the id of the user; of a program, the id of its access grant. So nothing of the user's is a program's by itself.
        session_id: the session of the access token; of a program, its token; None for the command line.
        permissions: the permissions that the user's role grants.
        origin: where the request came from.
        expires_at: when the access token expires; None for the command line.
        is_verified: whether the user has proved who they are a short while ago, as what is dangerous requires.
        grant: what a program may do; None for a person.
    """

    user_id: UUID
    session_id: UUID | None
    permissions: frozenset[str]
    origin: Origin = field(default_factory=Origin)
    expires_at: datetime | None = None
    is_verified: bool = True
    grant: Grant | None = None

    @property
    def person_id(self) -> UUID:
        """The id of the user, also where a program acts for the user."""
        return self.user_id if self.grant is None else self.grant.user_id

    def is_allowed(self, permission: str) -> bool:
        """Return whether the actor has the permission."""
        return permission in self.permissions
