"""The table of the audit. It names users and things by their ids only, so that personal data can be erased where it is stored."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import text_field, time_field, uuid_field


class AuditEvent(SQLModel, table=True):
    """An action that somebody executed or was refused."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_actor_id_id", "actor_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    at: datetime = time_field()
    actor_id: UUID | None = uuid_field(nullable=True)
    action: str = text_field()
    subject_id: UUID | None = uuid_field(nullable=True)
    outcome: str = text_field()
    ip_address: str | None = text_field(nullable=True)
    request_id: str | None = text_field(nullable=True)
