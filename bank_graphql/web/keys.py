"""The public keys that verify access tokens, as a JWK set (RFC 7517)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank_graphql.identity.tokens import AccessTokens


class PublishedKeys:
    """Serves `/.well-known/jwks.json`.

    Args:
        tokens: has the keys.
    """

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def __call__(self, _request: Request) -> Response:
        """Answer with the keys, which may be cached for five minutes."""
        return JSONResponse(self._tokens.jwks, headers={"Cache-Control": "public, max-age=300"})
