"""Slow down whoever guesses: attempts on one name wait for their turn, the longer the more of them have failed.

Each attempt is made in its turn, and one that succeeds ends the delay. An address from which someone has succeeded before waits
in a line of its own, so that guesses from elsewhere do not delay whom they are aimed at. All other addresses share a line,
whatever their number; where it is too long, an attempt is refused, with the time to try again. The lines lie in the memory of a
process, so that with several processes each has its own.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from bank_graphql.kit.errors import RateLimited

FREE_ATTEMPTS = 5
"""Attempts that nobody is delayed for."""
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 10.0
"""The delay after those, which doubles with each further attempt, and how long it becomes."""
PATIENCE_SECONDS = 30.0
"""How long an attempt may wait for its turn; one that would wait longer is refused."""
FORGETTING_SECONDS = 600.0
"""The time in which half of the attempts are forgotten."""
_MOST_NAMES = 100_000


@dataclass(slots=True)
class _Line:
    attempts: float = 0.0
    last: float = 0.0
    free_at: float = 0.0


class Slowdown:
    """Gives attempts their turns.

    Args:
        monotonic: gives the time in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lines: LRUCache[tuple[str, str | None], _Line] = LRUCache(_MOST_NAMES)
        self._known: LRUCache[tuple[str, str | None], bool] = LRUCache(_MOST_NAMES)

    async def turn(self, name: str, address: str | None) -> None:
        """Wait for the turn of an attempt.

        Args:
            name: what is tried to get into, e.g. an e-mail address.
            address: where the attempt comes from.

        Raises:
            RateLimited: too many attempts wait for theirs.
        """
        wait = self.take_turn(name, address)
        if wait > 0:
            await asyncio.sleep(wait)

    def take_turn(self, name: str, address: str | None) -> float:
        """Return after how many seconds the attempt has its turn. Raises as `turn`."""
        now = self._monotonic()
        line = self._lines.setdefault(self._place(name, address), _Line(last=now))
        line.attempts *= 0.5 ** ((now - line.last) / FORGETTING_SECONDS)
        line.last = now
        wait = max(0.0, line.free_at - now)
        if wait > PATIENCE_SECONDS:
            raise RateLimited(retry_after=round(wait + 0.5))
        line.attempts += 1
        beyond = line.attempts - FREE_ATTEMPTS
        if beyond >= 0:
            line.free_at = now + wait + min(FIRST_SECONDS * 2**beyond, LONGEST_SECONDS)
        return wait

    def succeeded(self, name: str, address: str | None) -> None:
        """Take note that an attempt has succeeded: its line is free again, and its address known."""
        self._lines.pop(self._place(name, address), None)
        self._known[name, address] = True

    def _place(self, name: str, address: str | None) -> tuple[str, str | None]:
        return (name, address) if (name, address) in self._known else (name, None)
