"""The outbox's table."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import one_of, text_field, time_field, uuid_field


class TransactionEventKind(StrEnum):
    """What happened to a transaction."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"


class Xid8(UserDefinedType[Any]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "xid8"


class TransactionEvent(SQLModel, table=True):
    """One change of a transaction, as seen from one account. `writer` orders events by the transactions that wrote them.

    Events are copies that are deleted again, written together with what they tell of: they need no foreign keys.
    """

    __tablename__ = "transaction_events"
    __table_args__ = (
        one_of("kind", TransactionEventKind),
        Index("ix_transaction_events_account_id_writer_sequence", "account_id", "writer", "sequence"),
    )

    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    writer: int | None = Field(default=None, sa_column=Column(Xid8, nullable=False, server_default=text("pg_current_xact_id()")))
    kind: TransactionEventKind = text_field()
    account_id: UUID = uuid_field()
    transaction_id: UUID = uuid_field()
    occurred_at: datetime = time_field()
