"""How posted interest came about: its days, balances and rates, what was carried, and the rounding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.money import CURRENCY_DIGITS, Money
from bank_graphql.kit.statements import Reads
from bank_graphql.products import interest_queries
from bank_graphql.products.enums import DayCount, InterestSide
from bank_graphql.products.interest_queries import PostingRow
from bank_graphql.products.rules import UNIT, Terms, days_between, format_rate, interest_of_part, slices, tiers_of

DIGITS = 10
"""The decimal digits to which unrounded interest is shown, in whole units of the currency."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """The interest of some days on a part of the balance, in units."""

    first: date
    last: date
    days: int
    balance: Money
    part: Money
    rate: str
    interest: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """How posted interest came about. Unrounded sums are decimal text in whole units of the currency."""

    side: InterestSide
    lines: Sequence[Line]
    carried: str
    accrued: str
    posted: Money
    carried_on: str


async def explanations(db: Reads, requested: Sequence[Requested[UUID]]) -> list[Explanation | None]:
    """Return how the interest of transactions came about; None of other transactions, and of those that are not visible."""
    return [_explanation(rows) if rows else None for rows in await interest_queries.postings(db, requested)]


def _explanation(rows: Sequence[PostingRow]) -> Explanation:
    first = rows[0]
    currency, carried, posted = first.currency, int(first.carried), first.posted
    accrued = sum(abs(int(row.amount)) for row in rows)
    return Explanation(
        InterestSide(first.side),
        [line for row in rows for line in _lines(row)],
        format_units(carried, currency),
        format_units(accrued, currency),
        Money(posted, currency),
        format_units(carried + accrued - posted * UNIT, currency),
    )


def _lines(row: PostingRow) -> Iterator[Line]:
    """Yield a line for each tier that the balance reaches."""
    count = DayCount(row.day_count)
    days = days_between(row.first_day, row.last_day + _ONE_DAY, count)
    for part, rate in slices(row.balance, Terms(row.terms_since, tiers_of(row.credit_tiers), tiers_of(row.debit_tiers))):
        yield Line(
            row.first_day,
            row.last_day,
            days,
            Money(row.balance, row.currency),
            Money(part, row.currency),
            format_rate(rate),
            format_units(interest_of_part(part, rate, count, days), row.currency),
        )


def format_units(units: int, currency: str) -> str:
    """Return units as decimal text in whole units of a currency, to `DIGITS` digits, half to even."""
    scale, size = 10 ** (DIGITS - CURRENCY_DIGITS[currency]), abs(units)
    whole, rest = divmod(size * scale, UNIT)
    whole += 2 * rest > UNIT or (2 * rest == UNIT and whole % 2 == 1)
    main, fraction = divmod(whole, 10**DIGITS)
    return f"{'-' if units < 0 and whole else ''}{main}.{fraction:0{DIGITS}}"
