"""Reads of standing orders. They are visible to their owner, and to staff who see what customers own."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Text, Uuid, bindparam, func, select, text
from sqlmodel import col

from bank_graphql.accounts.models import Account
from bank_graphql.identity.queries import fetch_rows, requested_keys, visible_to_viewer
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueRow
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.paging import Listing, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row
from bank_graphql.payments.enums import Sweep
from bank_graphql.schedules.enums import DayRule, MissedRuns, ScheduledRunStatus, ScheduleStatus
from bank_graphql.schedules.models import ScheduledRun, ScheduledTransfer


class ScheduleRow(Row):
    """A standing order."""

    id: UUID
    owner_id: UUID
    from_account_id: UUID
    to_account_id: UUID | None
    payee_id: UUID | None
    to_number: str
    to_name: str | None
    amount: int
    currency: str
    description: str | None
    recurrence: str
    day_rule: DayRule
    missed_runs: MissedRuns
    sweep: Sweep | None
    starts_on: date
    status: ScheduleStatus
    planned_for: date | None
    due_at: datetime | None
    version: int
    claimed_until: datetime | None
    fingerprint: bytes


class RunRow(Row):
    """What became of one date of a standing order."""

    id: UUID
    schedule_id: UUID
    planned_for: date
    ran_at: datetime
    status: ScheduledRunStatus
    attempts: int
    transaction_id: UUID | None
    refusal: str | None


class CountRow(Row):
    """A number of standing orders."""

    count: int


class NumberRow(Row):
    """The number of an account, and its owner."""

    number: str
    owner_id: UUID


COLUMNS = tuple(col(getattr(ScheduledTransfer, name)) for name in ScheduleRow.__annotations__)
_RUN_COLUMNS = tuple(col(getattr(ScheduledRun, name)) for name in RunRow.__annotations__)
_ids = requested_keys(Uuid())
_is_listed = col(ScheduledTransfer.hidden_at).is_(None)
"""Whoever made the order may see its account still."""
_SCHEDULES = Query(
    select(_ids.c.position, *COLUMNS)
    .select_from(_ids)
    .join(ScheduledTransfer, col(ScheduledTransfer.id) == _ids.c.key)
    .where(visible_to_viewer(col(ScheduledTransfer.owner_id), _ids), _is_listed),
    ScheduleRow,
)
SCHEDULES_OF_USERS = Listing(
    select(*COLUMNS).where(_is_listed),
    parents=[col(ScheduledTransfer.owner_id)],
    by=col(ScheduledTransfer.id),
    key=uuid_key("ScheduledTransfer"),
    visible=lambda listed: visible_to_viewer(listed.c.listed_parent, listed),
    newest_first=True,
    record=ScheduleRow,
)
"""The standing orders of users, newest first."""
RUNS_OF_SCHEDULES = Listing(
    select(*_RUN_COLUMNS),
    parents=[col(ScheduledRun.schedule_id)],
    by=col(ScheduledRun.id),
    key=uuid_key("ScheduledRun"),
    visible=lambda listed: (
        select(col(ScheduledTransfer.id))
        .where(
            col(ScheduledTransfer.id) == listed.c.listed_parent,
            visible_to_viewer(col(ScheduledTransfer.owner_id), listed),
        )
        .exists()
    ),
    newest_first=True,
    record=RunRow,
)
"""What became of the dates of standing orders, newest first."""
OF_REQUEST = Query(
    select(*COLUMNS).where(
        col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid()),
        col(ScheduledTransfer.request_key) == bindparam("key", type_=Text()),
    ),
    ScheduleRow,
)
"""The standing order that a request made."""
COUNT = Query(
    select(func.count().label("count")).select_from(
        select(col(ScheduledTransfer.id))
        .where(
            col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid()),
            text("status IN ('ACTIVE', 'PAUSED')"),
        )
        .limit(bindparam("maximum", type_=BigInteger()))
        .subquery()
    ),
    CountRow,
)
NUMBER = Query(
    select(col(Account.number), col(Account.owner_id)).where(col(Account.id) == bindparam("account", type_=Uuid())), NumberRow
)
RUN = Query(
    select(*_RUN_COLUMNS).where(
        col(ScheduledRun.schedule_id) == bindparam("schedule", type_=Uuid()),
        col(ScheduledRun.planned_for) == bindparam("planned", type_=Date()),
    ),
    RunRow,
)
"""What became of a date so far."""
_NEXT = Query(
    select(func.min(ScheduledTransfer.due_at).label("due_at")).where(
        col(ScheduledTransfer.due_at) > bindparam("after", type_=DateTime(timezone=True))
    ),
    DueRow,
)


async def schedules(db: Reads, requested: Sequence[Requested[UUID]]) -> list[ScheduleRow | None]:
    """Return standing orders by id; None for one that is not visible to the actor."""
    return await fetch_rows(db, _SCHEDULES, requested, None)


async def next_due(db: Database, after: datetime) -> datetime | None:
    """Return when the first transfer falls due after a time; None if none does."""
    found = await db.fetch_one(_NEXT, after=after)
    return found.due_at if found else None
