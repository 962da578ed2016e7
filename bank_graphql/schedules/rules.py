"""The dates of standing orders, by rules of RFC 5545, and when the transfer of a date is tried. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.schedules.enums import DayRule

ONCE = "ONCE"
"""The rule of a single date."""
RULE_MAX = 200
"""How many characters a rule may have."""
HORIZON = timedelta(days=366 * 15)
"""How far ahead the next date of a rule may be. The search for it ends there."""
MAX_ORDERS = 1000
"""How many standing orders a customer may have that have not ended."""
TRIES = (time(6), time(10), time(14), time(18))
"""When the transfer of a day is tried, in the bank's time zone: again at the next of these while money is missing."""
_PARTS = {
    "DAILY": {"INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"},
    "WEEKLY": {"INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"},
    "MONTHLY": {"INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"},
    "YEARLY": {"INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"},
}
"""The parts that a rule may have, by its frequency."""
_DAY = "(?:MO|TU|WE|TH|FR|SA|SU)"
_NUMBERS = r"-?[1-9][0-9]?"
_POSITION = r"-?(?:[12][0-9]|3[01]|[1-9])"
_VALUES = {
    "FREQ": "[A-Z]+",
    "INTERVAL": "[1-9][0-9]{0,2}",
    "COUNT": "[1-9][0-9]{0,3}",
    "UNTIL": "[0-9]{8}",
    "BYDAY": f"{_DAY}(?:,{_DAY})*",
    "BYMONTHDAY": f"{_NUMBERS}(?:,{_NUMBERS})*",
    "BYMONTH": "(?:1[0-2]|[1-9])(?:,(?:1[0-2]|[1-9])){0,11}",
    "BYSETPOS": f"{_POSITION}(?:,{_POSITION}){{0,3}}",
    "WKST": _DAY,
}
_NTH_DAYS = f"(?:[+-]?[1-5])?{_DAY}(?:,(?:[+-]?[1-5])?{_DAY})*"
"""Days of a month or year may have a number: the second Monday."""
_SHORTEST = 28


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule of dates.

    Attributes:
        text: the rule as the customer gave it: `ONCE`, or an RRULE.
        starts_on: the first day that can be a date.
    """

    text: str
    starts_on: date

    @classmethod
    def parse(cls, text: str, starts_on: date) -> "Recurrence":
        """Return the recurrence of a rule.

        Raises:
            ValidationFailed: `INVALID`, `UNSUPPORTED`, `TOO_LONG`: of the rule; `NO_DATES`: it has none within fifteen years.
        """
        normal = text.strip().upper().removeprefix("RRULE:")
        if len(normal) > RULE_MAX:
            raise _wrong("TOO_LONG", f"A rule has at most {RULE_MAX} characters.")
        if normal != ONCE:
            _check(normal)
        found = cls(normal, starts_on)
        try:
            # Without a number of dates: a rule that has none would be searched to the end of the calendar.
            first = cls(re.sub(";?COUNT=[0-9]+", "", normal), starts_on).first_from(starts_on)
        except (ValueError, OverflowError) as error:
            raise _wrong("INVALID", "This is no rule of RFC 5545: for example FREQ=MONTHLY;BYMONTHDAY=1.") from error
        if first is None:
            raise _wrong("NO_DATES", "The rule has no date within fifteen years of its start.")
        return found

    def dates(self, first: date) -> Iterator[date]:
        """Yield the dates from a day on, in their order, those within fifteen years of it."""
        if self.text == ONCE:
            if self.starts_on >= first:
                yield self.starts_on
            return
        end = first + HORIZON
        for each in self._rule(end):
            if first <= each.date() <= end:
                yield each.date()
            elif each.date() > end:
                return

    def first_from(self, day: date) -> date | None:
        """Return the first date from a day on; None if there is none within fifteen years."""
        return next(self.dates(day), None)

    def next_after(self, day: date) -> date | None:
        """Return the first date after a day; None if there is none within fifteen years."""
        return self.first_from(day + timedelta(days=1))

    def preview(self, first: date, count: int) -> list[date]:
        """Return the next dates from a day on."""
        return list(islice(self.dates(first), count))

    def _rule(self, end: date) -> rrule:
        """Return the rule with its start. One without an end is searched as far as `end`, so that the search has one."""
        text = self._with_last_days()
        until = re.search("UNTIL=([0-9]{8})", text)
        if until is not None and until[1] > f"{end:%Y%m%d}":
            text = text.replace(until[0], f"UNTIL={end:%Y%m%d}")
        if until is None and "COUNT=" not in text:
            text += f";UNTIL={end:%Y%m%d}"
        return rrulestr(text, dtstart=datetime.combine(self.starts_on, time()))

    def _with_last_days(self) -> str:
        """Return the rule in which a day after the 28th of a month is the last one of months that do not have it.

        RFC 5545 leaves such months out. Its own way to say this is a choice of the last of several days.

        Raises:
            ValidationFailed: `UNSUPPORTED`.
        """
        parts = dict(each.split("=", 1) for each in self.text.split(";"))
        if parts["FREQ"] not in {"MONTHLY", "YEARLY"} or "BYDAY" in parts or "BYSETPOS" in parts:
            return self.text
        day = parts.get("BYMONTHDAY", str(self.starts_on.day))
        if not day.isdecimal() or int(day) <= _SHORTEST:
            return self.text
        if parts["FREQ"] == "YEARLY":
            months = parts.setdefault("BYMONTH", str(self.starts_on.month))
            if "," in months:
                raise _wrong("UNSUPPORTED", "For a day after the 28th of several months use FREQ=MONTHLY, with BYMONTH.")
        parts["BYMONTHDAY"] = ",".join(str(each) for each in range(_SHORTEST, int(day) + 1))
        parts["BYSETPOS"] = "-1"
        return ";".join(f"{name}={value}" for name, value in parts.items())


def _check(text: str) -> None:
    """Refuse what is no rule, or none that a standing order can have."""
    parts = [each.partition("=") for each in text.split(";")]
    names = [name for name, _, _ in parts]
    values = {name: value for name, _, value in parts}
    frequency = values.get("FREQ")
    if len(values) != len(names) or frequency is None:
        raise _wrong("INVALID", "This is no rule of RFC 5545: for example FREQ=MONTHLY;BYMONTHDAY=1.")
    if frequency in {"SECONDLY", "MINUTELY", "HOURLY"}:
        raise _wrong("UNSUPPORTED", "A standing order runs daily at most.")
    if frequency not in _PARTS:
        raise _wrong("INVALID", f"The frequency is one of {', '.join(_PARTS)}.")
    for name, _, value in parts:
        if name != "FREQ" and name not in _PARTS[frequency]:
            parts_of_it = ", ".join(sorted(_PARTS[frequency]))
            raise _wrong("UNSUPPORTED", f"With FREQ={frequency} a rule may have these parts: {parts_of_it}.")
        allowed = _NTH_DAYS if name == "BYDAY" and frequency in {"MONTHLY", "YEARLY"} else _VALUES[name]
        if not re.fullmatch(allowed, value, re.ASCII):
            raise _wrong("INVALID", f"The value of {name} is none of RFC 5545, or too large.")
    _check_together(frequency, values)


def _check_together(frequency: str, values: dict[str, str]) -> None:
    """Refuse parts that do not go together."""
    try:
        date.fromisoformat(values.get("UNTIL", "20000101"))
    except ValueError as error:
        raise _wrong("INVALID", "UNTIL is no date.") from error
    days = values.get("BYMONTHDAY", "").split(",")
    if any(abs(int(each)) > 31 for each in days if each):
        raise _wrong("INVALID", "A month has 31 days at most.")
    if len(days) > 1 and any(int(each) > _SHORTEST for each in days):
        raise _wrong("UNSUPPORTED", "A day after the 28th stands alone: it is the last one of shorter months.")
    if frequency == "YEARLY" and "BYMONTHDAY" in values and "BYMONTH" not in values:
        raise _wrong("UNSUPPORTED", "With FREQ=YEARLY, BYMONTHDAY needs BYMONTH.")
    if "COUNT" in values and "UNTIL" in values:
        raise _wrong("INVALID", "A rule has COUNT or UNTIL, not both.")


def _wrong(code: str, message: str) -> ValidationFailed:
    return ValidationFailed.of("recurrence", code, message)


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the transfers of dates are made.

    Attributes:
        zone: the bank's time zone.
        nearest_business_day: returns a day if it is a business day; otherwise the next one, or the one before it if `backwards`.
    """

    zone: ZoneInfo
    nearest_business_day: Callable[..., date]

    def today(self, now: datetime) -> date:
        """Return the present day in the bank's time zone."""
        return now.astimezone(self.zone).date()

    def day_of(self, planned: date, rule: DayRule) -> date:
        """Return the day on which the transfer of a date is made."""
        return planned if rule == DayRule.AS_IS else self.nearest_business_day(planned, backwards=rule == DayRule.PREVIOUS)

    def first_try(self, planned: date, rule: DayRule) -> datetime:
        """Return when the transfer of a date is tried first."""
        return self._at(self.day_of(planned, rule), TRIES[0])

    def next_try(self, now: datetime) -> datetime | None:
        """Return when a transfer that lacked money is tried again on the same day; None if not on this day."""
        today = self.today(now)
        return next((at for each in TRIES if (at := self._at(today, each)) > now), None)

    def _at(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)
