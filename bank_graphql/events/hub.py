"""The live feed: one reader for the whole process, which hands each new event to its subscribers.

Each subscriber gets each of its events once, in commit order. Events up to the hub's position at the
subscription are replayed from the database; later ones wait in its queue.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from bank_graphql.events.errors import TooSlow
from bank_graphql.events.models import Position
from bank_graphql.kit.errors import Fault, Unavailable
from bank_graphql.kit.notifications import Notifier

_log = structlog.get_logger(__name__)
BATCH_SIZE = 500
"""The maximum number of events that one statement reads."""
DELAYS_AFTER_WAKE = (0.02, 0.05, 0.2)
"""Seconds after which a woken hub reads again: an event cannot be read while a database transaction with a lower id runs."""
POLL_SECONDS = 1.0
MAX_QUEUED = 1000
"""The maximum number of events that are queued for one subscriber."""


@dataclass(frozen=True, slots=True)
class Interest:
    """The events that a subscriber gets: those of all accounts of an owner, future ones too, those of given accounts, or both."""

    owner_id: UUID | None = None
    account_ids: frozenset[UUID] | None = None


class Event(Protocol):
    """An event, as the source reads it."""

    @property
    def position(self) -> Position:
        """The event's position in the feed."""

    @property
    def account_id(self) -> UUID:
        """The account that the event is about."""

    @property
    def owner_id(self) -> UUID:
        """The account's owner."""

    @property
    def occurred_at(self) -> datetime:
        """When the transaction changed."""


E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class Source(Protocol[E_co]):
    """Reads events from the database: only final ones, before which no other event can appear."""

    async def head(self) -> Position:
        """Return a position after all events that are final now."""

    async def after(self, position: Position, limit: int) -> Sequence[E_co]:
        """Return the next events of all accounts after a position."""

    async def replay(self, interest: Interest, after: Position, until: Position, limit: int) -> Sequence[E_co]:
        """Return the next events of an interest after a position, up to and including another one."""


class Subscriber(Generic[E]):
    """A stream of events and its queue.

    Attributes:
        interest: the events that it gets.
        queue: the events to send next.
        is_live: whether the replay is complete, so that all further events come from the queue.
        has_overflowed: whether events did not fit into the queue during the replay, and must be replayed too.
        is_finished: whether the stream ends after its queue.
    """

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.queue: deque[E] = deque()
        self.is_live = False
        self.has_overflowed = False
        self.is_finished = False
        self._fault: Fault | None = None
        self._changed = asyncio.Event()

    def enqueue(self, event: E) -> None:
        """Queue an event. If the queue is full, a live subscriber is ended; one that still replays reads it later."""
        if len(self.queue) < MAX_QUEUED:
            self.queue.append(event)
            self._changed.set()
        elif self.is_live:
            self.end(TooSlow())
        else:
            self.has_overflowed = True

    def end(self, fault: Fault) -> None:
        """End the stream with a fault. What is queued is not sent."""
        self._fault = self._fault or fault
        self._changed.set()

    def finish(self) -> None:
        """End the stream after what is queued, because no further event can come."""
        self.is_finished = True
        self._changed.set()

    def raise_if_ended(self) -> None:
        """Raise the fault that the stream has ended with, if there is one."""
        if self._fault is not None:
            raise self._fault

    async def next(self) -> E | None:
        """Wait for the next event of the queue and return it; None if the stream is finished.

        Raises:
            Fault: the stream has ended.
        """
        while not self.queue and self._fault is None and not self.is_finished:
            self._changed.clear()
            await self._changed.wait()
        self.raise_if_ended()
        return self.queue.popleft() if self.queue else None


class Hub(Generic[E]):
    """Reads new events for all subscribers of the process: when `wake` is called, and every `poll_seconds`.

    Without subscribers it reads no events, and only moves its position on to the feed's head.

    Args:
        source: reads the events.
        poll_seconds: how often it reads if nobody wakes it.
        on_read: called with the events that were handed over.
    """

    def __init__(
        self,
        source: Source[E],
        *,
        poll_seconds: float = POLL_SECONDS,
        on_read: Callable[[Sequence[E]], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._on_read = on_read
        self._poll_seconds = poll_seconds
        self._by_owner: dict[UUID, set[Subscriber[E]]] = {}
        self._by_account: dict[UUID, set[Subscriber[E]]] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._awaiting_read: list[asyncio.Future[None]] = []
        self.position: Position | None = None

    def wake(self) -> None:
        """Have the hub read soon, because there may be new events."""
        if self._has_subscribers or self._awaiting_read:
            self._woken.set()

    async def read_now(self) -> None:
        """Read, and return when all events that are final now are queued for their subscribers."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaiting_read.append(done)
        self.wake()
        await done

    def start(self) -> None:
        """Start reading."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End all streams, and stop reading."""
        self._closed = True
        for subscriber in {each for group in self._groups() for each in group}:
            subscriber.end(Unavailable())
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def subscriber_count(self) -> int:
        """The number of subscribers."""
        return len({id(each) for group in self._groups() for each in group})

    async def events(self, subscriber: Subscriber[E], after: Position | None) -> AsyncGenerator[E, None]:
        """Yield a subscriber's events: first those after the position `after`, if there is one, and then new ones.

        Raises:
            Unavailable: the hub has not read yet, cannot read the feed's head, or is closing.
            CursorExpired: events after `after` were deleted already.
            TooSlow: too many events are queued for the subscriber.
            Fault: what the subscriber was ended with.
        """
        reached = await self._start_position(after)
        groups = list(self._groups_of(subscriber.interest))
        for group in groups:
            group.add(subscriber)
        self.wake()
        try:
            while not subscriber.is_live:
                async for event in self._replay(subscriber, reached):
                    subscriber.raise_if_ended()  # a session may end during a long replay
                    reached = event.position
                    yield event
                subscriber.is_live = not subscriber.has_overflowed
                if subscriber.has_overflowed:  # the queue has a gap: replay what has happened since
                    subscriber.has_overflowed = False
                    subscriber.queue.clear()
            while (queued := await subscriber.next()) is not None:
                if queued.position > reached:
                    yield queued
        finally:
            for group in groups:
                group.discard(subscriber)
            self._drop_empty_groups(subscriber.interest)

    async def _start_position(self, after: Position | None) -> Position:
        if self.position is None or self._closed:
            raise Unavailable
        if after is None or not self._has_subscribers:
            head = await self._source.head()
            after = after or head
            if not self._has_subscribers:  # events that nobody has read so far are replayed, and must not fill the queue
                self.position = max(self.position, head)
        return after

    async def _replay(self, subscriber: Subscriber[E], after: Position) -> AsyncIterator[E]:
        until = self.position
        while until is not None and after < until:
            events = await self._source.replay(subscriber.interest, after, until, BATCH_SIZE)
            for event in events:
                yield event
            if len(events) < BATCH_SIZE:
                return
            after = events[-1].position

    async def _run(self) -> None:
        failing, reads_since_wake = False, 0
        while not self._closed:
            self._woken.clear()
            awaiting, self._awaiting_read = self._awaiting_read, []
            try:
                await self._read_new()
                if failing:
                    _log.info("the feed can be read again")
                failing = False
                for done in awaiting:
                    if not done.done():
                        done.set_result(None)
            except Exception as error:  # noqa: BLE001 - whatever the error is, reading may succeed the next time
                if not failing:
                    _log.warning("the feed cannot be read", reason=type(error).__name__)
                failing = True
                self._awaiting_read = awaiting + self._awaiting_read
            delay = DELAYS_AFTER_WAKE[reads_since_wake] if reads_since_wake < len(DELAYS_AFTER_WAKE) else self._poll_seconds
            try:
                async with asyncio.timeout(delay):
                    await self._woken.wait()
                reads_since_wake = 0
            except TimeoutError:
                reads_since_wake += 1

    async def _read_new(self) -> None:
        if self.position is None or not self._has_subscribers:
            head = await self._source.head()
            if not self._has_subscribers:  # whoever subscribed meanwhile gets the events after the old position
                self.position = max(self.position or head, head)
        while self._has_subscribers and self.position is not None:
            events = await self._source.after(self.position, BATCH_SIZE)
            for event in events:
                for group in (self._by_owner.get(event.owner_id, ()), self._by_account.get(event.account_id, ())):
                    for subscriber in group:
                        subscriber.enqueue(event)
                self.position = event.position
            self._on_read(events)
            if len(events) < BATCH_SIZE:
                return

    @property
    def _has_subscribers(self) -> bool:
        return bool(self._by_owner or self._by_account)

    def _groups(self) -> Iterator[set[Subscriber[E]]]:
        yield from self._by_owner.values()
        yield from self._by_account.values()

    def _groups_of(self, interest: Interest) -> Iterator[set[Subscriber[E]]]:
        if interest.owner_id is not None:
            yield self._by_owner.setdefault(interest.owner_id, set())
        for account_id in interest.account_ids or ():
            yield self._by_account.setdefault(account_id, set())

    def _drop_empty_groups(self, interest: Interest) -> None:
        if interest.owner_id is not None and not self._by_owner.get(interest.owner_id, True):
            del self._by_owner[interest.owner_id]
        for account_id in interest.account_ids or ():
            if not self._by_account.get(account_id, True):
                del self._by_account[account_id]


def waker(hub: Hub[Any], notifier: Notifier) -> Callable[[], None]:
    """Return a function that wakes the feed of this process, and of the others."""

    def wake() -> None:
        hub.wake()
        notifier.notify()

    return wake
