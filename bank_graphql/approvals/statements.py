"""The statements that change proposals. Only the service runs them."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Text, Uuid, bindparam, text, update
from sqlmodel import col

from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.approvals.models import Approval
from bank_graphql.kit.statements import Insert, Query, Row


class NewApproval(NamedTuple):
    """A proposal to insert."""

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
    is_finished: bool
    created_at: datetime
    expires_at: datetime


class ExpiredRow(Row):
    """A proposal that has expired."""

    id: UUID


_id = bindparam("id", type_=Uuid())
_now = bindparam("now", type_=DateTime(timezone=True))
_new_status = bindparam("new_status", type_=Text())
INSERT = Insert(Approval, *NewApproval._fields, skip_existing=True)
DECIDED = Query(
    update(Approval)
    .where(col(Approval.id) == _id)
    .values(status=_new_status, decided_by=bindparam("user", type_=Uuid()), decided_at=_now),
    Row,
)
FINISH = Query(
    update(Approval)
    .where(col(Approval.id) == _id, col(Approval.status) == bindparam("old_status", type_=Text()), text("NOT is_finished"))
    .values(status=_new_status, refusal=bindparam("refusal", type_=Text()), is_finished=True)
    .returning(col(Approval.id)),
    Row,
)
EXPIRE = Query(
    update(Approval)
    .where(text("status = 'PENDING'"), col(Approval.expires_at) <= _now)
    .values(status=ApprovalStatus.EXPIRED, is_finished=True)
    .returning(col(Approval.id)),
    ExpiredRow,
)
