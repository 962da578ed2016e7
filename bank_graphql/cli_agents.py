"""The command that serves the tools of AI agents: `bank-graphql mcp`."""

import asyncio
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bank_graphql.kit.terminal import fail

TOKEN = "BANK_ACCESS_TOKEN"  # noqa: S105 - the name of a variable


def mcp(
    url: Annotated[str, typer.Option(help="The address of the running bank.")] = "http://127.0.0.1:8000",
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP, and not over standard input and output.")] = False,
    host: Annotated[str, typer.Option(help="Where to listen, over HTTP.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port, over HTTP.")] = 8003,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name that clients reach it by, over HTTP, behind a proxy.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="A file with the token of an access grant.")] = None,
    token: Annotated[str | None, typer.Option(envvar=TOKEN, hidden=True)] = None,
) -> None:
    """Serve tools for AI agents (Model Context Protocol).

    Over standard input and output, it acts under one access grant, whose token is in BANK_ACCESS_TOKEN or a file. Over HTTP,
    each request brings its own as a bearer token. The tools are those of `docs/how-to/agents.md`. It needs the extra `mcp`.
    """
    try:
        serving = import_module("bank_graphql.agents.serving")
    except ImportError as error:
        fail(f"The tools need the package '{error.name}': pip install 'bank-graphql[mcp]'.")
    if not url.startswith(("http://", "https://")):
        fail(f"{url} is no address of a bank: give one as http://127.0.0.1:8000.")
    if http and token_file is not None:
        fail("Over HTTP each request brings its own token: leave --token-file out.")
    if http:
        print(f"Tools at http://{host}:{port}/mcp, for the bank at {url}. Stop: Ctrl-C.", flush=True)
        asyncio.run(serving.serve_http(url, host, port, allow_host or [], version("bank-graphql")))
        return
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{token_file} cannot be read: {error}.")
    if not token:
        fail(f"Give the token of an access grant in {TOKEN}, or a file with it by --token-file: see createAccessGrant.")
    asyncio.run(serving.serve_stdio(url, token, version("bank-graphql")))
