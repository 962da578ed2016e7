"""The current time as a parameter, so that a test can set the clock instead of waiting."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, as an aware datetime in UTC."""


def utc_now() -> datetime:
    """Return the current time, as an aware datetime in UTC."""
    return datetime.now(UTC)
