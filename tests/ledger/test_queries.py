"""Balances of the past, and what reading them takes."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import asyncpg
import pytest

from bank_graphql.kit.db import Database

ACCOUNTS = [UUID(int=n) for n in range(1, 6)]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_INSERT = """
INSERT INTO entries (transaction_id, account_id, amount, balance_after, booked_at)
SELECT gen_random_uuid(), account_id, 1, balance_after, booked_at
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) AS new (account_id, balance_after, booked_at)
"""


async def fill(raw: "asyncpg.Connection[asyncpg.Record]", entries: int) -> list[tuple[UUID, int, datetime]]:
    """Insert entries of all accounts but the last, and return them. The first account has few, and many share a booking time."""
    random, minutes, rows = Random(7), 0, []
    for n in range(entries):
        minutes += random.choice([0, 0, 1, 5])
        account = ACCOUNTS[0] if n % 500 == 17 else random.choice(ACCOUNTS[1:-1])
        rows.append((account, n, NOON + timedelta(minutes=minutes)))
    await raw.execute("ALTER TABLE entries DISABLE TRIGGER ALL")  # they are of no transactions
    await raw.execute(_INSERT, *zip(*rows, strict=True))
    return rows


async def test_a_past_balance_is_that_after_the_last_entry_by_then(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    rows = await fill(raw, 2000)
    times = sorted({at + timedelta(seconds=shift) for _, _, at in rows[::23] for shift in (-1, 0, 1)})
    requested = [
        (account, time) for account in ACCOUNTS for time in (*times, NOON - timedelta(days=900), NOON + timedelta(days=900))
    ]
    expected = []
    for account, time in requested:
        before = [balance for each, balance, at in rows if each == account and at <= time]
        expected.append(before[-1] if before else 0)
    assert len(set(expected)) > 100
    found = await raw.fetch(
        "SELECT balance_at(account_id, time) AS balance FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY "
        "AS requested (account_id, time, position) ORDER BY position",
        *zip(*requested, strict=True),
    )
    assert [row["balance"] for row in found] == expected


@pytest.mark.parametrize("distinct", [2, -1])
@pytest.mark.parametrize("believed", [500, 10_000_000])
async def test_a_past_balance_is_found_by_reading_few_of_many_entries(
    db: Database, raw: "asyncpg.Connection[asyncpg.Record]", distinct: float, believed: int
) -> None:
    rows = await fill(raw, 20_000)
    await raw.execute(f"ALTER TABLE entries ALTER account_id SET (n_distinct = {distinct})")
    await raw.execute("ANALYZE entries")
    await raw.execute("UPDATE pg_class SET reltuples = $1 WHERE relname = 'entries'", believed)
    async with db.connection() as connection, connection.raw.transaction():
        assert await connection.raw.fetchval("SELECT balance_at($1, $2)", ACCOUNTS[1], rows[9_000][2]) > 0
        read = await connection.raw.fetch(
            "SELECT relname, pg_stat_get_xact_numscans(oid) AS scans, pg_stat_get_xact_tuples_returned(oid) AS entries "
            "FROM pg_class WHERE relname LIKE ANY ('{entries,%entries_%}') AND pg_stat_get_xact_numscans(oid) > 0"
        )
    assert [each["relname"] for each in read] == ["ix_entries_account_id_id"]
    assert read[0]["entries"] <= read[0]["scans"] < 20
