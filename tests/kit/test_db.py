"""Statements, transactions, and lost connections."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest
from sqlalchemy import BigInteger, DateTime, Text, bindparam, func, literal, select, text
from sqlmodel import col

from bank_graphql.identity.enums import UserStatus
from bank_graphql.identity.models import Session, User
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.db_session import LOCK_TABLE_SIZE
from bank_graphql.kit.errors import BadRequest, ConfigurationError, Unavailable
from bank_graphql.kit.statements import Insert, Query, Row

NUMBER = Query(select(bindparam("number", type_=BigInteger()).label("number")), Row)
TIME = Query(select(bindparam("time", type_=DateTime(timezone=True)).label("time")), Row)
WORDS = Query(select(bindparam("words", type_=Text()).label("words")), Row)


async def test_rows_have_attributes(db: Database) -> None:
    row = (await db.fetch(NUMBER, number=5))[0]
    assert row.number == 5
    with pytest.raises(AttributeError):
        _ = row.other
    assert getattr(row, "other", "default") == "default"


@pytest.mark.parametrize("wrong", [Decimal("1.5"), Decimal(1), 1.0, "1", True])
async def test_only_an_int_is_an_integer(db: Database, wrong: object) -> None:
    with pytest.raises(TypeError):
        await db.fetch(NUMBER, number=wrong)


async def test_a_datetime_without_a_time_zone_is_refused(db: Database) -> None:
    with pytest.raises(TypeError):
        await db.fetch(TIME, time=datetime(2026, 1, 1))  # noqa: DTZ001 - the very thing
    time = datetime(2026, 1, 1, tzinfo=UTC)
    assert (await db.fetch(TIME, time=time))[0].time == time


async def test_the_items_of_arrays_are_checked_too() -> None:
    insert = Insert(Session, "id", "created_at")
    with pytest.raises(TypeError):
        insert.query.arguments({"id": [], "created_at": [datetime(2026, 1, 1)]})  # noqa: DTZ001


async def test_a_transaction_commits_or_has_no_effect(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await raw.execute("CREATE TABLE things (n int)")
    put = Query(text("INSERT INTO things VALUES (1)"), Row)

    async def fail(connection: Connection) -> None:
        await connection.execute(put)
        raise RuntimeError("on second thoughts")

    with pytest.raises(RuntimeError):
        await db.transact(fail)
    assert await raw.fetchval("SELECT count(*) FROM things") == 0
    await db.transact(lambda connection: connection.execute(put))
    assert await raw.fetchval("SELECT count(*) FROM things") == 1


@pytest.mark.parametrize(
    "error", [asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError]
)
async def test_transient_errors_are_retried_with_a_maximum(db: Database, error: type[Exception]) -> None:
    attempts = 0

    async def succeed_late(_connection: Connection) -> str:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise error("passing")
        return "done"

    assert await db.transact(succeed_late) == "done"
    attempts = -100
    with pytest.raises(Unavailable):
        await db.transact(succeed_late)
    assert attempts == -95


async def test_a_session_that_is_out_of_memory_is_replaced(dsn: str) -> None:
    db = await Database.open(dsn, max_size=2)
    sessions: list[int] = []

    async def fail_thrice(connection: Connection) -> None:
        sessions.append(await connection.raw.fetchval("SELECT pg_backend_pid()"))
        if len(sessions) < 4:
            await connection.raw.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'out_of_memory'; END $$")

    await db.transact(fail_thrice)
    await db.close()
    assert len(set(sessions)) == 4


async def test_a_change_of_the_schema_at_run_time_is_no_error(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await raw.execute("CREATE TABLE things (n int); INSERT INTO things VALUES (1)")
    query = Query(text("SELECT * FROM things"), Row)
    await asyncio.gather(*(db.fetch(query) for _ in range(5)))
    await raw.execute("ALTER TABLE things ADD COLUMN m int")
    assert all(await asyncio.gather(*(db.fetch(query) for _ in range(5))))


async def test_broken_connections_are_replaced(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await asyncio.gather(*(db.require_writable() for _ in range(5)))
    await raw.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    rows = await asyncio.gather(*(db.fetch(NUMBER, number=n) for n in range(20)))
    assert [row[0].number for row in rows] == list(range(20))


async def test_a_transaction_whose_connection_is_lost_before_the_commit_is_retried(
    db: Database, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raw.execute("CREATE TABLE things (n int)")
    put = Query(text("INSERT INTO things VALUES (1)"), Row)
    attempts = 0

    async def lose_it_once(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute(put)
        if attempts == 1:
            await raw.execute("SELECT pg_terminate_backend($1)", connection.raw.get_server_pid())
        await connection.execute(put)

    await db.transact(lose_it_once)
    assert attempts == 2
    assert await raw.fetchval("SELECT count(*) FROM things") == 2


async def test_a_transaction_whose_connection_is_lost_during_the_commit_is_not_retried(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def lost(connection: Connection, how: str) -> None:
        assert how == "COMMIT"
        connection.raw.terminate()
        raise asyncpg.ConnectionDoesNotExistError("lost")

    async def work(_: Connection) -> None:
        nonlocal attempts
        attempts += 1
        monkeypatch.setattr(Connection, "end", lost)

    with pytest.raises(Unavailable):
        await db.transact(work)
    assert attempts == 1


async def test_no_connection_is_reused_inside_a_transaction(db: Database) -> None:
    async with db.connection() as connection:
        await connection.raw.execute("BEGIN")
    for _ in range(10):
        async with db.connection() as connection:
            assert not connection.raw.is_in_transaction()


async def test_the_pool_has_a_maximum(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    slow = Query(select(func.pg_sleep(0.02).label("slept")), Row)
    await asyncio.gather(*(db.fetch(slow) for _ in range(30)))
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bank_graphql'"
    assert await raw.fetchval(mine) <= 5


async def test_text_that_postgresql_cannot_store_is_a_bad_request(db: Database) -> None:
    with pytest.raises(BadRequest):
        await db.fetch(WORDS, words="nul \x00")


async def test_an_unreachable_database_is_reported_in_one_line(dsn: str) -> None:
    for wrong in (
        dsn.replace("bank_test_", "no_such_"),
        "postgresql://127.0.0.1:1/none",
        "postgresql://bank@/bank?host=/nowhere",
    ):
        with pytest.raises(ConfigurationError, match=r"^The database cannot be reached: [^\[\n]*\. Check DATABASE_URL\.$"):
            await Database.open(wrong)


def test_enums_are_passed_as_text() -> None:
    query = Query(select(literal(1)).where(col(User.status) == UserStatus.ACTIVE), Row)
    assert "ACTIVE" in query.arguments({})


async def test_a_snapshot_has_no_time_limit(dsn: str) -> None:
    hasty = await Database.open(dsn, statement_timeout=0.1)
    slow = Query(select(func.pg_sleep(1.3).label("slept")), Row)
    with pytest.raises(Unavailable):
        await hasty.fetch(slow)
    await hasty.snapshot(lambda connection: connection.fetch(slow))
    await hasty.close()


async def test_only_a_snapshot_may_read_whole_tables(db: Database) -> None:
    allowed = Query(select(func.current_setting("enable_seqscan").label("it")), Row)
    assert [row.it for row in await db.fetch(allowed)] == ["off"]
    assert [row.it for row in await db.snapshot(lambda connection: connection.fetch(allowed))] == ["on"]
    assert [row.it for row in await db.fetch(allowed)] == ["off"]


async def test_the_lock_table_has_the_size_of_its_settings(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    async with db.connection() as connection:
        size = await connection.raw.fetchval(LOCK_TABLE_SIZE)
    assert size >= int(await raw.fetchval("SHOW max_locks_per_transaction")) * int(await raw.fetchval("SHOW max_connections"))


async def test_connections_that_broke_while_idle_cost_no_attempt(dsn: str, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    db = await Database.open(dsn, max_size=10)
    one = Query(select(func.pg_sleep(0.05).label("slept")), Row)
    await asyncio.gather(*(db.fetch(one) for _ in range(10)))
    mine = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bank_graphql'"
    assert await raw.fetchval(f"SELECT count(pg_terminate_backend(pid)) {mine}") == 10
    for _ in range(100):  # until the server and the driver have closed them
        if not await raw.fetchval(f"SELECT count(*) {mine}"):
            break
    assert len(await db.transact(lambda connection: connection.fetch(one))) == 1
    assert len(await db.fetch(one)) == 1
    await db.close()


async def test_closing_waits_for_a_connection_in_use_and_no_longer(dsn: str) -> None:
    db = await Database.open(dsn)
    slow = Query(select(func.pg_sleep(0.1).label("slept")), Row)
    async with db.connection() as connection:
        closing = asyncio.create_task(db.close())
        await connection.fetch(slow)
    async with asyncio.timeout(5):  # of the ten seconds for a connection that does not come back
        await closing


async def test_a_connection_whose_use_was_cancelled_is_not_used_again(
    dsn: str, raw: "asyncpg.Connection[asyncpg.Record]", caplog: pytest.LogCaptureFixture
) -> None:
    db = await Database.open(dsn)
    await raw.execute("SELECT pg_advisory_lock(7)")
    waits = asyncio.create_task(db.transact(lambda connection: connection.lock([7])))
    async with asyncio.timeout(10):
        while not await raw.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    await raw.execute("SELECT pg_advisory_unlock(7)")
    await db.transact(lambda connection: connection.lock([7]))
    await db.close()
    assert "active transaction" not in caplog.text
