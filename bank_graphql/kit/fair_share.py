"""Share the processor time of a busy process fairly among its users.

A rate limit bounds a user's cost per minute. Within a second, two connections of one user could still take all processor time.
So while the process is busy, a user who has taken more than a fair share of the recent cost waits. Nobody waits while the
process has time left, or while there is no other user.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

MIN_SHARE = 0.3
"""The share of the recent cost that every user may take without waiting, however many users there are."""
EVEN_SHARE_FACTOR = 1.1
"""A user may take this multiple of an even share (1 / users). It is above 1 so that of two users not both wait."""
BUSY_RATIO = 0.8
"""The process is busy when it used more than this part of a window as processor time."""
WINDOW_SECONDS = 1.0
"""The recent cost is the cost of the current window and of the one before it."""
POLL_SECONDS = 0.02
"""The interval at which a waiting request checks whether it can proceed."""
MAX_WAIT_SECONDS = 5.0
"""The longest that one request waits."""


class FairShare:
    """The cost that each user has caused in this process in the current and the previous window.

    Args:
        monotonic: returns the time in seconds.
        processor: returns the processor time used by this thread, in seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.thread_time
    ) -> None:
        self._monotonic = monotonic
        self._processor = processor
        self._window_start, self._processor_at_start = monotonic(), processor()
        self._is_busy = False
        self._costs: Counter[str] = Counter()
        self._previous_costs: Counter[str] = Counter()
        self._total = 0
        self._previous_total = 0

    async def wait(self, user: str) -> None:
        """Wait until the user is within the fair share, for `MAX_WAIT_SECONDS` at most."""
        deadline = self._monotonic() + MAX_WAIT_SECONDS
        while self.must_wait(user) and self._monotonic() < deadline:  # noqa: ASYNC110 - no event marks the end of the wait
            await asyncio.sleep(POLL_SECONDS)

    def record(self, user: str, cost: int) -> None:
        """Add the cost of a request to its user's recent cost."""
        self._costs[user] += cost
        self._total += cost

    def must_wait(self, user: str) -> bool:
        """Return whether the process is busy and the user has taken more than a fair share of the recent cost."""
        now = self._monotonic()
        if now - self._window_start >= WINDOW_SECONDS:
            self._start_window(now)
        if not self._is_busy:
            return False
        cost, total = self._costs[user] + self._previous_costs[user], self._total + self._previous_total
        users = len(self._costs.keys() | self._previous_costs.keys())
        return users > 1 and cost > max(MIN_SHARE, EVEN_SHARE_FACTOR / users) * total

    def _start_window(self, now: float) -> None:
        processor, elapsed = self._processor(), now - self._window_start
        self._is_busy = processor - self._processor_at_start > BUSY_RATIO * elapsed
        is_adjacent = elapsed < 2 * WINDOW_SECONDS  # otherwise the last window is too old to be the previous one
        self._previous_costs, self._previous_total = (self._costs, self._total) if is_adjacent else (Counter(), 0)
        self._costs, self._total = Counter(), 0
        self._window_start, self._processor_at_start = now, processor
