"""Reads of proposals. The caller has made sure that the actor may read them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, bindparam, func, or_, select, text
from sqlmodel import col

from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.approvals.models import Approval
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueRow
from bank_graphql.kit.paging import Page, RootListing, Slice, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row


class ApprovalRow(Row):
    """A proposal, as staff see it."""

    id: UUID
    kind: ApprovalKind
    status: ApprovalStatus
    subject_id: UUID
    role: str | None
    amount: int | None
    currency: str | None
    reason: str | None
    request_key: str | None
    hold_id: UUID | None
    proposed_by: UUID
    decided_by: UUID | None
    refusal: str | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


_COLUMNS = tuple(col(getattr(Approval, name)) for name in ApprovalRow.__annotations__)
_status = bindparam("status", type_=Text())
_id = bindparam("id", type_=Uuid())
_ALL = RootListing(
    select(*_COLUMNS).where(or_(_status.is_(None), col(Approval.status) == _status)),
    by=col(Approval.id),
    key=uuid_key("Approval"),
    record=ApprovalRow,
)
KEY = _ALL.key
"""The type of the keys by which proposals are listed."""
_APPROVAL = Query(select(*_COLUMNS).where(col(Approval.id) == _id), ApprovalRow)
LOCKED = Query(select(*_COLUMNS).where(col(Approval.id) == _id).with_for_update(), ApprovalRow)
"""A proposal, which nobody else decides meanwhile."""
ABOUT = Query(
    select(*_COLUMNS).where(
        col(Approval.kind) == bindparam("kind", type_=Text()),
        col(Approval.subject_id) == bindparam("subject", type_=Uuid()),
        col(Approval.status) == _status,
    ),
    ApprovalRow,
)
"""The proposals of a kind about one thing that have a status. At most one is PENDING."""
OF_REQUEST = Query(
    select(*_COLUMNS).where(
        col(Approval.proposed_by) == bindparam("user", type_=Uuid()),
        col(Approval.request_key) == bindparam("key", type_=Text()),
    ),
    ApprovalRow,
)
"""The proposal that a request became."""
UNFINISHED = Query(
    select(*_COLUMNS)
    .where(
        text("NOT is_finished AND decided_at IS NOT NULL"),
        col(Approval.decided_at) < bindparam("before", type_=DateTime(timezone=True)),
    )
    .order_by(col(Approval.decided_at))
    .limit(bindparam("maximum", type_=BigInteger())),
    ApprovalRow,
)
"""Proposals that were decided, and not executed or released, because the process that was to do so ended."""
_NEXT_EXPIRY = Query(
    select(func.min(Approval.expires_at).label("due_at")).where(
        text("status = 'PENDING'"), col(Approval.expires_at) > bindparam("after", type_=DateTime(timezone=True))
    ),
    DueRow,
)


async def approvals(db: Reads, page: Page, status: ApprovalStatus | None) -> Slice[ApprovalRow]:
    """Return a page of the proposals, newest first."""
    return await _ALL.fetch(db, page, status=status)


async def approval(db: Reads, approval_id: UUID) -> ApprovalRow | None:
    """Return the proposal with an id; None if there is none."""
    return await db.fetch_one(_APPROVAL, id=approval_id)


async def next_expiry(db: Database, after: datetime) -> datetime | None:
    """Return when the first proposal expires after a time; None if none does."""
    found = await db.fetch_one(_NEXT_EXPIRY, after=after)
    return found.due_at if found else None
