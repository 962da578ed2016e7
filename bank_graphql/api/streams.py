"""Streams of events: who has how many, and whether they may go on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.feed import EventRow, Feed
from bank_graphql.events.errors import SessionEnded
from bank_graphql.events.hub import Hub, Interest, Subscriber
from bank_graphql.events.models import Position
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.errors import Fault, RateLimited, Unavailable

CHECK_SECONDS = 1.5
"""How often is looked for sessions that have ended elsewhere; a fifth more at the most, so that no stream outlives one by 2 s."""
MOST_STREAMS = 200
"""Streams that one user may have in one process."""
MOST_SOCKETS = 50
"""Sockets that one user may have in one process, or one address where nobody is signed in."""


@dataclass(eq=False, slots=True)
class _Stream:
    actor: Actor | None
    end: Callable[[Fault], None]
    subscriber: Subscriber | None = None
    last: int | None = None  # once its accounts are closed: the id below which all transactions must have ended


class Streams:
    """All streams of this process. `check` them every `CHECK_SECONDS`."""

    def __init__(self, hub: Hub, feed: Feed, identity: Identity, clock: Clock) -> None:
        self._hub = hub
        self._feed = feed
        self._identity = identity
        self._clock = clock
        self._streams: set[_Stream] = set()
        self._of_whom: Counter[Hashable] = Counter()
        self._ended = False
        identity.session_cache.on_ended(self._end_sessions)

    def _end_sessions(self, sessions: Collection[UUID]) -> None:
        """End the streams and sockets of sessions that were ended in this process."""
        for stream in list(self._streams):
            if stream.actor is not None and stream.actor.session_id in sessions:
                stream.end(SessionEnded())

    async def events(self, actor: Actor, interest: Interest, after: Position | None) -> AsyncIterator[EventRow]:
        """An actor's events.

        Raises:
            RateLimited: the actor has too many streams.
            SessionEnded: the actor's session has ended, or the token has expired.
            Unavailable: the bank stops, or the feed cannot be read.
            TooSlow: too much waits for the stream.
        """
        subscriber = Subscriber(interest)
        release = self._add(_Stream(actor, subscriber.end, subscriber), ("streams", actor.user_id), MOST_STREAMS)
        try:
            async with aclosing(self._hub.events(subscriber, after)) as events:
                async for event in events:
                    yield event
        finally:
            release()

    def watch(self, actor: Actor | None, origin: Origin, end: Callable[[Fault], None]) -> Callable[[], None]:
        """Watch over a socket: `end` is called once its user may not go on. Call what is returned when the socket has ended.

        Raises:
            RateLimited: there are too many sockets of the actor, or of the address where nobody is signed in.
        """
        whose: Hashable = ("sockets", actor.user_id) if actor is not None else ("sockets from", origin.network)
        return self._add(_Stream(actor, end), whose, MOST_SOCKETS)

    def end_all(self) -> None:
        """The bank stops: end all streams and sockets, and begin none."""
        self._ended = True
        for stream in list(self._streams):
            stream.end(Unavailable())

    def _add(self, stream: _Stream, whose: Hashable, most: int) -> Callable[[], None]:
        if self._ended:
            raise Unavailable
        if self._of_whom[whose] >= most:
            raise RateLimited(retry_after=60)
        self._streams.add(stream)
        self._of_whom[whose] += 1

        def release() -> None:
            if stream in self._streams:
                self._streams.discard(stream)
                self._of_whom[whose] -= 1
                if not self._of_whom[whose]:
                    del self._of_whom[whose]

        return release

    async def check(self) -> None:
        """End the streams of those who may not go on, and those that have nothing more to come."""
        now = self._clock()
        actors = {stream: stream.actor for stream in self._streams if stream.actor is not None}
        sessions = {actor.session_id for actor in actors.values() if actor.session_id is not None}
        standing = await self._identity.active_sessions(list(sessions)) if sessions else {}
        for stream, actor in actors.items():
            expired = actor.expires_at is not None and actor.expires_at <= now
            if expired or (actor.session_id is not None and standing.get(actor.session_id) != actor.permissions):
                stream.end(SessionEnded())
        await self._finish_closed()

    async def _finish_closed(self) -> None:
        """Finish the streams whose accounts are all closed, once the hub has passed all that was under way by then."""
        following = {stream: stream.subscriber for stream in self._streams if stream.subscriber is not None}
        followed = {account for each in following.values() for account in each.interest.accounts or ()}
        closed = await self._feed.are_closed(list(followed)) if followed else set()
        closing = {
            stream: each for stream, each in following.items() if each.interest.accounts and each.interest.accounts <= closed
        }
        if not closing:
            return
        all_ended_below, next_id = await self._feed.horizon()
        for stream in closing:
            stream.last = stream.last or next_id
        finished = [each for stream, each in closing.items() if all_ended_below >= (stream.last or next_id)]
        if finished:
            async with asyncio.timeout(2 * CHECK_SECONDS):
                await self._hub.look()
        for each in finished:
            each.finish()
