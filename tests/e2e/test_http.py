"""HTTP clients that we do not use ourselves, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import websockets

from tests.client import PASSWORD, Client
from tests.e2e.processes import Server
from tests.folders import reachable_folder

ME = json.dumps({"query": "{ __typename }"}).encode()
ANSWER = b'{"data":{"__typename":"Query"}}'
H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
Exchange = Callable[..., Awaitable[bytes]]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """The running bank's data folder."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
async def server(place: Path) -> AsyncIterator[Server]:
    """A running bank."""
    async with Server(place, "--no-demo", BANK_ALLOWED_ORIGINS="https://app.example") as running:
        yield running


@pytest.fixture
def exchange(server: Server) -> Exchange:
    """Sends pieces, each once the one before is on its way, and gives all that comes back."""

    async def run(*pieces: bytes, half_close: bool = False) -> bytes:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**24)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(20):
            received = await reader.read()
        writer.close()
        return received

    return run


def request(body: bytes = ME, more: bytes = b"", *, last: bool = True) -> bytes:
    """A POST."""
    head = b"POST /graphql HTTP/1.1\r\nhost: bank\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return head + more + (b"connection: close\r\n" if last and not more else b"") + b"\r\n" + body


async def test_an_upgrade_to_anything_but_websocket_is_ignored(exchange: Exchange) -> None:
    whole = request(more=H2C)
    ending = request()
    for pieces in (
        [whole + ending],
        [whole, ending],
        [whole[: -len(ME)], ME, ending],
        [whole[:60], whole[60:130], whole[130:], ending],
    ):
        assert (await exchange(*pieces)).count(ANSWER) == 2
    in_chunks = request(more=H2C).replace(b"content-length: %d" % len(ME), b"transfer-encoding: chunked").removesuffix(ME)
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ME), ME)
    assert (await exchange(in_chunks + chunk + ending)).count(ANSWER) == 2
    read = b"GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nhost: bank\r\n" + H2C + b"\r\n"
    assert (await exchange(read + ending)).count(ANSWER) == 2
    tls = H2C.replace(b"h2c", b"TLS/1.0")
    assert (await exchange(request(more=tls) + ending)).count(ANSWER) == 2


async def test_requests_that_llhttp_takes_for_the_last_of_http(exchange: Exchange, server: Server) -> None:
    assert b" 400 " in await exchange(b"CONNECT localhost:80 HTTP/1.1\r\nhost: bank\r\n\r\n")
    read = b"GET /version HTTP/1.1\r\nhost: bank\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    assert (await exchange(read * 700 + request())).count(b"HTTP/1.1 200 OK") == 701


@pytest.mark.parametrize(("path", "status"), [("/graphql", 415), ("/nowhere", 404), ("/version", 405)])
async def test_an_answer_that_comes_before_all_of_its_request_is_not_lost(server: Server, path: str, status: int) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        for _ in range(3):
            refused = await http.post(path, content=b" " * 20_000_000, headers={"content-type": "text/plain"})
            assert refused.status_code == status


async def test_a_large_request_is_charged_before_it_is_read(place: Path) -> None:
    with reachable_folder() as folder:
        async with Server(folder, "--no-demo", BANK_RATE_LIMIT="200000") as small:
            for query in ("x", "{ __typename }"):
                body = json.dumps({"query": query, "extensions": {"x": [{}] * 200_000}})
                statuses = [
                    (await small.http.post("/graphql", content=body, headers={"content-type": "application/json"})).status_code
                    for _ in range(12)
                ]
                assert statuses[-1] == 429


async def test_a_head_with_an_ignored_upgrade_is_held_to_its_size(exchange: Exchange) -> None:
    assert b" 431 " in await exchange(request(more=H2C + b"x: " + b"y" * 70_000 + b"\r\n"))


@pytest.mark.parametrize("length", [1_100_000, 5_000_000, 30_000_000])
async def test_a_body_that_is_too_large_gets_its_answer(exchange: Exchange, server: Server, length: int) -> None:
    body = b" " * length
    answer = await exchange(request(body))
    assert b" 413 " in answer
    assert b"BAD_REQUEST" in answer
    in_chunks = request().replace(b"content-length: %d" % len(ME), b"transfer-encoding: chunked").removesuffix(ME)
    chunks = b"".join(b"10000\r\n%b\r\n" % (b" " * 65536) for _ in range(length // 65536 + 1)) + b"0\r\n\r\n"
    if length < 8_000_000:  # beyond that a body without a length is cut off
        assert b" 413 " in await exchange(in_chunks + chunks)
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        assert (await http.post("/graphql", content=body, headers={"content-type": "application/json"})).status_code == 413


async def test_who_sends_nothing_more_gets_the_answer(exchange: Exchange) -> None:
    assert ANSWER in await exchange(request(last=False), half_close=True)
    two = [request(last=False), request(last=False)]
    assert (await exchange(*two, half_close=True)).count(ANSWER) == 2
    assert await exchange(request()[:-3], half_close=True) == b""
    assert await exchange(half_close=True) == b""


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_methods_are_answered_the_same_with_and_without_an_origin(server: Server, method: str) -> None:
    answers = []
    for headers in ({}, {"origin": "https://app.example"}, {"origin": "https://evil.example"}):
        answered = await server.http.request(method, "/graphql", headers=headers)
        answers.append(
            (answered.status_code, answered.headers.get("allow"), answered.headers.get("content-type"), answered.content)
        )
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == {"OPTIONS": 204, "HEAD": 400}.get(method, 405)


async def test_a_sockets_messages_are_bounded(server: Server) -> None:
    async def send(connection: Any, message: str, times: int) -> int:
        async with asyncio.timeout(20):
            try:
                for _ in range(times):
                    await connection.send(message)
                async for _ in connection:
                    pass
            except websockets.ConnectionClosed:
                pass
        code: int = connection.close_code
        return code

    address, protocol = server.url.replace("http", "ws", 1) + "/graphql", [websockets.Subprotocol("graphql-transport-ws")]
    async with websockets.connect(address, subprotocols=protocol) as early:
        assert await send(early, '{"type":"ping"}', 20) == 4400
    async with websockets.connect(address, subprotocols=protocol) as late:
        await late.send('{"type":"connection_init"}')
        assert json.loads(await late.recv())["type"] == "connection_ack"
        assert await send(late, '{"type":"ping"}', 3000) == 1008


async def test_an_address_that_signs_up_many_times_at_once_is_in_no_log(server: Server, place: Path) -> None:
    document = "mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }"
    given = {"email": "a-very-private-address@bank.test", "password": PASSWORD, "fullName": "Very Private"}
    answers = await asyncio.gather(*(Client(server.http).run(document, input=given) for _ in range(8)))
    assert sum(answer["signUp"]["__typename"] == "AuthSession" for answer in answers) == 1
    log = (place / "postgres.log").read_text(encoding="utf-8")
    assert "ready to accept connections" in log
    assert "private" not in log.lower()


async def test_the_embedded_databases_log_quotes_no_rows(server: Server, place: Path) -> None:
    address = (place / "postgres.socket").read_text(encoding="utf-8")
    connection = await asyncpg.connect(f"postgresql://bank@/bank?host={address}")
    with pytest.raises(asyncpg.NotNullViolationError):
        await connection.execute("INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'quoted-in-detail@bank.test')")
    await connection.close()
    log = place / "postgres.log"
    async with asyncio.timeout(10):  # the bank writes it as it comes
        while "violates not-null constraint" not in log.read_text(encoding="utf-8"):
            await asyncio.sleep(0.01)
    assert "quoted-in-detail" not in log.read_text(encoding="utf-8")
