"""Authenticate requests by their bearer tokens (RFC 6750)."""

from functools import lru_cache
from ipaddress import ip_address

from starlette.types import Scope

from bank_graphql.identity.sessions import Sessions
from bank_graphql.kit.actor import Caller, Origin
from bank_graphql.web.middleware import request_id_of


class BearerAuthentication:
    """Finds the actor of a request by `Authorization: Bearer …`.

    A request with an invalid token is not taken for one without a token, because it must be refused.

    Args:
        sessions: verify the tokens.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope) -> Caller:
        """Return who sent a request, and from where.

        Raises:
            Unavailable: the state of the token's session cannot be read.
        """
        headers = dict(reversed(scope["headers"]))
        client = scope.get("client")
        origin = Origin(
            ip_address=_address(client[0]) if client else None,
            user_agent=headers.get(b"user-agent", b"").decode("latin-1") or None,
            request_id=request_id_of(scope),
        )
        scheme, *rest = headers.get(b"authorization", b"").decode("latin-1").split(maxsplit=1)[:2] or [""]
        if scheme.lower() != "bearer" or not rest:
            return Caller(None, origin)
        actor = await self._sessions.authenticate(rest[0].strip(), origin)
        return Caller(actor, origin, has_bad_token=actor is None)


@lru_cache(maxsize=4096)
def _address(host: str) -> str | None:
    """Return the address in its normal form; None if it is not an IP address, because a proxy may send anything."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None
