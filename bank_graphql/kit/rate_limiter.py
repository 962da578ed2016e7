"""Token buckets: how much may be asked, and how fast.

A bucket holds what a caller may spend, and fills up evenly. Buckets lie in the memory of a process, so that with several
processes each grants its own share.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.errors import RateLimited

_MOST_BUCKETS = 100_000


@dataclass(frozen=True, slots=True)
class BucketState:
    """What is left in a bucket after spending.

    Attributes:
        limit: what a full bucket holds.
        remaining: what is left, rounded down.
        cost: what was spent just now.
        seconds_until_full: how long it takes until the bucket is full again.
    """

    limit: int
    remaining: int
    cost: int
    seconds_until_full: float

    @property
    def full_at(self) -> datetime:
        """When the bucket is full again."""
        return utc_now() + timedelta(seconds=self.seconds_until_full)


class Limiter:
    """Buckets by name. The least recently used ones are dropped when there are too many."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, bucket: str, cost: int, *, per_minute: int) -> BucketState:
        """Take `cost` out of a bucket that holds, and fills up with, `per_minute`.

        Raises:
            RateLimited: there is not that much left; nothing is taken.
        """
        now = self._monotonic()
        level, at = self._buckets.pop(bucket, (float(per_minute), now))
        level = min(float(per_minute), level + (now - at) * per_minute / 60)
        enough = cost <= level
        if enough:
            level -= cost
        self._buckets[bucket] = (level, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not enough:
            missing = min(cost, per_minute) - level
            raise RateLimited(retry_after=max(1, round(missing * 60 / per_minute + 0.5)))
        return BucketState(per_minute, int(level), cost, (per_minute - level) * 60 / per_minute)
