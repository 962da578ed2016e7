"""Card numbers, calendar windows, limits, statuses and merchants: the pure rules."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.cards.enums import CardAction, CardStatus, LimitWindow
from bank_graphql.cards.rules import (
    PERIODS,
    Calendar,
    CardPolicy,
    Spending,
    SpentLimit,
    check_categories,
    check_digit,
    check_merchant,
    check_number,
    status_after,
    windows_at,
)
from bank_graphql.kit.conflicts import StateConflict
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import Money

SERIES = UUID(int=1)
times = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by timezones
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "America/New_York"])


@pytest.mark.parametrize("number", ["79927398713", "4111111111111111", "5500000000000004", "378282246310005"])
def test_the_check_digit_is_luhns(number: str) -> None:
    assert check_digit(number[:-1]) == number[-1]


@given(st.text("0123456789", min_size=15, max_size=15), st.integers(0, 15), st.integers(1, 9))
def test_a_number_with_one_wrong_digit_is_refused_without_repeating_it(digits: str, place: int, by: int) -> None:
    number = digits + check_digit(digits)
    assert check_number(f"{number[:4]} {number[4:8]}-{number[8:]}") == number
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    with pytest.raises(ValidationFailed) as refusal:
        check_number(wrong)
    assert wrong not in str(refusal.value)


@pytest.mark.parametrize("text", ["", " ", "4111", "x" * 16, "４" * 16, "4" * 17, "0" * 100, "1e15"])
def test_malformed_card_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        check_number(text)


@given(zones, st.sampled_from(PERIODS), times)
def test_windows_are_contiguous_in_every_time_zone(zone: str, name: LimitWindow, at: datetime) -> None:
    calendar = Calendar(ZoneInfo(zone))
    begins, ends = calendar.window(name, at)
    assert begins <= at < ends
    assert calendar.window(name, begins) == (begins, ends)
    assert calendar.window(name, ends - timedelta(microseconds=1)) == (begins, ends)
    assert calendar.window(name, ends)[0] == ends
    assert name != LimitWindow.WEEK or begins.astimezone(ZoneInfo(zone)).weekday() == 0
    assert name != LimitWindow.MONTH or begins.astimezone(ZoneInfo(zone)).day == 1


@given(zones, times, st.integers(1, 20))
def test_a_card_is_valid_until_the_end_of_its_expiry_month(zone: str, now: datetime, years: int) -> None:
    calendar = Calendar(ZoneInfo(zone))
    expiry = calendar.expiry(now, years)
    issued, last = now.astimezone(ZoneInfo(zone)), (expiry.at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    assert (expiry.month, expiry.year) == (issued.month, issued.year + years) == (last.month, last.year)


@given(zones, st.lists(st.tuples(times, st.integers(1, 100)), max_size=20), times)
def test_spending_is_the_sum_of_the_amounts_in_the_window(zone: str, spent: list[tuple[datetime, int]], now: datetime) -> None:
    calendar = Calendar(ZoneInfo(zone))
    spending = Spending(calendar, dict.fromkeys(windows_at(calendar, SERIES, now), 0))
    for at, amount in spent:
        spending.adjust(SERIES, at, amount)
    for name in PERIODS:
        begins, ends = calendar.window(name, now)
        assert spending.of(SERIES, name, now) == sum(amount for at, amount in spent if begins <= at < ends)


def test_a_limit_below_the_spending_has_nothing_remaining() -> None:
    assert SpentLimit(LimitWindow.DAY, Money(5, "EUR"), Money(7, "EUR")).remaining == Money(0, "EUR")


def test_the_tolerance_is_rounded_down() -> None:
    policy = CardPolicy(Calendar(ZoneInfo("UTC")), tolerances={"5812": 20})
    assert [policy.capture_maximum(9, category) for category in ("5812", "5411")] == [10, 9]


def test_a_card_past_its_expiry_is_expired_before_the_job_has_run() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for status in (CardStatus.INACTIVE, CardStatus.ACTIVE, CardStatus.FROZEN):
        with pytest.raises(StateConflict) as conflict:
            status_after(CardAction.CANCEL, status, now, now)
        assert conflict.value.state == "EXPIRED"
    with pytest.raises(StateConflict) as conflict:
        status_after(CardAction.CANCEL, CardStatus.CANCELLED, now, now)
    assert conflict.value.state == "CANCELLED"


def test_malformed_categories_and_merchants_are_refused() -> None:
    assert check_categories(["7995", "5812", "7995"]) == ("5812", "7995")
    for bad in (["58"], ["५८१२"], ["58120"], ["1234"] * 501):
        with pytest.raises(ValidationFailed):
            check_categories(bad)
    with pytest.raises(ValidationFailed) as refusal:
        check_merchant("a\nb", "x", "de")
    assert [problem.path[1] for problem in refusal.value.problems] == ["name", "categoryCode", "country"]
    for name in ("4111111111111111", "Shop 4111 1111-1111 1111 x"):
        with pytest.raises(ValidationFailed):
            check_merchant(name, "5812", "DE")
    assert check_merchant("Shop 4111111111111112", "5812", "DE").name == "Shop 4111111111111112"
