"""Why a stream of events ends, or does not begin."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Fault


@dataclass(eq=False)
class CursorExpired(Fault):
    """The cursor is older than what the feed keeps."""

    message: str = "The events behind this cursor are no longer kept: read the accounts anew, and go on without a cursor."
    code: ClassVar[str] = "CURSOR_EXPIRED"


@dataclass(eq=False)
class TooSlow(Fault):
    """A subscriber does not fetch its events as fast as they come."""

    message: str = "Too many events wait for this stream: resume after the last cursor that arrived."
    code: ClassVar[str] = "UNAVAILABLE"
