"""Delay repeated failed attempts on one name, such as guesses at a user's password.

Attempts on a name queue and run one at a time. After some free attempts there is a delay between two of them, which doubles
with each further attempt; an attempt that succeeds ends the delay. An address from which an attempt has succeeded before has
a queue of its own, so guesses from elsewhere do not delay the legitimate user. All other addresses share one queue, however
many there are. An attempt that would wait too long is refused, with the time after which to try again.

Queues are kept in the memory of one process, so with several processes each has its own.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from bank_graphql.kit.errors import RateLimited

FREE_ATTEMPTS = 5
"""The number of attempts without a delay."""
FIRST_DELAY_SECONDS = 0.5
"""The delay after the free attempts. It doubles with each further attempt."""
MAX_DELAY_SECONDS = 10.0
"""The longest delay between two attempts."""
MAX_WAIT_SECONDS = 30.0
"""The longest that an attempt may queue. One that would queue longer is refused."""
HALF_LIFE_SECONDS = 600.0
"""The time in which the number of counted attempts halves."""
_MAX_NAMES = 100_000


@dataclass(slots=True)
class _Queue:
    """The attempts on one name.

    Attributes:
        attempts: the number of attempts, which decays with `HALF_LIFE_SECONDS`.
        updated_at: when `attempts` was last computed.
        free_at: when the next attempt may run.
    """

    attempts: float = 0.0
    updated_at: float = 0.0
    free_at: float = 0.0


class AttemptThrottle:
    """The queues of attempts on each name. The least recently used names are dropped beyond `_MAX_NAMES`.

    Args:
        monotonic: returns the time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._queues: LRUCache[tuple[str, str | None], _Queue] = LRUCache(_MAX_NAMES)
        self._known_addresses: LRUCache[tuple[str, str | None], bool] = LRUCache(_MAX_NAMES)

    async def wait_turn(self, name: str, address: str | None) -> None:
        """Queue an attempt and return when it may run.

        Args:
            name: what the attempt is made on, e.g. an e-mail address.
            address: the network address that it comes from.

        Raises:
            RateLimited: the attempt would queue longer than `MAX_WAIT_SECONDS`.
        """
        wait = self.reserve_turn(name, address)
        if wait > 0:
            await asyncio.sleep(wait)

    def reserve_turn(self, name: str, address: str | None) -> float:
        """Queue an attempt and return the seconds until it may run. Arguments and errors as in `wait_turn`."""
        now = self._monotonic()
        queue = self._queues.setdefault(self._queue_key(name, address), _Queue(updated_at=now))
        queue.attempts *= 0.5 ** ((now - queue.updated_at) / HALF_LIFE_SECONDS)
        queue.updated_at = now
        wait = max(0.0, queue.free_at - now)
        if wait > MAX_WAIT_SECONDS:
            raise RateLimited(retry_after=round(wait + 0.5))
        queue.attempts += 1
        beyond_free = round(queue.attempts) - FREE_ATTEMPTS  # they decay a little between one and the next
        if beyond_free >= 0:
            queue.free_at = now + wait + min(FIRST_DELAY_SECONDS * 2**beyond_free, MAX_DELAY_SECONDS)
        return wait

    def record_success(self, name: str, address: str | None) -> None:
        """Record that an attempt succeeded: drop the delay of its queue, and give its address a queue of its own."""
        self._queues.pop(self._queue_key(name, address), None)
        self._known_addresses[name, address] = True

    def _queue_key(self, name: str, address: str | None) -> tuple[str, str | None]:
        return (name, address) if (name, address) in self._known_addresses else (name, None)
