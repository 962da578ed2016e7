"""The batcher: what runs together, how much may wait, and whom an error or a cancellation affects."""

import asyncio
from collections.abc import Sequence

import pytest

from bank_graphql.kit.batch import Batcher
from bank_graphql.kit.errors import Unavailable


class Gate:
    """Work that waits until the gate is open, and records its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def work(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        await self.open.wait()
        return [ValueError(item) if item < 0 else item * 10 for item in items]


async def let_tasks_run() -> None:
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


async def test_items_that_arrive_during_a_batch_go_into_the_next_in_order() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_batch_size=3)
    first = asyncio.create_task(batcher.submit(1))
    await let_tasks_run()
    others = [asyncio.create_task(batcher.submit(item)) for item in (2, 3, 4, 5)]
    await let_tasks_run()
    assert gate.batches == [[1]]
    gate.open.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40, 50]
    assert gate.batches == [[1], [2, 3, 4], [5]]


async def test_no_more_batches_run_at_a_time_than_allowed() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=2, max_batch_size=1)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    await let_tasks_run()
    assert gate.batches == [[0], [1]]
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_a_batch_starts_beside_others_at_the_minimum_ratio() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=3, min_start_ratio=0.5)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    await let_tasks_run()
    for item, started in ((4, 1), (5, 2), (6, 2), (7, 2)):
        tasks.append(asyncio.create_task(batcher.submit(item)))
        await let_tasks_run()
        assert len(gate.batches) == started
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[0, 1, 2, 3], [4, 5], [6, 7]]


async def test_a_full_batch_starts_beside_any_other() -> None:
    gate = Gate()
    batcher = Batcher(
        gate.work, max_batch_size=3, max_concurrent_batches=2, min_start_ratio=0.5, size_of=lambda item: 100 if item == 0 else 1
    )
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(4)]
    await let_tasks_run()
    assert gate.batches == [[0], [1, 2, 3]]
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_no_item_waits_for_a_batch_that_is_stuck() -> None:
    started = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int]:
        if 5 in items:
            started.set()
        await started.wait()
        return list(items)

    batcher = Batcher(work, max_concurrent_batches=3, min_start_ratio=0.5)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(5)]
    await let_tasks_run()
    tasks.append(asyncio.create_task(batcher.submit(5)))
    assert await asyncio.wait_for(asyncio.gather(*tasks), 10) == [0, 1, 2, 3, 4, 5]


async def test_a_full_queue_is_refused_as_unavailable() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_batch_size=1, max_queue_size=2)
    tasks = [asyncio.create_task(batcher.submit(0))]
    await let_tasks_run()
    tasks += [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
    await let_tasks_run()
    with pytest.raises(Unavailable):
        await batcher.submit(3)
    gate.open.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20]


async def test_an_owner_has_a_maximum_in_the_queue() -> None:
    gate = Gate()
    batcher = Batcher(
        gate.work,
        max_concurrent_batches=1,
        max_batch_size=4,
        max_queue_size=20,
        owner_of=lambda item: item % 2,
        max_queue_size_per_owner=3,
    )
    first = asyncio.create_task(batcher.submit(0))
    await let_tasks_run()
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (2, 4, 6, 8, 1)]
    await let_tasks_run()
    with pytest.raises(Unavailable):
        await tasks[3]
    gate.open.set()
    assert await asyncio.gather(first, *tasks[:3], tasks[4]) == [0, 20, 40, 60, 10]
    assert await asyncio.gather(*(batcher.submit(item) for item in (2, 4, 6))) == [20, 40, 60]


async def test_an_item_that_is_queued_too_long_is_refused_and_does_not_run() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_wait_seconds=0.001)
    tasks = [asyncio.create_task(batcher.submit(0))]
    await let_tasks_run()
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


async def test_a_cancelled_caller_does_not_disturb_others() -> None:
    gate = Gate()
    batcher = Batcher(gate.work)
    gone, stays = (asyncio.create_task(batcher.submit(item)) for item in (-1, 2))
    await let_tasks_run()
    gone.cancel()
    gate.open.set()
    assert await stays == 20


async def test_the_item_of_a_cancelled_caller_still_runs() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1)
    first = asyncio.create_task(batcher.submit(1))
    await let_tasks_run()
    gone, stays = (asyncio.create_task(batcher.submit(item)) for item in (2, 3))
    await let_tasks_run()
    gone.cancel()
    await let_tasks_run()
    gate.open.set()
    assert list(await asyncio.gather(first, stays)) == [10, 30]
    assert gate.batches == [[1], [2, 3]]


async def test_closing_finishes_all_queued_items_and_refuses_new_ones() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_batch_size=1)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (1, 2, 3)]
    await let_tasks_run()
    closing = asyncio.create_task(batcher.close())
    await let_tasks_run()
    with pytest.raises(Unavailable):
        await batcher.submit(4)
    gate.open.set()
    await closing
    assert await asyncio.gather(*tasks) == [10, 20, 30]


async def test_large_items_make_shorter_batches_and_fill_the_queue() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_batch_size=10, max_queue_size=25, size_of=lambda item: item)
    tasks = [asyncio.create_task(batcher.submit(1))]
    await let_tasks_run()
    tasks += [asyncio.create_task(batcher.submit(item)) for item in (4, 6, 1, 12)]
    await let_tasks_run()
    with pytest.raises(Unavailable):
        await batcher.submit(3)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[1], [4, 6], [1], [12]]


async def test_an_item_expires_without_any_other_event() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_wait_seconds=0.01)
    first = asyncio.create_task(batcher.submit(1))
    await let_tasks_run()
    with pytest.raises(Unavailable):
        await batcher.submit(2)
    assert not first.done()
    gate.open.set()
    assert await first == 10


async def test_the_size_of_running_batches_is_bounded_but_for_a_single_large_one() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=3, max_batch_size=10, max_concurrent_size=15, size_of=lambda item: item)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (9, 8, 7, 20)]
    await let_tasks_run()
    assert gate.batches == [[9]]
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[9], [8], [7], [20]]


async def test_an_item_that_is_queued_too_long_is_refused_while_closing_too() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, max_concurrent_batches=1, max_batch_size=1, max_wait_seconds=0.01)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
    await let_tasks_run()
    closing = asyncio.create_task(batcher.close())
    with pytest.raises(Unavailable):
        await tasks[1]
    gate.open.set()
    await closing
    assert await tasks[0] == 10
