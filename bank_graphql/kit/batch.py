"""Gathers work that arrives one by one into batches, and hands each its own result.

While batches are under way the next one fills up, so batches grow with the load, and where none is under way nothing waits.
What is in the queue, and how many batches are under way, is bounded.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from bank_graphql.kit.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


PATIENCE_SECONDS = 0.05
_Entry = tuple[Item, "asyncio.Future[Result]", float]
"""What waits: the item, its result to be, and until when it waits."""


class Batcher(Generic[Item, Result]):
    """Runs `work(items)`, which returns one result (or exception) for each item, in their order.

    A batch that fails as a whole is run again item by item, so that a bad item never spoils its neighbours (but not when the
    failure is that the database is out of reach).

    Attributes:
        max_batch: the most weight in one batch, though a single item may weigh more.
        weigh: what an item weighs.
        max_queue: the most weight that may wait; what comes on top is refused as `Unavailable`.
        owner: whose an item is; None for all to be of one.
        max_owned: the most weight that may wait for one owner, so that nobody fills the queue for the others; an owner for whom
            nothing waits may always add an item, if the queue has room. None for no such bound.
        max_running: the most batches under way at a time.
        max_under_way: the most weight in them together, though a single batch may weigh more; None for no such bound.
        worthwhile: the least weight that must wait for a batch to begin beside others, as a share of theirs. Without it batches
            begin early and stay small. A full batch is always worthwhile; nothing waits for this longer than `PATIENCE_SECONDS`.
        deadline: seconds that an item may wait for its turn before it is refused as `Unavailable`; None for as long as it takes.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int = 500,
        weigh: Callable[[Item], int] = lambda _: 1,
        max_queue: int = 10_000,
        owner: Callable[[Item], Hashable] = lambda _: None,
        max_owned: int | None = None,
        max_running: int = 2,
        max_under_way: int | None = None,
        worthwhile: float = 0,
        deadline: float | None = 10.0,
    ) -> None:
        self._work = work
        self._max_batch = max_batch
        self._weigh = weigh
        self._max_queue = max_queue
        self._owner = owner
        self._max_owned = max_owned
        self._max_running = max_running
        self._max_under_way = max_under_way
        self._worthwhile = worthwhile
        self._deadline = deadline
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._weight = 0
        self._owned: Counter[Hashable] = Counter()
        self._running: dict[asyncio.Task[None], int] = {}
        self._under_way = 0
        self._is_to_start = False
        self._closed = False
        # One of each for all: a timer takes as long to set as all else here.
        self._late: asyncio.TimerHandle | None = None
        self._impatient: asyncio.TimerHandle | None = None

    async def submit(self, item: Item) -> Result:
        """Have the item worked on in a batch to come, once, even if the caller goes away.

        Raises:
            Unavailable: the queue is full, the batcher is closing, or the item's turn came too late.
            Exception: what `work` returned or raised for this item.
        """
        return await self.enqueue(item)

    def enqueue(self, item: Item) -> "asyncio.Future[Result]":
        """Have the item worked on in a batch to come; its result to be. Cancelling that does not call the item back.

        Raises:
            Unavailable: the queue is full, or the batcher is closing.
        """
        self.require_room(item)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future, loop.time() + (self._deadline or 0)))
        if self._deadline and self._late is None:
            self._late = loop.call_later(self._deadline, self._refuse_late)
        self._count(item, 1)
        if not self._is_to_start and len(self._running) < self._max_running:
            self._is_to_start = True
            loop.call_soon(self._start)
        return future

    def require_room(self, item: Item) -> None:
        """See to it that this item may wait now.

        Raises:
            Unavailable: the queue is full, too much of it is the owner's, or the batcher is closing.
        """
        weight, owned = self._weigh(item), 0 if self._max_owned is None else self._owned[self._owner(item)]
        if self._closed or (self._waiting and self._weight + weight > self._max_queue):
            raise Unavailable
        if self._max_owned is not None and owned and owned + weight > self._max_owned:
            raise Unavailable

    def _count(self, item: Item, sign: int) -> None:
        """Count what waits: an item that came, or (-1) went."""
        weight = sign * self._weigh(item)
        self._weight += weight
        if self._max_owned is not None:
            owner = self._owner(item)
            self._owned[owner] += weight
            if not self._owned[owner]:
                del self._owned[owner]

    async def close(self) -> None:
        """Take nothing more, and finish what was taken."""
        self._closed = True
        while self._waiting or self._running:
            self._start_one()
            # Not `gather`: from Python 3.12 on it does not yield for tasks that are done, and then `_finished` is never called.
            await asyncio.wait(self._running)
        for timer in (self._late, self._impatient):
            if timer is not None:
                timer.cancel()

    def _start(self) -> None:
        """Start what may start and is worthwhile; what is not is started a little later."""
        self._is_to_start = False
        while self._weight >= min(self._max_batch, self._worthwhile * self._under_way) and self._start_one():
            pass
        if self._waiting and self._worthwhile and self._impatient is None and len(self._running) < self._max_running:
            self._impatient = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._start_at_once)

    def _start_at_once(self) -> None:
        self._impatient = None
        self._start_one()
        self._start()

    def _start_one(self) -> bool:
        """Start a batch, if there may be one more and something waits for it; tell whether."""
        taken, weight = self._take() if len(self._running) < self._max_running else ([], 0)
        if taken:
            task = asyncio.get_running_loop().create_task(self._run(taken))
            self._running[task] = weight
            self._under_way += weight
            task.add_done_callback(self._finished)
        return bool(taken)

    def _take(self) -> "tuple[list[_Entry[Item, Result]], int]":
        """The next batch and its weight; nothing if it would be too much beside what is under way."""
        taken: list[_Entry[Item, Result]] = []
        weight, under_way = 0, self._under_way
        while self._waiting:
            more = self._weigh(self._waiting[0][0])
            if taken and weight + more > self._max_batch:
                break
            if under_way and self._max_under_way is not None and under_way + weight + more > self._max_under_way:
                break
            taken.append(self._waiting.popleft())
            weight += more
            self._count(taken[-1][0], -1)
        return taken, weight

    def _refuse_late(self) -> None:
        """Refuse what has waited for too long, and look again when the next one will have."""
        loop = asyncio.get_running_loop()
        self._late, now = None, loop.time()
        while self._waiting and self._late is None:
            item, future, until = self._waiting[0]
            if until > now:
                self._late = loop.call_at(until, self._refuse_late)
            else:
                self._waiting.popleft()
                self._count(item, -1)
                _settle(future, Unavailable())

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._under_way -= self._running.pop(task)
        self._start()

    async def _run(self, taken: "Sequence[_Entry[Item, Result]]") -> None:
        for (_, future, _), result in zip(taken, await self._results([item for item, _, _ in taken]), strict=True):
            _settle(future, result)

    async def _results(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        try:
            return await self._work(items)
        except Unavailable as error:
            return [error] * len(items)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is given to the caller it belongs to
            if len(items) == 1:
                return [error]
            return [(await self._results([item]))[0] for item in items]


def _settle(future: "asyncio.Future[Result]", result: Result | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # seen: a caller that went away is no reason for a warning
    else:
        future.set_result(result)
