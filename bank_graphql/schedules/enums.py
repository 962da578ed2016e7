"""The words of this room. Plain enums: the rules and the API use them."""

from enum import StrEnum


class ScheduleStatus(StrEnum):
    """The status of a standing order."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class ScheduledRunStatus(StrEnum):
    """What became of the transfer of one date."""

    MOVED = "MOVED"
    RETRYING = "RETRYING"
    REFUSED = "REFUSED"
    SKIPPED = "SKIPPED"


class DayRule(StrEnum):
    """On which day the transfer of a date is made that is no business day."""

    AS_IS = "AS_IS"
    NEXT = "NEXT"
    PREVIOUS = "PREVIOUS"


class MissedRuns(StrEnum):
    """Which transfers are made of dates that passed while the bank was down."""

    ALL = "ALL"
    LAST = "LAST"
