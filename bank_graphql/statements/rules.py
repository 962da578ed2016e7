"""Months and periods of statements. Pure."""

from datetime import date, datetime, timedelta

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.months import Months, next_month


def require_ended(months: Months, day: date, now: datetime) -> date:
    """Return the month that contains a day, if it has ended.

    Raises:
        ValidationFailed: `NOT_ENDED`.
    """
    month = day.replace(day=1)
    if month >= months.month(now):
        raise ValidationFailed.of("month", "NOT_ENDED", "This month has not ended: its statements can be issued when it has.")
    return month


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
