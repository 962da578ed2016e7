"""Months and periods of statements, in the bank's time zone. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bank_graphql.kit.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class Months:
    """The months of a time zone. A month is the date of its first day."""

    zone: ZoneInfo

    def day(self, at: datetime) -> date:
        """Return the day that contains a time."""
        return at.astimezone(self.zone).date()

    def month(self, at: datetime) -> date:
        """Return the month that contains a time."""
        return self.day(at).replace(day=1)

    def start(self, day: date) -> datetime:
        """Return when a day begins, as a time in UTC."""
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def end(self, month: date) -> datetime:
        """Return when a month ends, as a time in UTC."""
        return self.start(next_month(month))

    def ended(self, first: date, now: datetime) -> Iterator[date]:
        """Yield the months from a first one on that have ended by now, in order."""
        month = first
        while self.end(month) <= now:
            yield month
            month = next_month(month)

    def require_ended(self, day: date, now: datetime) -> date:
        """Return the month that contains a day, if it has ended.

        Raises:
            ValidationFailed: `NOT_ENDED`.
        """
        month = day.replace(day=1)
        if month >= self.month(now):
            raise ValidationFailed.of("month", "NOT_ENDED", "This month has not ended: its statements can be issued when it has.")
        return month


def next_month(month: date) -> date:
    """Return the month after one."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def period(month: date, opened_on: date, closed_on: date | None, *, is_first: bool) -> tuple[date, date]:
    """Return the first and the last day of an account's statement.

    An account that was opened just as a month ended may have missed that month's statement. Then its first one begins in that
    month. A closed account has a statement after its last month only for entries that were booked after that month's statement.

    Args:
        month: the month.
        opened_on: the day on which the account was opened.
        closed_on: the day on which it was closed; None if it is open.
        is_first: whether it is the account's first statement.
    """
    first = opened_on if is_first else month
    last = next_month(month) - timedelta(days=1)
    if closed_on is not None and first <= closed_on:
        last = min(last, closed_on)
    return first, last
