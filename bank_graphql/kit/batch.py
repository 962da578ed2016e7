"""Collect items that arrive one by one into batches, and return to each caller the result of its own item.

While batches are running, the next one collects items. So batches grow with the load, and without load no item waits.
The queue, and the number and size of running batches, are bounded.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context, copy_context
from typing import Generic, TypeVar

from bank_graphql.kit.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


MAX_START_DELAY_SECONDS = 0.05
"""The longest that a batch waits for more items before it starts beside running ones."""
_Entry = tuple[Item, "asyncio.Future[Result]", float, Context]
"""A queued item, the future of its result, the loop's time at which it is refused, and the context of its caller."""


class Batcher(Generic[Item, Result]):
    """Runs batches of items with `work(items)`, which returns one result or exception per item, in their order.

    A batch runs in the context of its first item's caller, so that logs and traces name that request.

    When `work` raises, the items run again one by one, so that one bad item does not fail the others. It is not run again when
    it raises `Unavailable`, because then every item would fail.

    Args:
        work: runs a batch.
        max_batch_size: the maximum size of a batch. A single item may be larger.
        size_of: returns the size of an item.
        max_queue_size: the maximum size of all queued items. Items beyond it are refused as `Unavailable`.
        owner_of: returns the owner of an item.
        max_queue_size_per_owner: the maximum size of one owner's queued items, so that no owner fills the queue for the others.
            An owner without queued items may always add one, if the queue has room. None for no maximum.
        max_concurrent_batches: the maximum number of batches that run at the same time.
        max_concurrent_size: the maximum size of these together, though a single batch may be larger. None for no maximum.
        min_start_ratio: beside running batches, a batch starts only if it is full, if the queue has at least this fraction of
            their size, or after `MAX_START_DELAY_SECONDS`. Otherwise batches would start early and stay small.
        max_wait_seconds: how long an item may be queued before it is refused as `Unavailable`. None for no maximum.
        on_start: called when a batch starts, with its size, and the seconds for which its first item was queued.

    Attributes:
        refusals: how many items were refused so far, because the queue was full or they were queued too long.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch_size: int = 500,
        size_of: Callable[[Item], int] = lambda _: 1,
        max_queue_size: int = 10_000,
        owner_of: Callable[[Item], Hashable] = lambda _: None,
        max_queue_size_per_owner: int | None = None,
        max_concurrent_batches: int = 2,
        max_concurrent_size: int | None = None,
        min_start_ratio: float = 0,
        max_wait_seconds: float | None = 10.0,
        on_start: Callable[[int, float], None] | None = None,
    ) -> None:
        self._work = work
        self._max_batch_size = max_batch_size
        self._size_of = size_of
        self._max_queue_size = max_queue_size
        self._owner_of = owner_of
        self._max_queue_size_per_owner = max_queue_size_per_owner
        self._max_concurrent_batches = max_concurrent_batches
        self._max_concurrent_size = max_concurrent_size
        self._min_start_ratio = min_start_ratio
        self._max_wait_seconds = max_wait_seconds
        self._on_start = on_start
        self.refusals = 0
        self._queue: deque[_Entry[Item, Result]] = deque()
        self._queue_size = 0
        self._queue_size_by_owner: Counter[Hashable] = Counter()
        self._running: dict[asyncio.Task[None], int] = {}
        self._running_size = 0
        self._is_start_scheduled = False
        self._is_closed = False
        # One timer of each kind for the whole queue: to set a timer for each item takes as long as everything else here.
        self._expiry_timer: asyncio.TimerHandle | None = None
        self._start_timer: asyncio.TimerHandle | None = None

    async def submit(self, item: Item) -> Result:
        """Run the item in one of the next batches, and return its result. It runs even if the caller is cancelled.

        Raises:
            Unavailable: the queue is full, the batcher is closed, or the item was queued too long.
            Exception: what `work` returned or raised for this item.
        """
        return await self.enqueue(item)

    def enqueue(self, item: Item) -> "asyncio.Future[Result]":
        """Queue the item, and return a future of its result. Cancelling the future does not remove the item from the queue.

        Raises:
            Unavailable: the queue is full, or the batcher is closed.
        """
        self.require_room(item)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((item, future, loop.time() + (self._max_wait_seconds or 0), copy_context()))
        if self._max_wait_seconds and self._expiry_timer is None:
            self._expiry_timer = loop.call_later(self._max_wait_seconds, self._refuse_expired)
        self._add_to_queue_size(item, 1)
        if not self._is_start_scheduled and len(self._running) < self._max_concurrent_batches:
            self._is_start_scheduled = True
            loop.call_soon(self._start)
        return future

    def require_room(self, item: Item) -> None:
        """Make sure that the item can be queued now.

        Raises:
            Unavailable: the queue is full, its owner has too much in it, or the batcher is closed.
        """
        size = self._size_of(item)
        if self._is_closed or (self._queue and self._queue_size + size > self._max_queue_size):
            self.refusals += 1
            raise Unavailable
        if self._max_queue_size_per_owner is not None:
            owned = self._queue_size_by_owner[self._owner_of(item)]
            if owned and owned + size > self._max_queue_size_per_owner:
                self.refusals += 1
                raise Unavailable

    @property
    def queue_size(self) -> int:
        """The size of all queued items."""
        return self._queue_size

    def _add_to_queue_size(self, item: Item, sign: int) -> None:
        """Adjust the sizes of the queue: `sign` is 1 for an item added, and -1 for one removed."""
        size = sign * self._size_of(item)
        self._queue_size += size
        if self._max_queue_size_per_owner is not None:
            owner = self._owner_of(item)
            self._queue_size_by_owner[owner] += size
            if not self._queue_size_by_owner[owner]:
                del self._queue_size_by_owner[owner]

    async def close(self) -> None:
        """Refuse new items, and wait until the queued and running ones have finished."""
        self._is_closed = True
        while self._queue or self._running:
            self._start_one()
            # Not `gather`: from Python 3.12 on it does not yield for tasks that are done, and then `_finished` is never called.
            await asyncio.wait(self._running)
        for timer in (self._expiry_timer, self._start_timer):
            if timer is not None:
                timer.cancel()

    def _start(self) -> None:
        """Start as many batches as the limits and `min_start_ratio` allow. If items remain, set a timer to start them."""
        self._is_start_scheduled = False
        while self._queue_size >= min(self._max_batch_size, self._min_start_ratio * self._running_size) and self._start_one():
            pass
        can_start_more = len(self._running) < self._max_concurrent_batches
        if self._queue and self._min_start_ratio and self._start_timer is None and can_start_more:
            self._start_timer = asyncio.get_running_loop().call_later(MAX_START_DELAY_SECONDS, self._start_delayed)

    def _start_delayed(self) -> None:
        self._start_timer = None
        self._start_one()
        self._start()

    def _start_one(self) -> bool:
        """Start one batch if the limits allow it and there are queued items. Return whether one was started."""
        taken, size = self._take() if len(self._running) < self._max_concurrent_batches else ([], 0)
        if taken:
            task = asyncio.get_running_loop().create_task(self._run(taken), context=taken[0][3])
            self._running[task] = size
            self._running_size += size
            if self._on_start is not None:
                queued_at = taken[0][2] - (self._max_wait_seconds or 0)
                self._on_start(size, asyncio.get_running_loop().time() - queued_at)
            task.add_done_callback(self._finished)
        return bool(taken)

    def _take(self) -> "tuple[list[_Entry[Item, Result]], int]":
        """Remove the next batch from the queue; return it and its size. It may be empty, because of `max_concurrent_size`."""
        taken: list[_Entry[Item, Result]] = []
        size, running_size = 0, self._running_size
        while self._queue:
            added = self._size_of(self._queue[0][0])
            if taken and size + added > self._max_batch_size:
                break
            if running_size and self._max_concurrent_size is not None and running_size + size + added > self._max_concurrent_size:
                break
            taken.append(self._queue.popleft())
            size += added
            self._add_to_queue_size(taken[-1][0], -1)
        return taken, size

    def _refuse_expired(self) -> None:
        """Refuse the items that were queued too long, and set the timer for the next one."""
        loop = asyncio.get_running_loop()
        self._expiry_timer, now = None, loop.time()
        while self._queue and self._expiry_timer is None:
            item, future, expires_at, _ = self._queue[0]
            if expires_at > now:
                self._expiry_timer = loop.call_at(expires_at, self._refuse_expired)
            else:
                self._queue.popleft()
                self._add_to_queue_size(item, -1)
                self.refusals += 1
                _resolve(future, Unavailable())

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._running_size -= self._running.pop(task)
        self._start()

    async def _run(self, taken: "Sequence[_Entry[Item, Result]]") -> None:
        for (_, future, _, _), result in zip(taken, await self._results([item for item, *_ in taken]), strict=True):
            _resolve(future, result)

    async def _results(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        try:
            return await self._work(items)
        except Unavailable as error:
            return [error] * len(items)
        except Exception as error:  # noqa: BLE001 - whatever the error is, it belongs to the caller of the item
            if len(items) == 1:
                return [error]
            return [(await self._results([item]))[0] for item in items]


def _resolve(future: "asyncio.Future[Result]", result: Result | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # marks it as retrieved: a caller that was cancelled is no reason for a warning
    else:
        future.set_result(result)
