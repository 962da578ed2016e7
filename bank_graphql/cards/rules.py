"""Decides what may be done with a card: its lifecycle, its limits, authorisations. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from bank_graphql.accounts.enums import AccountKind, FrozenBy
from bank_graphql.cards.enums import CardAction, CardForm, CardKind, CardStatus, DeclineReason, LimitWindow
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.errors import FieldProblem, ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.kit.months import next_month
from bank_graphql.kit.text import normalise_name, problem_in

PERIODS = (LimitWindow.DAY, LimitWindow.WEEK, LimitWindow.MONTH)
"""The windows that are periods of time."""
MERCHANT_NAME_MAX = 100
CATEGORIES_MAX = 500
NUMBER_DIGITS = 16
_NUMBER = re.compile(f"(?=([0-9]{{{NUMBER_DIGITS}}}))", re.ASCII)
_CATEGORY, _COUNTRY = re.compile(r"[0-9]{4}", re.ASCII), re.compile(r"[A-Z]{2}", re.ASCII)
_LIVE = frozenset({CardStatus.INACTIVE, CardStatus.ACTIVE, CardStatus.FROZEN})
_TRANSITIONS: dict[CardAction, tuple[frozenset[CardStatus], CardStatus | None]] = {
    CardAction.ACTIVATE: (frozenset({CardStatus.INACTIVE}), CardStatus.ACTIVE),
    CardAction.FREEZE: (frozenset({CardStatus.ACTIVE}), CardStatus.FROZEN),
    CardAction.UNFREEZE: (frozenset({CardStatus.FROZEN}), CardStatus.ACTIVE),
    CardAction.CANCEL: (_LIVE, CardStatus.CANCELLED),
    CardAction.SET_LIMITS: (_LIVE, None),
    CardAction.REPLACE: (_LIVE | {CardStatus.EXPIRED}, None),
    CardAction.REVEAL: (frozenset({CardStatus.ACTIVE, CardStatus.FROZEN}), None),
}
"""For each action, the statuses that allow it, and the status that it leads to; None if it changes none."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant: the name, the category per ISO 18245, the country per ISO 3166."""

    name: str
    category: str
    country: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days, weeks and months of a time zone, as times in UTC."""

    zone: ZoneInfo

    def window(self, name: LimitWindow, at: datetime) -> tuple[datetime, datetime]:
        """Return when the DAY, WEEK (from Monday, ISO 8601) or MONTH that contains `at` begins, and when the next one does."""
        day = at.astimezone(self.zone).date()
        match name:
            case LimitWindow.DAY:
                first, after = day, day + timedelta(days=1)
            case LimitWindow.WEEK:
                first = day - timedelta(days=day.weekday())
                after = first + timedelta(days=7)
            case LimitWindow.MONTH:
                first, after = day.replace(day=1), next_month(day)
            case LimitWindow.TRANSACTION:
                raise ValueError("a transaction is no period of time")
            case _:
                assert_never(name)
        return self._midnight(first), self._midnight(after)

    def expiry(self, now: datetime, years: int) -> "Expiry":
        """Return when a card that is issued now expires: at the end of the present month, that many years later."""
        today = now.astimezone(self.zone).date()
        month = date(today.year + years, today.month, 1)
        return Expiry(month.month, month.year, self._midnight(next_month(month)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Expiry:
    """The last month in which a card is valid, and the time at which that month ends."""

    month: int
    year: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """How the bank issues cards and authorises payments.

    Attributes:
        calendar: the days, weeks and months of the limits.
        years: for how long a card is valid.
        hold_for: how long an authorisation lasts unless it is captured.
        tolerances: by merchant category, how many per cent more than authorised may be captured.
    """

    calendar: Calendar
    years: int = 4
    hold_for: timedelta = timedelta(days=7)
    tolerances: Mapping[str, int] = field(default_factory=dict)

    def capture_maximum(self, authorized: int, category: str) -> int:
        """Return how much may be captured of an authorisation altogether, in minor units."""
        return authorized + authorized * self.tolerances.get(category, 0) // 100


@dataclass(slots=True)
class CardState:
    """What decisions need to know of a card: a working copy, read while its account is locked."""

    id: UUID
    account_id: UUID
    series_id: UUID
    kind: CardKind
    form: CardForm
    status: CardStatus
    frozen_by: FrozenBy | None
    holder_name: str
    expires_at: datetime
    blocked_categories: Sequence[str]
    is_replaced: bool
    limits: Mapping[LimitWindow, int]

    def status_at(self, now: datetime) -> CardStatus:
        """Return the card's status. It is EXPIRED from its expiry on, even if the job has not written that yet."""
        return _status_at(self.status, self.expires_at, now)


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to issue. Its number is drawn when it is written."""

    id: UUID
    account_id: UUID
    series_id: UUID
    replaces_id: UUID | None
    kind: CardKind
    form: CardForm
    status: CardStatus
    holder_name: str | None
    expiry: Expiry
    limits: tuple[tuple[LimitWindow, int], ...]
    blocked_categories: tuple[str, ...]


@dataclass(slots=True)
class CardPayment:
    """A transaction made with a card: a working copy of a `CardTransaction` row.

    Attributes:
        counted: what the transaction counts toward the limits of the windows that contain `authorized_at`, in minor units.
    """

    transaction_id: UUID
    card_id: UUID
    series_id: UUID
    authorized_at: datetime
    counted: int
    merchant: Merchant
    decline_reason: DeclineReason | None = None


@dataclass(frozen=True, slots=True)
class SpentLimit:
    """A spending limit, and what counts toward it."""

    time_window: LimitWindow
    amount: Money
    spent: Money

    @property
    def remaining(self) -> Money:
        """What may still be spent. It is zero, not negative, if the limit was lowered below what is spent."""
        return Money(max(0, self.amount.minor - self.spent.minor), self.amount.currency)


Window = tuple[UUID, LimitWindow, datetime]
"""A series of cards, and a period of time by its kind and beginning."""


class Spending:
    """What series of cards have spent in each window, in minor units; adjusted while a batch is decided.

    Args:
        calendar: when windows begin.
        spent: the spending of those windows that decisions may depend on.
    """

    def __init__(self, calendar: Calendar, spent: dict[Window, int]) -> None:
        self._calendar = calendar
        self._spent = spent

    def of(self, series: UUID, window: LimitWindow, at: datetime) -> int:
        """Return the spending of the window that contains `at`, which must be among those given."""
        return self._spent[series, window, self._calendar.window(window, at)[0]]

    def copy(self) -> "Spending":
        """Return a copy that later adjustments do not change."""
        return Spending(self._calendar, dict(self._spent))

    def adjust(self, series: UUID, at: datetime, amount: int) -> None:
        """Add an amount, which may be negative, to the spending of the known windows that contain `at`."""
        for key in windows_at(self._calendar, series, at):
            if key in self._spent:
                self._spent[key] += amount


def windows_at(calendar: Calendar, series: UUID, at: datetime) -> Iterator[Window]:
    """Yield the windows that contain a time."""
    for name in PERIODS:
        yield series, name, calendar.window(name, at)[0]


def status_after(action: CardAction, status: CardStatus, expires_at: datetime, now: datetime) -> CardStatus:
    """Return the status of a card after an action.

    Raises:
        StateConflict: `WRONG_STATUS`: the card's status does not allow the action.
    """
    status = _status_at(status, expires_at, now)
    allowed, becomes = _TRANSITIONS[action]
    if status not in allowed:
        raise StateConflict(StateConflictCode.WRONG_STATUS, status, f"The card is {status.lower()}.")
    return becomes or status


def first_status(form: CardForm) -> CardStatus:
    """Return the status of a new card."""
    return CardStatus.ACTIVE if form == CardForm.VIRTUAL else CardStatus.INACTIVE


def check_authorization(card: CardState, merchant: Merchant, amount: Money, spending: Spending, now: datetime) -> None:
    """Check that a card may pay an amount to a merchant now. The account's funds are checked by the ledger.

    Raises:
        StateConflict: `CARD_EXPIRED`, `CARD_NOT_ACTIVE` or `MERCHANT_BLOCKED`.
        LimitExceeded: the amount exceeds a limit.
    """
    status = card.status_at(now)
    if status == CardStatus.EXPIRED:
        raise StateConflict(StateConflictCode.CARD_EXPIRED, status, "The card has expired.")
    if status != CardStatus.ACTIVE:
        raise StateConflict(StateConflictCode.CARD_NOT_ACTIVE, status, f"The card is {status.lower()}.")
    if merchant.category in card.blocked_categories:
        message = "The card does not pay merchants of this category."
        raise StateConflict(StateConflictCode.MERCHANT_BLOCKED, status, message)
    check_limits(card, amount, spending, now)


def check_limits(card: CardState, amount: Money, spending: Spending, at: datetime, authorized: int = 0) -> None:
    """Check that an amount is within all limits of a card, in the windows that contain `at`.

    Args:
        card: the card, with its limits.
        amount: what is to be spent.
        spending: what was spent so far.
        at: when the payment was authorised.
        authorized: what was authorised for the same transaction before, in minor units.

    Raises:
        LimitExceeded: the amount exceeds a limit.
    """
    for window in LimitWindow:
        limit = card.limits.get(window)
        if limit is None:
            continue
        spent = authorized if window == LimitWindow.TRANSACTION else spending.of(card.series_id, window, at)
        if spent + amount.minor > limit:
            raise LimitExceeded(window, Money(limit, amount.currency), Money(spent, amount.currency))


def is_card_for(kind: CardKind, account_kind: AccountKind) -> bool:
    """Return whether a kind of card may draw on a kind of account."""
    return (kind == CardKind.CREDIT) == (account_kind == AccountKind.CREDIT)


def check_merchant(name: str, category: str, country: str) -> Merchant:
    """Return the merchant with these data.

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
    """Return merchant categories to block, sorted and without duplicates.

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


def check_limit_amounts(given: Iterable[tuple[LimitWindow, Money]]) -> tuple[tuple[LimitWindow, Money], ...]:
    """Return limits in the order of their windows, each window once and no amount negative.

    Raises:
        ValidationFailed: `DUPLICATE` or `NEGATIVE`.
    """
    limits: dict[LimitWindow, Money] = {}
    for index, (window, amount) in enumerate(given):
        if window in limits:
            raise ValidationFailed.of(("limits", str(index), "window"), "DUPLICATE", "There is one limit for each window.")
        if amount.minor < 0:
            raise ValidationFailed.of(("limits", str(index), "amount", "amount"), "NEGATIVE", "A limit is not negative.")
        limits[window] = amount
    return tuple((window, limits[window]) for window in LimitWindow if window in limits)


def check_number(text: str) -> str:
    """Return the digits of a card number, which people write with spaces or dashes.

    Raises:
        ValidationFailed: `INVALID`: it is not a card number. The message does not repeat it.
    """
    number = text.replace(" ", "").replace("-", "") if len(text) <= 2 * NUMBER_DIGITS else ""
    if not (number.isascii() and number.isdigit() and len(number) == NUMBER_DIGITS and check_digit(number[:-1]) == number[-1]):
        raise ValidationFailed.of("cardNumber", "INVALID", "This is not a card number.")
    return number


def check_digit(digits: str) -> str:
    """Return the check digit of a number by Luhn's algorithm (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - place % 2)
        total += value // 10 + value % 10
    return str(-total % 10)


def _status_at(status: CardStatus, expires_at: datetime, now: datetime) -> CardStatus:
    return CardStatus.EXPIRED if status != CardStatus.CANCELLED and now >= expires_at else status
