"""The feed, live: one reader for a whole process, which hands each event to the subscribers that it is for.

Every subscriber gets each of its events once, in commit order. What it missed is read for it up to the position that the hub had
when it came; what came since is waiting in its queue by then.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import structlog

from bank_graphql.events.errors import TooSlow
from bank_graphql.events.models import Position
from bank_graphql.kit.errors import Fault, Unavailable

_log = structlog.get_logger(__name__)
AT_A_TIME = 500
PAUSES = (0.02, 0.05, 0.2)
"""How soon to look again after a wake-up, in seconds: what was written may have to wait for a slower transaction before it."""
POLL_SECONDS = 1.0
QUEUE = 1000
"""Events that may wait for one subscriber."""


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events someone wants: those of an owner's accounts, or of certain accounts."""

    owner_id: UUID | None = None
    accounts: frozenset[UUID] | None = None


class Event(Protocol):
    """An event, as the source reads it."""

    @property
    def position(self) -> Position:
        """Where it is in the feed."""

    @property
    def account_id(self) -> UUID:
        """The account that it is about."""

    @property
    def owner_id(self) -> UUID:
        """Whose account that is."""


class Source(Protocol):
    """Where events are read from: only those before which nothing can appear any more."""

    async def head(self) -> Position:
        """The position behind all that may be read now."""

    async def after(self, position: Position, most: int) -> Sequence[Any]:
        """The next events behind a position."""

    async def of(self, interest: Interest, after: Position, until: Position, most: int) -> Sequence[Any]:
        """The next events of some accounts behind a position, up to another one."""


class Subscriber:
    """One stream of events, and what waits for it."""

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.queue: deque[Any] = deque()
        self.is_live = False
        self.is_behind = False
        self.is_finished = False
        self._ended: Fault | None = None
        self._news = asyncio.Event()

    def offer(self, event: Any) -> None:
        """Put an event into the queue. A subscriber that is still catching up reads it later; one that is too slow is cut off."""
        if len(self.queue) < QUEUE:
            self.queue.append(event)
            self._news.set()
        elif self.is_live:
            self.end(TooSlow())
        else:
            self.is_behind = True

    def end(self, why: Fault) -> None:
        """End the stream, with what has not been fetched by now unfetched."""
        self._ended = self._ended or why
        self._news.set()

    def require_not_ended(self) -> None:
        """Raises why the stream has ended, if it has."""
        if self._ended is not None:
            raise self._ended

    def finish(self) -> None:
        """Nothing more will come: end the stream after what waits in the queue."""
        self.is_finished = True
        self._news.set()

    async def next(self) -> Any | None:
        """The next event of the queue; None if nothing more will come.

        Raises:
            Fault: why the stream ends.
        """
        while not self.queue and self._ended is None and not self.is_finished:
            self._news.clear()
            await self._news.wait()
        self.require_not_ended()
        return self.queue.popleft() if self.queue else None


class Hub:
    """Reads new events for all subscribers of the process. `wake` it when there may be some; it looks now and then anyway.

    While there are no subscribers, no event is read, and nobody is woken: the hub only keeps up with the feed's end.
    """

    def __init__(self, source: Source, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._source = source
        self._poll_seconds = poll_seconds
        self._by_owner: dict[UUID, set[Subscriber]] = {}
        self._by_account: dict[UUID, set[Subscriber]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._waiting: list[asyncio.Future[None]] = []
        self.position: Position | None = None

    def wake(self) -> None:
        """There may be new events."""
        if self._is_followed or self._waiting:
            self._wake.set()

    async def look(self) -> None:
        """Look for new events now, and return when all that may be read is handed on."""
        looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(looked)
        self.wake()
        await looked

    def start(self) -> None:
        """Begin to read."""
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
    def subscribers(self) -> int:
        """How many there are."""
        return len({id(each) for group in self._groups() for each in group})

    async def events(self, subscriber: Subscriber, after: Position | None) -> AsyncGenerator[Any, None]:
        """A subscriber's events: those behind `after` that it missed, then those to come. Without `after`, those to come.

        Raises:
            Unavailable: the hub cannot read, or is closing.
            TooSlow: too much waits for the subscriber.
            Fault: what the subscriber was ended with.
        """
        at = await self._beginning(after)
        groups = list(self._groups_of(subscriber.interest))
        for group in groups:
            group.add(subscriber)
        self.wake()
        try:
            while not subscriber.is_live:
                async for event in self._missed(subscriber, at):
                    subscriber.require_not_ended()  # a long replay outlives no session
                    at = event.position
                    yield event
                subscriber.is_live = not subscriber.is_behind
                if subscriber.is_behind:  # so much came meanwhile that it is read once more
                    subscriber.is_behind = False
                    subscriber.queue.clear()
            while (event := await subscriber.next()) is not None:
                if event.position > at:
                    yield event
        finally:
            for group in groups:
                group.discard(subscriber)
            self._forget_empty(subscriber.interest)

    async def _beginning(self, after: Position | None) -> Position:
        if self.position is None or self._closed:
            raise Unavailable
        if after is None or not self._is_followed:
            head = await self._source.head()
            after = after or head
            if not self._is_followed:  # what came unseen is to be replayed, and not to fill the queue
                self.position = max(self.position, head)
        return after

    async def _missed(self, subscriber: Subscriber, at: Position) -> AsyncIterator[Any]:
        until = self.position
        while until is not None and at < until:
            missed = await self._source.of(subscriber.interest, at, until, AT_A_TIME)
            for event in missed:
                yield event
            if len(missed) < AT_A_TIME:
                return
            at = missed[-1].position

    async def _run(self) -> None:
        failing, idle = False, 0
        while not self._closed:
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._advance()
                if failing:
                    _log.info("the feed goes on")
                failing = False
                for looked in waiting:
                    if not looked.done():
                        looked.set_result(None)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next time may go well
                if not failing:
                    _log.warning("the feed waits for its database", reason=type(error).__name__)
                failing = True
                self._waiting = waiting + self._waiting
            pause = PAUSES[idle] if idle < len(PAUSES) else self._poll_seconds
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
                idle = 0
            except TimeoutError:
                idle += 1

    async def _advance(self) -> None:
        if self.position is None or not self._is_followed:
            head = await self._source.head()
            if not self._is_followed:  # who has come meanwhile follows from where we were
                self.position = max(self.position or head, head)
        while self._is_followed and self.position is not None:
            events = await self._source.after(self.position, AT_A_TIME)
            for event in events:
                for group in (self._by_owner.get(event.owner_id, ()), self._by_account.get(event.account_id, ())):
                    for subscriber in group:
                        subscriber.offer(event)
                self.position = event.position
            if len(events) < AT_A_TIME:
                return

    @property
    def _is_followed(self) -> bool:
        return bool(self._by_owner or self._by_account)

    def _groups(self) -> Iterator[set[Subscriber]]:
        yield from self._by_owner.values()
        yield from self._by_account.values()

    def _groups_of(self, interest: Interest) -> Iterator[set[Subscriber]]:
        if interest.owner_id is not None:
            yield self._by_owner.setdefault(interest.owner_id, set())
        for account_id in interest.accounts or ():
            yield self._by_account.setdefault(account_id, set())

    def _forget_empty(self, interest: Interest) -> None:
        if interest.owner_id is not None and not self._by_owner.get(interest.owner_id, True):
            del self._by_owner[interest.owner_id]
        for account_id in interest.accounts or ():
            if not self._by_account.get(account_id, True):
                del self._by_account[account_id]
