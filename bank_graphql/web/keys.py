"""The public keys that verify access tokens, as a JWK set (RFC 7517)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank_graphql.identity.tokens import AccessTokens


class PublishedKeys:
    """Serves `/.well-known/jwks.json`."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def __call__(self, _request: Request) -> Response:
        """The keys, good for some minutes in a cache."""
        return JSONResponse(self._tokens.jwks, headers={"Cache-Control": "public, max-age=300"})
