"""Publish the schema, for tools such as code generators, and the bank's version."""

from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version as version_of

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

_HOUR = {"Cache-Control": "public, max-age=3600"}


class PublishedSchema:
    """Serves the schema as text (SDL) and as the answer to an introspection query (JSON). Each is made at its first request.

    Args:
        text: makes the text.
        introspection: makes the JSON.
    """

    def __init__(self, text: Callable[[], str], introspection: Callable[[], str]) -> None:
        self._make_text, self._make_introspection = text, introspection

    async def text(self, _request: Request) -> Response:
        """Answer with `schema.graphql`."""
        return PlainTextResponse(self._text, headers=_HOUR)

    async def introspection(self, _request: Request) -> Response:
        """Answer with `schema.json`."""
        return Response(self._introspection, media_type="application/json", headers=_HOUR)

    @cached_property
    def _text(self) -> str:
        return self._make_text()

    @cached_property
    def _introspection(self) -> str:
        return self._make_introspection()


async def version(_request: Request) -> Response:
    """Answer with the bank's version."""
    return JSONResponse({"version": version_of("bank-graphql")})
