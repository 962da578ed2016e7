"""Applications that serve in the process of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette

from bank_graphql.identity.enums import UserRole
from bank_graphql.settings import Settings
from tests.client import PASSWORD, Client


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


def sandbox(dsn: str, folder: Path) -> Settings:
    """Return the settings of a sandbox on a database, with its keys in a folder."""
    return Settings(
        database_url=SecretStr(dsn),
        sandbox=True,
        data_dir=folder,
        log_in_rate_limit=100_000,
        job_seconds=0.1,
        _env_file=None,  # type: ignore[call-arg]
    )


async def sign_in_staff(app: Starlette, visitor: Client, role: UserRole) -> Client:
    """Make a member of staff, and sign them in."""
    email = f"{role.lower()}@bank.test"
    identity = app.state.graphql._services.identity
    await identity.create_user(email=email, password=PASSWORD, full_name=role.title(), role=role)
    return await visitor.log_in(email)
