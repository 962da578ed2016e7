"""Why a stream of events ends, or does not begin.

Of those that have begun, most may be taken up again: see `PASSING`.
"""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Fault, Unauthenticated, Unavailable


@dataclass(eq=False)
class CursorExpired(Fault):
    """The cursor is older than what the feed keeps."""

    message: str = "The events behind this cursor are no longer kept: read 'feedCursor', then the accounts anew, and go on there."
    code: ClassVar[str] = "CURSOR_EXPIRED"


@dataclass(eq=False)
class TooSlow(Unavailable):
    """A subscriber does not fetch its events as fast as they come."""

    message: str = "Too many events wait for this stream: resume after the last cursor that arrived."


@dataclass(eq=False)
class SessionEnded(Unauthenticated):
    """The session that a stream was begun with has ended, or its token has expired."""

    message: str = "The session has ended, or its token has expired: sign in again, and resume after the last cursor."


PASSING = (Unavailable, SessionEnded)
"""Ends after which a client should connect again and resume. It is cut off, for what is told as the end is final to clients."""
