"""The tables of the feed, and positions in it."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, text
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.kit.columns import one_of, text_field, time_field, uuid_field


class Xid8(UserDefinedType[Any]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL."""
        return "xid8"


class Position(NamedTuple):
    """A position in the feed. Positions compare in the order of the feed.

    Attributes:
        epoch: the number of times that the database was moved to another cluster, where transaction ids start again.
        writer: the id of the database transaction that wrote the event.
        sequence: the event's own number.
    """

    epoch: int
    writer: int
    sequence: int


class FeedEpoch(SQLModel, table=True):
    """A PostgreSQL cluster that events were written in, by its system identifier and timeline."""

    __tablename__ = "feed_epochs"

    epoch: int | None = Field(default=None, sa_column=Column(Integer, Identity(always=True), primary_key=True))
    cluster: str = text_field()
    began_at: datetime = time_field()


class FeedStart(SQLModel, table=True):
    """The start of the feed: all events up to this position have been deleted. The table has a single row."""

    __tablename__ = "feed_start"
    __table_args__ = (CheckConstraint("id = 1", name="is_single"),)

    id: int = Field(default=1, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    epoch: int = Field(sa_type=Integer)
    writer: int = Field(sa_column=Column(Xid8, nullable=False))
    sequence: int = Field(sa_type=BigInteger)
    deleted_until: datetime = time_field()


class TransactionEvent(SQLModel, table=True):
    """One change of a transaction, for one of its accounts, at its `Position` in the feed.

    An event is a copy that is written together with the change and deleted after some days, so it needs no foreign keys.
    """

    __tablename__ = "transaction_events"
    __table_args__ = (
        one_of("kind", TransactionEventKind),
        Index("ix_transaction_events_account_id_epoch_writer_sequence", "account_id", "epoch", "writer", "sequence"),
    )

    epoch: int = Field(default=None, sa_column=Column(Integer, primary_key=True, server_default=text("feed_epoch()")))
    writer: int | None = Field(
        default=None, sa_column=Column(Xid8, primary_key=True, server_default=text("pg_current_xact_id()"))
    )
    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    kind: TransactionEventKind = text_field()
    account_id: UUID = uuid_field()
    transaction_id: UUID = uuid_field()
    occurred_at: datetime = time_field()
