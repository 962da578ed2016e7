"""Interest: day counts, tiers and rounding; and what terms may be. Pure, exact, in integers.

Interest is counted in units of which `UNIT` are one minor unit of the currency: a balance in minor units, times a rate in 10^-8,
times days of a year of 360 or 365, is a whole number of them.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import MAX_AMOUNT
from bank_graphql.products.enums import DayCount, InterestSide

_DENOMINATOR = 26_280
"""The least common multiple of 360 and 365: it makes the interest of every day whole."""
_RATE_DIGITS = 8
UNIT: int = _DENOMINATOR * 10**_RATE_DIGITS
"""How many units of interest are one minor unit."""
MAX_PERCENT = 100
MAX_TIERS = 10
_PERCENT = re.compile(r"(0|[1-9][0-9]{0,2})(?:\.([0-9]{1,6}))?", re.ASCII)
_PERCENT_DIGITS = _RATE_DIGITS - 2
_ONE_DAY = timedelta(days=1)


class Tier(NamedTuple):
    """A rate a year, in 10^-8, for the part of a balance above so many minor units, up to the next tier."""

    above: int
    rate: int


@dataclass(frozen=True, slots=True)
class Terms:
    """The rates and fees of a product from a day on. Amounts in minor units.

    Attributes:
        credit: the tiers of what an account has.
        debit: the tiers of what it owes.
        waived_above: the monthly fee is not charged if no day of the month ends with less; None if it always is.
    """

    since: date
    credit: tuple[Tier, ...] = ()
    debit: tuple[Tier, ...] = ()
    monthly_fee: int = 0
    waived_above: int | None = None
    external_transfer_fee: int = 0
    card_replacement_fee: int = 0

    def tiers(self, side: InterestSide) -> tuple[Tier, ...]:
        """Return the tiers of a side."""
        return self.credit if side == InterestSide.CREDIT else self.debit


@dataclass(frozen=True, slots=True)
class DatedProduct:
    """A product, with all its terms, the earliest first."""

    id: UUID
    day_count: DayCount
    terms: tuple[Terms, ...]

    def terms_on(self, day: date) -> Terms | None:
        """Return the terms of a day; None before the first."""
        return next((each for each in reversed(self.terms) if each.since <= day), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All products.

    Attributes:
        products: the products by id.
        defaults: of each kind and currency, those of accounts to which none was assigned, by the days from which they are.
    """

    products: Mapping[UUID, DatedProduct]
    defaults: Mapping[tuple[str, str], Mapping[date, DatedProduct]]

    def product_on(self, day: date, kind: str, currency: str, assigned: Sequence[tuple[date, UUID]]) -> DatedProduct | None:
        """Return the product that an account has on a day; None if it has none.

        Args:
            day: the day.
            kind: the kind of the account.
            currency: its currency.
            assigned: what was assigned to it, from days on.
        """
        own = max((each for each in assigned if each[0] <= day), default=None)
        if own is not None:
            return self.products[own[1]]
        defaults = self.defaults.get((kind, currency), {})
        since = max((each for each in defaults if each <= day), default=None)
        return None if since is None else defaults[since]


class Segment(NamedTuple):
    """Successive days with the same balance and terms, and the interest of them: negative if it is owed."""

    first_day: date
    last_day: date
    balance: int
    product: DatedProduct
    terms: Terms

    def joined(self, following: "Segment") -> "Segment | None":
        """Return this and the following days as one; None if they are of another month, balance or terms."""
        same_terms = (self.balance, self.product, self.terms) == (following.balance, following.product, following.terms)
        follows = self.last_day + _ONE_DAY == following.first_day and self.last_day.month == following.first_day.month
        return self._replace(last_day=following.last_day) if same_terms and follows else None

    @property
    def amount(self) -> int:
        """The interest, in units."""
        count, end = self.product.day_count, self.last_day + _ONE_DAY
        return interest(self.balance, self.terms, count, days_between(self.first_day, end, count))


class Slice(NamedTuple):
    """A part of a balance, in minor units, and the rate that it has."""

    part: int
    rate: int


def days_between(first: date, end: date, count: DayCount) -> int:
    """Return the days from one date to another, which is not among them. Days of parts add up to those of the whole."""
    if count == DayCount.THIRTY_E_360:
        return 360 * (end.year - first.year) + 30 * (end.month - first.month) + min(end.day, 30) - min(first.day, 30)
    return (end - first).days


def slices(balance: int, terms: Terms) -> list[Slice]:
    """Return the parts of a balance that bear interest, each with its rate: those of what is owed if it is negative."""
    tiers, size = terms.tiers(side_of(balance)), abs(balance)
    ends = [tier.above for tier in tiers[1:]] + [size]
    found = [Slice(min(end, size) - tier.above, tier.rate) for tier, end in zip(tiers, ends, strict=False)]
    return [each for each in found if each.part > 0 and each.rate]


def interest(balance: int, terms: Terms, count: DayCount, days: int) -> int:
    """Return the interest on a balance for some days, in units; negative if it is owed."""
    size = sum(interest_of_part(part, rate, count, days) for part, rate in slices(balance, terms))
    return size if balance > 0 else -size


def interest_of_part(part: int, rate: int, count: DayCount, days: int) -> int:
    """Return the interest on an amount at a rate for some days, in units."""
    return part * rate * days * (_DENOMINATOR // (365 if count == DayCount.ACT_365F else 360))


def side_of(balance: int) -> InterestSide:
    """Return who pays interest on a balance."""
    return InterestSide.CREDIT if balance > 0 else InterestSide.DEBIT


def rounded(units: int) -> int:
    """Return units as whole minor units, half to even, at most as many as one transaction may move."""
    whole, rest = divmod(units, UNIT)
    if 2 * rest > UNIT or (2 * rest == UNIT and whole % 2):
        whole += 1
    return min(whole, MAX_AMOUNT)


def rounded_signed(units: int) -> int:
    """Return units of either sign as whole minor units, half to even."""
    return rounded(units) if units >= 0 else -rounded(-units)


def segments(days: Iterable[tuple[date, int, DatedProduct]]) -> list[Segment]:
    """Join days, given in order with their balance and product, into segments.

    A segment ends when the balance, the terms or the month changes. Days without interest are left out.
    """
    found: list[Segment] = []
    for day, balance, product in days:
        terms = product.terms_on(day)
        if terms is None or not slices(balance, terms):
            continue
        new = Segment(day, day, balance, product, terms)
        longer = found[-1].joined(new) if found else None
        if longer is None:
            found.append(new)
        else:
            found[-1] = longer
    return [each for each in found if each.amount]


def parse_rate(text: str, path: tuple[str, ...]) -> int:
    """Return a rate that was given in percent a year, in 10^-8.

    Raises:
        ValidationFailed: `INVALID`, `TOO_LARGE`.
    """
    match = _PERCENT.fullmatch(text)
    if match is None:
        message = 'A rate is in percent a year, with up to six decimal digits: for example "1.25".'
        raise ValidationFailed.of(path, "INVALID", message)
    rate: int = int(match[1] + (match[2] or "").ljust(_PERCENT_DIGITS, "0"))
    if rate > MAX_PERCENT * 10**_PERCENT_DIGITS:
        raise ValidationFailed.of(path, "TOO_LARGE", f"A rate is {MAX_PERCENT} percent a year at most.")
    return rate


def format_rate(rate: int) -> str:
    """Return a rate in percent a year, without zeros at its end: "1.25"."""
    whole, rest = divmod(rate, 10**_PERCENT_DIGITS)
    return f"{whole}.{rest:0{_PERCENT_DIGITS}}".rstrip("0").rstrip(".")


def tiers_of(stored: str) -> tuple[Tier, ...]:
    """Return tiers that are stored as JSON."""
    return tuple(Tier(*each) for each in json.loads(stored))


def check_tiers(tiers: Sequence[Tier], path: tuple[str, ...]) -> tuple[Tier, ...]:
    """Return tiers, if they rise.

    Raises:
        ValidationFailed: `NOT_RISING`, `TOO_MANY`, `NEGATIVE`.
    """
    if len(tiers) > MAX_TIERS:
        raise ValidationFailed.of(path, "TOO_MANY", f"There are {MAX_TIERS} tiers at most.")
    bounds = [tier.above for tier in tiers]
    if any(bound < 0 for bound in bounds):
        raise ValidationFailed.of(path, "NEGATIVE", "A tier begins at zero or above, on what an account owes too.")
    if any(later <= earlier for earlier, later in pairwise(bounds)):
        raise ValidationFailed.of(path, "NOT_RISING", "Each tier begins above the one before it.")
    return tuple(tiers)
