"""Attempts are limited for all processes together."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from redis.asyncio import from_url

from bank_graphql.app import create_app
from bank_graphql.identity.attempts import Buckets, PostgresBuckets, share_costs
from bank_graphql.identity.redis_buckets import RedisBuckets
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import RateLimited, Unavailable
from bank_graphql.kit.rate_limiter import RateLimiter
from bank_graphql.settings import Settings
from tests.client import Client
from tests.ports import free_port
from tests.serving import serving

KEY = bytes(32)
LOG_IN = 'mutation { logIn(input: {email: "nobody@bank.test", password: "wrong"}) { __typename } }'


async def allowed(attempts: Buckets, bucket: str = "a", per_minute: int = 10) -> bool:
    try:
        await attempts.spend(bucket, per_minute)
    except RateLimited:
        return False
    return True


@pytest.fixture(params=["postgres", "redis"])
async def processes(request: pytest.FixtureRequest, db: Database, redis: str) -> AsyncIterator[list[Buckets]]:
    """The buckets as two processes know them."""
    if request.param == "postgres":
        yield [PostgresBuckets(db, KEY) for _ in range(2)]
        return
    made = [RedisBuckets(redis, KEY) for _ in range(2)]
    yield [*made]
    for each in made:
        await each.close()


async def test_racing_attempts_of_two_processes_fill_one_bucket(processes: list[Buckets]) -> None:
    results = await asyncio.gather(*(allowed(processes[number % 2]) for number in range(50)))
    assert sum(results) == 10
    assert await allowed(processes[0], "another")


async def test_a_bucket_empties_evenly_and_tells_when_to_try_again(db: Database, raw: asyncpg.Connection) -> None:
    attempts = PostgresBuckets(db, KEY)
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
    attempts = PostgresBuckets(db, KEY)
    await attempts.spend("ada@bank.test", 10)
    assert b"ada" not in await raw.fetchval("SELECT name_hash FROM attempt_buckets")
    assert await attempts.delete_old() == 0
    await raw.execute("UPDATE attempt_buckets SET updated_at = now() - interval '11 minutes'")
    assert await attempts.delete_old() == 1


async def test_without_the_database_no_attempt_is_allowed(dsn: str) -> None:
    database = await Database.open(dsn, max_size=2)
    await database.close()
    with pytest.raises(Unavailable):
        await PostgresBuckets(database, KEY).spend("a", 10)


async def test_two_processes_share_the_limit_of_an_address(settings: Settings) -> None:
    limited = settings.model_copy(update={"log_in_rate_limit": 20})
    codes: list[str] = []
    async with serving(create_app(limited)) as one, serving(create_app(limited)) as two:
        for number in range(6):
            answer = await Client((one, two)[number % 2]).post(LOG_IN)
            codes += [error["extensions"]["code"] for error in answer.get("errors", [])]
    assert codes == ["RATE_LIMITED"] * 4  # a tenth of the limit, at one e-mail address


async def test_a_bucket_in_redis_is_hashed_and_goes_by_itself(redis: str) -> None:
    client: Any = from_url(redis)
    buckets = RedisBuckets(redis, KEY)
    await buckets.spend("ada@bank.test", 10)
    [name] = await client.keys()
    assert b"ada" not in name
    assert 590 < await client.ttl(name) <= 600
    assert await buckets.delete_old() == 0
    await buckets.close()
    await client.aclose()


async def test_without_redis_no_attempt_is_allowed() -> None:
    buckets = RedisBuckets(f"redis://127.0.0.1:{free_port()}", KEY)
    with pytest.raises(Unavailable):
        await buckets.spend("a", 10)
    await buckets.close()


async def test_processes_learn_what_others_have_spent(processes: list[Buckets]) -> None:
    now = [0.0]
    limiters = [RateLimiter(lambda: now[0]) for _ in range(2)]
    for limiter in limiters:
        assert limiter.spend("user/a", 400, per_minute=1000, shared=True).remaining == 600
    limiters[0].spend("other", 400, per_minute=1000)
    for limiter, buckets in (*zip(limiters, processes, strict=True), (limiters[0], processes[0])):
        limiter.spend("user/b", 1, per_minute=1000, shared=True)
        await share_costs(limiter, buckets)
    assert limiters[1].spend("user/a", 1, per_minute=1000, shared=True).remaining in range(199, 220)  # it shared last
    limiters[0].spend("user/a", 1, per_minute=1000, shared=True)
    await share_costs(limiters[0], processes[0])
    with pytest.raises(RateLimited):
        limiters[0].spend("user/a", 300, per_minute=1000, shared=True)
    assert limiters[0].spend("other", 1, per_minute=1000).remaining == 599  # it is of this process alone
    used = await processes[0].add({"user/a": 5000}, 1000)
    assert used["user/a"] == 1000  # a debt is no larger than the bucket
    assert await processes[1].add({}, 1000) == {}


async def test_requests_of_two_processes_spend_one_limit(settings: Settings) -> None:
    limited = settings.model_copy(update={"rate_limit": 60_000})
    query = "{ rateLimit { remaining } }"
    async with serving(create_app(limited)) as one, serving(create_app(limited)) as two:
        ada = await Client(one).sign_up("ada@bank.test", "Ada")
        for _ in range(20):
            await ada.run("{ users: __schema { types { fields { name } } } }")
        there = Client(two, ada.token)
        async with asyncio.timeout(20):  # the applications share by themselves, when both have spent
            while (await there.run(query))["rateLimit"]["remaining"] > (await ada.run(query))["rateLimit"]["remaining"] + 2_000:
                await asyncio.sleep(0.05)
