"""The tables of standing orders and of what became of them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field
from bank_graphql.payments.enums import Sweep
from bank_graphql.schedules.enums import DayRule, MissedRuns, ScheduledRunStatus, ScheduleStatus


class ScheduledTransfer(SQLModel, table=True):
    """A standing order: of an amount or, if it is a sweep, of what balances have above it or lack of it.

    It goes to an account here (`to_account_id`), to a payee, or to an account at another bank (`to_name`).

    `planned_for` is the date whose transfer is made next, and `due_at` when it is tried next: null if it is not, for the order is
    paused or has ended. An order that ends while it is tried keeps both until what became of the try is noted.
    From a claim on until what became of the try is noted, `claimed_until` says how long the process has for it. `version` counts
    the changes of the order, so that whoever has tried it meanwhile does not undo one.
    """

    __tablename__ = "scheduled_transfers"
    __table_args__ = (
        one_of("status", ScheduleStatus),
        one_of("day_rule", DayRule),
        one_of("missed_runs", MissedRuns),
        one_of("sweep", Sweep),
        Index("ix_scheduled_transfers_owner_id_id", "owner_id", "id"),
        Index("ix_scheduled_transfers_from_account_id", "from_account_id"),
        Index("uq_scheduled_transfers_request_key", "owner_id", "request_key", unique=True),
        Index("ix_scheduled_transfers_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: UUID = key_field()
    owner_id: UUID = uuid_field(references="users.id")
    from_account_id: UUID = uuid_field(references="accounts.id")
    to_account_id: UUID | None = uuid_field(nullable=True)
    payee_id: UUID | None = uuid_field(nullable=True)
    to_number: str = text_field()
    to_name: str | None = text_field(nullable=True)
    amount: int = amount_field()
    currency: str = text_field()
    description: str | None = text_field(nullable=True)
    recurrence: str = text_field()
    day_rule: DayRule = text_field()
    missed_runs: MissedRuns = text_field()
    sweep: Sweep | None = text_field(nullable=True)
    starts_on: date = Field(sa_type=Date)
    status: ScheduleStatus = text_field()
    planned_for: date | None = Field(sa_type=Date, nullable=True)
    due_at: datetime | None = time_field(nullable=True)
    version: int = Field(sa_type=BigInteger)
    claimed_until: datetime | None = time_field(nullable=True)
    request_key: str = text_field()
    fingerprint: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = time_field()
    updated_at: datetime = time_field()
    hidden_at: datetime | None = time_field(nullable=True)


class ScheduledRun(SQLModel, table=True):
    """What became of one date of a standing order: a transaction, or the refusal of the latest try, as JSON."""

    __tablename__ = "scheduled_runs"
    __table_args__ = (
        one_of("status", ScheduledRunStatus),
        Index("uq_scheduled_runs_schedule_id_planned_for", "schedule_id", "planned_for", unique=True),
        Index("ix_scheduled_runs_schedule_id_id", "schedule_id", "id"),
    )

    id: UUID = key_field()
    schedule_id: UUID = uuid_field(references="scheduled_transfers.id")
    planned_for: date = Field(sa_type=Date)
    ran_at: datetime = time_field()
    status: ScheduledRunStatus = text_field()
    attempts: int = Field(sa_type=BigInteger)
    transaction_id: UUID | None = uuid_field(nullable=True, references="transactions.id")
    refusal: str | None = text_field(nullable=True)
