"""Reads by key, gathered: one statement answers what many fields of many requests ask for at a time.

A `Reader` lives as long as the process and gathers; a `Loader` lives as long as a request and remembers. Who asks goes along
with every key into the statement, so that what is read for one actor is never handed to another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from itertools import count, repeat
from typing import Generic, TypeVar

from bank_graphql.kit.actor import Actor
from bank_graphql.kit.batch import Batcher

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Requested = tuple[Actor, Sequence[K]]
"""Who asks, and for which keys."""
Fetch = Callable[[Sequence[Requested[K]]], Awaitable[list[V]]]
"""Reads what several actors ask for: a value for each key, in the order of the requests and of their keys."""

MOST_IN_A_STATEMENT = 2000
MOST_WAITING = 200_000
STATEMENTS_AT_A_TIME = 1


class Reader(Generic[K, V]):
    """Gathers the keys that all requests ask for while statements are under way, and reads them with the next one.

    Args:
        fetch: reads them.
        most: how many rows one statement reads, unless a single ask is for more.
        weigh: how many rows a key may stand for, if not one.
        statements_at_a_time: how many statements may be under way.
    """

    def __init__(
        self,
        fetch: Fetch[K, V],
        *,
        most: int = MOST_IN_A_STATEMENT,
        weigh: Callable[[K], int] | None = None,
        statements_at_a_time: int = STATEMENTS_AT_A_TIME,
    ) -> None:
        self._fetch = fetch
        self._batcher: Batcher[Requested[K], list[V]] = Batcher(
            self._read,
            max_batch=most,
            weigh=lambda ask: len(ask[1]) if weigh is None else sum(map(weigh, ask[1])),
            max_queue=MOST_WAITING,
            max_running=statements_at_a_time,
            deadline=None,  # statements have a time limit of their own
        )

    def ask(self, actor: Actor, keys: Sequence[K]) -> "asyncio.Future[list[V]]":
        """The values of the keys, to be.

        Raises:
            Unavailable: too much is waiting.
        """
        return self._batcher.enqueue((actor, keys))

    async def _read(self, requested: Sequence[Requested[K]]) -> list[list[V]]:
        values = await self._fetch(requested)
        answers, start = [], 0
        for _, keys in requested:
            answers.append(values[start : start + len(keys)])
            start += len(keys)
        return answers


class Loader(Generic[K, V]):
    """What one actor has asked for during one request: each key once, however it was answered."""

    __slots__ = ("_actor", "_answers", "_asked", "_reader")

    def __init__(self, reader: Reader[K, V], actor: Actor) -> None:
        self._reader = reader
        self._actor = actor
        self._asked: list[tuple[Sequence[K], asyncio.Future[list[V]]]] = []
        self._answers: dict[K, tuple[asyncio.Future[list[V]], int]] = {}

    async def load(self, key: K) -> V:
        """The value of one key.

        Raises:
            Unavailable: it cannot be read.
        """
        return (await self.load_many((key,)))[0]

    async def load_many(self, keys: Sequence[K]) -> list[V]:
        """The values of the keys, in their order.

        Raises:
            Unavailable: they cannot be read.
        """
        known, new = self._known(), list(dict.fromkeys(keys))
        if known:
            new = [key for key in new if key not in known]
        if new:
            answer = self._reader.ask(self._actor, new)
            self._asked.append((new, answer))
            if len(new) == len(keys):
                return await asyncio.shield(answer)  # other fields and requests wait for it as well
            known = self._known()
        places = [known[key] for key in keys]
        for answer in {answer for answer, _ in places}:
            if not answer.done():
                await asyncio.shield(answer)
        return [answer.result()[at] for answer, at in places]

    def _known(self) -> "dict[K, tuple[asyncio.Future[list[V]], int]]":
        """Where the answers are to be found; seen to only when something is asked again."""
        for keys, answer in self._asked:
            self._answers.update(zip(keys, zip(repeat(answer), count()), strict=False))
        self._asked.clear()
        return self._answers
