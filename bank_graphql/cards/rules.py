"""What may be done with a card: its lifecycle, its limits, authorisations. Pure: facts in, decision out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from bank_graphql.accounts.errors import StateConflict
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.kit.errors import FieldProblem, ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.kit.text import normalise_name, problem_in

WINDOWS = ("TRANSACTION", "DAY", "WEEK", "MONTH")
MERCHANT_NAME_MAX = 100
CATEGORIES_MAX = 500
NUMBER_DIGITS = 16
_NUMBER = re.compile(f"(?=([0-9]{{{NUMBER_DIGITS}}}))", re.ASCII)
_CATEGORY, _COUNTRY = re.compile(r"[0-9]{4}", re.ASCII), re.compile(r"[A-Z]{2}", re.ASCII)
_STEPS = {
    "activateCard": (("INACTIVE",), "ACTIVE"),
    "freezeCard": (("ACTIVE",), "FROZEN"),
    "unfreezeCard": (("FROZEN",), "ACTIVE"),
    "cancelCard": (("INACTIVE", "ACTIVE", "FROZEN"), "CANCELLED"),
    "setCardLimits": (("INACTIVE", "ACTIVE", "FROZEN"), None),
    "replaceCard": (("INACTIVE", "ACTIVE", "FROZEN", "EXPIRED"), None),
    "revealCard": (("ACTIVE", "FROZEN"), None),
}


@dataclass(frozen=True, slots=True)
class Merchant:
    """A shop: its name, its category after ISO 18245, its country after ISO 3166."""

    name: str
    category: str
    country: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days, weeks and months of a time zone, as moments in UTC."""

    zone: ZoneInfo

    def window(self, name: str, at: datetime) -> tuple[datetime, datetime]:
        """When the DAY, WEEK (from Monday, ISO 8601) or MONTH that `at` lies in begins, and when the next one does."""
        day = at.astimezone(self.zone).date()
        match name:
            case "DAY":
                first, after = day, day + timedelta(days=1)
            case "WEEK":
                first = day - timedelta(days=day.weekday())
                after = first + timedelta(days=7)
            case "MONTH":
                first, after = day.replace(day=1), _next_month(day)
            case _:
                raise ValueError(name)
        return self._midnight(first), self._midnight(after)

    def expiry(self, now: datetime, years: int) -> "Expiry":
        """When a card that is issued now expires: with the end of the present month, so many years later."""
        today = now.astimezone(self.zone).date()
        month = date(today.year + years, today.month, 1)
        return Expiry(month.month, month.year, self._midnight(_next_month(month)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Expiry:
    """The last month in which a card is good, and the moment when that ends."""

    month: int
    year: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """How the bank issues and authorises.

    Attributes:
        calendar: the time zone in which days, weeks and months are counted.
        years: how long a card is good.
        hold_for: after which time an authorisation that nobody captures expires.
        tolerances: by how many per cent more than authorised may be captured, by merchant category.
    """

    calendar: Calendar
    years: int = 4
    hold_for: timedelta = timedelta(days=7)
    tolerances: Mapping[str, int] = field(default_factory=dict)

    def most(self, authorized: int, category: str) -> int:
        """How much may be captured in all of an authorisation, in minor units."""
        return authorized + authorized * self.tolerances.get(category, 0) // 100


@dataclass(slots=True)
class CardState:
    """A card, as far as decisions depend on it. A working copy, read while its account is locked."""

    id: UUID
    account_id: UUID
    series_id: UUID
    kind: str
    form: str
    status: str
    frozen_by: str | None
    holder_name: str
    expires_at: datetime
    blocked_categories: Sequence[str]
    is_replaced: bool
    limits: Mapping[str, int]

    def status_at(self, now: datetime) -> str:
        """Its status, EXPIRED too where nobody has noted that yet."""
        return _status_at(self.status, self.expires_at, now)


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to be issued; its number is made when it is written."""

    id: UUID
    account_id: UUID
    series_id: UUID
    replaces_id: UUID | None
    kind: str
    form: str
    status: str
    holder_name: str | None
    expiry: Expiry
    limits: tuple[tuple[str, int], ...]
    blocked_categories: tuple[str, ...]


@dataclass(slots=True)
class CardPayment:
    """A transaction made with a card, as `CardTransaction` in the models. A working copy."""

    transaction_id: UUID
    card_id: UUID
    series_id: UUID
    authorized_at: datetime
    counted: int
    merchant: Merchant
    decline_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SpentLimit:
    """A spending limit, and what counts towards it."""

    time_window: str
    amount: Money
    spent: Money

    @property
    def remaining(self) -> Money:
        """What may still be spent: never less than nothing, also where a limit was lowered below what is spent."""
        return Money(max(0, self.amount.minor - self.spent.minor), self.amount.currency)


Window = tuple[UUID, str, datetime]
"""A series of cards, and a window of time by its name and beginning."""


class Spending:
    """What series of cards have spent in windows of time, in minor units; kept up to date while a batch is decided.

    Args:
        calendar: where days begin.
        spent: by window, those that decisions may depend on.
    """

    def __init__(self, calendar: Calendar, spent: dict[Window, int]) -> None:
        self._calendar = calendar
        self._spent = spent

    def of(self, series: UUID, window: str, at: datetime) -> int:
        """What counts in the window that `at` lies in, which must be one of those given."""
        return self._spent[series, window, self._calendar.window(window, at)[0]]

    def copy(self) -> "Spending":
        """Return a copy that what is counted later does not change."""
        return Spending(self._calendar, dict(self._spent))

    def add(self, series: UUID, at: datetime, amount: int) -> None:
        """Count something, or if negative give it back, in those of the windows given that `at` lies in."""
        for key in windows(self._calendar, series, at):
            if key in self._spent:
                self._spent[key] += amount


def windows(calendar: Calendar, series: UUID, at: datetime) -> Iterator[Window]:
    """The windows that a moment lies in."""
    for name in WINDOWS[1:]:
        yield series, name, calendar.window(name, at)[0]


def check_step(action: str, status: str, expires_at: datetime, now: datetime) -> str:
    """The status of a card after an action that its status must allow.

    Raises:
        StateConflict: it does not.
    """
    status = _status_at(status, expires_at, now)
    allowed, becomes = _STEPS[action]
    if status not in allowed:
        raise StateConflict("WRONG_STATUS", status, f"The card is {status.lower()}.")
    return becomes or status


def first_status(form: str) -> str:
    """The status of a new card."""
    return "ACTIVE" if form == "VIRTUAL" else "INACTIVE"


def check_authorization(card: CardState, merchant: Merchant, amount: Money, spending: Spending, now: datetime) -> None:
    """Whether a card may pay an amount to a merchant now. Funds are the ledger's affair.

    Raises:
        StateConflict: `CARD_EXPIRED`, `CARD_NOT_ACTIVE` or `MERCHANT_BLOCKED`.
        LimitExceeded: a limit does not leave that much.
    """
    status = card.status_at(now)
    if status == "EXPIRED":
        raise StateConflict("CARD_EXPIRED", status, "The card has expired.")
    if status != "ACTIVE":
        raise StateConflict("CARD_NOT_ACTIVE", status, f"The card is {status.lower()}.")
    if merchant.category in card.blocked_categories:
        raise StateConflict("MERCHANT_BLOCKED", status, "The card does not pay merchants of this category.")
    check_limits(card, amount, spending, now)


def check_limits(card: CardState, amount: Money, spending: Spending, at: datetime, authorized: int = 0) -> None:
    """Whether the card's limits leave an amount, in the windows that `at` lies in.

    Args:
        card: the card, with its limits.
        amount: what is to be spent.
        spending: what is spent.
        at: the moment of the authorisation.
        authorized: what was authorised for the same transaction before, in minor units.

    Raises:
        LimitExceeded: one does not.
    """
    for window in WINDOWS:
        limit = card.limits.get(window)
        if limit is None:
            continue
        spent = authorized if window == "TRANSACTION" else spending.of(card.series_id, window, at)
        if spent + amount.minor > limit:
            raise LimitExceeded(window, Money(limit, amount.currency), Money(spent, amount.currency))


def fits(kind: str, account_kind: str) -> bool:
    """Whether a kind of card belongs to a kind of account."""
    return (kind == "CREDIT") == (account_kind == "CREDIT")


def check_merchant(name: str, category: str, country: str) -> Merchant:
    """A merchant.

    Raises:
        ValidationFailed: with a problem for each field.
    """
    name = normalise_name(name)
    problems = []
    if any(check_digit(found[:-1]) == found[-1] for found in _NUMBER.findall(re.sub("[ -]", "", name))):
        problems.append(FieldProblem(("merchant", "name"), "INVALID", "A merchant's name holds no card number."))
    problem = problem_in(name, "A merchant's name", ("merchant", "name"), MERCHANT_NAME_MAX, is_name=True)
    if problem is not None:
        problems.append(problem)
    if not _CATEGORY.fullmatch(category):
        problems.append(
            FieldProblem(("merchant", "categoryCode"), "INVALID", "A merchant's category has four digits (ISO 18245).")
        )
    if not _COUNTRY.fullmatch(country):
        problems.append(FieldProblem(("merchant", "country"), "INVALID", "A country has two capital letters (ISO 3166)."))
    if problems:
        raise ValidationFailed(problems)
    return Merchant(name, category, country)


def check_categories(given: Sequence[str]) -> tuple[str, ...]:
    """Merchant categories to block, each once, in order.

    Raises:
        ValidationFailed: `INVALID` or `TOO_MANY`.
    """
    if len(given) > CATEGORIES_MAX:
        raise ValidationFailed.of("blockedCategories", "TOO_MANY", f"At most {CATEGORIES_MAX} categories can be blocked.")
    for index, category in enumerate(given):
        if not _CATEGORY.fullmatch(category):
            path = ("blockedCategories", str(index))
            raise ValidationFailed.of(path, "INVALID", "A merchant's category has four digits (ISO 18245).")
    return tuple(sorted(set(given)))


def check_limit_amounts(given: Iterable[tuple[str, Money]]) -> tuple[tuple[str, Money], ...]:
    """Limits by their windows, in their order, each window once and no amount negative.

    Raises:
        ValidationFailed: `DUPLICATE` or `NEGATIVE`.
    """
    limits: dict[str, Money] = {}
    for index, (window, amount) in enumerate(given):
        if window in limits:
            raise ValidationFailed.of(("limits", str(index), "window"), "DUPLICATE", "There is one limit for each window.")
        if amount.minor < 0:
            raise ValidationFailed.of(("limits", str(index), "amount", "amount"), "NEGATIVE", "A limit is not negative.")
        limits[window] = amount
    return tuple((window, limits[window]) for window in WINDOWS if window in limits)


def check_number(text: str) -> str:
    """A card number as people write it, as digits alone.

    Raises:
        ValidationFailed: `INVALID`: it is none. What was given is not repeated.
    """
    number = text.replace(" ", "").replace("-", "") if len(text) <= 2 * NUMBER_DIGITS else ""
    if not (number.isascii() and number.isdigit() and len(number) == NUMBER_DIGITS and check_digit(number[:-1]) == number[-1]):
        raise ValidationFailed.of("cardNumber", "INVALID", "This is not a card number.")
    return number


def check_digit(digits: str) -> str:
    """The digit that makes a number valid after Luhn (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - place % 2)
        total += value // 10 + value % 10
    return str(-total % 10)


def _status_at(status: str, expires_at: datetime, now: datetime) -> str:
    return "EXPIRED" if status != "CANCELLED" and now >= expires_at else status


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
