"""The table of proposals."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, Index, text
from sqlmodel import Field, SQLModel

from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field


class Approval(SQLModel, table=True):
    """A proposal, and the decision about it. What was proposed never changes: the application may not write those columns.

    `subject_id` is what it is about: a user, an account or a transaction. `role`, `amount` and `currency`, and `reason` and
    `request_key` are the rest of the request. `hold_id` is the hold that reserves its money. `refusal` says why an approved
    proposal could not be executed. It is finished once it was executed, or its hold released.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        one_of("kind", ApprovalKind),
        one_of("status", ApprovalStatus),
        Index("uq_approvals_pending", "subject_id", "kind", unique=True, postgresql_where=text("status = 'PENDING'")),
        Index("ix_approvals_subject_id", "subject_id"),
        Index("uq_approvals_request_key", "proposed_by", "request_key", unique=True),
        Index("ix_approvals_pending", "expires_at", postgresql_where=text("status = 'PENDING'")),
        Index("ix_approvals_unfinished", "decided_at", postgresql_where=text("NOT is_finished AND decided_at IS NOT NULL")),
    )

    id: UUID = key_field()
    kind: ApprovalKind = text_field()
    status: ApprovalStatus = text_field()
    subject_id: UUID = uuid_field()
    role: str | None = text_field(nullable=True)
    amount: int | None = amount_field(nullable=True)
    currency: str | None = text_field(nullable=True)
    reason: str | None = text_field(nullable=True)
    request_key: str | None = text_field(nullable=True)
    hold_id: UUID | None = uuid_field(nullable=True, references="transactions.id")
    proposed_by: UUID = uuid_field(references="users.id")
    decided_by: UUID | None = uuid_field(nullable=True, references="users.id")
    refusal: str | None = text_field(nullable=True)
    is_finished: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    created_at: datetime = time_field()
    expires_at: datetime = time_field()
    decided_at: datetime | None = time_field(nullable=True)
