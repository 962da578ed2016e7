"""Amounts of money: whole minor units of an ISO 4217 currency, and their decimal text in the API.

There are no floats and no rounding: an amount with more decimal digits than its currency has is refused.
"""

import re
from dataclasses import dataclass

from bank_graphql.kit.errors import ValidationFailed

MAX_AMOUNT = 10**15
"""The largest amount of one transaction, in minor units."""

_CODES_BY_DIGITS = {
    0: ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "),
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
        "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "
    ),
    3: ("BHD IQD JOD KWD LYD OMR TND "),
    4: ("CLF UYW "),
}

CURRENCY_DIGITS: dict[str, int] = {code: digits for digits, codes in _CODES_BY_DIGITS.items() for code in codes.split()}
"""The number of decimal digits of each active ISO 4217 currency that has minor units (list of 2026)."""

_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]{0,19})(?:\.([0-9]{1,20}))?", re.ASCII)


@dataclass(slots=True, unsafe_hash=True)
class Money:
    """An amount in minor units, e.g. `Money(1230, "EUR")` for 12.30 euros. A debit or a debt is negative.

    It is a value that is never changed. It is not frozen, because a page has hundreds of amounts, and a frozen dataclass takes
    three times as long to create.
    """

    minor: int
    currency: str

    @property
    def amount(self) -> str:
        """The amount as decimal text, see `format_amount`."""
        return format_amount(self.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def format_amount(minor: int, currency: str) -> str:
    """Return minor units as decimal text with exactly the currency's digits: 1230 EUR is "12.30", 12 JPY is "12"."""
    digits = CURRENCY_DIGITS[currency]
    if not digits:
        return str(minor)
    text = str(minor) if minor >= 0 else str(-minor)
    if len(text) <= digits:
        text = text.zfill(digits + 1)
    return f"{'' if minor >= 0 else '-'}{text[:-digits]}.{text[-digits:]}"


def parse_amount(text: str, currency: str, *, path: str | tuple[str, ...] = "amount") -> int:
    """Return decimal text as minor units. Zero and negative amounts are allowed, unlike in `parse_positive`.

    Args:
        text: the decimal text.
        currency: the code of the currency.
        path: the path of the field in the input, for the error.

    Raises:
        ValidationFailed: `INVALID` if it is not a plain decimal number, `TOO_PRECISE` if it has more decimal digits than the
            currency, `TOO_LARGE` if it is over `MAX_AMOUNT`.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValidationFailed.of(
            path, "INVALID", 'An amount is a string of digits with an optional dot, or an integer: for example "12.30".'
        )
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    digits = CURRENCY_DIGITS[currency]
    if len(fraction) > digits:
        raise ValidationFailed.of(path, "TOO_PRECISE", f"{currency} has {digits} digits after the decimal separator.")
    minor = int(whole + fraction.ljust(digits, "0"))
    if minor > MAX_AMOUNT:
        limit = format_amount(MAX_AMOUNT, currency)
        raise ValidationFailed.of(path, "TOO_LARGE", f"An amount may be at most {limit} {currency}.")
    return -minor if sign else minor


def parse_positive(text: str, currency: str, *, path: str | tuple[str, ...] = "amount") -> int:
    """Return decimal text as minor units greater than zero. Arguments as in `parse_amount`.

    Raises:
        ValidationFailed: as in `parse_amount`, and `NOT_POSITIVE` if it is zero or negative.
    """
    minor = parse_amount(text, currency, path=path)
    if minor <= 0:
        raise ValidationFailed.of(path, "NOT_POSITIVE", "The amount must be greater than zero.")
    return minor
