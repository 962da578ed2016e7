"""The feed over real sockets and event streams."""

import asyncio
import json
import os
import signal
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.client import Client, key, transfer_of
from tests.e2e.processes import Server
from tests.e2e.sockets import FEED, PROTOCOL, Socket, all_cursors, events, socket
from tests.folders import reachable_folder

Two = tuple[Client, str, Client, str]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    """One bank for all tests but those that end theirs: starting takes longer than most of them."""
    with reachable_folder() as folder:
        async with Server(folder, BANK_DEMO="false", BANK_LOG_IN_RATE_LIMIT="100000") as running:
            yield running


@pytest.fixture
async def two(server: Server) -> Two:
    """Ada and Grace, new to the bank, each with an account that has money."""
    ada = await Client(server.http).sign_up(f"ada-{key()}@bank.test", "Ada Lovelace")
    grace = await Client(server.http).sign_up(f"grace-{key()}@bank.test", "Grace Hopper")
    return ada, (await ada.open(deposit="1000"))["id"], grace, (await grace.open(deposit="1000"))["id"]


async def test_events_arrive_once_in_order_and_after_a_break(server: Server, two: Two) -> None:
    ada, first, grace, second = two
    seen: list[dict[str, Any]] = []
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        await connection.subscribe()
        await connection.subscribe("{ me { fullName } }", key="2")  # answered once the feed is followed
        assert (await connection.receive())["payload"]["data"] == {"me": {"fullName": "Ada Lovelace"}}
        assert (await connection.receive()) == {"type": "complete", "id": "2"}
        for amount in range(1, 4):
            await ada.transfer(first, second, str(amount))
            seen.append(await connection.event())
    for amount in range(4, 7):
        await grace.transfer(second, first, str(amount))
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        await connection.subscribe(after=seen[-1]["cursor"])
        seen += [await connection.event() for _ in range(3)]
        await ada.transfer(first, second, "7")
        seen.append(await connection.event())
    assert [event["transaction"]["amount"]["amount"] for event in seen] == [f"{n}.00" for n in range(1, 8)]
    assert {event["account"]["id"] for event in seen} == {first}
    data = await ada.run("{ transactionEvents(first: 50) { nodes { cursor } pageInfo { hasNextPage } } }")
    cursors = [node["cursor"] for node in data["transactionEvents"]["nodes"]]
    assert cursors[-7:] == [event["cursor"] for event in seen]


async def test_the_feeds_end_is_a_place_to_begin(server: Server, two: Two) -> None:
    ada, first, _, second = two
    await ada.transfer(first, second, "1")
    end = (await ada.run("{ feedCursor }"))["feedCursor"]
    await ada.transfer(first, second, "2")
    page = await ada.run("query ($after: String) { transactionEvents(after: $after) { nodes { cursor } } }", after=end)
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        await connection.subscribe(after=end)
        event = await connection.event()
        assert event["transaction"]["amount"]["amount"] == "2.00"
    assert [event["cursor"]] == [each["cursor"] for each in page["transactionEvents"]["nodes"]]


async def test_the_same_over_an_event_stream(server: Server, two: Two) -> None:
    ada, first, _, second = two
    assert ada.token is not None
    await ada.transfer(first, second, "1")
    data = await ada.run("{ transactionEvents(first: 1) { nodes { cursor } } }")
    async with events(server.http, ada.token, after=data["transactionEvents"]["nodes"][0]["cursor"]) as stream:
        name, answer = await anext(stream)
        assert name == "next"
        assert answer["data"]["transactionFeed"]["transaction"]["amount"]["amount"] == "1.00"
        await ada.transfer(first, second, "2")
        name, answer = await anext(stream)
        assert answer["data"]["transactionFeed"]["transaction"]["amount"]["amount"] == "2.00"


async def ending(connection: Socket) -> tuple[list[Any], int]:
    """What else the bank says, and the code that it closes the socket with."""
    said = []
    with suppress(websockets.ConnectionClosedError):  # said of codes that mean something
        async for message in connection.connection:
            said.append(json.loads(message))  # noqa: PERF401 - a close may interrupt it
    assert connection.connection.close_code is not None
    return said, connection.connection.close_code


async def close_code(connection: Socket) -> int:
    """The code that the bank closes a socket with."""
    return (await ending(connection))[1]


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "[]",
        "null",
        '"subscribe"',
        "{}",
        '{"type": 1}',
        '{"type": "unheard of"}',
        '{"type": "' + "\N{GRINNING FACE}" * 100 + '"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ me { id } }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ me { id } }"}}',
        '{"type": "subscribe", "id": "1", "payload": "{ me { id } }"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ me { id } }", "variables": []}}',
        '{"type": "complete"}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        "[" * 100_000,
        '{"type": "ping", "payload": ' + "9" * 5000 + "}",
        "\N{GRINNING FACE}",
    ],
)
async def test_frames_of_no_shape_close_the_socket_and_the_bank_lives(server: Server, frame: str) -> None:
    async with socket(server.url) as connection:
        await connection.start()
        await connection.connection.send(frame)
        if "99999" not in frame:
            assert await close_code(connection) == 4400
    assert (await server.http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200


async def test_a_socket_keeps_to_its_protocol(server: Server) -> None:
    async with socket(server.url) as connection:
        await connection.subscribe("{ me { id } }")
        assert await close_code(connection) == 4401
    async with socket(server.url) as connection:
        await connection.start()
        await connection.send(type="connection_init")
        assert await close_code(connection) == 4429
    async with socket(server.url) as connection:
        await connection.connection.send(b"binary")
        assert await close_code(connection) == 4400
    async with socket(server.url) as connection:
        await connection.send(type="connection_init", payload={"authorization": "Bearer forged"})
        assert await close_code(connection) == 4403
    async with socket(server.url) as connection:
        await connection.send(type="connection_init", payload={"authorization": ["Bearer"]})
        assert await close_code(connection) == 4403
    async with socket(server.url) as connection:
        await connection.start()
        await connection.send(type="ping")
        assert (await connection.receive())["type"] == "pong"
        await connection.subscribe(FEED)
        assert (await connection.receive())["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await connection.subscribe("{ nothing }", key="2")
        assert (await connection.receive())["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        await connection.subscribe("{ __typename }", key="3")
        assert (await connection.receive())["payload"] == {"data": {"__typename": "Query"}}
    address = server.url.replace("http", "ws") + "/graphql"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("graphql-ws")]) as legacy:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await legacy.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4406


async def test_sockets_have_the_trusted_documents(folder: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"c0ffee": "{ clock { movable } }", "feed": FEED}), encoding="utf-8")
    more = {"BANK_TRUSTED_DOCUMENTS": str(manifest), "BANK_TRUSTED_ONLY": "true"}
    async with Server(folder, "--no-demo", **more) as server, socket(server.url) as made:
        await made.start()
        await made.send(type="subscribe", id="1", payload={"documentId": "c0ffee"})
        assert (await made.receive())["payload"] == {"data": {"clock": {"movable": True}}}
        assert (await made.receive())["type"] == "complete"
        for key_, payload in (
            ("2", {"documentId": "unknown"}),
            ("3", {"query": "{ clock { now } }"}),
            ("4", {"documentId": "feed"}),
        ):
            await made.send(type="subscribe", id=key_, payload=payload)
            answer = await made.receive()
            assert (answer["type"], answer["id"]) == ("error", key_)
            assert answer["payload"][0]["extensions"]["code"] == ("UNAUTHENTICATED" if key_ == "4" else "BAD_REQUEST")


async def test_foreign_pages_are_turned_away(server: Server) -> None:
    address = server.url.replace("http", "ws") + "/graphql"
    for origin, welcome in (("https://evil.example", False), (server.url, True), ("null", False), ("http://[", False)):
        connecting = websockets.connect(
            address, subprotocols=[websockets.Subprotocol(PROTOCOL)], origin=websockets.Origin(origin)
        )
        if welcome:
            async with connecting as connection:
                await connection.close()
        else:
            with pytest.raises(websockets.InvalidStatus) as refused:
                await connecting
            assert refused.value.response.status_code == 403


def bare(server: Server) -> "tuple[sockets.socket, bytes]":
    """A socket after its handshake, below any library; and what makes the head of a frame of a client's."""
    made = sockets.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10)
    made.sendall(
        b"GET /graphql HTTP/1.1\r\nHost: bank\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += made.recv(1)
    return made, answer.split()[1]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame, under a mask of zeros."""
    return bytes([opcode | 0x80 * fin, 0x80 | len(payload)]) + bytes(4) + payload


CLOSE, PING, PONG, CONT, TEXT = 8, 9, 10, 0, 1


def code_of(made: sockets.socket) -> int:
    """The code that the bank closes with, whatever it says before."""
    said = b""
    with suppress(ConnectionError):
        while more := made.recv(65536):
            said += more
    return int.from_bytes(said[(at := said.rindex(b"\x88")) + 2 : at + 4])


@pytest.mark.parametrize("flood", [frame(PONG), frame(PING), frame(TEXT, b"[", fin=False) + frame(CONT, fin=False)])
async def test_frames_that_cost_nothing_hold_up_nobody(server: Server, flood: bytes) -> None:
    made, status = bare(server)
    assert status == b"101"

    def send() -> bool:
        with made, suppress(ConnectionError):
            for _ in range(1000):
                made.sendall(flood[:-6] + flood[-6:] * 10_000)
            return False
        return True

    sending = asyncio.create_task(asyncio.to_thread(send))
    slowest = 0.0
    while not sending.done():
        started = asyncio.get_running_loop().time()
        assert (await server.http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200
        slowest = max(slowest, asyncio.get_running_loop().time() - started)
    assert await sending  # until it was cut off
    assert slowest < 2


async def test_too_many_frames_and_no_utf8_are_reported_to_the_client_and_not_to_the_log(folder: Path) -> None:
    async with Server(folder, BANK_DEMO="false") as server:
        for sent, code in (
            (frame(PONG) * 2001, 1008),
            (frame(TEXT, b"\xff\xfe"), 1007),
            (frame(TEXT, b'{"type": "ping"}') + frame(TEXT, b"\xff\xff"), 1007),
            (frame(TEXT, b'{"type": "connection_init"}') * 2 + frame(TEXT, b"\xff\xff"), 1007),
        ):
            made, _ = bare(server)
            with made:
                made.sendall(sent)
                assert await asyncio.to_thread(code_of, made) == code
        assert (await server.http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200
        await server.end()
    assert "Traceback" not in server.output
    assert "rror" not in server.output


async def test_sockets_that_do_not_say_who_they_are_are_bounded(server: Server) -> None:
    opened = [bare(server) for _ in range(201)]
    assert [status for _, status in opened].count(b"403") >= 1
    for made, _ in opened:
        made.close()
    while True:  # until the bank has noticed
        made, status = bare(server)
        made.close()
        if status == b"101":
            break


async def test_a_stream_that_only_its_head_is_asked_of_does_not_begin(server: Server, two: Two) -> None:
    ada, *_ = two
    for _ in range(201):  # more than a user may have
        answer = await server.http.request(
            "HEAD",
            "/graphql",
            params={"query": "subscription { transactionFeed { cursor } }"},
            headers={"accept": "text/event-stream", "authorization": f"Bearer {ada.token}"},
        )
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        await connection.subscribe()
        await connection.subscribe("{ __typename }", key="2")
        assert [(await connection.receive())["type"] for _ in range(2)] == ["next", "complete"]


async def test_operations_and_streams_are_bounded(server: Server, two: Two) -> None:
    ada, *_ = two
    async with socket(server.url, max_queue=None) as connection:
        await connection.start(ada.token)
        for number in range(1_900):
            await connection.subscribe(key=str(number))
        refused = [await connection.receive() for _ in range(1_800)]
        assert {message["type"] for message in refused} == {"error"}
        assert {message["payload"][0]["extensions"]["code"] for message in refused} == {"RATE_LIMITED"}
        for number in range(1_000):
            with suppress(websockets.ConnectionClosed):
                await connection.subscribe(key=f"more {number}")
        assert await close_code(connection) == 1008
    assert (await server.http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200


async def test_who_reads_too_slowly_is_cut_off_and_resumes(server: Server, two: Two) -> None:
    ada, first, _, second = two
    before = await all_cursors(ada)
    # So much is selected of each event that what lies between the bank and its client holds few of them.
    much = FEED.replace("cursor", "cursor " + " ".join(f"a{n}: transaction {{ description }}" for n in range(25)))
    seen: list[dict[str, Any]] = []
    async with socket(server.url, max_queue=1) as connection:
        await connection.start(ada.token)
        await connection.subscribe(much)
        await connection.subscribe("{ __typename }", key="2")
        assert [(await connection.receive())["type"] for _ in range(2)] == ["next", "complete"]
        for _ in range(6):
            await ada.batch(*[transfer_of(first, second, "0.01", description="much " * 28) for _ in range(500)])
        with pytest.raises(websockets.ConnectionClosedError) as closed:  # noqa: PT012 - at some event or other
            while True:
                seen.append(await connection.event())
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
    assert 0 < len(seen) < 3000
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        await connection.subscribe(after=seen[-1]["cursor"])
        while len(seen) < 3000:
            seen.append(await connection.event())
    assert [event["cursor"] for event in seen] == (await all_cursors(ada))[len(before) :]


async def test_streams_end_with_their_session(server: Server, two: Two) -> None:
    ada, _, grace, _ = two
    assert ada.token is not None
    async with socket(server.url) as connection, events(server.http, ada.token) as stream, socket(server.url) as others:
        await connection.start(ada.token)
        await connection.subscribe()
        await others.start(grace.token)
        await others.subscribe()
        await ada.run("mutation { logOut { __typename } }")
        async with asyncio.timeout(6):
            assert await close_code(connection) == 4403
            assert [event async for event in stream] == []  # cut off, so that the client comes again, and is refused:
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {ada.token}"}
        refused = await server.http.post("/graphql", json={"query": FEED}, headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
        async with socket(server.url, additional_headers={"authorization": f"Bearer {ada.token}"}) as again:
            await again.send(type="connection_init")
            assert await close_code(again) == 4403
        await others.send(type="ping")
        assert (await others.receive())["type"] == "pong"


async def test_a_closed_account_has_a_last_event(server: Server, two: Two) -> None:
    ada, first, _, _ = two
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        await connection.subscribe(accounts=[first])
        await connection.subscribe("{ __typename }", key="2")
        assert [(await connection.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await ada.withdraw(first, "1000")
        assert (await connection.event())["account"]["id"] == first
        await ada.run("mutation ($id: ID!) { closeAccount(id: $id) { __typename } }", id=first)
        async with asyncio.timeout(6):
            assert await connection.receive() == {"type": "complete", "id": "1"}


async def test_cursors_that_make_no_sense(server: Server, two: Two) -> None:
    ada, first, _, second = two
    async with socket(server.url) as connection:
        await connection.start(ada.token)
        for number, given in enumerate[dict[str, Any]](
            ({"after": "garbage"}, {"after": first}, {"accounts": [second]}, {"accounts": ["x"]}, {"accounts": []})
        ):
            await connection.subscribe(key=str(number), **given)
            message = await connection.receive()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_sigterm_ends_streams_first_and_at_once_so_that_clients_come_again(folder: Path) -> None:
    async with Server(folder, BANK_DEMO="false") as server, AsyncExitStack() as open_ones:
        ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
        assert ada.token is not None
        sockets = [await open_ones.enter_async_context(socket(server.url)) for _ in range(10)]
        for connection in sockets:
            await connection.start(ada.token)
            for number in range(5):
                await connection.subscribe(key=str(number))
            await connection.subscribe("{ __typename }", key="last")
            assert [(await connection.receive())["type"] for _ in range(2)] == ["next", "complete"]
        stream = await open_ones.enter_async_context(events(server.http, ada.token))
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(8):
            for connection in sockets:
                assert await ending(connection) == ([], 1012)  # a message "error" or "complete" would be the client's end
            assert [event async for event in stream] == []
            assert await asyncio.to_thread(server.process.wait) in {0, -signal.SIGTERM}
    assert "Traceback" not in server.output
    assert "exception" not in server.output


async def test_the_bank_and_its_database_are_killed_and_nothing_is_lost(folder: Path) -> None:
    seen: list[dict[str, Any]] = []

    async def follow(server: Server, many: int) -> None:
        async with socket(server.url) as connection:
            await connection.start(ada.token)
            await connection.subscribe(after=seen[-1]["cursor"] if seen else None)
            while len(seen) < many:
                seen.append(await connection.event())

    async with Server(folder, BANK_DEMO="false") as server:
        ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
        grace = await Client(server.http).sign_up("grace@bank.test", "Grace Hopper")
        first, second = (await ada.open(deposit="1000"))["id"], (await grace.open())["id"]
        async with socket(server.url) as connection:
            await connection.start(ada.token)
            await connection.subscribe()
            await connection.subscribe("{ __typename }", key="2")
            assert [(await connection.receive())["type"] for _ in range(2)] == ["next", "complete"]
            await ada.transfer(first, second, "1")
            seen.append(await connection.event())
            database = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(database, signal.SIGKILL)
            await server.until_ready()
            ada.http = server.http
            while True:  # a new server may be a moment in coming
                answer = await ada.post(TRANSFER, first=first, second=second, key="after the database")
                if (answer.get("data") or {}).get("transfer", {}).get("__typename") == "MoneyMoved":
                    break
            async with asyncio.timeout(30):
                seen.append(await connection.event())  # the stream has lived through it
        await ada.transfer(first, second, "3")
        server.process.kill()
        await asyncio.to_thread(server.process.wait)
    async with Server(folder, BANK_DEMO="false") as server:
        ada.http = server.http
        await ada.transfer(first, second, "4")
        async with asyncio.timeout(30):
            await follow(server, 4)
    assert [event["transaction"]["amount"]["amount"] for event in seen] == ["1.00", "2.00", "3.00", "4.00"]


TRANSFER = (
    "mutation ($first: ID!, $second: ID!, $key: String!) { transfer(input: {fromAccountId: $first, to: {accountId: $second}, "
    'amount: {amount: "2", currency: EUR}, idempotencyKey: $key}) { __typename } }'
)


async def test_event_streams_answer_any_operation(server: Server, two: Two) -> None:
    ada, *_ = two
    assert ada.token is not None
    async with events(server.http, ada.token, "{ me { fullName } }") as stream:
        assert await anext(stream) == ("next", {"data": {"me": {"fullName": "Ada Lovelace"}}})
        assert await anext(stream) == ("complete", None)
    async with events(server.http, ada.token, "{ nothing }") as stream:
        assert (await anext(stream))[1]["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    refused = await server.http.post(
        "/graphql", content=b"no json", headers={"accept": "text/event-stream", "content-type": "application/json"}
    )
    assert refused.status_code == 400
    assert json.loads(refused.text)["errors"]
    assert isinstance(server.http, httpx.AsyncClient)


async def test_a_mutation_by_get_has_no_effect_over_an_event_stream_either(server: Server) -> None:
    mutation = (
        'mutation { signUp(input: {email: "eve@bank.test", password: "a fine long passphrase", fullName: "Eve"}) { __typename } }'
    )
    answer = await server.http.get("/graphql", params={"query": mutation}, headers={"accept": "text/event-stream"})
    assert "A mutation needs POST." in answer.text
    assert (await Client(server.http).sign_up("eve@bank.test", "Eve")).token
