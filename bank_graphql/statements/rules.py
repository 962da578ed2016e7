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
        """Return the month of a day.

        Raises:
            ValidationFailed: `NOT_ENDED`.
        """
        month = day.replace(day=1)
        if self.day(now) < next_month(month):
            raise ValidationFailed.of("month", "NOT_ENDED", "The statements of a month are issued when it has ended.")
        return month


def next_month(month: date) -> date:
    """Return the month after one."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def period(month: date, opened_on: date, closed_on: date | None, *, is_first: bool) -> tuple[date, date]:
    """Return the first and the last day of an account's statement.

    The first statement begins when the account was opened. That is in the month before if it was being opened while that ended.

    Args:
        month: the month.
        opened_on: the day on which the account was opened.
        closed_on: the day on which it was closed; None if it is open.
        is_first: whether it is the account's first statement.
    """
    last = next_month(month) - timedelta(days=1)
    return opened_on if is_first else month, last if closed_on is None else min(last, closed_on)
