"""The dates of standing orders: rules of RFC 5545, the ends of months, time zones and business days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bank_graphql.clearing.rules import BusinessDays
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.schedules.enums import DayRule
from bank_graphql.schedules.rules import TRIES, Recurrence, Timetable
from tests.schedules.cases import CASES

BERLIN = ZoneInfo("Europe/Berlin")
TIMETABLE = Timetable(BERLIN, BusinessDays(BERLIN, TRIES[1]).nearest)


def days(text: str, start: str, count: int = 6) -> list[str]:
    """The first dates of a rule."""
    first = date.fromisoformat(start)
    return [each.isoformat() for each in Recurrence.parse(text, first).preview(first, count)]


@pytest.mark.parametrize(("rule", "start", "expected"), CASES)
def test_dates_are_those_of_the_public_examples(rule: str, start: str, expected: list[str]) -> None:
    assert days(rule, start, len(expected) + 1)[: len(expected)] == expected
    if "COUNT" in rule or "UNTIL" in rule:
        assert days(rule, start, len(expected) + 5) == expected


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=MONTHLY", "2028-01-31", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31", "2028-06-30"]),
        ("FREQ=MONTHLY;BYMONTHDAY=30", "2030-01-01", ["2030-01-30", "2030-02-28", "2030-03-30", "2030-04-30", "2030-05-30", "2030-06-30"]),
        ("FREQ=MONTHLY;INTERVAL=3;COUNT=3", "2030-11-29", ["2030-11-29", "2031-02-28", "2031-05-29"]),
        ("FREQ=YEARLY", "2028-02-29", ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29", "2033-02-28"]),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31", "2030-01-01", ["2030-04-30", "2031-04-30", "2032-04-30", "2033-04-30", "2034-04-30", "2035-04-30"]),
        ("ONCE", "2030-01-31", ["2030-01-31"]),
        ("rrule:freq=weekly;count=2", "2030-01-31", ["2030-01-31", "2030-02-07"]),
    ],
)  # fmt: skip
def test_a_day_that_a_month_does_not_have_is_its_last_one(rule: str, start: str, expected: list[str]) -> None:
    assert days(rule, start) == expected


def test_ten_years_of_a_rule_on_the_31st_in_a_zone_with_daylight_saving() -> None:
    start = date(2030, 1, 31)
    found = Recurrence.parse("FREQ=MONTHLY", start).preview(start, 120)
    assert len(found) == 120
    assert all((each + timedelta(days=1)).day == 1 for each in found), "each is the last day of its month"
    assert [(each.year, each.month) for each in found] == [(2030 + n // 12, n % 12 + 1) for n in range(120)]
    tried = [TIMETABLE.first_try(each, DayRule.AS_IS).astimezone(BERLIN) for each in found]
    assert {each.strftime("%H:%M") for each in tried} == {"06:00"}
    assert {each.utcoffset() for each in tried} == {timedelta(hours=1), timedelta(hours=2)}
    assert [each.date() for each in tried] == found


def test_tries_of_a_day_are_at_the_same_hours_when_clocks_change() -> None:
    for day, hours in ((date(2030, 3, 31), 4), (date(2030, 10, 27), 5), (date(2030, 7, 1), 4)):
        first = TIMETABLE.first_try(day, DayRule.AS_IS)
        assert first.astimezone(UTC).hour == hours
        tries = [first]
        while (following := TIMETABLE.next_try(tries[-1])) is not None:
            tries.append(following)
        assert [each.astimezone(BERLIN).hour for each in tries] == [6, 10, 14, 18]
        assert {each.astimezone(BERLIN).date() for each in tries} == {day}


@pytest.mark.parametrize(
    ("day", "rule", "expected"),
    [
        ("2030-04-19", DayRule.AS_IS, "2030-04-19"), ("2030-04-19", DayRule.NEXT, "2030-04-23"),
        ("2030-04-22", DayRule.PREVIOUS, "2030-04-18"), ("2030-04-18", DayRule.NEXT, "2030-04-18"),
        ("2030-12-25", DayRule.NEXT, "2030-12-27"), ("2030-05-01", DayRule.PREVIOUS, "2030-04-30"),
    ],
)  # fmt: skip
def test_business_days_are_those_of_target2(day: str, rule: DayRule, expected: str) -> None:
    """Good Friday, Easter Monday, Christmas and the first of May are none."""
    assert TIMETABLE.day_of(date.fromisoformat(day), rule).isoformat() == expected


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("FREQ=HOURLY", "UNSUPPORTED"), ("FREQ=MINUTELY;INTERVAL=5", "UNSUPPORTED"), ("FREQ=DAILY;BYHOUR=6", "UNSUPPORTED"),
        ("FREQ=DAILY;BYMONTH=2", "UNSUPPORTED"), ("FREQ=YEARLY;BYWEEKNO=20", "UNSUPPORTED"), ("FREQ=MONTHLY;BYMONTHDAY=15,31", "UNSUPPORTED"),
        ("FREQ=YEARLY;BYMONTHDAY=31", "UNSUPPORTED"), ("FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=30", "UNSUPPORTED"),
        ("", "INVALID"), ("nonsense", "INVALID"), ("FREQ=DAILY;FREQ=DAILY", "INVALID"), ("FREQ=DAILY;COUNT=0", "INVALID"),
        ("FREQ=DAILY;INTERVAL=0", "INVALID"), ("FREQ=DAILY;INTERVAL=99999", "INVALID"), ("FREQ=DAILY;UNTIL=tomorrow", "INVALID"),
        ("FREQ=DAILY;UNTIL=20301340", "INVALID"), ("FREQ=DAILY;UNTIL=21300431", "INVALID"), ("FREQ=WEEKLY;BYDAY=2MO", "INVALID"),
        ("FREQ=MONTHLY;BYMONTH=1,22", "INVALID"), ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,2,3,4,5", "INVALID"), ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=32", "INVALID"), ("FREQ=MONTHLY;BYMONTHDAY=32", "INVALID"), ("FREQ=WEEKLY;BYDAY=XX", "INVALID"),
        ("FREQ=MONTHLY;BYDAY=6MO", "INVALID"), ("FREQ=MONTHLY;BYMONTH=13", "INVALID"), ("FREQ=DAILY;COUNT=2;UNTIL=20310101", "INVALID"),
        ("INTERVAL=2", "INVALID"), ("FREQ=DAILY\nFREQ=DAILY", "INVALID"), ("FREQ=SOMETIMES", "INVALID"), ("FREQ=DAILY;", "UNSUPPORTED"),
        ("FREQ=MONTHLY;" + "BYMONTHDAY=1;" * 50, "TOO_LONG"), ("FREQ=DAILY;UNTIL=20200101", "NO_DATES"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9", "NO_DATES"), ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9;COUNT=3", "NO_DATES"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9;UNTIL=99991231", "NO_DATES"),
    ],
)  # fmt: skip
def test_what_is_no_rule_of_a_standing_order_is_refused(rule: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        Recurrence.parse(rule, date(2030, 1, 31))
    assert [(each.path, each.code) for each in refused.value.problems] == [(("recurrence",), code)]


def test_rules_without_an_end_have_none() -> None:
    rule = Recurrence.parse("FREQ=WEEKLY", date(2030, 1, 1))
    assert rule.first_from(date(2999, 1, 1)) == date(2999, 1, 1)
    assert rule.next_after(date(2999, 1, 1)) == date(2999, 1, 8)
    assert TIMETABLE.today(datetime(2030, 6, 30, 22, 30, tzinfo=UTC)) == date(2030, 7, 1)
