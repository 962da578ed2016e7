"""`serve`: starting, stopping, dying and coming back."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from bank_graphql.web import http_protocol
from tests.client import Client, key
from tests.e2e.processes import BareServer, Server, accounts_of, command, environment, fork, postgres_of


async def until_answered(ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Ask again, as clients do, for as long as the bank says that it cannot answer just now."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await ask()
            except AssertionError as error:
                assert "UNAVAILABLE" in str(error)


async def test_a_bare_start_a_clean_stop_and_a_second_start(folder: Path) -> None:
    async with BareServer(folder) as server:
        assert "demo bank 2026" in server.output
        assert str(folder / "postgres") in server.output
        ada = await server.ada()
        accounts = await accounts_of(ada)
        assert [account["currency"] for account in accounts] == ["EUR", "EUR", "JPY"]
        await ada.deposit(accounts[0]["id"], "1")
        booked = (await accounts_of(ada))[0]["balance"]["booked"]
        await server.end(signal.SIGINT)
        assert server.process.returncode == 0
    assert "Traceback" not in server.output
    assert postgres_of(folder) is None
    async with Server(folder) as server:
        accounts = await accounts_of(await server.ada())
        assert accounts[0]["balance"]["booked"] == booked
        await server.end(signal.SIGTERM)
    assert "Traceback" not in server.output
    assert postgres_of(folder) is None


async def test_what_is_in_flight_is_finished_before_the_end(folder: Path) -> None:
    async with Server(folder) as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        asked = [asyncio.create_task(ada.deposit(account, "1")) for _ in range(30)]
        await asyncio.sleep(0.02)
        await server.end()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    moved = sum(isinstance(outcome, dict) and outcome["__typename"] == "MoneyMoved" for outcome in outcomes)
    refused = sum(isinstance(outcome, httpx.TransportError) for outcome in outcomes)
    assert moved + refused == 30
    async with Server(folder) as server:
        booked = (await accounts_of(await server.ada()))[0]["balance"]["booked"]["amount"]
        assert float(booked) == 5349.09 + moved


async def test_after_kill_9_of_anything_the_next_start_recovers(folder: Path) -> None:
    same = key()
    async with Server(folder) as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        moved = await ada.deposit(account, "1", idempotencyKey=same)
        os.kill(postgres_of(folder) or 0, signal.SIGKILL)
        again = await until_answered(lambda: ada.deposit(account, "1", idempotencyKey=same))
        assert again["replayed"] is True
        assert again["transaction"] == moved["transaction"]
        await server.end(signal.SIGKILL)
    async with Server(folder) as server:
        again = await (await server.ada()).deposit(account, "1", idempotencyKey=same)
        assert again["transaction"] == moved["transaction"]
        await server.end()
    assert command("verify", folder=folder).returncode == 0


async def test_a_second_bank_on_the_same_folder(folder: Path) -> None:
    async with Server(folder) as first, Server(folder) as second:
        account = (await accounts_of(await first.ada()))[0]["id"]
        assert (await (await second.ada()).deposit(account, "1"))["__typename"] == "MoneyMoved"
        assert command("verify", folder=folder).returncode == 0
        await first.end()
        await second.until_ready()
        async with asyncio.timeout(20):
            while postgres_of(folder) is None:
                await asyncio.sleep(0.02)
        await second.until_ready()
        ada = await second.ada()
        moved = await until_answered(lambda: ada.deposit(account, "1"))
        assert moved["__typename"] == "MoneyMoved"


async def test_several_workers_serve_one_bank(folder: Path) -> None:
    same = key()
    async with Server(folder, "--workers", "2") as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]

        async def from_a_connection_of_its_own() -> bool:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
                outcome = await Client(http, ada.token).deposit(account, "1", idempotencyKey=same)
                replayed: bool = outcome["replayed"]
                return replayed

        replayed = await asyncio.gather(*(from_a_connection_of_its_own() for _ in range(20)))
        assert sorted(replayed) == [False, *[True] * 19]
        await server.end()
    assert postgres_of(folder) is None


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        pytest.param(["--port", "99999"], {}, "BANK_PORT", marks=pytest.mark.deep),
        ([], {"BANK_PORT": "x"}, "BANK_PORT"),
        pytest.param(["--port", "8123"], {"BANK_METRICS_PORT": "8123"}, "BANK_METRICS_PORT", marks=pytest.mark.deep),
        ([], {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "DATABASE_URL"),
        pytest.param([], {"DATABASE_URL": "mysql://x"}, "DATABASE_URL", marks=pytest.mark.deep),
        ([], {"BANK_DATA_DIR": "/proc/nowhere"}, "BANK_DATA_DIR"),
        pytest.param([], {"DATABASE_URL": "postgresql://u:p@127.0.0.1:99999/x"}, "DATABASE_URL", marks=pytest.mark.deep),
        pytest.param([], {"BANK_IBAN_BANK_CODE": "not a code"}, "BANK_IBAN_BANK_CODE", marks=pytest.mark.deep),
        pytest.param([], {"BANK_IBAN_BANK_CODE": "12"}, "BANK_IBAN_BANK_CODE", marks=pytest.mark.deep),
        ([], {"BANK_SIGNING_KEYS": "/no/such/file"}, "signing keys"),
        ([], {"BANK_ENV": "production"}, "DATABASE_URL"),
        ([], {"SECRET_KEY": "hunter2"}, "BANK_SIGNING_KEYS"),
        pytest.param(["--host", "256.0.0.1"], {}, "256.0.0.1", marks=pytest.mark.deep),
        (["--no-migrate"], {}, "migrate"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(folder: Path, arguments: list[str], variables: dict[str, str], message: str) -> None:
    port = [] if "--port" in arguments or "BANK_PORT" in variables else ["--port", "0"]
    ended = command("serve", *port, *arguments, folder=folder, **variables)
    assert ended.returncode == 1, ended.stdout
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("bank-graphql: ")
    assert message in ended.stderr
    assert "hunter2" not in ended.stderr


def test_a_port_in_use_is_said_in_a_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = command("serve", "--port", str(taken.getsockname()[1]), folder=folder)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "--port" in ended.stderr


async def test_of_two_banks_on_one_port_one_says_so(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    starting, logs = [], [folder / f"{number}.log" for number in range(2)]
    for number, log in enumerate(logs):
        with log.open("w") as out:
            starting.append(fork("serve", "--port", port, environment=environment(folder / str(number)), stdout=out, stderr=out))
    waiting = [asyncio.create_task(asyncio.to_thread(process.wait)) for process in starting]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    assert len(done) == 1
    for process, ended, log in zip(starting, waiting, logs, strict=True):
        if ended.done():
            assert "--port" in log.read_text()
            assert process.returncode == 1
        else:
            process.terminate()
            await ended


def test_a_misspelt_setting_is_pointed_out(folder: Path) -> None:
    ended = command("serve", "--port", "0", "--no-migrate", folder=folder, BANK_PROT="1")
    assert "no setting BANK_PROT" in ended.stderr


async def test_tokens_are_good_wherever_the_bank_listens(folder: Path) -> None:
    public = {"BANK_PUBLIC_URL": "http://bank.example"}
    async with Server(folder, **public) as first, Server(folder, **public) as second:
        ada = await first.ada()
        ada.http = second.http
        assert (await ada.run("{ me { email } }"))["me"]


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
TWICE = HEAD + b"content-length: 1\r\n\r\nz"
Answer = Callable[..., Awaitable[bytes]]


@pytest.fixture
async def answer() -> AsyncIterator[Answer]:
    """Sends bytes to a server, and gives what comes back until it closes the connection."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", http=http_protocol.PatientHttp, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        address = listener.getsockname()

        async def answer(*sent: bytes, then: bytes = b"") -> bytes:
            """What comes back until the server closes the connection; `then` is sent once there was an answer."""
            reader, writer = await asyncio.open_connection(*address)
            for part in sent:
                writer.write(part)
            async with asyncio.timeout(10):
                received = await reader.readuntil(b"ok") if then else b""
                writer.write(then)
                with suppress(ConnectionResetError):  # where the rest is not even read
                    received += await reader.read()
            writer.close()
            return received

        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield answer
        server.should_exit = True
        await serving


@pytest.mark.deep
async def test_slow_and_endless_senders_are_cut_off(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.6)
    assert await answer() == b""
    assert await answer(HEAD) == b""
    assert b"200" not in await answer(HEAD + b"content-length: 10\r\n\r\nabc")
    assert b"431" in await answer(HEAD + b"x: " + b"y" * 70_000)
    assert b"431" in await answer(HEAD, b"".join(b"x%d: y\r\n" % n for n in range(10_000)))
    whole = HEAD + b"connection: close\r\ncontent-length: 200000\r\n\r\n" + b"z" * 200_000
    assert (await answer(whole)).endswith(b"ok")
    assert (await answer(TWICE, TWICE, HEAD)).count(b"200 OK") == 2
    for more in (b"P", HEAD, HEAD + b"content-length: 10\r\n\r\nabc", HEAD + b"content-length: 1\r\n\r\n", b"\r\n", b"\n"):
        assert (await answer(TWICE, then=more)).count(b"200 OK") == 1
    assert (await answer(TWICE, then=TWICE + HEAD)).count(b"200 OK") == 2


async def test_what_is_in_no_honest_request_is_cut_off_at_once(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_BYTES", 1000)
    split = HEAD + b"connection: close\r\ncontent-length: 200000\r\n\r\n" + b"z" * 200_000
    for at in (1, 2, 3):
        whole_head = len(split) - 200_000
        begun = TWICE + split[: whole_head - at]
        assert (await answer(begun, then=split[whole_head - at :])).count(b"200 OK") == 2
    chunked = HEAD + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n"
    assert (await answer(chunked + b"\r\n")).count(b"200 OK") == 1
    for trailers in (b"a: b\r\nc: d\r\n", b"a: b\r\n" * 100_000, b"a: " + b"b" * 20_000_000):
        assert b"200" not in await answer(chunked + trailers)
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    upgrade += b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    for body in (b"content-length: 1\r\n\r\n", b"content-length: 100\r\n\r\nabc", b"transfer-encoding: chunked\r\n\r\n"):
        assert b"400" in await answer(upgrade + body)
