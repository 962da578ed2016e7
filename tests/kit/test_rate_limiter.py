"""Token buckets."""

import pytest

from bank_graphql.kit.errors import RateLimited
from bank_graphql.kit.rate_limiter import RateLimiter
from tests.kit.clock import Clock


def test_a_bucket_empties_and_refills_evenly() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert limiter.spend("a", 40, per_minute=60).remaining == 20
    assert limiter.spend("a", 20, per_minute=60).remaining == 0
    with pytest.raises(RateLimited) as refused:
        limiter.spend("a", 5, per_minute=60)
    assert 5 <= refused.value.retry_after <= 6
    clock.now += 5
    assert limiter.spend("a", 5, per_minute=60).remaining == 0
    clock.now += 1000
    assert limiter.spend("a", 0, per_minute=60).remaining == 60


def test_buckets_are_independent() -> None:
    limiter = RateLimiter(Clock())
    limiter.spend("a", 60, per_minute=60)
    assert limiter.spend("b", 1, per_minute=60).remaining == 59


def test_a_refusal_spends_nothing() -> None:
    limiter = RateLimiter(Clock())
    limiter.spend("a", 50, per_minute=60)
    with pytest.raises(RateLimited):
        limiter.spend("a", 11, per_minute=60)
    assert limiter.spend("a", 10, per_minute=60).remaining == 0


def test_only_so_many_buckets_are_kept_and_the_least_recent_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bank_graphql.kit.rate_limiter._MAX_BUCKETS", 2)
    limiter = RateLimiter(Clock())
    for bucket in ("a", "b", "a", "c"):
        limiter.spend(bucket, 10, per_minute=60)
    assert limiter.spend("a", 0, per_minute=60).remaining == 40
    assert limiter.spend("b", 0, per_minute=60).remaining == 60
