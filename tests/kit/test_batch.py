"""The batcher."""

import asyncio
from collections.abc import Sequence

import pytest

from bank_graphql.kit.batch import Batcher
from bank_graphql.kit.errors import Unavailable


class Gate:
    """Work that waits until it is let through, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def work(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        await self.open.wait()
        return [ValueError(item) if item < 0 else item * 10 for item in items]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_gets_its_own_result_or_error() -> None:
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate.work)
    results = await asyncio.gather(*(batcher.submit(item) for item in (1, -2, 3)), return_exceptions=True)
    assert results[0] == 10
    assert isinstance(results[1], ValueError)
    assert results[2] == 30
    assert gate.batches == [[1, -2, 3]]


async def test_what_arrives_meanwhile_goes_into_the_next_batch_in_order() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, max_batch=3)
    first = asyncio.create_task(batcher.submit(1))
    await settle()
    others = [asyncio.create_task(batcher.submit(item)) for item in (2, 3, 4, 5)]
    await settle()
    assert gate.batches == [[1]]
    gate.open.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40, 50]
    assert gate.batches == [[1], [2, 3, 4], [5]]


async def test_no_more_batches_run_at_a_time_than_allowed() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=2, max_batch=1)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    await settle()
    assert gate.batches == [[0], [1]]
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_beside_others_a_batch_begins_once_it_is_worthwhile() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=3, worthwhile=0.5)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    await settle()
    for item, begun in ((4, 1), (5, 2), (6, 2), (7, 2)):
        tasks.append(asyncio.create_task(batcher.submit(item)))
        await settle()
        assert len(gate.batches) == begun
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[0, 1, 2, 3], [4, 5], [6, 7]]


async def test_a_full_batch_is_worthwhile_beside_any_other() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_batch=3, max_running=2, worthwhile=0.5, weigh=lambda item: 100 if item == 0 else 1)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    await settle()
    assert gate.batches == [[0], [1, 2, 3]]
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_nobody_waits_for_a_batch_that_is_held_up() -> None:
    begun = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int]:
        if 5 in items:
            begun.set()
        await begun.wait()
        return list(items)

    batcher = Batcher(work, max_running=3, worthwhile=0.5)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(5)]
    await settle()
    tasks.append(asyncio.create_task(batcher.submit(5)))
    assert await asyncio.wait_for(asyncio.gather(*tasks), 10) == [0, 1, 2, 3, 4, 5]


async def test_a_full_queue_is_refused_as_unavailable() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, max_batch=1, max_queue=2)
    tasks = [asyncio.create_task(batcher.submit(0))]
    await settle()
    tasks += [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
    await settle()
    with pytest.raises(Unavailable):
        await batcher.submit(3)
    gate.open.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20]


async def test_an_owner_has_a_share_of_the_queue_which_comes_free_again() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, max_batch=4, max_queue=20, owner=lambda item: item % 2, max_owned=3)
    first = asyncio.create_task(batcher.submit(0))
    await settle()
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (2, 4, 6, 8, 1)]
    await settle()
    with pytest.raises(Unavailable):
        await tasks[3]
    gate.open.set()
    assert await asyncio.gather(first, *tasks[:3], tasks[4]) == [0, 20, 40, 60, 10]
    assert await asyncio.gather(*(batcher.submit(item) for item in (2, 4, 6))) == [20, 40, 60]


async def test_who_waits_too_long_is_refused_and_not_worked_on() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, deadline=0.001)
    tasks = [asyncio.create_task(batcher.submit(0))]
    await settle()
    with pytest.raises(Unavailable):
        await batcher.submit(1)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert [1] not in gate.batches


async def test_a_batch_that_fails_is_run_again_one_by_one() -> None:
    batches = []

    async def work(items: Sequence[int]) -> list[int | Exception]:
        batches.append(list(items))
        if 2 in items:
            raise RuntimeError("bad item")
        return list(items)

    batcher = Batcher(work)
    results = await asyncio.gather(*(batcher.submit(item) for item in (1, 2, 3)), return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], RuntimeError)
    assert results[2] == 3
    assert batches == [[1, 2, 3], [1], [2], [3]]


async def test_a_batch_without_its_database_is_not_run_again() -> None:
    batches = []

    async def work(items: Sequence[int]) -> list[int | Exception]:
        batches.append(list(items))
        raise Unavailable

    batcher: Batcher[int, int] = Batcher(work)
    results = await asyncio.gather(*(batcher.submit(item) for item in (1, 2)), return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert batches == [[1, 2]]


async def test_a_caller_that_goes_away_disturbs_nobody() -> None:
    gate = Gate()
    batcher = Batcher(gate.work)
    gone, stays = (asyncio.create_task(batcher.submit(item)) for item in (-1, 2))
    await settle()
    gone.cancel()
    gate.open.set()
    assert await stays == 20


async def test_what_a_caller_asked_for_that_goes_away_before_its_turn_is_still_done() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1)
    first = asyncio.create_task(batcher.submit(1))
    await settle()
    gone, stays = (asyncio.create_task(batcher.submit(item)) for item in (2, 3))
    await settle()
    gone.cancel()
    await settle()
    gate.open.set()
    assert await asyncio.gather(first, stays) == [10, 30]
    assert gate.batches == [[1], [2, 3]]


async def test_closing_finishes_what_was_taken_and_takes_no_more() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, max_batch=1)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (1, 2, 3)]
    await settle()
    closing = asyncio.create_task(batcher.close())
    await settle()
    with pytest.raises(Unavailable):
        await batcher.submit(4)
    gate.open.set()
    await closing
    assert await asyncio.gather(*tasks) == [10, 20, 30]


async def test_heavy_items_make_smaller_batches_and_fill_the_queue() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, max_batch=10, max_queue=25, weigh=lambda item: item)
    tasks = [asyncio.create_task(batcher.submit(1))]
    await settle()
    tasks += [asyncio.create_task(batcher.submit(item)) for item in (4, 6, 1, 12)]
    await settle()
    with pytest.raises(Unavailable):
        await batcher.submit(3)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[1], [4, 6], [1], [12]]


async def test_the_deadline_comes_though_nothing_else_does() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, deadline=0.01)
    first = asyncio.create_task(batcher.submit(1))
    await settle()
    with pytest.raises(Unavailable):
        await batcher.submit(2)
    assert not first.done()
    gate.open.set()
    assert await first == 10


async def test_what_is_under_way_together_is_bounded_but_for_a_single_heavy_one() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=3, max_batch=10, max_under_way=15, weigh=lambda item: item)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (9, 8, 7, 20)]
    await settle()
    assert gate.batches == [[9]]
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[9], [8], [7], [20]]


async def test_who_waits_too_long_is_refused_while_closing_too() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_running=1, max_batch=1, deadline=0.01)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
    await settle()
    closing = asyncio.create_task(batcher.close())
    with pytest.raises(Unavailable):
        await tasks[1]
    gate.open.set()
    await closing
    assert await tasks[0] == 10
