"""Amounts and currencies."""

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import CURRENCY_DIGITS, MAX_AMOUNT, Money, format_amount, parse_amount, parse_positive


def test_the_currencies_are_those_of_iso_4217() -> None:
    known = {currency.code: currency.exponent for currency in iso4217.Currency}
    assert {code: digits for code, digits in known.items() if digits is not None} == CURRENCY_DIGITS


@given(st.integers(-MAX_AMOUNT, MAX_AMOUNT), st.sampled_from(sorted(CURRENCY_DIGITS)))
def test_a_formatted_amount_can_be_parsed_again(minor: int, currency: str) -> None:
    text = format_amount(minor, currency)
    assert parse_amount(text, currency) == minor
    assert len(text.partition(".")[2]) == CURRENCY_DIGITS[currency]


@given(st.text(max_size=30))
def test_other_text_is_refused(text: str) -> None:
    try:
        minor = parse_amount(text, "EUR")
    except ValidationFailed as error:
        assert error.problems[0].code in {"INVALID", "TOO_PRECISE", "TOO_LARGE"}
    else:
        assert float(text) == pytest.approx(minor / 100)


@pytest.mark.parametrize(
    ("text", "currency", "minor"), [("12.30", "EUR", 1230), ("12.3", "EUR", 1230), ("12", "JPY", 12), ("0.001", "KWD", 1)]
)
def test_an_amount_is_parsed_into_minor_units(text: str, currency: str, minor: int) -> None:
    assert parse_positive(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [("12.0", "JPY", "TOO_PRECISE"), ("01", "EUR", "INVALID"), (".5", "EUR", "INVALID"), ("0", "EUR", "NOT_POSITIVE")],
)
def test_malformed_and_zero_amounts_are_refused(text: str, currency: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_positive(text, currency)
    assert refused.value.problems[0].code == code


def test_money_is_formatted_with_its_currency() -> None:
    assert str(Money(-5, "EUR")) == "-0.05 EUR"
