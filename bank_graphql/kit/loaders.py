"""Read values by key in batches: one statement answers the keys that many fields of many requests need at the same time.

A `Reader` lives as long as the process and collects the keys of all requests. A `Loader` lives until the request's next mutation
or event, and caches its values. Each key is read together with the actor that requests it, so that a value read for one actor is
never returned to another.
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
"""An actor, and the keys that it requests."""
Fetch = Callable[[Sequence[Requested[K]]], Awaitable[list[V]]]
"""Reads the keys of several actors. Returns one value for each key, in the order of the requests and of their keys."""

MAX_ROWS_PER_STATEMENT = 2000
MAX_ROWS_WAITING = 200_000
MAX_CONCURRENT_STATEMENTS = 1


class Reader(Generic[K, V]):
    """Collects the keys that all requests need while a statement is running, and reads them with the next statement.

    Args:
        fetch: reads the values.
        max_rows: the maximum number of rows of one statement, unless the keys of one actor need more.
        rows_per_key: returns the maximum number of rows that a key may select; None if every key selects one.
        max_statements: the maximum number of statements that run at the same time.
    """

    def __init__(
        self,
        fetch: Fetch[K, V],
        *,
        max_rows: int = MAX_ROWS_PER_STATEMENT,
        rows_per_key: Callable[[K], int] | None = None,
        max_statements: int = MAX_CONCURRENT_STATEMENTS,
    ) -> None:
        self._fetch = fetch
        self._batcher: Batcher[Requested[K], list[V]] = Batcher(
            self._read,
            max_batch_size=max_rows,
            size_of=lambda requested: len(requested[1]) if rows_per_key is None else sum(map(rows_per_key, requested[1])),
            max_queue_size=MAX_ROWS_WAITING,
            max_concurrent_batches=max_statements,
            max_wait_seconds=None,  # statements have a time limit of their own
        )

    def request(self, actor: Actor, keys: Sequence[K]) -> "asyncio.Future[list[V]]":
        """Queue the keys, and return a future of their values, in the order of the keys.

        Raises:
            Unavailable: too many rows are queued.
        """
        return self._batcher.enqueue((actor, keys))

    async def _read(self, requests: Sequence[Requested[K]]) -> list[list[V]]:
        values = await self._fetch(requests)
        answers, start = [], 0
        for _, keys in requests:
            answers.append(values[start : start + len(keys)])
            start += len(keys)
        return answers


class Loader(Generic[K, V]):
    """The values that one actor has requested from a reader. Each key is read once: a failed read is not repeated.

    Attributes:
        requests: how many reads were requested.
    """

    __slots__ = ("_actor", "_answers", "_reader", "_requested", "requests")

    def __init__(self, reader: Reader[K, V], actor: Actor) -> None:
        self._reader = reader
        self._actor = actor
        self.requests = 0
        self._requested: list[tuple[Sequence[K], asyncio.Future[list[V]]]] = []
        self._answers: dict[K, tuple[asyncio.Future[list[V]], int]] = {}

    async def load(self, key: K) -> V:
        """Return the value of one key.

        Raises:
            Unavailable: it cannot be read.
        """
        return (await self.load_many((key,)))[0]

    async def load_many(self, keys: Sequence[K]) -> list[V]:
        """Return the values of the keys, in their order.

        Raises:
            Unavailable: they cannot be read.
        """
        known, new = self._known(), list(dict.fromkeys(keys))
        if known:
            new = [key for key in new if key not in known]
        if new:
            answer = self._reader.request(self._actor, new)
            self._requested.append((new, answer))
            self.requests += 1
            if len(new) == len(keys):
                return await asyncio.shield(answer)  # other fields of the request may wait for it as well
            known = self._known()
        places = [known[key] for key in keys]
        for answer in {answer for answer, _ in places}:
            if not answer.done():
                await asyncio.shield(answer)
        return [answer.result()[index] for answer, index in places]

    def _known(self) -> "dict[K, tuple[asyncio.Future[list[V]], int]]":
        """Return the answer that holds the value of each requested key, and the value's index in it.

        The index of keys is only built here, because most loaders are used once.
        """
        for keys, answer in self._requested:
            self._answers.update(zip(keys, zip(repeat(answer), count()), strict=False))
        self._requested.clear()
        return self._answers
