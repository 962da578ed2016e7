"""The machine fails under the bank: clients get a clear error meanwhile, nothing is lost, and the bank goes on by itself."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.settings import Settings
from bank_graphql.web.health import ANSWER_SECONDS
from tests.client import Client, key, money
from tests.e2e.processes import BareServer, accounts_of, command, environment
from tests.kit.disks import small_disk
from tests.kit.postgres import is_running, query, signal_all
from tests.serving import serving
from tests.verification import assert_verified

DEPOSIT = "mutation ($input: DepositInput!) { deposit(input: $input) { __typename } }"
HISTORY = "entries(first: 3, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } }"
EVENTS = "query ($after: String) { transactionEvents(after: $after, first: 100) { nodes { cursor } } }"


def limit_memory(processes: list[int], size: str) -> None:
    """Limit the memory that processes can have, as the user that they run under."""
    for process in processes:
        owner = Path(f"/proc/{process}").stat()
        as_owner: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(["prlimit", "--pid", str(process), f"--as={size}:"], check=True, **as_owner)


async def outcome_of_deposit(customer: Client, account: str, idempotency_key: str | None = None) -> str:
    """Deposit 1 euro. Return the outcome: MoneyMoved, or the code of the error."""
    given = {"accountId": account, "amount": money("1"), "idempotencyKey": idempotency_key or key()}
    answer = await customer.post(DEPOSIT, input=given)
    outcome: str = answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]["deposit"]["__typename"]
    return outcome


@asynccontextmanager
async def bank_on(dsn: str, settings: Settings) -> AsyncIterator[tuple[Starlette, Client, str]]:
    """Run a bank with a customer, who has an account with 10 euros."""
    app = create_app(settings.model_copy(update={"database_url": SecretStr(dsn)}))
    async with serving(app) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        yield app, ada, (await ada.open(deposit="10"))["id"]


class Payments:
    """A customer's payments of 1 euro, each repeated with its key until it is answered."""

    def __init__(self, customer: Client, account: str) -> None:
        self._customer, self._account = customer, account
        self.count = 0
        self.codes: set[str] = set()

    async def make(self, until: Callable[[], bool]) -> None:
        """Pay until a condition is true."""
        while not until():
            mine = key()
            while (code := await outcome_of_deposit(self._customer, self._account, mine)) != "MoneyMoved":
                self.codes.add(code)
                await asyncio.sleep(0.01)
            self.count += 1

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """While four clients pay."""
        ended = asyncio.Event()
        async with asyncio.timeout(60), asyncio.TaskGroup() as clients:
            for _ in range(4):
                clients.create_task(self.make(ended.is_set))
            yield
            ended.set()

    async def until_more(self, number: int = 20) -> None:
        """Wait until that many more are paid."""
        goal = self.count + number
        while self.count < goal:
            await asyncio.sleep(0.01)


def backends_of(server: int) -> list[int]:
    """The processes of PostgreSQL that serve connections."""
    children = [int(child) for each in Path(f"/proc/{server}/task").glob("*/children") for child in each.read_text().split()]
    return [child for child in children if b" bank bank " in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.usefixtures("filled_folder")
async def test_a_backend_that_is_killed_for_its_memory_costs_no_payment(folder: Path, settings: Settings) -> None:
    """As the system's out-of-memory killer does it. PostgreSQL then ends all backends, and recovers."""
    server = EmbeddedPostgres(folder)
    async with server as dsn, bank_on(dsn, settings) as (app, ada, account):
        payments = Payments(ada, account)
        async with payments.going_on():
            for _ in range(3):
                await payments.until_more()
                os.kill(random.choice(backends_of(server.pid or 0)), signal.SIGKILL)
            await payments.until_more()
        assert payments.codes <= {"UNAVAILABLE"}
        assert await ada.booked(account) == f"{10 + payments.count}.00"
        await assert_verified(app.state.graphql._services.db)


@pytest.mark.usefixtures("filled_folder")
async def test_a_database_short_of_memory_loses_no_payment(folder: Path, settings: Settings) -> None:
    """Its sessions get no more memory from the system. Their statements fail now and then, and are tried again."""
    server = EmbeddedPostgres(folder)
    async with server as dsn, bank_on(dsn, settings) as (app, ada, account):
        payments = Payments(ada, account)
        await payments.make(lambda: payments.count == 5)
        limited = backends_of(server.pid or 0)
        limit_memory(limited, "1")
        while b"out of memory" not in (folder / "postgres.log").read_bytes():
            await query(dsn, "ANALYZE")  # after it plans are made anew, for which what the sessions have may not be enough
            await payments.make(lambda: payments.count % 10 == 9)
            await payments.make(lambda: payments.count % 10 == 0)
            assert await ada.booked(account) == f"{10 + payments.count}.00"
        limit_memory([each for each in limited if is_running(each)], "unlimited")
        assert payments.codes <= {"UNAVAILABLE"}
        await payments.make(lambda: payments.count % 10 == 9)
        assert await ada.booked(account) == f"{10 + payments.count}.00"
        await assert_verified(app.state.graphql._services.db)


@contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """Make everything in a folder read-only."""
    subprocess.run(["chmod", "-R", "a-w", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)


@pytest.mark.usefixtures("filled_folder")
async def test_a_folder_that_becomes_read_only_stops_nothing_for_good(folder: Path, settings: Settings) -> None:
    async with EmbeddedPostgres(folder, {"min_wal_size": "32MB", "max_wal_size": "32MB"}) as dsn:
        async with bank_on(dsn, settings) as (app, ada, account):
            payments = Payments(ada, account)
            await payments.make(lambda: payments.count == 5)
            with not_writable(folder / "postgres"):
                async with asyncio.timeout(30):
                    while (code := await outcome_of_deposit(ada, account)) == "MoneyMoved":
                        payments.count += 1
                        with suppress(OSError, asyncpg.PostgresError):
                            await query(dsn, "SELECT pg_switch_wal()")  # files that are open can still be written to
                assert code == "UNAVAILABLE"
                async with asyncio.timeout(30):  # PostgreSQL may have crashed first, and be back for a moment
                    while (await ada.http.get("/health/ready")).status_code != 503:
                        payments.count += await outcome_of_deposit(ada, account) == "MoneyMoved"
            await payments.make(lambda: payments.count >= 20)
            assert await booked_once_answered(ada, account) == f"{10 + payments.count}.00"
            await assert_verified(app.state.graphql._services.db)


async def booked_once_answered(client: Client, account: str) -> str:
    """What an account has booked; PostgreSQL may still restart because of what it could not write."""
    query = "query ($id: ID!) { account(id: $id) { balance { booked { amount } } } }"
    async with asyncio.timeout(30):
        while "errors" in (answer := await client.post(query, id=account)):
            assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            await asyncio.sleep(0.05)
    booked: str = answer["data"]["account"]["balance"]["booked"]["amount"]
    return booked


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
async def test_a_start_in_a_read_only_folder_is_refused_in_a_line(folder: Path, filled: bool) -> None:
    with small_disk(folder, 200) as disk:
        if filled:
            async with EmbeddedPostgres(disk):
                pass
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(
            ConfigurationError, match=r"cannot be used: Read-only file system\. Choose another BANK_DATA_DIR"
        ) as error:
            await EmbeddedPostgres(disk).__aenter__()
        assert "\n" not in str(error.value)
        ran = command("serve", "--port", "0", folder=disk)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert len(ran.stderr.splitlines()) == 1
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        async with EmbeddedPostgres(disk):
            pass


async def test_a_clock_that_jumps_changes_no_balance_and_no_order(
    settings: Settings, wait_until_idle: Callable[[], Awaitable[None]]
) -> None:
    now = [utc_now()]
    app = create_app(settings, clock=lambda: now[0])
    async with serving(app) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        until = (now[0] + timedelta(days=7)).isoformat()
        held = await ada.place_hold(account, (await ada.open())["id"], "3", expiresAt=until)
        await wait_until_idle()
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        jumps = [timedelta(hours=-1), timedelta(minutes=59), timedelta(days=-400), timedelta(days=400, minutes=1)]
        for jump in jumps:
            now[0] += jump
            for _ in range(3):
                assert await outcome_of_deposit(ada, account) == "MoneyMoved"
        assert await ada.booked(account) == "22.00"
        await wait_until_idle()
        events = (await ada.run(EVENTS, after=cursor))["transactionEvents"]["nodes"]
        assert len({event["cursor"] for event in events}) == 12
        assert len(set(await entries_of(ada, account))) == 13
        now[0] += timedelta(days=20)  # tokens and holds end early, and all goes on
        assert await outcome_of_deposit(ada, account) == "UNAUTHENTICATED"
        ada = await Client(http).log_in("ada@bank.test")
        assert (await ada.capture_hold(held["transaction"]["id"]))["__typename"] != "MoneyMoved"
        now[0] = utc_now()
        assert await outcome_of_deposit(ada, account) == "MoneyMoved"
        assert await ada.booked(account) == "23.00"
        await assert_verified(app.state.graphql._services.db)


async def entries_of(customer: Client, account: str) -> list[str]:
    """The entries of an account, page by page."""
    found: list[str] = []
    page: dict[str, Any] = {"hasNextPage": True, "endCursor": None}
    while page["hasNextPage"]:
        query = f"query ($id: ID!, $after: String) {{ account(id: $id) {{ {HISTORY} }} }}"
        entries = (await customer.run(query, id=account, after=page["endCursor"]))["account"]["entries"]
        found += [node["id"] for node in entries["nodes"]]
        page = entries["pageInfo"]
    return found


@pytest.mark.deep
@pytest.mark.usefixtures("filled_folder")
async def test_a_server_whose_database_hangs_says_so_soon(folder: Path, settings: Settings) -> None:
    server = EmbeddedPostgres(folder)
    async with server as dsn, bank_on(dsn, settings) as (_, ada, account):
        signal_all(server.pid or 0, signal.SIGSTOP)
        try:
            async with asyncio.timeout(ANSWER_SECONDS + 4):
                answers = await asyncio.gather(*(ada.http.get("/health/ready") for _ in range(50)))
        finally:
            signal_all(server.pid or 0, signal.SIGCONT)
        assert {(answer.status_code, answer.json()["database"]) for answer in answers} == {(503, "unreachable")}
        async with asyncio.timeout(30):
            while (await ada.http.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.05)
        assert await ada.booked(account) == "10.00"


@pytest.mark.deep
async def test_a_first_start_that_is_killed_at_any_moment_is_completed_by_the_next(folder: Path) -> None:
    rng = random.Random(20261127)
    for _ in range(8):
        starting = subprocess.Popen(
            [sys.executable, "-m", "bank_graphql", "serve", "--port", "0"],
            env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.sleep(rng.uniform(0.5, 5))  # it is killed in whatever it is at
        starting.kill()
        starting.wait()
    async with BareServer(folder) as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        assert (await ada.deposit(account, "1"))["__typename"] == "MoneyMoved"
        await server.end()
    assert command("verify", folder=folder).returncode == 0
