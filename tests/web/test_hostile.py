"""Hostile documents, and malformed bodies and frames, by the thousand: each costs little, none is a fault, and the log stays short.

Costs are processor time of this process, client included, which does not depend on what else the machine does.
"""

import asyncio
import gzip
import json
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from time import process_time
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bank_graphql.settings import Settings
from tests.client import Client
from tests.serving import connect, scope

LOOP_SECONDS = 0.03
"""What the loop of `allowed` costs on the machine on which one input may cost 0.1 seconds."""
FEW, MANY = 100, pytest.param(2000, marks=[pytest.mark.deep, pytest.mark.timeout(600)])
Make = Callable[[random.Random], str]
FIELDS = ("id", "email", "fullName", "role", "status", "createdAt", "__typename", "nope", "x" * 90)
NAMES = (
    "me",
    "node",
    "nodes",
    "account",
    "users",
    "__schema",
    "__type",
    "rateLimit",
    "clock",
    "signUp",
    "transfer",
    "ü",
    "\u0000",
)
TOKENS = (
    *("{", "}", "(", ")", "[", "]", ":", "=", "!", "...", "@", "$", "&", "|", '"', '"""', "\\", "#", ",", "\ufeff", "\u0000"),
    *("query", "mutation", "subscription", "fragment", "on", "type", "extend", "schema", "null", "true", "1e999", "-0", "007"),
    *("9" * 5000, '"\\ud800"', '"\\u{110000}"', "$", "😀", "me", "id", "a"),
)
"""What documents are made of, and what they are not."""


def nested(draw: random.Random) -> str:
    depth = draw.randint(1, 3000)
    opening = draw.choice(("{ me ", "{ a: me ", "{ ... ", "{ ... on Query ", "{ node(id: 1) "))
    return opening * depth + "{ id }" + "}" * draw.choice((depth, depth - 1, depth + 1))


def fragments(draw: random.Random) -> str:
    number, spreads = draw.randint(1, 300), draw.randint(1, 4)
    last = draw.choice(("id", "...f0", "...missing", "me { id }"))
    parts = [f"fragment f{n} on User {{ {' '.join([f'...f{n + 1}'] * spreads)} }}" for n in range(number)]
    return f"{{ me {{ ...f0 }} }} {' '.join(parts)} fragment f{number} on User {{ {last} }}"


def wide(draw: random.Random) -> str:
    number, name = draw.randint(1, 3000), draw.choice(NAMES)
    alias = draw.choice(("", "a: ", "a{n}: "))
    return "{ " + " ".join(f"{alias.replace('{n}', str(n))}{name} {{ {draw.choice(FIELDS)} }}" for n in range(number)) + " }"


def values(draw: random.Random) -> str:
    depth, kind = draw.randint(1, 2000), draw.choice(("[]", "{}"))
    value = "[" * depth + "]" * depth if kind == "[]" else "{a: " * depth + "1" + "}" * depth
    return f"{{ nodes(ids: {value}) {{ id }} }}"


def variables(draw: random.Random) -> str:
    number, kind = draw.randint(1, 1500), draw.choice(("ID", "[ID!]!", "[" * 200 + "ID" + "]" * 200, "TransferInput", "Nope"))
    return f"query ({' '.join(f'$v{n}: {kind} = {n}' for n in range(number))}) {{ me {{ id }} }}"


def directives(draw: random.Random) -> str:
    return "{ me " + draw.choice(("@skip(if: true) ", "@a ", "@include(if: $x) ")) * draw.randint(1, 2000) + "{ id } }"


def operations(draw: random.Random) -> str:
    kind = draw.choice(("query", "mutation", "subscription", "fragment"))
    return " ".join(f"{kind} q{n} {{ {draw.choice(NAMES)} }}" for n in range(draw.randint(1, 800)))


def introspection(draw: random.Random) -> str:
    depth = draw.randint(1, 60)
    return "{ __schema { types " + "{ fields { type " * depth + "{ name }" + " } }" * depth + " } }"


def soup(draw: random.Random) -> str:
    return " ".join(draw.choices(TOKENS, k=draw.randint(0, 600)))


def texts(draw: random.Random) -> str:
    letter = draw.choice(("x", "é", "😀", "\\n", '\\"', "#\n", "{", "\u202e"))
    return f'{{ account(id: {draw.choice(("1", "3"))}{chr(34) * draw.choice((1, 3))}{letter * draw.randint(1, 100_000)}") {{ id }} }}'


DOCUMENTS: tuple[Make, ...] = (
    nested, fragments, wide, values, variables, directives, operations, introspection, soup, texts,
)  # fmt: skip


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A bank that does little by itself, so that what is measured is the request."""
    return settings.model_copy(update={"job_seconds": 3600})


def allowed() -> float:
    """Return what one input may cost: 0.1 seconds, and more on a slower machine."""
    costs = []
    for _ in range(5):
        began, total = process_time(), 0
        for number in range(500_000):
            total += number % 7
        costs.append(process_time() - began)
    return 0.1 * max(1, min(costs) / LOOP_SECONDS)


class Watched:
    """Runs requests, and notes which of them cost too much."""

    def __init__(self) -> None:
        self.allowed = allowed()
        self.slow: list[tuple[float, str]] = []
        self.given = 0

    async def run(self, request: Callable[[], Awaitable[Any]], given: str | bytes) -> Any:
        """Return the answer to a request, which is made again if it was slow: another task may have run meanwhile."""
        self.given += len(given)
        costs: list[float] = []
        while len(costs) < 5 and min(costs, default=1) > self.allowed:
            began = process_time()
            answer = await request()
            costs.append(process_time() - began)
        if min(costs) > self.allowed:
            self.slow.append((min(costs), str(given[:200])))
        return answer

    def check(self, log: str) -> None:
        """Require that nothing was slow, that there was no fault, and that less was logged than sent."""
        assert self.slow == [] or sys.gettrace() is not None  # what measures coverage costs several times as much
        assert "exception" not in log
        assert len(log) <= self.given


@pytest.mark.parametrize("number", [FEW, MANY])
async def test_hostile_documents(ada: Client, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    watched, draw = Watched(), random.Random(number)
    headers = {"authorization": f"Bearer {ada.token}"}
    for index in range(number):
        text = DOCUMENTS[index % len(DOCUMENTS)](draw)
        body = json.dumps({"query": text}).encode()

        async def request(body: bytes = body) -> httpx.Response:
            return await ada.http.post("/graphql", content=body, headers={**headers, "content-type": "application/json"})

        answer = await watched.run(request, body)
        assert answer.status_code < 500, text[:300]
        codes = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
        assert not codes & {"INTERNAL", "UNAVAILABLE"}, (codes, text[:300])
    watched.check(capsys.readouterr().err)


def bodies(draw: random.Random) -> Iterator[bytes]:
    """Yield malformed bodies, without an end."""
    good = json.dumps(
        {"query": "query Q($id: ID!, $n: [ID!]) { account(id: $id) { id } nodes(ids: $n) { id } }", "operationName": "Q",
         "variables": {"id": "ü😀", "n": ["a", "b"]}, "extensions": {"cost": True}}
    ).encode()  # fmt: skip
    odd = (
        "null",
        "1",
        '""',
        "[]",
        "{}",
        "[[]]",
        "NaN",
        "Infinity",
        "-0",
        "1e400",
        "9" * 5000,
        '"\\ud800"',
        '"\\u0000"',
        "tru",
        "{",
        '{"a":1,"a":2}',
    )
    members = ("query", "operationName", "variables", "extensions", "id")
    while True:
        at, other = draw.randrange(len(good)), draw.randrange(len(good))
        depth = draw.randint(1, 20_000)
        member, value = draw.choice(members), draw.choice(odd)
        yield draw.choice(
            (
                good[:at],
                good[:at] + bytes([draw.randrange(256)]) + good[at + 1 :],
                good[:at] + draw.randbytes(draw.randint(1, 50)) + good[at:],
                good[: min(at, other)] + good[max(at, other) :],
                good * 2,
                b"\xef\xbb\xbf" + good,
                good.decode().encode(draw.choice(("utf-16", "utf-32", "latin-1")), "replace"),
                gzip.compress(good),
                draw.randbytes(draw.randint(0, 2000)),
                b"[" * depth + b"]" * draw.choice((depth, 0)),
                b'{"variables": ' * depth + b"1" + b"}" * depth,
                f'{{"query": "{{ me {{ id }} }}", "{member}": {value}}}'.encode(),
                f"[{value}]".encode(),
                value.encode(),
                json.dumps({"query": "{ me { id } }", "variables": {f"v{n}": [n] for n in range(depth)}}).encode(),
            )
        )


TYPES = (
    "application/json",
    "application/json; charset=utf-16",
    "application/graphql-response+json",
    "text/plain",
    "multipart/form-data",
    "",
    "ü",
    "application/x-www-form-urlencoded",
)


@pytest.mark.parametrize("number", [4 * FEW, pytest.param(8000, marks=[pytest.mark.deep, pytest.mark.timeout(600)])])
async def test_malformed_bodies(http: httpx.AsyncClient, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    watched, draw = Watched(), random.Random(number)
    given = bodies(draw)
    for index in range(number):
        body, kind = next(given), TYPES[0] if index % 4 else draw.choice(TYPES)

        async def request(body: bytes = body, kind: str = kind) -> httpx.Response:
            return await http.post("/graphql", content=body, headers={b"content-type": kind.encode("latin-1")})

        answer = await watched.run(request, body + b" " * 100)
        assert answer.status_code < 500, body[:300]
    watched.check(capsys.readouterr().err)


def frames(draw: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Yield what clients send on a socket after it is open, without an end."""
    opening = {"text": '{"type": "connection_init"}'}
    kinds: tuple[Any, ...] = (
        "connection_init",
        "subscribe",
        "complete",
        "ping",
        "pong",
        "next",
        "error",
        "nope",
        "",
        "ü",
        None,
        1,
        [],
        {},
    )
    payloads: tuple[Any, ...] = (
        None,
        1,
        "x",
        [],
        {},
        {"query": 1},
        {"query": "{"},
        {"query": "{ me { id } }", "variables": []},
        {"query": "x" * 5000},
    )
    given = bodies(draw)
    while True:
        message = json.dumps(
            {"id": draw.choice(("1", "", 1, None, "x" * 5000)), "type": draw.choice(kinds), "payload": draw.choice(payloads)}
        )
        odd = draw.choice(
            (
                {"text": message},
                {"bytes": next(given)},
                {"text": next(given).decode("utf-8", "replace")},
                {"text": ""},
                {"bytes": b""},
            )
        )
        yield [opening, odd, {"text": message}] if draw.random() < 0.6 else [odd, opening]


async def talk(app: Starlette, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Open a socket, send the frames, and return what came back."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for each in ({"type": "websocket.connect"}, *({"type": "websocket.receive", **frame} for frame in sent)):
        incoming.put_nowait(each)
    incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
    answers: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        answers.append(message)

    place = {**scope("websocket"), "subprotocols": ["graphql-transport-ws"], "scheme": "ws"}
    await asyncio.wait_for(app(place, incoming.get, send), 20)
    return answers


@pytest.mark.parametrize("number", [FEW, MANY])
async def test_malformed_frames(app: Starlette, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    watched, draw = Watched(), random.Random(number)
    given = frames(draw)
    for _ in range(number):
        sent = next(given)

        async def request(sent: list[dict[str, Any]] = sent) -> list[dict[str, Any]]:
            return await talk(app, sent)

        answers = await watched.run(request, str(sent))
        assert answers[0]["type"] == "websocket.accept"
        closed = {each["code"] for each in answers if each["type"] == "websocket.close"}
        assert closed <= {1000, 4400, 4401, 4403, 4408, 4409, 4429, 1009}, (closed, sent)
    assert (await connect(app).get("/health/live")).status_code == 200
    watched.check(capsys.readouterr().err)
