"""Limit rates with token buckets.

A bucket holds the cost that a caller may spend, and refills at an even rate. Buckets are kept in the memory of one process. What
is spent from shared ones reaches the other processes every second: for as long each grants the full rate.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.errors import RateLimited

_MAX_BUCKETS = 100_000


@dataclass(frozen=True, slots=True)
class BucketState:
    """The state of a bucket after spending.

    Attributes:
        limit: the capacity of the bucket.
        remaining: the cost that can still be spent now, rounded down.
        cost: the cost that was spent.
        seconds_until_full: how long the bucket takes to refill.
    """

    limit: int
    remaining: int
    cost: int
    seconds_until_full: float

    @property
    def full_at(self) -> datetime:
        """When the bucket is full again."""
        return utc_now() + timedelta(seconds=self.seconds_until_full)


class RateLimiter:
    """Buckets by name. Beyond `_MAX_BUCKETS` the least recently used are dropped.

    Attributes:
        refusals: how often there was too little in a bucket, by what its name begins with, before the first `/`.

    Args:
        monotonic: returns the time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.refusals: Counter[str] = Counter()
        self._to_share: dict[tuple[str, int], int] = {}

    def spend(self, bucket: str, cost: int, *, per_minute: int, shared: bool = False) -> BucketState:
        """Spend `cost` from a bucket that holds `per_minute` and refills at that rate; `shared` if other processes do, too.

        Raises:
            RateLimited: less than `cost` remains. Nothing is spent.
        """
        now = self._monotonic()
        level, updated_at = self._buckets.pop(bucket, (float(per_minute), now))
        level = min(float(per_minute), level + (now - updated_at) * per_minute / 60)
        is_enough = cost <= level
        if is_enough:
            level -= cost
        self._buckets[bucket] = (level, now)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        if not is_enough:
            self.note_refusal(bucket)
            missing = min(cost, per_minute) - level
            raise RateLimited(retry_after=max(1, round(missing * 60 / per_minute + 0.5)))
        if shared:
            self._to_share[bucket, per_minute] = self._to_share.get((bucket, per_minute), 0) + cost
        return BucketState(per_minute, int(level), cost, (per_minute - level) * 60 / per_minute)

    def note_refusal(self, bucket: str) -> None:
        """Count that there was too little in a bucket, here or where processes share it."""
        self.refusals[bucket.partition("/")[0]] += 1

    def take_spent(self) -> dict[tuple[str, int], int]:
        """Return what was spent from shared buckets since the last call, by their names and what they hold."""
        spent, self._to_share = self._to_share, {}
        return spent

    def note_shared(self, bucket: str, used: float, *, per_minute: int) -> None:
        """Note how much all processes together have used of a bucket: no more than the rest is left in it."""
        found = self._buckets.get(bucket)
        if found is not None:
            level, updated_at = found
            self._buckets[bucket] = (min(level, max(0.0, per_minute - used)), updated_at)
