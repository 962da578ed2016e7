"""The hub: each subscriber gets each of its events once and in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from bank_graphql.events import hub as hubs
from bank_graphql.events.errors import TooSlow
from bank_graphql.events.hub import Hub, Interest, Subscriber
from bank_graphql.events.models import Position
from bank_graphql.kit.errors import Unauthenticated, Unavailable
from tests.events.subscriptions import until_subscribed

ADA, GRACE = uuid4(), uuid4()
FIRST, SECOND, THIRD = uuid4(), uuid4(), uuid4()
OWNERS = {FIRST: ADA, SECOND: ADA, THIRD: GRACE}


@dataclass(frozen=True)
class Event:
    position: Position
    account_id: UUID
    occurred_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    @property
    def owner_id(self) -> UUID:
        return OWNERS[self.account_id]


class Source:
    """A feed in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reads = 0
        self.delays: list[asyncio.Event] = []
        self.broken = False

    def add(self, *accounts: UUID) -> None:
        for account in accounts:
            self.events.append(Event(Position(1, 10, len(self.events) + 1), account))

    async def head(self) -> Position:
        if self.delays:
            await self.delays.pop(0).wait()
        return self.events[-1].position if self.events else Position(1, 0, 0)

    async def after(self, position: Position, limit: int) -> Sequence[Event]:
        self.reads += 1
        if self.broken:
            raise Unavailable
        return [event for event in self.events if event.position > position][:limit]

    async def replay(self, interest: Interest, after: Position, until: Position, limit: int) -> Sequence[Event]:
        found = [
            event
            for event in self.events
            if after < event.position <= until
            and (event.owner_id == interest.owner_id or event.account_id in (interest.account_ids or ()))
        ]
        await asyncio.sleep(0)
        return found[:limit]


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
async def hub(source: Source) -> AsyncIterator[Hub[Event]]:
    made = Hub(source, poll_seconds=0.01)
    made.start()
    while made.position is None:
        await asyncio.sleep(0)
    yield made
    await made.close()


async def take(hub: Hub[Event], subscriber: Subscriber[Event], count: int, after: Position | None = None) -> list[int]:
    """Return the sequence numbers of a subscriber's next events."""
    taken: list[int] = []
    async with aclosing(hub.events(subscriber, after)) as events:
        async for event in events:
            taken.append(event.position.sequence)
            if len(taken) == count:
                break
    return taken


async def test_each_subscriber_gets_its_own_events(source: Source, hub: Hub[Event]) -> None:
    both = [
        asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 3)),
        asyncio.create_task(take(hub, Subscriber(Interest(account_ids=frozenset({SECOND, THIRD}))), 3)),
    ]
    await until_subscribed(hub, 2)
    source.add(FIRST, SECOND, THIRD, THIRD, FIRST)
    hub.wake()
    assert await asyncio.gather(*both) == [[1, 2, 5], [2, 3, 4]]
    assert hub.subscriber_count == 0


async def test_no_event_is_read_without_subscribers(source: Source, hub: Hub[Event]) -> None:
    source.add(*[FIRST] * 10)
    await hub.read_now()
    assert (hub.position, source.reads) == (source.events[-1].position, 0)


async def test_a_subscriber_that_comes_during_a_read_misses_nothing(source: Source, hub: Hub[Event]) -> None:
    delay = asyncio.Event()
    source.delays.append(delay)
    while source.delays:
        await asyncio.sleep(0)
    receiving = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1))
    await until_subscribed(hub)
    source.add(FIRST)
    delay.set()
    assert await receiving == [1]


async def test_a_subscriber_without_a_cursor_gets_new_events_only(source: Source, hub: Hub[Event]) -> None:
    others = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 2))
    await until_subscribed(hub)
    source.broken = True  # the hub's position stays behind
    source.add(FIRST)
    receiving = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1))
    await until_subscribed(hub, 2)
    source.add(FIRST)
    source.broken = False
    assert list(await asyncio.gather(others, receiving)) == [[1, 2], [2]]


async def test_events_from_before_the_first_subscriber_do_not_fill_its_queue(
    source: Source, hub: Hub[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MAX_QUEUED", 10)
    source.add(*[FIRST] * 100)
    assert await take(hub, Subscriber(Interest(owner_id=ADA)), 99, after=Position(1, 10, 1)) == list(range(2, 101))
    source.add(*[FIRST] * 100)
    receiving = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1))
    await until_subscribed(hub)
    source.add(FIRST)
    assert await receiving == [201]


async def test_replayed_events_come_before_new_ones_and_none_twice(source: Source, hub: Hub[Event]) -> None:
    source.add(*[FIRST] * 1200)
    hub.wake()
    receiving = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1300, after=Position(1, 10, 100)))
    for _ in range(200):
        source.add(FIRST)
        hub.wake()
        await asyncio.sleep(0)
    assert await receiving == list(range(101, 1401))


async def test_a_subscriber_with_a_cursor_ahead_of_the_hub_waits(source: Source, hub: Hub[Event]) -> None:
    receiving = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1, after=Position(1, 10, 2)))
    await until_subscribed(hub)
    source.add(FIRST, FIRST, FIRST)
    hub.wake()
    assert await receiving == [3]


async def test_events_that_overflow_the_queue_during_a_replay_are_replayed_too(
    source: Source, hub: Hub[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MAX_QUEUED", 10)
    source.add(*[FIRST] * 600)
    hub.wake()
    while hub.position != source.events[-1].position:
        await asyncio.sleep(0)
    subscriber: Subscriber[Event] = Subscriber(Interest(owner_id=ADA))
    taken: list[int] = []
    async with aclosing(hub.events(subscriber, Position(1, 0, 0))) as events:
        async for event in events:
            taken.append(event.position.sequence)
            if len(taken) == 5:
                source.add(*[FIRST] * 100)
                hub.wake()
                while hub.position != source.events[-1].position:
                    await asyncio.sleep(0)
            if len(taken) == 700:
                break
    assert taken == list(range(1, 701))


async def test_a_slow_subscriber_is_ended_and_can_resume(
    source: Source, hub: Hub[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "MAX_QUEUED", 10)
    subscriber: Subscriber[Event] = Subscriber(Interest(owner_id=ADA))
    source.add(FIRST)
    async with aclosing(hub.events(subscriber, None)) as events:
        first = asyncio.ensure_future(anext(events))
        await until_subscribed(hub)
        source.add(FIRST)
        hub.wake()
        last = (await first).position
        source.add(*[FIRST] * 30)
        hub.wake()
        while hub.position != source.events[-1].position:
            await asyncio.sleep(0)
        try:
            async for event in events:
                last = event.position
        except TooSlow:
            pass
        else:
            pytest.fail("the stream does not end")
    assert await take(hub, Subscriber(Interest(owner_id=ADA)), 32 - last.sequence, after=last) == list(
        range(last.sequence + 1, 33)
    )


async def test_end_raises_the_fault_and_finish_sends_the_queue_first(source: Source, hub: Hub[Event]) -> None:
    subscriber: Subscriber[Event] = Subscriber(Interest(owner_id=ADA))
    receiving = asyncio.create_task(take(hub, subscriber, 5))
    await until_subscribed(hub)
    subscriber.end(Unauthenticated())
    with pytest.raises(Unauthenticated):
        await receiving
    finishing: Subscriber[Event] = Subscriber(Interest(owner_id=ADA))
    receiving = asyncio.create_task(take(hub, finishing, 5))
    await until_subscribed(hub)
    source.add(FIRST, FIRST)
    hub.wake()
    while len(finishing.queue) == 0 and hub.position != source.events[-1].position:
        await asyncio.sleep(0)
    finishing.finish()
    assert await receiving == [1, 2]


async def test_reading_continues_when_a_broken_source_works_again(source: Source, hub: Hub[Event]) -> None:
    receiving = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 2))
    await until_subscribed(hub)
    source.broken = True
    before = source.reads
    source.add(FIRST, FIRST)
    hub.wake()
    while source.reads < before + 3:
        await asyncio.sleep(0)
    source.broken = False
    assert await receiving == [1, 2]


async def test_closing_ends_all_streams(source: Source) -> None:
    made = Hub(source)
    made.start()
    while made.position is None:
        await asyncio.sleep(0)
    receiving = asyncio.create_task(take(made, Subscriber(Interest(owner_id=ADA)), 1))
    await until_subscribed(made)
    await made.close()
    with pytest.raises(Unavailable):
        await receiving
    with pytest.raises(Unavailable):
        await take(made, Subscriber(Interest(owner_id=ADA)), 1)


async def test_a_replay_ends_as_soon_as_its_stream_is_ended(source: Source, hub: Hub[Event]) -> None:
    source.add(*[FIRST] * 100)
    hub.wake()
    while hub.position != source.events[-1].position:
        await asyncio.sleep(0)
    subscriber: Subscriber[Event] = Subscriber(Interest(owner_id=ADA))
    async with aclosing(hub.events(subscriber, Position(1, 0, 0))) as events:
        assert (await anext(events)).position.sequence == 1
        subscriber.end(Unauthenticated())
        with pytest.raises(Unauthenticated):
            await anext(events)
