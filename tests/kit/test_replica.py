"""Reads go to the replica, and see what was written before; without a replica that is up to date, the primary answers."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from bank_graphql.app import create_app
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.postgres_process import read_pid
from bank_graphql.settings import Settings
from tests.client import Client
from tests.kit.postgres import query_until_answered, signal_all, until
from tests.kit.replication import Pair, replicated
from tests.serving import serving

EVENTS = "query ($after: String!) { transactionEvents(after: $after, first: 100) { nodes { transaction { id } } } }"


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    async with replicated() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, pair: Pair) -> Settings:
    given = {"database_url": SecretStr(pair.primary), "replica_url": SecretStr(pair.standby), "data_dir": pair.folder}
    return settings.model_copy(update=given)


async def reads_by(server: str, http: httpx.AsyncClient) -> int:
    """How many reads a server has answered."""
    found = re.search(rf'^bank_replica_reads_total{{server="{server}"}} (\S+)', (await http.get("/metrics")).text, re.MULTILINE)
    assert found
    return int(float(found[1]))


async def until_used(http: httpx.AsyncClient, *, used: bool = True) -> None:
    """Wait until the bank uses the replica, or until it does not."""
    async with asyncio.timeout(20):
        while f"bank_replica_in_use {used:d}.0" not in (await http.get("/metrics")).text.splitlines():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def administered(dsn: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def test_reads_go_to_the_replica_and_see_what_was_written_before(settings: Settings) -> None:
    async with serving(create_app(settings)) as http, serving(create_app(settings)) as other:
        ada = await Client(http).sign_up("ada1@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        there = Client(other, ada.token)
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        await until_used(http)
        await until_used(other)
        moved: list[str] = []
        async with asyncio.timeout(90):
            while await reads_by("replica", http) < 50 or await reads_by("replica", other) < 50:
                moved.append((await ada.deposit(account, "1"))["transaction"]["id"])
                assert [await each.booked(account) for each in (ada, there)] == [f"{10 + len(moved)}.00"] * 2
        events = (await there.run(EVENTS, after=cursor))["transactionEvents"]["nodes"]
        assert [event["transaction"]["id"] for event in events] == moved[:100]


async def test_the_feed_is_whole_after_a_transaction_was_rolled_back(settings: Settings, pair: Pair) -> None:
    """A replica takes a transaction that was rolled back for one that runs, and would hold back the events after it."""
    async with serving(create_app(settings)) as http, administered(pair.primary) as primary:
        ada = await Client(http).sign_up("ada6@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        await until_used(http)
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        await primary.execute("BEGIN; SELECT pg_current_xact_id()")
        moved = await ada.deposit(account, "1")
        await primary.execute("ROLLBACK")
        [event] = (await ada.run(EVENTS, after=cursor))["transactionEvents"]["nodes"]
        assert event["transaction"]["id"] == moved["transaction"]["id"]


async def test_another_database_that_comes_later_is_not_used(settings: Settings, pair: Pair) -> None:
    place = pair.folder / "later"
    later = SecretStr(f"postgresql://bank@/postgres?host={place}")
    async with (
        serving(create_app(settings.model_copy(update={"replica_url": later}))) as http,
        administered(pair.standby) as standby,
    ):
        place.symlink_to(pair.standby.partition("host=")[2])
        connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND application_name = 'bank_graphql'"
        async with asyncio.timeout(20):
            while not await standby.fetchval(connected):
                await asyncio.sleep(0.02)
        ada = await Client(http).sign_up("ada7@bank.test", "Ada Lovelace")
        for _ in range(20):
            assert await ada.booked((await ada.open(deposit="10"))["id"]) == "10.00"
        assert await reads_by("replica", http) == 0


async def test_a_late_replica_is_left_out_until_it_has_caught_up(settings: Settings, pair: Pair) -> None:
    async with serving(create_app(settings)) as http, administered(pair.standby) as standby:
        ada = await Client(http).sign_up("ada2@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        await until_used(http)
        await standby.execute("SELECT pg_wal_replay_pause()")
        for n in range(1, 21):
            await ada.deposit(account, "1")
            assert await ada.booked(account) == f"{10 + n}.00"
        await until_used(http, used=False)
        before = await reads_by("replica", http)
        assert await ada.booked(account) == "30.00"
        assert await reads_by("replica", http) == before
        await standby.execute("SELECT pg_wal_replay_resume()")
        await until_used(http)
        async with asyncio.timeout(20):
            while await reads_by("replica", http) == before:
                assert await ada.booked(account) == "30.00"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_no_read_fails_while_the_replica_is_dead_or_hangs(settings: Settings, pair: Pair, how: signal.Signals) -> None:
    async with serving(create_app(settings)) as http:
        ada = await Client(http).sign_up(f"ada-{how.name.lower()}@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        await until_used(http)
        pid = read_pid(pair.standby_folder / "postgres") or 0
        ended = asyncio.Event()

        async def read() -> None:
            while not ended.is_set():
                assert await ada.booked(account) == "10.00"

        readers = [asyncio.create_task(read()) for _ in range(8)]
        before = await reads_by("replica", http)
        async with asyncio.timeout(20):
            while await reads_by("replica", http) < before + 20:
                await asyncio.sleep(0.01)
        if how is signal.SIGKILL:
            os.kill(pid, how)  # it is started again at once
            await until(lambda: read_pid(pair.standby_folder / "postgres") not in {None, pid})
        else:
            signal_all(pid, how)
            try:
                await until_used(http, used=False)
                assert await ada.booked(account) == "10.00"
            finally:
                signal_all(pid, signal.SIGCONT)
        await until_used(http)
        ended.set()
        await asyncio.gather(*readers)


async def test_reads_that_the_replica_cannot_answer_are_answered_by_the_primary(settings: Settings, pair: Pair) -> None:
    """What the replica replays may conflict with a read, which is then cancelled."""
    async with (
        serving(create_app(settings)) as http,
        administered(pair.primary) as primary,
        administered(pair.standby) as standby,
    ):
        ada = await Client(http).sign_up("ada3@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        await until_used(http)
        await standby.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        await standby.execute("SELECT pg_reload_conf()")
        for _ in range(10):
            reads = [asyncio.create_task(ada.booked(account)) for _ in range(20)]
            await primary.execute("BEGIN; LOCK TABLE balances IN ACCESS EXCLUSIVE MODE; COMMIT")
            assert await asyncio.gather(*reads) == ["10.00"] * 20


async def test_a_bank_starts_without_its_replica(settings: Settings, pair: Pair) -> None:
    nowhere = settings.model_copy(update={"replica_url": SecretStr("postgresql://bank@/bank?host=/nowhere")})
    async with serving(create_app(nowhere)) as http:
        ada = await Client(http).sign_up("ada4@bank.test", "Ada Lovelace")
        assert await ada.booked((await ada.open(deposit="10"))["id"]) == "10.00"
        assert await reads_by("replica", http) == 0


async def test_another_database_and_the_primary_itself_are_no_replica(settings: Settings, pair: Pair, dsn: str) -> None:
    for other in (dsn, pair.standby.replace("/bank?", "/postgres?")):
        with pytest.raises(ConfigurationError, match="BANK_REPLICA_URL is no replica of the bank's database"):
            async with serving(create_app(settings.model_copy(update={"replica_url": SecretStr(other)}))):
                pass
    async with serving(create_app(settings.model_copy(update={"replica_url": SecretStr(pair.primary)}))) as http:
        ada = await Client(http).sign_up("ada5@bank.test", "Ada Lovelace")
        assert await ada.booked((await ada.open(deposit="10"))["id"]) == "10.00"
        assert await reads_by("replica", http) == 0


async def test_a_replica_that_left_the_common_history_is_not_used(settings: Settings) -> None:
    """A standby that was promoted, and one that did not follow a promotion: what they have is not what the bank has."""
    async with replicated() as pair, administered(pair.standby) as standby:
        given = {"database_url": SecretStr(pair.primary), "replica_url": SecretStr(pair.standby), "data_dir": pair.folder}
        async with serving(create_app(settings.model_copy(update=given))) as http:
            ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
            account = (await ada.open(deposit="10"))["id"]
            await until_used(http)
            assert await standby.fetchval("SELECT pg_promote()")
            await standby.execute("UPDATE accounts SET name = 'elsewhere'")
            assert (await ada.account(account, "name"))["name"] != "elsewhere"
            await until_used(http, used=False)
            for _ in range(20):
                await ada.deposit(account, "1")
        # Now the former primary is a standby that follows nobody, and its log is longer than the new primary's.
        pid = read_pid(pair.folder / "postgres") or 0
        (pair.folder / "postgres" / "standby.signal").touch()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: read_pid(pair.folder / "postgres") not in {None, pid})
        await query_until_answered(pair.primary)
        given |= {"database_url": SecretStr(pair.standby), "replica_url": SecretStr(pair.primary)}
        async with serving(create_app(settings.model_copy(update=given))) as http:
            assert (await Client(http, ada.token).account(account, "name"))["name"] == "elsewhere"
            assert await reads_by("replica", http) == 0
