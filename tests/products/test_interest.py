"""Interest against QuantLib's day counts, and its rules against their definitions."""

import random
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import MAX_AMOUNT
from bank_graphql.products.enums import DayCount
from bank_graphql.products.explanations import format_units
from bank_graphql.products.rules import (
    UNIT,
    DatedProduct,
    Terms,
    Tier,
    days_between,
    format_rate,
    parse_rate,
    rounded,
    segments,
)

COUNTERS = {
    DayCount.ACT_365F: QuantLib.Actual365Fixed(),
    DayCount.ACT_360: QuantLib.Actual360(),
    DayCount.THIRTY_E_360: QuantLib.Thirty360(QuantLib.Thirty360.European),
}
BASES = {DayCount.ACT_365F: 365, DayCount.ACT_360: 360, DayCount.THIRTY_E_360: 360}
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


def quantlib(day: date) -> QuantLib.Date:
    """Return a day as QuantLib's."""
    return QuantLib.Date(day.day, day.month, day.year)


def by_quantlib(count: DayCount, first: date, end: date) -> int:
    """Return the days from one to another as QuantLib counts them."""
    days: int = COUNTERS[count].dayCount(quantlib(first), quantlib(end))
    return days


@given(st.sampled_from(DayCount), DAYS, DAYS)
def test_days_are_counted_as_quantlib_counts_them(count: DayCount, first: date, end: date) -> None:
    assert days_between(first, end, count) == by_quantlib(count, first, end)


def interest_of_a_day(balance: int, terms: Terms, count: DayCount, day: date) -> Fraction:
    """Return the interest of a day in minor units, by the definition: each part of the balance at the rate of its tier."""
    tiers = terms.credit if balance > 0 else terms.debit
    yearly = Fraction(0)
    for index, tier in enumerate(tiers):
        top = tiers[index + 1].above if index + 1 < len(tiers) else abs(balance)
        yearly += Fraction(max(0, min(abs(balance), top) - tier.above) * tier.rate, 10**8)
    return yearly * by_quantlib(count, day, day + timedelta(days=1)) / BASES[count] * (1 if balance > 0 else -1)


def tiers_by(chance: random.Random) -> tuple[Tier, ...]:
    """Return tiers."""
    bounds = sorted(chance.sample(range(0, 2_000_000, 1000), chance.randint(0, 4)))
    return tuple(Tier(bound, chance.randrange(0, 30_000_000)) for bound in bounds)


@pytest.mark.deep
def test_interest_of_a_thousand_products_is_that_of_the_definition_to_the_last_digit() -> None:
    chance = random.Random(20300115)
    for _ in range(1000):
        first = date(2020, 1, 1) + timedelta(days=chance.randrange(3000))
        since = sorted({first, *(first + timedelta(days=chance.randrange(400)) for _ in range(chance.randint(0, 3)))})
        product = DatedProduct(
            new_id(), chance.choice(list(DayCount)), tuple(Terms(day, tiers_by(chance), tiers_by(chance)) for day in since)
        )
        balance, days = chance.randrange(-500_000, 5_000_000), []
        for number in range(chance.randrange(1, 400)):
            if chance.random() < 0.1:
                balance = chance.choice([0, chance.randrange(-500_000, 5_000_000), chance.randrange(10**15)])
            days.append((first + timedelta(days=number), balance, product))
        expected = Fraction(0)
        for day, at_end, _ in days:
            terms = product.terms_on(day)
            assert terms is not None
            expected += interest_of_a_day(at_end, terms, product.day_count, day)
        found = segments(days)
        assert Fraction(sum(each.amount for each in found), UNIT) == expected
        assert all(earlier.last_day < later.first_day for earlier, later in pairwise(found))
        earned = sum(each.amount for each in found if each.amount > 0)
        if earned < MAX_AMOUNT * UNIT:
            whole = rounded(earned)
            assert whole == round(Fraction(earned, UNIT))  # Python rounds half to even, too
            assert abs(Fraction(earned, UNIT) - whole) <= Fraction(1, 2)


@given(st.integers(0, 10**30))
def test_months_that_carry_what_was_rounded_lose_nothing(units: int) -> None:
    carried, posted = 0, 0
    for month in range(12):
        share = units // (month + 2)
        amount = rounded(carried + share)
        carried, posted = carried + share - amount * UNIT, posted + amount
        assert abs(2 * carried) <= UNIT or amount == MAX_AMOUNT
    assert posted * UNIT + carried == sum(units // (month + 2) for month in range(12))


@pytest.mark.parametrize(("halves", "expected"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4)])
def test_halves_are_rounded_to_even(halves: int, expected: int) -> None:
    assert rounded(halves * UNIT // 2) == expected


@given(st.integers(0, 100 * 10**6))
def test_rates_are_written_as_they_are_read(rate: int) -> None:
    assert parse_rate(format_rate(rate), ("rate",)) == rate


@pytest.mark.parametrize("text", ["", "1,5", "-1", "+1", "1e2", "01", "1.", ".5", "1.1234567", "١", "100.000001", "NaN"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        parse_rate(text, ("rate",))


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (UNIT, "EUR", "0.0100000000"),
        (-UNIT // 3, "JPY", "-0.3333333333"),
        (UNIT // 2, "KWD", "0.0005000000"),
        (-1, "EUR", "0.0000000000"),
        (123_456 * UNIT, "EUR", "1234.5600000000"),
    ],
)
def test_unrounded_interest_is_shown_to_ten_digits(units: int, currency: str, text: str) -> None:
    assert format_units(units, currency) == text
