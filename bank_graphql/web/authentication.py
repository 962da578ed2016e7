"""Who sent a request: bearer tokens (RFC 6750) in, an actor out."""

from ipaddress import ip_address

from starlette.requests import HTTPConnection

from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.web.middleware import request_id_of


class BearerAuthentication:
    """Reads `Authorization: Bearer …`. A token that is not good is the same as none: what needs a user then says so."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def __call__(self, http: HTTPConnection) -> tuple[Actor | None, Origin]:
        """Who sent the request, and from where.

        Raises:
            Unavailable: the session cannot be looked up.
        """
        origin = Origin(
            ip_address=_address(http.client.host) if http.client else None,
            user_agent=http.headers.get("user-agent"),
            request_id=request_id_of(http.scope),
        )
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None, origin
        return await self._identity.authenticate(token.strip(), origin), origin


def _address(host: str) -> str | None:
    """The address in its normal form; None for what a proxy made up."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None
