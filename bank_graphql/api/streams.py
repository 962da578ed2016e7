"""Streams of events: who has how many, and whether they may go on."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.feed import EventRow, Feed
from bank_graphql.events.hub import Hub, Interest, Subscriber
from bank_graphql.events.models import Position
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.errors import Fault, RateLimited, Unauthenticated, Unavailable

CHECK_SECONDS = 2.0
MOST_STREAMS = 200
"""Streams that one user may have in one process."""
ENDED = "The session has ended, or its token has expired: sign in again, and resume after the last cursor that arrived."


MOST_SOCKETS = 50
"""Sockets that one user may have in one process."""


@dataclass(eq=False, slots=True)
class _Stream:
    actor: Actor
    end: Callable[[Fault], None]
    subscriber: Subscriber | None = None


class Streams:
    """All streams of this process. `check` them every `CHECK_SECONDS`."""

    def __init__(self, hub: Hub, feed: Feed, identity: Identity, clock: Clock) -> None:
        self._hub = hub
        self._feed = feed
        self._identity = identity
        self._clock = clock
        self._streams: set[_Stream] = set()
        self._of_user: Counter[tuple[str, UUID]] = Counter()
        self._ended = False

    async def events(self, actor: Actor, interest: Interest, after: Position | None) -> AsyncIterator[EventRow]:
        """An actor's events.

        Raises:
            RateLimited: the actor has too many streams.
            Unauthenticated: the actor's session has ended, or the token has expired.
            Unavailable: the bank stops, or the feed cannot be read.
            TooSlow: too much waits for the stream.
        """
        subscriber = Subscriber(interest)
        release = self._add(_Stream(actor, subscriber.end, subscriber), "stream", MOST_STREAMS)
        try:
            async with aclosing(self._hub.events(subscriber, after)) as events:
                async for event in events:
                    yield event
        finally:
            release()

    def hold(self, actor: Actor, end: Callable[[Fault], None]) -> Callable[[], None]:
        """Watch over a socket: `end` is called once its user may not go on. Call what is returned when the socket has ended.

        Raises:
            RateLimited: the actor has too many sockets.
        """
        return self._add(_Stream(actor, end), "socket", MOST_SOCKETS)

    def end_all(self) -> None:
        """The bank stops: end all streams and sockets, and begin none."""
        self._ended = True
        for stream in list(self._streams):
            stream.end(Unavailable())

    def _add(self, stream: _Stream, kind: str, most: int) -> Callable[[], None]:
        key = (kind, stream.actor.user_id)
        if self._ended:
            raise Unavailable
        if self._of_user[key] >= most:
            raise RateLimited(retry_after=60)
        self._streams.add(stream)
        self._of_user[key] += 1

        def release() -> None:
            if stream in self._streams:
                self._streams.discard(stream)
                self._of_user[key] -= 1
                if not self._of_user[key]:
                    del self._of_user[key]

        return release

    async def check(self) -> None:
        """End the streams of those who may not go on, and those that have nothing more to come."""
        streams, now = list(self._streams), self._clock()
        sessions = {stream.actor.session_id for stream in streams if stream.actor.session_id is not None}
        standing = await self._identity.standing_of(list(sessions)) if sessions else set()
        following = [stream.subscriber for stream in streams if stream.subscriber is not None]
        followed = {account for subscriber in following for account in subscriber.interest.accounts or ()}
        closed = await self._feed.are_closed(list(followed)) if followed else set()
        for stream in streams:
            actor, subscriber = stream.actor, stream.subscriber
            expired = actor.expires_at is not None and actor.expires_at <= now
            if expired or (actor.session_id is not None and actor.session_id not in standing):
                stream.end(Unauthenticated(ENDED))
            elif subscriber is not None and subscriber.interest.accounts and subscriber.interest.accounts <= closed:
                subscriber.finish()
