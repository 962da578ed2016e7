"""Azure and Terraform, as far as the scripts that deploy use them: revisions of the bank as processes, behind a small proxy."""

import asyncio
import json
import random
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from tests.e2e.processes import Server, command
from tests.ports import free_port

_PROGRAM = """#!{python}
import json, socket, sys
with socket.create_connection(("127.0.0.1", {port})) as line:
    line.sendall(json.dumps(["{name}", *sys.argv[1:]]).encode() + b"\\n")
    code, out = json.loads(line.makefile().readline())
print(out, end="", file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
Message = MutableMapping[str, Any]


class Cloud:
    """What runs, and what gets how much of the traffic.

    Attributes:
        revisions: the servers, by the names of their revisions.
        weights: the per cent of the traffic of each revision.
        labels: the revision of each label.
        commands: what was done, in its order, in short.
        answered: how many requests each revision answered through the proxy.
        fails_after: the number of the next command of `az` that fails. 0: none.
        url: the bank's address, of the proxy.

    Args:
        folder: the data folder of the bank.
        start: starts a server of an image.
    """

    def __init__(self, folder: Path, start: Callable[[str], Awaitable[Server]]) -> None:
        self._folder = folder
        self._start = start
        self._executions: dict[str, asyncio.Task[int]] = {}
        self.revisions: dict[str, Server] = {}
        self.weights: dict[str, int] = {}
        self.labels: dict[str, str] = {}
        self.commands: list[str] = []
        self.answered: Counter[str] = Counter()
        self.fails_after = 0
        self.url = ""

    @asynccontextmanager
    async def running(self, programs: Path) -> AsyncIterator[dict[str, str]]:
        """Run the proxy, and yield the environment of the scripts: `az` and `terraform` are in the folder `programs`."""
        control = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = control.sockets[0].getsockname()[1]
        for name in ("az", "terraform"):
            (programs / name).write_text(_PROGRAM.format(python=sys.executable, port=port, name=name), encoding="utf-8")
            (programs / name).chmod(0o755)
        proxy_port = free_port()
        self._client = httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_keepalive_connections=50))
        proxy = uvicorn.Server(uvicorn.Config(self._proxy, port=proxy_port, interface="asgi3", lifespan="off", log_level="error"))
        proxying = asyncio.create_task(proxy.serve())
        self.url = f"http://127.0.0.1:{proxy_port}"
        try:
            yield {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "RESOURCE_GROUP": "rg-bank", "APP": "bank"}
        finally:
            proxy.should_exit = True
            await proxying
            await self._client.aclose()
            control.close()

    async def add(self, suffix: str, image: str) -> None:
        """Start a server as a revision, without traffic."""
        self.revisions[f"bank--{suffix}"] = await self._start(image)
        self.weights.setdefault(f"bank--{suffix}", 0)

    async def end(self, revision: str) -> None:
        """Stop a revision without traffic, if it runs."""
        if revision in self.revisions:
            assert self.weights.pop(revision) == 0
            await self.revisions.pop(revision).end()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        program, *arguments = json.loads(await reader.readline())
        try:
            answer = await (self._terraform(arguments) if program == "terraform" else self._az(arguments))
            code = 0
        except (LookupError, AssertionError) as error:
            code, answer = 2, f"it failed: {error}"
        writer.write(json.dumps([code, f"{answer}\n" if answer else ""]).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def _terraform(self, arguments: list[str]) -> str:
        verb, *rest = (each for each in arguments if not each.startswith("-chdir"))
        if verb == "plan":
            given = {rest[n + 1] for n, each in enumerate(rest) if each == "-var"}
            out = next(each.removeprefix("-out=") for each in rest if each.startswith("-out="))
            Path(out).write_text(json.dumps(dict(each.split("=", 1) for each in sorted(given))), encoding="utf-8")
            return "planned"
        if verb == "show":
            return Path(rest[-1]).read_text(encoding="utf-8")
        if verb == "apply":
            plan = json.loads(Path(rest[-1]).read_text(encoding="utf-8"))
            self.commands.append("add revision")
            await self.add(plan["revision"], plan["image"])
        return ""

    async def _az(self, arguments: list[str]) -> str:
        self.fails_after -= 1
        if self.fails_after == 0:
            raise LookupError("the cloud is out of order")
        words, options = _parse(arguments)
        query = " ".join(options.get("--query", []))
        match words[1:]:
            case ["show"]:
                return {
                    "properties.template.containers[0].image": f"registry.azurecr.io/bank@sha256:{1:064x}",
                    "properties.template.revisionSuffix": "old",
                    "properties.configuration.registries[0].server": "registry.azurecr.io",
                }[query]
            case ["ingress", "traffic", "show"]:
                return self._traffic(query)
            case ["ingress", "traffic", "set"]:
                self.weights |= {name: int(weight) for name, weight in (each.split("=") for each in options["--revision-weight"])}
                assert sum(self.weights.values()) == 100
                self.commands.append("weights " + " ".join(f"{name[6:]}={self.weights[name]}" for name in sorted(self.weights)))
            case ["revision", "label", verb]:
                self._label(verb, options)
            case ["revision", "show"]:
                ready = await self.revisions[options["--revision"][0]].http.get("/health/ready")
                return "Healthy" if ready.status_code == 200 else "Unhealthy"
            case ["revision", "list"]:
                return "\n".join(self.revisions)
            case ["revision", "deactivate"]:
                await self.end(options["--revision"][0])
            case ["job", *rest]:
                return self._job(rest, options)
            case _:
                raise LookupError(arguments)
        return ""

    def _traffic(self, query: str) -> str:
        if found := re.fullmatch(r"\[\?weight>`0` && revisionName!='([\w-]+)'\]\.revisionName", query):
            return "\n".join(name for name, weight in self.weights.items() if weight and name != found[1])
        if found := re.fullmatch(r"\[\?label=='(\w+)'\]\.revisionName", query):
            return self.labels.get(found[1], "")
        found = re.fullmatch(r"\[\?revisionName=='([\w-]+)'\]\.weight", query)
        assert found, query
        return str(self.weights[found[1]]) if found[1] in self.weights else ""

    def _label(self, verb: str, options: dict[str, list[str]]) -> None:
        if verb == "swap":
            source, target = options["--source"][0], options["--target"][0]
            self.labels[source], self.labels[target] = self.labels[target], self.labels[source]
            return
        label = options["--label"][0]
        if verb == "remove":
            del self.labels[label]
            return
        revision = options["--revision"][0]
        assert revision in self.revisions
        self.labels = {name: each for name, each in self.labels.items() if each != revision} | {label: revision}

    def _job(self, words: list[str], options: dict[str, list[str]]) -> str:
        name = options["--name"][0].removeprefix("bank-")
        if words == ["start"]:
            self.commands.append(name)
            arguments = [name] if name == "migrate" else [name, self.revisions[self.labels["green"]].url]
            execution = f"{name}-{len(self._executions)}"
            self._executions[execution] = asyncio.create_task(self._run(arguments))
            return execution
        if words == ["execution", "show"]:
            task = self._executions[options["--job-execution-name"][0]]
            return "Running" if not task.done() else "Failed" if task.result() else "Succeeded"
        return name  # of an update

    async def _run(self, arguments: list[str]) -> int:
        ended = await asyncio.to_thread(command, *arguments, folder=self._folder)
        sys.stderr.write(ended.stderr)
        return ended.returncode

    async def _proxy(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Pass a request on to a revision, drawn by the weights, and its answer back as it comes."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        [name] = random.choices(list(self.weights), list(self.weights.values()))
        self.answered[name] += 1
        headers = [(key, value) for key, value in scope["headers"] if key not in {b"host", b"connection"}]
        url = self.revisions[name].url + scope["path"]
        async with self._client.stream(scope["method"], url, headers=headers, content=body) as answer:
            kept = [(key, value) for key, value in answer.headers.raw if key.lower() not in {b"connection", b"transfer-encoding"}]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _parse(arguments: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words of a command, and the values of its options."""
    words = arguments[: next(number for number, each in enumerate(arguments) if each.startswith("--"))]
    options: dict[str, list[str]] = {}
    for each in arguments[len(words) :]:
        if each.startswith("--"):
            values = options[each] = []
        else:
            values.append(each)
    return words, options
