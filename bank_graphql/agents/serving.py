"""Serves the tools of agents: over standard input and output, or over HTTP."""

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from bank_graphql.agents.client import BankClient
from bank_graphql.agents.server import RequireToken, build_server, token_of_request


async def serve_stdio(url: str, token: str, version: str) -> None:
    """Serve one agent over standard input and output, under one access grant, until its input ends."""
    bank = BankClient(url)
    try:
        await build_server(bank, lambda _: token, version).run_stdio_async()
    finally:
        await bank.close()


async def serve_http(url: str, host: str, port: int, allowed_hosts: list[str], version: str) -> None:
    """Serve any number of agents over HTTP at `/mcp`, each under the grant whose token its requests carry, until a signal.

    It keeps no sessions, so any number of processes may serve. A request for another host is refused, against DNS rebinding.
    """
    bank = BankClient(url)
    names = [host, "localhost", "127.0.0.1"]
    security = TransportSecuritySettings(
        allowed_hosts=[*allowed_hosts, *(f"{name}:{port}" for name in names)],
        allowed_origins=[*(f"https://{name}" for name in allowed_hosts), *(f"http://{name}:{port}" for name in names)],
    )
    app = build_server(bank, token_of_request, version).streamable_http_app(
        host=host, stateless_http=True, json_response=True, transport_security=security
    )
    config = uvicorn.Config(RequireToken(app), host=host, port=port, log_level="warning", access_log=False)
    try:
        await uvicorn.Server(config).serve()
    finally:
        await bank.close()
