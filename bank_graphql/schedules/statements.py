"""The statements that change standing orders. Only the service and the runner run them."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, DateTime, Text, Uuid, bindparam, case, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.identity.enums import UserStatus
from bank_graphql.identity.models import User
from bank_graphql.kit.statements import Insert, Query, Row, any_of
from bank_graphql.schedules.enums import ScheduledRunStatus, ScheduleStatus
from bank_graphql.schedules.models import ScheduledRun, ScheduledTransfer
from bank_graphql.schedules.queries import COLUMNS, ScheduleRow


class ClaimedRow(ScheduleRow):
    """A standing order that this process tries, and its owner's status."""

    owner_status: UserStatus


_id = bindparam("id", type_=Uuid())
_now = bindparam("now", type_=DateTime(timezone=True))
_planned = bindparam("new_planned", type_=Date())
_due = bindparam("new_due", type_=DateTime(timezone=True))
_seconds = bindparam("seconds", type_=BigInteger())
_INSERTED = tuple(ScheduledTransfer.model_fields)
INSERT = Insert(ScheduledTransfer, *_INSERTED)
OWN = Query(
    select(*COLUMNS)
    .where(col(ScheduledTransfer.id) == _id, col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid()))
    .with_for_update(),
    ScheduleRow,
)
"""A standing order of its owner, which nobody else changes meanwhile."""
CHANGE = Query(
    update(ScheduledTransfer)
    .where(col(ScheduledTransfer.id) == _id)
    .values(
        amount=bindparam("new_amount", type_=BigInteger()),
        description=bindparam("new_description", type_=Text()),
        recurrence=bindparam("new_recurrence", type_=Text()),
        starts_on=bindparam("new_start", type_=Date()),
        status=bindparam("new_status", type_=Text()),
        planned_for=_planned,
        due_at=_due,
        version=col(ScheduledTransfer.version) + 1,
        updated_at=_now,
    )
    .returning(*COLUMNS),
    ScheduleRow,
)
_claimable = (
    select(col(ScheduledTransfer.id))
    .where(
        col(ScheduledTransfer.due_at) <= _now,
        text("(claimed_until IS NULL OR claimed_until < clock_timestamp())"),
    )
    .order_by(col(ScheduledTransfer.due_at))
    .limit(bindparam("maximum", type_=BigInteger()))
    .with_for_update(skip_locked=True)
)
CLAIM = Query(
    update(ScheduledTransfer)
    .where(any_of(col(ScheduledTransfer.id), _claimable), col(User.id) == ScheduledTransfer.owner_id)
    .values(claimed_until=func.clock_timestamp() + _seconds * text("interval '1 second'"))
    .returning(*COLUMNS, col(User.status).label("owner_status")),
    ClaimedRow,
)
"""What is due and no other process tries. A process that dies leaves it to others once its time is over, which is real time."""
_as_claimed = (
    col(ScheduledTransfer.id) == _id,
    col(ScheduledTransfer.version) == bindparam("version", type_=BigInteger()),
    col(ScheduledTransfer.planned_for) == bindparam("planned", type_=Date()),
    col(ScheduledTransfer.due_at) == bindparam("due", type_=DateTime(timezone=True)),
)
"""The order as it was when the process claimed it."""
_run = insert(ScheduledRun).values(
    id=bindparam("run", type_=Uuid()),
    schedule_id=_id,
    planned_for=bindparam("planned", type_=Date()),
    ran_at=_now,
    status=bindparam("run_status", type_=Text()),
    attempts=bindparam("run_attempts", type_=BigInteger()),
    transaction_id=bindparam("transaction", type_=Uuid()),
    refusal=bindparam("refusal", type_=Text()),
)
RECORD = Query(
    _run.on_conflict_do_update(
        index_elements=["schedule_id", "planned_for"],
        set_={name: getattr(_run.excluded, name) for name in ("ran_at", "status", "attempts", "transaction_id", "refusal")},
        where=col(ScheduledRun.status) == ScheduledRunStatus.RETRYING,
    ),
    Row,
)
"""What became of a date. Once a date is settled, nothing changes that."""


def _if_active(value: Any, otherwise: Any = None) -> ColumnElement[Any]:
    """Return a value for orders that have not ended while they were tried."""
    return case((text("status = 'ACTIVE'"), value), else_=otherwise)


ADVANCE = Query(
    update(ScheduledTransfer)
    .where(*_as_claimed)
    .values(
        planned_for=_if_active(_planned),
        due_at=_if_active(_due),
        status=_if_active(
            func.coalesce(bindparam("new_status", type_=Text()), col(ScheduledTransfer.status)), col(ScheduledTransfer.status)
        ),
        claimed_until=None,
        updated_at=_now,
    ),
    Row,
)
"""Go on to the next try or date, unless that was done already, or the order was changed."""
SKIP = Query(
    update(ScheduledTransfer).where(*_as_claimed).values(planned_for=_planned, due_at=_due).returning(*COLUMNS),
    ScheduleRow,
)
"""Leave dates out that were missed, before the last of them is tried."""
CLAIMED = Query(
    select(*COLUMNS, col(User.status).label("owner_status"))
    .join(User, col(User.id) == ScheduledTransfer.owner_id)
    .where(
        col(ScheduledTransfer.id) == _id,
        col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid()),
        col(ScheduledTransfer.claimed_until).is_not(None),
    ),
    ClaimedRow,
)
"""An order of its owner that a process tries, or has begun to."""
GIVE_UP = Query(
    update(ScheduledRun)
    .where(col(ScheduledRun.schedule_id) == _id, col(ScheduledRun.status) == ScheduledRunStatus.RETRYING)
    .values(status=ScheduledRunStatus.REFUSED),
    Row,
)
"""No longer try a date that waits for money."""


def _if_claimed(value: Any) -> ColumnElement[Any]:
    """Return a value for orders that are being tried: what became of that is still to be noted."""
    return case((col(ScheduledTransfer.claimed_until).is_not(None), value), else_=None)


_cancel_from = (
    update(ScheduledTransfer)
    .where(
        col(ScheduledTransfer.from_account_id) == bindparam("account", type_=Uuid()),
        text("status IN ('ACTIVE', 'PAUSED')"),
    )
    .values(
        status=ScheduleStatus.CANCELLED,
        planned_for=_if_claimed(col(ScheduledTransfer.planned_for)),
        due_at=_if_claimed(col(ScheduledTransfer.due_at)),
        updated_at=_now,
    )
)
CANCEL_OF_ACCOUNT = Query(_cancel_from, Row)
_of_member = (
    col(ScheduledTransfer.from_account_id) == bindparam("account", type_=Uuid()),
    col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid()),
)
CANCEL_OF_MEMBER = Query(_cancel_from.where(_of_member[1]), Row)
HIDE = Query(update(ScheduledTransfer).where(*_of_member).values(hidden_at=_now), Row)
"""Show orders from an account no more, because whoever made them may not see it."""
_of_user = select(col(ScheduledTransfer.id)).where(col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid()))
ERASE_RUNS = Query(delete(ScheduledRun).where(any_of(col(ScheduledRun.schedule_id), _of_user)), Row)
ERASE = Query(delete(ScheduledTransfer).where(col(ScheduledTransfer.owner_id) == bindparam("owner", type_=Uuid())), Row)


def values_of(order: ScheduledTransfer) -> list[object]:
    """Return a new order as a row to insert."""
    return [getattr(order, name) for name in _INSERTED]
