"""The bank recovers without a restart from a read-only database, a full disk and a failover."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from bank_graphql.app import create_app
from bank_graphql.kit import schema
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.kit.errors import ConfigurationError, Unavailable
from bank_graphql.kit.postgres_process import read_pid
from bank_graphql.kit.statements import Query, Row
from bank_graphql.settings import Settings
from tests.client import Client, key, money
from tests.kit.disks import fill, small_disk
from tests.kit.replication import Pair, replicated, until_replayed
from tests.serving import serving

EVENTS = (
    "query ($after: String) { transactionEvents(after: $after, first: 100) "
    "{ nodes { transaction { id } } pageInfo { hasNextPage endCursor } } }"
)
DEPOSIT = "mutation ($input: DepositInput!) { deposit(input: $input) { __typename } }"


async def code_of(customer: Client, account: str) -> str:
    """Return the outcome of a deposit: MoneyMoved, or the code of the error."""
    answer = await customer.post(DEPOSIT, input={"accountId": account, "amount": money("1"), "idempotencyKey": key()})
    code: str = answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]["deposit"]["__typename"]
    return code


async def state_of(http: httpx.AsyncClient) -> tuple[int, str]:
    """Return the status and the state of the database from `/health/ready`."""
    response = await http.get("/health/ready")
    return response.status_code, response.json()["database"]


@pytest.mark.deep
async def test_the_bank_recovers_from_a_read_only_database(
    http: httpx.AsyncClient, ada: Client, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    account = (await ada.open(deposit="10"))["id"]
    name = await raw.fetchval("SELECT current_database()")
    assert await state_of(http) == (200, "ok")
    await raw.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await raw.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = $1", name
    )
    for _ in range(30):  # more than there are connections
        assert await code_of(ada, account) == "UNAVAILABLE"
    assert await ada.booked(account) == "10.00"
    assert await state_of(http) == (503, "not writable")
    await raw.execute(f"SET default_transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only")
    assert await code_of(ada, account) == "MoneyMoved"
    assert [await code_of(ada, account) for _ in range(20)] == ["MoneyMoved"] * 20
    assert await state_of(http) == (200, "ok")


async def test_after_a_read_only_connection_all_connections_are_replaced(
    dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raw.execute("CREATE TABLE things (n int)")
    db = await Database.open(dsn, max_size=10)
    everyone, here = asyncio.Event(), 0

    async def spoil() -> None:
        nonlocal here
        async with db.connection() as connection:
            await connection.raw.execute("SET default_transaction_read_only = on")
            here += 1
            if here == 10:
                everyone.set()
            await everyone.wait()

    await asyncio.gather(*(spoil() for _ in range(10)))
    put = Query(text("INSERT INTO things VALUES (1)"), Row)
    await db.transact(lambda connection: connection.execute(put))  # with five attempts, and there are ten connections
    await db.close()
    assert await raw.fetchval("SELECT count(*) FROM things") == 1


async def test_a_read_only_database_is_refused_at_the_start(dsn: str, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await raw.execute(f"ALTER DATABASE {await raw.fetchval('SELECT current_database()')} SET default_transaction_read_only = on")
    with pytest.raises(ConfigurationError, match="cannot be used: it is read-only"):
        await Database.open(dsn)


async def test_the_bank_recovers_from_a_failover_to_a_standby(settings: Settings) -> None:
    """After a standby was promoted, connections to the former primary are replaced by connections to the new one."""
    async with replicated() as pair, serving(create_app(_on(pair, settings))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        account = (await ada.open(deposit="10"))["id"]
        admin = await asyncpg.connect(pair.primary)
        await until_replayed(admin)
        # The former primary keeps running, read-only, as in a planned switch.
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
        moved = 0
        async with asyncio.timeout(20):  # its sessions get the new setting one after another
            while (code := await code_of(ada, account)) == "MoneyMoved":
                moved += 1
        assert code == "UNAVAILABLE"
        assert await state_of(http) != (200, "ok")
        await until_replayed(admin)
        promoted = await asyncpg.connect(pair.standby)
        assert await promoted.fetchval("SELECT pg_promote()")
        async with asyncio.timeout(20):
            while await code_of(ada, account) != "MoneyMoved":
                await asyncio.sleep(0.01)
        assert await state_of(http) == (200, "ok")
        assert await promoted.fetchval("SELECT count(*) FROM transactions") == 2 + moved
        assert await ada.booked(account) == f"{11 + moved}.00"
        await admin.close()
        await promoted.close()


@pytest.mark.deep
async def test_what_was_acknowledged_outlives_a_primary_that_dies(settings: Settings) -> None:
    """With synchronous replication, the promoted standby has every acknowledged payment, and streams resume there."""
    async with replicated() as pair:
        admin = await asyncpg.connect(pair.primary)
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'second'")
        await admin.execute("ALTER SYSTEM SET synchronous_commit = on")
        await admin.execute("SELECT pg_reload_conf()")
        async with serving(create_app(_on(pair, settings))) as http:
            ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
            account = (await ada.open(deposit="10"))["id"]
            cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
            acknowledged: list[str] = []
            promoted = asyncio.Event()

            clients = [asyncio.create_task(_pay(ada, account, acknowledged, promoted)) for _ in range(4)]
            async with asyncio.timeout(30):
                while len(acknowledged) < 100:
                    await asyncio.sleep(0.01)
            os.kill(read_pid(pair.folder / "postgres") or 0, signal.SIGKILL)
            (pair.folder / "postgres" / "PG_VERSION").rename(pair.folder / "gone")  # it is not to come back
            connection = await asyncpg.connect(pair.standby)
            assert await connection.fetchval("SELECT pg_promote()")
            promoted.set()
            async with asyncio.timeout(60):
                await asyncio.gather(*clients)
            found = await connection.fetch("SELECT key FROM idempotency_outcomes WHERE outcome = 'MOVED'")
            assert set(acknowledged) <= {row["key"] for row in found}
            assert await ada.booked(account) == f"{10 + len(set(acknowledged))}.00"
            events = await _transactions_in_feed(ada, cursor)
            assert len(set(events)) == len(events) == len(acknowledged)
            await connection.close()
            admin.terminate()


def _on(pair: Pair, settings: Settings) -> Settings:
    """Return settings that name both servers."""
    return settings.model_copy(update={"database_url": SecretStr(pair.both)})


async def _pay(customer: Client, account: str, acknowledged: list[str], promoted: asyncio.Event) -> None:
    """Pay as clients do, until 20 payments after the promotion: what got no answer is sent again with its key."""
    payment, after_promotion = key(), 0
    while after_promotion < 20:
        answer = await customer.post(DEPOSIT, input={"accountId": account, "amount": money("1"), "idempotencyKey": payment})
        if "errors" not in answer:
            acknowledged.append(payment)
            payment = key()
            after_promotion += promoted.is_set()
        else:
            assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
            await asyncio.sleep(0.01)


async def _transactions_in_feed(customer: Client, cursor: str) -> list[str]:
    """Return the transactions of all events after a cursor."""
    found: list[str] = []
    has_more = True
    while has_more:
        page = (await customer.run(EVENTS, after=cursor))["transactionEvents"]
        found += [node["transaction"]["id"] for node in page["nodes"]]
        has_more, cursor = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    return found


async def test_the_bank_recovers_from_a_full_disk(folder: Path, settings: Settings) -> None:
    with small_disk(folder, 200) as disk:
        async with EmbeddedPostgres(disk, {"min_wal_size": "32MB", "max_wal_size": "32MB"}) as dsn:
            await schema.migrate(dsn)
            async with serving(create_app(settings.model_copy(update={"database_url": SecretStr(dsn)}))) as http:
                ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
                account = (await ada.open(deposit="10"))["id"]
                codes = set()
                async with asyncio.timeout(60):
                    while (await state_of(http))[0] == 200:
                        filler = fill(disk)  # again, as PostgreSQL may remove a part of its log
                        codes.update(await asyncio.gather(*(code_of(ada, account) for _ in range(50))))
                assert {"UNAVAILABLE"} <= codes <= {"MoneyMoved", "UNAVAILABLE"}
                filler.unlink()
                async with asyncio.timeout(30):
                    while (await state_of(http))[0] != 200 or await code_of(ada, account) != "MoneyMoved":
                        await asyncio.sleep(0.01)


async def test_a_transaction_that_succeeds_does_not_hide_a_full_disk(folder: Path) -> None:
    def running(sql: str) -> Callable[[Connection], Awaitable[None]]:
        return lambda connection: connection.execute(Query(text(sql), Row))

    with small_disk(folder, 200) as disk:
        async with EmbeddedPostgres(disk) as dsn:
            db = await Database.open(dsn)
            await db.transact(running("CREATE TABLE things AS SELECT 1 AS n"))
            fill(disk)
            with pytest.raises(Unavailable):
                await db.transact(running("INSERT INTO things SELECT generate_series(1, 100000)"))
            await db.transact(running("SELECT n FROM things FOR UPDATE"))
            with pytest.raises(Unavailable):
                await db.require_writable()
            await db.close()
