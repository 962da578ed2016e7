"""Why a stream of events is refused or ends."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Fault, Unauthenticated, Unavailable


@dataclass(eq=False)
class CursorExpired(Fault):
    """Events after the cursor have been deleted."""

    message: str = (
        "Events after this cursor have been deleted: query 'feedCursor', then the accounts, and resume after that cursor."
    )
    code: ClassVar[str] = "CURSOR_EXPIRED"


@dataclass(eq=False)
class TooSlow(Unavailable):
    """A subscriber receives its events more slowly than they happen."""

    message: str = "Too many events are queued for this stream: connect again, and resume after the last cursor that arrived."


@dataclass(eq=False)
class SessionEnded(Unauthenticated):
    """The session of a stream has ended, or the access token that it was opened with has expired."""

    message: str = "The session has ended, or its token has expired: sign in again, and resume after the last cursor."


@dataclass(eq=False)
class AccessEnded(Fault):
    """The subscriber may not see one of the accounts of the stream any more."""

    message: str = "You may not see one of these accounts any more: subscribe again without it, after the last cursor."
    code: ClassVar[str] = "FORBIDDEN"


RESUMABLE = (Unavailable, SessionEnded)
"""The faults after which a client should connect again and resume. Such a stream is cut off without a last message, because
clients take an error or a completion as final and do not connect again."""
