"""Attempts are limited for all processes together."""

import asyncio

import asyncpg
import pytest

from bank_graphql.app import create_app
from bank_graphql.identity.attempts import Attempts
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import RateLimited, Unavailable
from bank_graphql.settings import Settings
from tests.client import Client
from tests.serving import serving

KEY = bytes(32)
LOG_IN = 'mutation { logIn(input: {email: "nobody@bank.test", password: "wrong"}) { __typename } }'


async def allowed(attempts: Attempts, bucket: str = "a", per_minute: int = 10) -> bool:
    try:
        await attempts.spend(bucket, per_minute)
    except RateLimited:
        return False
    return True


async def test_racing_attempts_of_two_processes_fill_one_bucket(db: Database) -> None:
    processes = [Attempts(db, KEY), Attempts(db, KEY)]
    results = await asyncio.gather(*(allowed(processes[number % 2]) for number in range(50)))
    assert sum(results) == 10
    assert await allowed(processes[0], "another")


async def test_a_bucket_empties_evenly_and_tells_when_to_try_again(db: Database, raw: asyncpg.Connection) -> None:
    attempts = Attempts(db, KEY)
    for _ in range(10):
        await attempts.spend("a", 10)
    for _ in range(2):  # a refused attempt does not count
        with pytest.raises(RateLimited) as refused:
            await attempts.spend("a", 10)
        assert 5 <= refused.value.retry_after <= 7
    await raw.execute("UPDATE attempt_buckets SET updated_at = updated_at - interval '6.1 seconds'")
    assert [await allowed(attempts) for _ in range(2)] == [True, False]
    await raw.execute("UPDATE attempt_buckets SET updated_at = updated_at - interval '1 hour'")
    assert [await allowed(attempts) for _ in range(11)] == [*[True] * 10, False]
    await raw.execute("UPDATE attempt_buckets SET updated_at = now() + interval '1 hour'")  # a server's clock was wrong
    assert not await allowed(attempts)


async def test_names_are_stored_as_hashes_and_old_buckets_deleted(db: Database, raw: asyncpg.Connection) -> None:
    attempts = Attempts(db, KEY)
    await attempts.spend("ada@bank.test", 10)
    assert b"ada" not in await raw.fetchval("SELECT name_hash FROM attempt_buckets")
    assert await attempts.delete_old() == 0
    await raw.execute("UPDATE attempt_buckets SET updated_at = now() - interval '11 minutes'")
    assert await attempts.delete_old() == 1


async def test_without_the_database_no_attempt_is_allowed(dsn: str) -> None:
    database = await Database.open(dsn, max_size=2)
    await database.close()
    with pytest.raises(Unavailable):
        await Attempts(database, KEY).spend("a", 10)


async def test_two_processes_share_the_limit_of_an_address(settings: Settings) -> None:
    limited = settings.model_copy(update={"log_in_rate_limit": 20})
    codes: list[str] = []
    async with serving(create_app(limited)) as one, serving(create_app(limited)) as two:
        for number in range(6):
            answer = await Client((one, two)[number % 2]).post(LOG_IN)
            codes += [error["extensions"]["code"] for error in answer.get("errors", [])]
    assert codes == ["RATE_LIMITED"] * 4  # a tenth of the limit, at one e-mail address
