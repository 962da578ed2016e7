"""Share a process that is busy: who takes more of it than a share waits while others want it too.

A rate limit bounds what somebody takes in a minute; within a second two connections could still take all there is. Nobody waits
where there is processor time left, or nobody else.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

SHARE, EVEN = 0.3, 1.1
"""What one may take of all that is done while others wait; of two, a tenth more than half, so that not both of them wait."""
BUSY = 0.8
"""The part of its time that the process works, from which on it is shared."""
WINDOW_SECONDS = 1.0
"""What was done in this window, and in the one before it, counts."""
STEP_SECONDS, PATIENCE_SECONDS = 0.02, 5.0
"""How often is looked whether it is one's turn, and for how long one waits at the most."""


class FairShare:
    """What each has taken of a process in the last two seconds.

    Args:
        monotonic: gives the time in seconds.
        processor: gives the processor time that this thread has taken, in seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.thread_time
    ) -> None:
        self._monotonic = monotonic
        self._processor = processor
        self._since, self._worked = monotonic(), processor()
        self._is_busy = False
        self._taken: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._total = 0
        self._total_before = 0

    async def wait(self, who: str) -> None:
        """Wait until it is one's turn, for `PATIENCE_SECONDS` at the most."""
        until = self._monotonic() + PATIENCE_SECONDS
        while self.must_wait(who) and self._monotonic() < until:  # noqa: ASYNC110 - nothing happens when it is one's turn
            await asyncio.sleep(STEP_SECONDS)

    def count(self, who: str, points: int) -> None:
        """Count what is done for someone, in points."""
        self._taken[who] += points
        self._total += points

    def must_wait(self, who: str) -> bool:
        """Return whether the process is busy, and this one has taken more than a share of what was done for all."""
        now = self._monotonic()
        if now - self._since >= WINDOW_SECONDS:
            self._begin_window(now)
        if not self._is_busy:
            return False
        mine, total = self._taken[who] + self._before[who], self._total + self._total_before
        users = len(self._taken.keys() | self._before.keys())
        return users > 1 and mine > max(SHARE, EVEN / users) * total

    def _begin_window(self, now: float) -> None:
        worked, elapsed = self._processor(), now - self._since
        self._is_busy = worked - self._worked > BUSY * elapsed
        is_next = elapsed < 2 * WINDOW_SECONDS
        self._before, self._total_before = (self._taken, self._total) if is_next else (Counter(), 0)
        self._taken, self._total = Counter(), 0
        self._since, self._worked = now, worked
