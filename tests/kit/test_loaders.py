"""Reads by key: batched across requests, cached within one, and separate for each actor."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.loaders import Loader, Reader, Requested

ADA, GRACE = (Actor(uuid4(), None, frozenset()) for _ in range(2))


class Source:
    """A source of values, each made of its key and its actor. Reads wait while `open` is not set."""

    def __init__(self) -> None:
        self.reads: list[list[tuple[Actor, int]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False

    async def fetch(self, requested: Sequence[Requested[int]]) -> list[str]:
        keys_by_actor = [(actor, key) for actor, keys in requested for key in keys]
        self.reads.append(keys_by_actor)
        await self.open.wait()
        if self.fails:
            raise Unavailable
        return [value(actor, key) for actor, key in keys_by_actor]


def value(actor: Actor, key: int) -> str:
    """Return the value of a key for an actor."""
    return f"{key} of {actor.user_id}"


async def test_the_keys_of_several_requests_are_read_together_and_each_gets_its_values() -> None:
    source = Source()
    reader = Reader(source.fetch)
    ada, grace = Loader(reader, ADA), Loader(reader, GRACE)
    both = list(await asyncio.gather(ada.load_many([1, 2]), grace.load_many([2, 1])))
    assert both == [[value(ADA, 1), value(ADA, 2)], [value(GRACE, 2), value(GRACE, 1)]]
    assert source.reads == [[(ADA, 1), (ADA, 2), (GRACE, 2), (GRACE, 1)]]


async def test_keys_requested_during_a_read_go_into_the_next() -> None:
    source = Source()
    reader = Reader(source.fetch)
    source.open.clear()
    waiting = [asyncio.create_task(Loader(reader, ADA).load(key)) for key in range(1)]
    while not source.reads:
        await asyncio.sleep(0)
    waiting += [asyncio.create_task(Loader(reader, GRACE).load(key)) for key in range(1, 5)]
    await asyncio.sleep(0)
    source.open.set()
    assert await asyncio.gather(*waiting) == [value(ADA, 0), *(value(GRACE, key) for key in range(1, 5))]
    assert [len(read) for read in source.reads] == [1, 4]


async def test_a_request_reads_each_key_once() -> None:
    source = Source()
    loader = Loader(Reader(source.fetch), ADA)
    assert await loader.load_many([1, 1, 2]) == [value(ADA, 1), value(ADA, 1), value(ADA, 2)]
    assert await loader.load_many([3, 2]) == [value(ADA, 3), value(ADA, 2)]
    assert list(await asyncio.gather(loader.load(3), loader.load(4), loader.load_many([4, 1]))) == [
        value(ADA, 3),
        value(ADA, 4),
        [value(ADA, 4), value(ADA, 1)],
    ]
    assert source.reads == [[(ADA, 1), (ADA, 2)], [(ADA, 3)], [(ADA, 4)]]
    assert await loader.load_many([]) == []


async def test_another_request_reads_anew() -> None:
    source = Source()
    reader = Reader(source.fetch)
    await Loader(reader, ADA).load(1)
    await Loader(reader, ADA).load(1)
    assert len(source.reads) == 2


async def test_a_failed_read_fails_for_all_its_requests_and_not_for_the_next() -> None:
    source = Source()
    reader = Reader(source.fetch)
    source.fails = True
    loader = Loader(reader, ADA)
    results = await asyncio.gather(loader.load(1), loader.load(1), Loader(reader, GRACE).load(2), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    source.fails = False
    assert await Loader(reader, ADA).load(1) == value(ADA, 1)


async def test_a_cancelled_request_does_not_disturb_the_others() -> None:
    source = Source()
    reader = Reader(source.fetch)
    source.open.clear()
    gone = asyncio.create_task(Loader(reader, ADA).load(1))
    stays = asyncio.create_task(Loader(reader, GRACE).load(2))
    while not source.reads:
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    source.open.set()
    assert await stays == value(GRACE, 2)


async def test_a_slow_read_does_not_delay_others_where_several_may_run() -> None:
    source, started, first = Source(), asyncio.Event(), asyncio.Event()

    async def fetch(requested: Sequence[Requested[int]]) -> list[str]:
        if requested[0][1] == [0]:
            started.set()
            await first.wait()
        return await source.fetch(requested)

    reader = Reader(fetch, max_statements=2)
    slow = asyncio.create_task(Loader(reader, ADA).load(0))
    await started.wait()
    assert await Loader(reader, GRACE).load(1) == value(GRACE, 1)
    first.set()
    assert await slow == value(ADA, 0)
