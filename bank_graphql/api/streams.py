"""Event streams and sockets of this process: how many each user has, and when they must end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.feed import EventRow, Feed
from bank_graphql.accounts.members import Members
from bank_graphql.events.errors import AccessEnded, SessionEnded
from bank_graphql.events.hub import Hub, Interest, Subscriber
from bank_graphql.events.models import Position
from bank_graphql.identity.permissions import Permission
from bank_graphql.identity.sessions import Sessions
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.errors import Fault, RateLimited, Unavailable

CHECK_SECONDS = 1.5
"""How often sessions that another process may have ended are checked. The interval varies by up to a fifth, so a stream ends
within 2 s after its session."""
MAX_STREAMS = 200
"""The maximum number of streams of one user in one process."""
MAX_SOCKETS = 50
"""The maximum number of sockets of one user in one process, or of one network where nobody is signed in."""
_RETRY_SECONDS = 60


@dataclass(eq=False, slots=True)
class _Stream:
    """A stream or a socket.

    Attributes:
        actor: its user; None where nobody is signed in.
        end: ends it with a fault.
        subscriber: gets the events of a stream; None for a socket.
        finish_at: once all accounts of the stream are closed: an id of a database transaction. The stream is finished when all
            transactions with lower ids have ended, because they may still write events of those accounts.
    """

    actor: Actor | None
    end: Callable[[Fault], None]
    subscriber: Subscriber[EventRow] | None = None
    finish_at: int | None = None


class Streams:
    """All streams and sockets of this process. A job calls `check` every `CHECK_SECONDS`.

    Args:
        hub: hands out new events.
        feed: knows which accounts are closed.
        sessions: knows which sessions are active.
        members: knows which memberships this process ends.
        clock: gives the time by which access tokens expire.
    """

    def __init__(self, hub: Hub[EventRow], feed: Feed, sessions: Sessions, members: Members, clock: Clock) -> None:
        self._hub = hub
        self._feed = feed
        self._sessions = sessions
        self._clock = clock
        self._streams: set[_Stream] = set()
        self._counts: Counter[Hashable] = Counter()
        self._stopped = False
        sessions.cache.on_ended(self._end_sessions)
        members.on_ended(self._end_member)

    async def events(self, actor: Actor, interest: Interest, after: Position | None) -> AsyncIterator[EventRow]:
        """Yield the events of an interest: those after a position, if there is one, and then new ones.

        Raises:
            RateLimited: the actor has `MAX_STREAMS` streams.
            AccessEnded: the actor may not see an account of the interest any more.
            SessionEnded: the actor's session has ended, the permissions have changed, or the access token has expired.
            CursorExpired: events after the position were deleted already.
            Unavailable: the bank is stopping, or the feed cannot be read.
            TooSlow: too many events are queued for the stream.
        """
        subscriber: Subscriber[EventRow] = Subscriber(interest)
        remove = self._add(_Stream(actor, subscriber.end, subscriber), ("streams", actor.person_id), MAX_STREAMS)
        try:
            async with aclosing(self._hub.events(subscriber, after)) as events:
                async for event in events:
                    yield event
        finally:
            remove()

    def watch(self, actor: Actor | None, origin: Origin, end: Callable[[Fault], None]) -> Callable[[], None]:
        """Watch a socket.

        Args:
            actor: the socket's user; None if nobody is signed in.
            origin: where the socket comes from.
            end: called with the reason when the socket must end.

        Returns:
            A function to call when the socket has ended.

        Raises:
            RateLimited: the actor, or the network of a signed-out client, has `MAX_SOCKETS` sockets.
            Unavailable: the bank is stopping.
        """
        counted_as: Hashable = ("sockets", actor.person_id) if actor is not None else ("sockets from", origin.network)
        return self._add(_Stream(actor, end), counted_as, MAX_SOCKETS)

    def end_all(self) -> None:
        """End all streams and sockets, and refuse new ones, because the bank is stopping."""
        self._stopped = True
        for stream in list(self._streams):
            stream.end(Unavailable())

    def _add(self, stream: _Stream, counted_as: Hashable, limit: int) -> Callable[[], None]:
        """Add a stream or a socket, and return a function that removes it."""
        if self._stopped:
            raise Unavailable
        if self._counts[counted_as] >= limit:
            raise RateLimited(retry_after=_RETRY_SECONDS)
        self._streams.add(stream)
        self._counts[counted_as] += 1

        def remove() -> None:
            if stream in self._streams:
                self._streams.discard(stream)
                self._counts[counted_as] -= 1
                if not self._counts[counted_as]:
                    del self._counts[counted_as]

        return remove

    def _end_sessions(self, session_ids: Collection[UUID]) -> None:
        """End the streams and sockets of sessions that this process has ended."""
        for stream in list(self._streams):
            if stream.actor is not None and stream.actor.session_id in session_ids:
                stream.end(SessionEnded())

    def _end_member(self, user_id: UUID, account_id: UUID) -> None:
        """End the streams of a user with the events of an account, whose membership this process has ended."""
        for stream in list(self._streams):
            is_theirs = stream.actor is not None and stream.actor.user_id == user_id
            if is_theirs and stream.subscriber is not None and account_id in (stream.subscriber.interest.account_ids or ()):
                stream.end(AccessEnded())

    async def check(self) -> None:
        """End streams whose session, permissions, token or accounts are not valid any more; finish those of closed accounts."""
        now = self._clock()
        actors = {stream: stream.actor for stream in self._streams if stream.actor is not None}
        session_ids = {actor.session_id for actor in actors.values() if actor.session_id is not None}
        active = await self._sessions.active(list(session_ids)) if session_ids else {}
        for stream, actor in actors.items():
            if (actor.expires_at is not None and actor.expires_at <= now) or (
                actor.session_id is not None and not _is_unchanged(actor, active.get(actor.session_id))
            ):
                stream.end(SessionEnded())
        await self._end_hidden()
        await self._finish_closed()

    async def _end_hidden(self) -> None:
        """End the streams with an account that their users may not see any more."""
        viewed = {
            stream: (stream.actor, stream.subscriber.interest.account_ids)
            for stream in self._streams
            if stream.actor is not None and stream.subscriber is not None and stream.subscriber.interest.account_ids
        }
        requested = [(actor, account_ids) for actor, account_ids in viewed.values() if account_ids]
        for stream, is_hidden in zip(viewed, await self._feed.hidden(requested), strict=True):
            if is_hidden:
                stream.end(AccessEnded())

    async def _finish_closed(self) -> None:
        """Finish the streams whose accounts are all closed, once the hub has read all events of these accounts."""
        subscribers = {stream: stream.subscriber for stream in self._streams if stream.subscriber is not None}
        account_ids = {each for subscriber in subscribers.values() for each in subscriber.interest.account_ids or ()}
        closed = await self._feed.closed_among(list(account_ids)) if account_ids else set()
        closing = {
            stream: subscriber
            for stream, subscriber in subscribers.items()
            if subscriber.interest.owner_id is None and (subscriber.interest.account_ids or frozenset()) <= closed
        }
        if not closing:
            return
        all_ended_below, next_id = await self._feed.horizon()
        for stream in closing:
            stream.finish_at = stream.finish_at or next_id
        finished = [subscriber for stream, subscriber in closing.items() if all_ended_below >= (stream.finish_at or next_id)]
        if finished:
            async with asyncio.timeout(2 * CHECK_SECONDS):
                await self._hub.read_now()
        for subscriber in finished:
            subscriber.finish()


def _is_unchanged(actor: Actor, permissions: frozenset[Permission] | None) -> bool:
    """Return whether a session or grant is active and allows what it did. A client's token may have less than its grant."""
    if permissions is None:
        return False
    return actor.permissions == permissions if actor.grant is None else actor.permissions <= permissions
