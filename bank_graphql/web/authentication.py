"""Authenticate requests by their bearer tokens (RFC 6750)."""

from functools import lru_cache
from ipaddress import ip_address

from starlette.types import Scope

from bank_graphql.identity.sessions import Sessions
from bank_graphql.kit.actor import Actor, Caller, Origin
from bank_graphql.oauth.dpop import Proofs
from bank_graphql.web.middleware import request_id_of

PROVED = "bank.proved"
"""Where the scope of a WebSocket has the tokens whose keys were proved in its handshake, each with the key's thumbprint."""


class BearerAuthentication:
    """Finds the actor of a request by `Authorization: Bearer …`, or `DPoP …` with a proof of the token's key.

    A request with an invalid token is not taken for one without a token, because it must be refused.

    Args:
        sessions: verify the tokens.
        proofs: check proofs of the keys that tokens are bound to (`Authorization: DPoP …`, RFC 9449).
        address: the bank's address, to which these proofs are made.
    """

    def __init__(self, sessions: Sessions, proofs: Proofs, address: str) -> None:
        self._sessions = sessions
        self.proofs = proofs
        self._address = address

    async def __call__(self, scope: Scope) -> Caller:
        """Return who sent a request, and from where.

        Raises:
            Unavailable: the state of the token's session cannot be read.
        """
        headers, origin = dict(reversed(scope["headers"])), origin_of(scope)
        scheme, *rest = headers.get(b"authorization", b"").decode("latin-1").split(maxsplit=1)[:2] or [""]
        if scheme.lower() not in {"bearer", "dpop"} or not rest:
            return Caller(None, origin)
        token = rest[0].strip()
        if scheme.lower() == "dpop":
            actor = await self._of_bound(token, scope, headers.get(b"dpop", b"").decode("latin-1"), origin)
        else:
            actor = await self._sessions.authenticate(token, origin)
        return Caller(actor, origin, has_bad_token=actor is None)

    async def _of_bound(self, token: str, scope: Scope, given: str, origin: Origin) -> Actor | None:
        """Return the actor of a token that is bound to a key; None if it is not valid, or the proof is not. It is used up."""
        proved: dict[str, str] = scope.get(PROVED, {})
        if (known := proved.get(token)) is not None:
            return await self._sessions.authenticate(token, origin, known)
        proof = self.proofs.check(given, scope.get("method", "GET"), f"{self._address}{scope['path']}", token)
        if proof is None:
            return None
        actor = await self._sessions.authenticate(token, origin, proof.key_thumbprint)
        if actor is None or not self.proofs.use(proof):
            return None
        proved[token] = proof.key_thumbprint
        return actor


def origin_of(scope: Scope) -> Origin:
    """Return from where a request came."""
    client = scope.get("client")
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"").decode("latin-1")
    return Origin(_address(client[0]) if client else None, agent or None, request_id_of(scope))


@lru_cache(maxsize=4096)
def _address(host: str) -> str | None:
    """Return the address in its normal form; None if it is not an IP address, because a proxy may send anything."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None
