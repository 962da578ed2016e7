"""The table of mails that wait to be sent."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import key_field, time_field


class OutgoingMail(SQLModel, table=True):
    """A mail that waits to be sent, encrypted: it names a person, and may have a code in it. It is deleted once it is sent.

    `due_at` is when to try. A process that sends it moves that forward first, so that no other sends it meanwhile.
    """

    __tablename__ = "outgoing_mails"
    __table_args__ = (Index("ix_outgoing_mails_due_at", "due_at"),)

    id: UUID = key_field()
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    is_discarded: bool = Field(sa_column=Column(Boolean, nullable=False))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    created_at: datetime = time_field()
    due_at: datetime = time_field()
