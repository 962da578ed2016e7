"""The hub: each subscriber gets each of its events once and in order, whatever comes in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from bank_graphql.events import hub as hubs
from bank_graphql.events.errors import TooSlow
from bank_graphql.events.hub import Hub, Interest, Subscriber
from bank_graphql.events.models import Position
from bank_graphql.kit.errors import Unauthenticated, Unavailable

ADA, GRACE = uuid4(), uuid4()
FIRST, SECOND, THIRD = uuid4(), uuid4(), uuid4()
OWNERS = {FIRST: ADA, SECOND: ADA, THIRD: GRACE}


@dataclass(frozen=True)
class Event:
    position: Position
    account_id: UUID

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

    async def after(self, position: Position, most: int) -> Sequence[Event]:
        self.reads += 1
        if self.broken:
            raise Unavailable
        return [event for event in self.events if event.position > position][:most]

    async def of(self, interest: Interest, after: Position, until: Position, most: int) -> Sequence[Event]:
        wanted = [
            event
            for event in self.events
            if after < event.position <= until
            and (event.owner_id == interest.owner_id or event.account_id in (interest.accounts or ()))
        ]
        await asyncio.sleep(0)
        return wanted[:most]


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
async def hub(source: Source) -> AsyncIterator[Hub]:
    made = Hub(source, poll_seconds=0.01)
    made.start()
    while made.position is None:
        await asyncio.sleep(0)
    yield made
    await made.close()


async def take(hub: Hub, subscriber: Subscriber, many: int, after: Position | None = None) -> list[int]:
    """The sequence numbers of a subscriber's next events."""
    taken: list[int] = []
    async with aclosing(hub.events(subscriber, after)) as events:
        async for event in events:
            taken.append(event.position.sequence)
            if len(taken) == many:
                break
    return taken


async def until_followed(hub: Hub, many: int = 1) -> None:
    while hub.subscribers < many:
        await asyncio.sleep(0)


async def test_each_gets_its_own_events_and_one_read_serves_all(source: Source, hub: Hub) -> None:
    both = [
        asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 3)),
        asyncio.create_task(take(hub, Subscriber(Interest(accounts=frozenset({SECOND, THIRD}))), 3)),
    ]
    await until_followed(hub, 2)
    source.add(FIRST, SECOND, THIRD, THIRD, FIRST)
    hub.wake()
    assert await asyncio.gather(*both) == [[1, 2, 5], [2, 3, 4]]
    assert hub.subscribers == 0


async def test_no_event_is_read_while_nobody_follows(source: Source, hub: Hub) -> None:
    source.add(*[FIRST] * 10)
    await hub.look()
    assert (hub.position, source.reads) == (source.events[-1].position, 0)


async def test_who_comes_while_the_hub_looks_misses_nothing(source: Source, hub: Hub) -> None:
    delay = asyncio.Event()
    source.delays.append(delay)
    while source.delays:
        await asyncio.sleep(0)
    following = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1))
    await until_followed(hub)
    source.add(FIRST)
    delay.set()
    assert await following == [1]


async def test_who_begins_without_a_cursor_gets_what_comes_after_that(source: Source, hub: Hub) -> None:
    others = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 2))
    await until_followed(hub)
    source.broken = True  # the hub is behind
    source.add(FIRST)
    following = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1))
    await until_followed(hub, 2)
    source.add(FIRST)
    source.broken = False
    assert list(await asyncio.gather(others, following)) == [[1, 2], [2]]


async def test_what_came_while_nobody_followed_fills_no_queue(source: Source, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "QUEUE", 10)
    source.add(*[FIRST] * 100)
    assert await take(hub, Subscriber(Interest(owner_id=ADA)), 99, after=Position(1, 10, 1)) == list(range(2, 101))
    source.add(*[FIRST] * 100)
    following = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1))
    await until_followed(hub)
    source.add(FIRST)
    assert await following == [201]


async def test_what_was_missed_comes_first_and_nothing_twice(source: Source, hub: Hub) -> None:
    source.add(*[FIRST] * 1200)
    hub.wake()
    following = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1300, after=Position(1, 10, 100)))
    for _ in range(200):
        source.add(FIRST)
        hub.wake()
        await asyncio.sleep(0)
    assert await following == list(range(101, 1401))


async def test_a_cursor_ahead_of_the_hub_is_waited_for(source: Source, hub: Hub) -> None:
    following = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 1, after=Position(1, 10, 2)))
    await until_followed(hub)
    source.add(FIRST, FIRST, FIRST)
    hub.wake()
    assert await following == [3]


async def test_more_than_the_queue_holds_while_catching_up_is_read_again(
    source: Source, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "QUEUE", 10)
    source.add(*[FIRST] * 600)
    hub.wake()
    while hub.position != source.events[-1].position:
        await asyncio.sleep(0)
    subscriber = Subscriber(Interest(owner_id=ADA))
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


async def test_who_does_not_fetch_is_cut_off_and_can_resume(source: Source, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "QUEUE", 10)
    subscriber = Subscriber(Interest(owner_id=ADA))
    source.add(FIRST)
    async with aclosing(hub.events(subscriber, None)) as events:
        first = asyncio.ensure_future(anext(events))
        await until_followed(hub)
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
            pytest.fail("it goes on")
    assert await take(hub, Subscriber(Interest(owner_id=ADA)), 32 - last.sequence, after=last) == list(
        range(last.sequence + 1, 33)
    )


async def test_a_stream_ends_when_it_is_told_to(source: Source, hub: Hub) -> None:
    subscriber = Subscriber(Interest(owner_id=ADA))
    following = asyncio.create_task(take(hub, subscriber, 5))
    await until_followed(hub)
    subscriber.end(Unauthenticated())
    with pytest.raises(Unauthenticated):
        await following
    finishing = Subscriber(Interest(owner_id=ADA))
    following = asyncio.create_task(take(hub, finishing, 5))
    await until_followed(hub)
    source.add(FIRST, FIRST)
    hub.wake()
    while len(finishing.queue) == 0 and hub.position != source.events[-1].position:
        await asyncio.sleep(0)
    finishing.finish()
    assert await following == [1, 2]


async def test_a_source_that_breaks_is_read_on_when_it_heals(source: Source, hub: Hub) -> None:
    following = asyncio.create_task(take(hub, Subscriber(Interest(owner_id=ADA)), 2))
    await until_followed(hub)
    source.broken = True
    before = source.reads
    source.add(FIRST, FIRST)
    hub.wake()
    while source.reads < before + 3:
        await asyncio.sleep(0)
    source.broken = False
    assert await following == [1, 2]


async def test_closing_ends_all_streams(source: Source) -> None:
    made = Hub(source)
    made.start()
    while made.position is None:
        await asyncio.sleep(0)
    following = asyncio.create_task(take(made, Subscriber(Interest(owner_id=ADA)), 1))
    await until_followed(made)
    await made.close()
    with pytest.raises(Unavailable):
        await following
    with pytest.raises(Unavailable):
        await take(made, Subscriber(Interest(owner_id=ADA)), 1)


async def test_a_replay_ends_as_soon_as_its_stream_is_ended(source: Source, hub: Hub) -> None:
    source.add(*[FIRST] * 100)
    hub.wake()
    while hub.position != source.events[-1].position:
        await asyncio.sleep(0)
    subscriber = Subscriber(Interest(owner_id=ADA))
    async with aclosing(hub.events(subscriber, Position(1, 0, 0))) as events:
        assert (await anext(events)).position.sequence == 1
        subscriber.end(Unauthenticated())
        with pytest.raises(Unauthenticated):
            await anext(events)
