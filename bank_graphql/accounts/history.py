"""Balances at the ends of days, for charts: one statement, however many days."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, Date, DateTime, Text, Uuid, bindparam, cast, column, func, literal_column, select, true
from sqlmodel import col

from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible
from bank_graphql.identity.scopes import Scope, viewer_of
from bank_graphql.identity.visibility import sees_all
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.statements import Query, Reads, Row, array_of
from bank_graphql.ledger.models import Balance

MAX_DAYS = 400
FIRST_YEAR, LAST_YEAR = 1900, 2999


class DayBalanceRow(Row):
    """The balance of an account at the end of a day, in minor units."""

    position: int
    day: date
    booked: int
    currency: str


_histories = (
    func.unnest(
        array_of("accounts", Uuid()),
        array_of("firsts", Date()),
        array_of("lasts", Date()),
        array_of("viewers", Uuid()),
        array_of("sees_all", Boolean()),
    )
    .table_valued(
        column("account_id", Uuid()),
        column("first", Date()),
        column("last", Date()),
        column("viewer", Uuid()),
        column("sees_all", Boolean()),
        with_ordinality="position",
        name="requested",
    )
    .render_derived()
)
_days = (
    func.generate_series(
        cast(_histories.c.first, DateTime()), cast(_histories.c.last, DateTime()), literal_column("interval '1 day'")
    )
    .table_valued(column("midnight", DateTime()), name="days")
    .render_derived()
    .lateral()
)
_day_after = func.timezone(bindparam("zone", type_=Text()), _days.c.midnight + literal_column("interval '1 day'"))
_HISTORIES = Query(
    select(
        _histories.c.position,
        cast(_days.c.midnight, Date()).label("day"),
        # A time has microseconds, so the day ends one before the next.
        func.balance_at(_histories.c.account_id, _day_after - literal_column("interval '1 microsecond'")).label("booked"),
        col(Balance.currency),
    )
    .select_from(_histories)
    .join(Account, col(Account.id) == _histories.c.account_id)
    .join(Balance, col(Balance.account_id) == Account.id)
    .join(_days, true())
    .where(account_is_visible(Account, _histories))
    .order_by(_histories.c.position, _days.c.midnight),
    DayBalanceRow,
)


def check_days(first: date, last: date) -> None:
    """Check a range of days.

    Raises:
        BadRequest: it is empty, or has more than `MAX_DAYS`, or is not in the years 1900 to 2999.
    """
    if last < first:
        raise BadRequest("'to' is before 'from'.")
    if (last - first).days >= MAX_DAYS:
        raise BadRequest(f"A history has {MAX_DAYS} days at most.")
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise BadRequest(f"Choose days in the years {FIRST_YEAR} to {LAST_YEAR}.")


async def balance_histories(
    db: Reads, zone: ZoneInfo, clock: Clock, requested: Sequence[Requested[tuple[UUID, date, date]]]
) -> list[list[DayBalanceRow]]:
    """Return the balances of accounts at the end of each day of a range; none for an account that is not visible.

    Days that have not begun are left out.

    Args:
        db: the database.
        zone: the time zone of the days.
        clock: gives the bank's time.
        requested: accounts, each with a first and a last day.
    """
    keys = [(actor, *key) for actor, each in requested for key in each]
    found: list[list[DayBalanceRow]] = [[] for _ in keys]
    today = clock().astimezone(zone).date()
    rows = await db.fetch(
        _HISTORIES,
        accounts=[account for _, account, _, _ in keys],
        firsts=[first for _, _, first, _ in keys],
        lasts=[min(last, today) for _, _, _, last in keys],
        viewers=[viewer_of(actor, Scope.ACCOUNTS_READ) for actor, *_ in keys],
        sees_all=[sees_all(actor) for actor, *_ in keys],
        zone=zone.key,
    )
    for row in rows:
        found[row.position - 1].append(row)
    return found
