"""The documentation's examples of following the feed, with the clients that front ends use, on connections that break again and again."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client
from tests.e2e.processes import Server
from tests.e2e.sockets import all_cursors

CLIENTS = Path(__file__).parent / "clients"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "feed.md"
EACH = 2
"""Clients of each kind."""

pytestmark = [
    pytest.mark.skipif(
        not (CLIENTS / "node_modules").exists(), reason="npm is not installed, or 'make tools' was not run; .ci/run does"
    ),
    pytest.mark.timeout(240),
    pytest.mark.deep,
]


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The examples as JavaScript, beside the packages that they need."""
    folder = tmp_path_factory.mktemp("clients")
    for name in ("package.json", "drive.ts"):
        shutil.copy(CLIENTS / name, folder)
    (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    blocks = dict(re.findall(r"```ts title=\"(\w+)\.ts\"\n(.*?)```", PAGE.read_text(), re.DOTALL))
    for name, text in blocks.items():
        (folder / f"{name}.ts").write_text(text)
    sources = [path.name for path in folder.glob("*.ts")]
    # Once, and not in each of the processes, which would spend most of their time on it.
    compiler = ["node_modules/.bin/esbuild", *sources, "--outdir=.", "--format=esm", "--log-level=warning"]
    subprocess.run(compiler, cwd=folder, check=True)
    return {name: folder / f"{name}.js" for name in blocks}


class Follower:
    """The example as a process, and what it has seen."""

    def __init__(self, breaks: int) -> None:
        self.breaks = breaks
        self.cursors: list[str] = []
        self.broken = asyncio.Event()
        self.ended = False
        self.why: Any = None

    async def run(self, example: Path, url: str, token: str, after: str) -> None:
        """Follow until the last transfer."""
        process = await asyncio.create_subprocess_exec(
            *("node", "drive.js", str(example), url, token, after, str(self.breaks), "last"),
            cwd=example.parent,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                said = json.loads(line)
                if "breaks" in said:
                    self.broken.set()
                elif "ended" in said:
                    self.why = said["ended"]
                else:
                    self.cursors.append(said["cursor"])
            assert await process.wait() == 0
            self.ended = True
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.mark.parametrize("breaks", [4, 250])
async def test_breaks_lose_nothing_and_repeat_nothing(folder: Path, examples: dict[str, Path], breaks: int) -> None:
    followers = {Follower(breaks): kind for kind in ("websocket", "events") for _ in range(EACH)}
    async with Server(folder, "--workers", "2", BANK_DEMO="false") as server:
        try:
            expected = await _follow_all(server, examples, followers)
        finally:
            await server.end()
    assert len(expected) >= 10
    for follower in followers:
        # The last transfer has an event for each account, and clients go at the first of the two.
        assert follower.cursors in (expected, expected[:-1])


async def test_a_restart_of_the_bank_is_not_the_end(folder: Path, examples: dict[str, Path]) -> None:
    followers = {Follower(breaks=0): kind for kind in ("websocket", "events")}
    async with asyncio.TaskGroup() as group:
        async with Server(folder, BANK_DEMO="false") as server:
            ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
            first, second = [(await ada.open(deposit="1000"))["id"] for _ in range(2)]
            [start, *_] = await all_cursors(ada)
            assert ada.token is not None
            for follower, kind in followers.items():
                group.create_task(follower.run(examples[kind], f"{server.url}/graphql", ada.token, start))
            while not all(follower.cursors for follower in followers):
                await ada.transfer(first, second, "0.01")
            await server.end()
        async with Server(folder, "--port", server.url.rpartition(":")[2], BANK_DEMO="false") as server:
            ada = Client(server.http, ada.token)
            await ada.transfer(first, second, "0.01", description="last")
            while not all(follower.ended for follower in followers):
                await asyncio.sleep(0.01)
            expected = (await all_cursors(ada))[1:]
            await server.end()
    for follower in followers:
        assert follower.cursors in (expected, expected[:-1])


async def test_a_client_learns_what_cannot_continue(folder: Path, examples: dict[str, Path]) -> None:
    followers = {Follower(breaks=0): kind for kind in ("websocket", "events")}
    async with Server(folder, BANK_DEMO="false") as server, asyncio.TaskGroup() as group:
        ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
        assert ada.token is not None
        for follower, kind in followers.items():
            group.create_task(follower.run(examples[kind], f"{server.url}/graphql", ada.token, "no cursor"))
    for follower in followers:
        assert [error["extensions"]["code"] for error in follower.why] == ["BAD_REQUEST"]


async def test_a_client_learns_that_it_is_signed_out(folder: Path, examples: dict[str, Path]) -> None:
    followers = {Follower(breaks=0): kind for kind in ("websocket", "events")}
    async with Server(folder, BANK_DEMO="false") as server, asyncio.TaskGroup() as group:
        for follower, kind in followers.items():
            group.create_task(follower.run(examples[kind], f"{server.url}/graphql", "", ""))
    assert [follower.why for follower in followers] == ["signed out"] * 2


async def _follow_all(server: Server, examples: dict[str, Path], followers: dict[Follower, str]) -> list[str]:
    """Make transfers until all followers' connections are broken often enough, and one more; the cursors that they should see."""
    ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
    first, second = [(await ada.open(deposit="1000"))["id"] for _ in range(2)]
    [start, *_] = await all_cursors(ada)
    assert ada.token is not None
    async with asyncio.TaskGroup() as group:
        for follower, kind in followers.items():
            group.create_task(follower.run(examples[kind], f"{server.url}/graphql", ada.token, start))
        while not all(follower.broken.is_set() for follower in followers):
            await ada.transfer(first, second, "0.01", description="one of many")
        await ada.transfer(first, second, "0.01", description="last")
    return (await all_cursors(ada))[1:]
