"""The only writer of statements: issues them, once for each account and month, whoever else is doing so at the same time.

A statement is made under its account's lock, so no payment is booked meanwhile. An entry that is booked afterwards goes into the
next statement, even if its `booked_at` is in this month.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import structlog

from bank_graphql.audit import service as audit
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.months import Months
from bank_graphql.kit.statements import Insert
from bank_graphql.ledger import service as ledger
from bank_graphql.statements import queries
from bank_graphql.statements.models import Statement, StatementMonth
from bank_graphql.statements.queries import DraftRow
from bank_graphql.statements.rules import period, require_ended

ACTION = "issueStatements"
BATCH = 100
"""How many statements are issued in one transaction."""
LAYOUT = 1
"""The version of the layout of new statements. Documents keep the one with which their statement was issued."""
_INSERT = Insert(
    Statement,
    *("id", "account_id", "number", "month", "from_date", "to_date", "after_entry_id", "last_entry_id", "opening_balance"),
    *("closing_balance", "total_credits", "total_debits", "entry_count", "issued_at", "layout", "bank_name", "bic"),
    *("holder_name", "account_name", "time_zone", "counterparties"),
)
_INSERT_MONTH = Insert(StatementMonth, "month", "completed_at", skip_existing=True)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Issuer:
    """The bank as its statements name it.

    Attributes:
        name: the bank's name.
        bic: its Business Identifier Code (ISO 9362).
        months: the months of its time zone.
        clock: gives the bank's time.
    """

    name: str
    bic: str
    months: Months
    clock: Clock


def _ignore(_: int) -> None:
    return None


async def issue_requested(db: Database, issuer: Issuer, actor: Actor, day: date) -> tuple[date, int]:
    """Issue the statements of a month and of those before it, for a member of staff.

    Args:
        db: the database.
        issuer: the bank.
        actor: who requests it.
        day: any day of the month.

    Returns:
        The month, and how many statements were issued.

    Raises:
        Forbidden: the actor may not issue statements.
        ValidationFailed: `NOT_ENDED`: the month has not ended.
    """

    async def check(_: Connection) -> date:
        if not actor.is_allowed(Permission.ISSUE_STATEMENTS):
            raise Forbidden("Only staff may issue statements.")
        return require_ended(issuer.months, day, issuer.clock())

    month = await audit.execute_audited(db, actor, ACTION, None, check)
    return month, await issue(db, issuer, through=month)


async def issue_ended(db: Database, issuer: Issuer) -> int:
    """Issue all statements of months that have ended, and return how many were issued."""
    return await issue(db, issuer)


async def issue(db: Database, issuer: Issuer, *, through: date | None = None, report: Callable[[int], None] = _ignore) -> int:
    """Issue the statements that are missing, month by month.

    Args:
        db: the database.
        issuer: the bank.
        through: the last month; None for all that have ended.
        report: called with the number of statements that were issued, after each transaction.

    Returns:
        How many statements were issued.
    """
    issued = 0
    for month in await missing_months(db, issuer, through=through):
        failed = 0
        after = UUID(int=0)
        while found := await db.fetch(queries.WITHOUT_STATEMENT, after=after, maximum=BATCH, **_bounds(issuer, month)):
            some, bad = await _issue_batch(db, issuer, month, [row.id for row in found])
            issued, failed, after = issued + some, failed + bad, found[-1].id
            report(some)
        if failed:
            break  # the next month's statements follow on these
        await db.transact(lambda connection, month=month: connection.insert(_INSERT_MONTH, [(month, issuer.clock())]))  # type: ignore[misc]
    return issued


async def missing_months(db: Database, issuer: Issuer, *, through: date | None = None) -> list[date]:
    """Return the months that have ended, and of which not all statements were issued, in order; `through` is the last one."""
    first = await db.fetch_one(queries.FIRST_OPENED)
    if first is None:
        return []
    [last] = await db.fetch(queries.LAST_MONTH)
    ended = issuer.months.ended(issuer.months.month(first.opened_at), issuer.clock())
    return [month for month in ended if (last.month is None or month > last.month) and (through is None or month <= through)]


async def count_missing(db: Database, issuer: Issuer, *, through: date | None = None) -> int:
    """Return how many statements are missing, of months that have ended; `through` is the last one."""
    missing = 0
    for month in await missing_months(db, issuer, through=through):
        [row] = await db.fetch(queries.COUNT_WITHOUT_STATEMENT, **_bounds(issuer, month))
        missing += row.count
    return missing


async def _issue_batch(db: Database, issuer: Issuer, month: date, accounts: Sequence[UUID]) -> tuple[int, int]:
    """Issue the statements of some accounts; return how many were issued, and how many do not add up."""

    async def work(connection: Connection) -> tuple[int, int]:
        await ledger.lock(connection, map(ledger.account_lock, accounts))
        drafts = await connection.fetch(queries.DRAFTS, accounts=list(accounts), **_bounds(issuer, month))
        consistent = [draft for draft in drafts if _adds_up(draft)]
        others = await _counterparties(connection, consistent)
        now = issuer.clock()
        rows = [_row(draft, issuer, month, others.get(draft.account_id, {}), now) for draft in consistent]
        await connection.insert(_INSERT, rows)
        for draft in drafts:
            if draft not in consistent:
                _log.error(
                    "a statement does not add up, and is not issued", account=draft.account_id.hex, month=month.isoformat()
                )
        return len(rows), len(drafts) - len(rows)

    return await db.transact(work)


def _bounds(issuer: Issuer, month: date) -> dict[str, object]:
    return {"month": month, "since": issuer.months.start(month), "until": issuer.months.end(month)}


def _adds_up(draft: DraftRow) -> bool:
    return draft.opening_balance + draft.total_credits - draft.total_debits == draft.closing_balance


async def _counterparties(connection: Connection, drafts: Sequence[DraftRow]) -> dict[UUID, dict[str, tuple[str, str | None]]]:
    rows = await connection.fetch(
        queries.COUNTERPARTIES,
        accounts=[draft.account_id for draft in drafts],
        afters=[draft.after_entry_id for draft in drafts],
        lasts=[draft.last_entry_id for draft in drafts],
    )
    found: dict[UUID, dict[str, tuple[str, str | None]]] = {}
    for row in rows:
        found.setdefault(row.account_id, {})[row.other_id.hex] = (row.name, row.number)
    return found


def _row(
    draft: DraftRow,
    issuer: Issuer,
    month: date,
    counterparties: dict[str, tuple[str, str | None]],
    now: datetime,
) -> tuple[object, ...]:
    opened_on = issuer.months.day(draft.opened_at)
    closed_on = None if draft.closed_at is None else issuer.months.day(draft.closed_at)
    first, last = period(month, opened_on, closed_on, is_first=draft.previous_number is None)
    return (
        new_id(),
        draft.account_id,
        (draft.previous_number or 0) + 1,
        month,
        first,
        last,
        draft.after_entry_id,
        draft.last_entry_id,
        draft.opening_balance,
        draft.closing_balance,
        draft.total_credits,
        draft.total_debits,
        draft.entry_count,
        now,
        LAYOUT,
        issuer.name,
        issuer.bic,
        draft.holder_name,
        draft.account_name,
        issuer.months.zone.key,
        json.dumps(counterparties, ensure_ascii=False, sort_keys=True),
    )
