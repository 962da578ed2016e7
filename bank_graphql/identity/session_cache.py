"""The sessions that this process used or ended a moment ago, so that not every request reads its session."""

import time
from collections.abc import Callable, Collection
from uuid import UUID

from cachetools import LRUCache

from bank_graphql.identity import queries
from bank_graphql.identity.queries import SessionState
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database

CACHE_SECONDS = 2.0
"""For how long a state is cached: a session that another process ends is refused after that time at the latest."""
_MAX_STATES = 100_000
_MAX_ENDED = 100_000


class SessionCache:
    """Caches the state of sessions. Those that this process ends are refused at once.

    Args:
        db: the database.
        clock: gives the time by which sessions expire.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._states: dict[UUID, tuple[float, SessionState | None]] = {}
        self._ended: LRUCache[UUID, bool] = LRUCache(_MAX_ENDED)
        self._listeners: list[Callable[[Collection[UUID]], None]] = []

    async def state(self, session_id: UUID) -> SessionState | None:
        """Return the state of a session; None if there is no such session, or this process has ended it.

        Raises:
            Unavailable: it cannot be read.
        """
        if self.has_ended(session_id):
            return None
        now = time.monotonic()
        cached = self._states.get(session_id)
        if cached is None or now - cached[0] > CACHE_SECONDS:
            if len(self._states) > _MAX_STATES:
                self._states.clear()
            cached = (now, await queries.session_state(self._db, session_id, self._clock()))
            self._states[session_id] = cached
        return cached[1]

    def has_ended(self, session_id: UUID | None) -> bool:
        """Return whether this process has ended the session."""
        return session_id in self._ended

    def on_ended(self, listener: Callable[[Collection[UUID]], None]) -> None:
        """Call `listener` with the ids of sessions as soon as this process ends them, before that request is answered."""
        self._listeners.append(listener)

    def forget(self) -> None:
        """Read the state of each session again when it is used next, because it may have changed."""
        self._states.clear()

    def end(self, session_ids: Collection[UUID]) -> None:
        """Refuse further requests in sessions that this process has ended, and call the listeners."""
        for session_id in session_ids:
            self._ended[session_id] = True
            self._states.pop(session_id, None)
        for listener in self._listeners:
            listener(session_ids)
