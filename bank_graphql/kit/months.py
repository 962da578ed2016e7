"""Days and months of a time zone. A month is the date of its first day. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Months:
    """The days and months of a time zone."""

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


def next_month(month: date) -> date:
    """Return the month after that of a day."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
