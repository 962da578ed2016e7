"""The tables of the audit. They name users and things by their ids only, so that personal data can be erased where it is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, LargeBinary
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
    detail: str | None = text_field(nullable=True)


class AuditSeal(SQLModel, table=True):
    """The seal of a number of events, in the order of their ids: the head of the chain of hashes after the last of them.

    The events of all seals have the sequence numbers 1, 2, 3, … without a gap, also where their ids have gaps.
    """

    __tablename__ = "audit_seals"

    last_sequence: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    last_event_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    head: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sealed_at: datetime = time_field()
