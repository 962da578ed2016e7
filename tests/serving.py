"""Applications that serve in the process of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette


def connect(app: Starlette, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
    """Return a client of an application, with this address and these headers of its own."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://bank", headers=headers)


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application, and connect a client to it."""
    async with app.router.lifespan_context(app), connect(app) as http:
        yield http


def scope(kind: str, token: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the ASGI scope of a connection to the endpoint."""
    headers = [(b"content-type", b"application/json"), (b"accept", more.pop("accept", b"*/*"))]
    headers += [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {
        "type": kind, "method": "POST", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "http_version": "1.1",
        "headers": headers, "scheme": "http", "server": ("bank", 80), "client": ("127.0.0.1", 1), **more,
    }  # fmt: skip
