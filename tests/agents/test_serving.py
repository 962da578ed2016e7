"""The command that serves the tools of agents, as a process beside a real bank."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client as McpClient
from mcp import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.accounts.programs import program
from tests.client import Client
from tests.e2e.processes import Server, command, environment, fork
from tests.ports import free_port

pytestmark = pytest.mark.deep


@pytest.fixture
async def server(filled_folder: Path) -> AsyncIterator[Server]:
    """A bank."""
    async with Server(filled_folder, BANK_DEMO="false") as running:
        yield running


@pytest.fixture
async def granted(server: Server) -> Client:
    """A program that may read an account."""
    ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
    return await program(ada, (await ada.open(deposit="5"))["id"], scopes=["ACCOUNTS_READ"])


async def balance(client: McpClient) -> str:
    """Return what is in the first account."""
    content: Any = (await client.call_tool("list_accounts", {})).structured_content
    amount: str = content["accounts"]["nodes"][0]["balance"]["booked"]["amount"]
    return amount


async def test_an_agent_is_served_over_standard_input_and_output(server: Server, granted: Client, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{granted.token}\n", encoding="utf-8")
    arguments = ["-m", "bank_graphql", "mcp", "--url", server.url]
    for more, variables in (([], {"BANK_ACCESS_TOKEN": granted.token}), (["--token-file", str(tmp_path / "token")], {})):
        given: dict[str, str] = {"PATH": os.environ["PATH"], **{name: str(value) for name, value in variables.items()}}
        parameters = StdioServerParameters(command=sys.executable, args=[*arguments, *more], env=given, cwd=str(tmp_path))
        async with McpClient(parameters) as client:
            assert await balance(client) == "5.00"


@asynccontextmanager
async def over_http(server: Server, folder: Path, *more: str) -> AsyncIterator[str]:
    """Serve the tools over HTTP, and return the address."""
    port = free_port()
    arguments = ("mcp", "--http", "--url", server.url, "--port", str(port), *more)
    with (folder / "log").open("w") as log:
        process = fork(*arguments, environment=environment(folder), stdout=log, stderr=log)
        try:
            async with asyncio.timeout(30), httpx.AsyncClient() as http:
                while True:
                    try:
                        await http.get(f"http://127.0.0.1:{port}/mcp")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait(10)


async def test_agents_are_served_over_http_each_under_its_own_token(server: Server, granted: Client, tmp_path: Path) -> None:
    async with over_http(server, tmp_path) as url:
        headers = {"authorization": f"Bearer {granted.token}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            McpClient(streamable_http_client(url, http_client=http)) as client,
        ):
            assert await balance(client) == "5.00"
        async with httpx.AsyncClient() as plain:
            refused = await plain.post(url, json={})
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            rebound = await plain.post(
                url, json={}, headers={**headers, "host": "evil.example", "content-type": "application/json"}
            )
            assert rebound.status_code == 421
            assert (await plain.get(url, headers=headers)).status_code == 405
    assert f"Tools at {url}, for the bank at {server.url}" in (tmp_path / "log").read_text()
    assert str(granted.token) not in (tmp_path / "log").read_text()


def test_what_is_missing_is_said_in_one_line(folder: Path) -> None:
    for arguments, expected in (
        ((), "Give the token of an access grant in BANK_ACCESS_TOKEN"),
        (("--token-file", "/nowhere"), "/nowhere cannot be read"),
        (("--url", "127.0.0.1:8000"), "127.0.0.1:8000 is no address of a bank"),
        (("--http", "--token-file", "/nowhere"), "each request brings its own token"),
    ):
        done = command("mcp", *arguments, folder=folder)
        assert done.returncode == 1
        assert expected in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
