"""Standing orders, and what became of their dates."""

from datetime import date
from itertools import islice
from uuid import UUID

import strawberry

from bank_graphql.api.context import Info
from bank_graphql.api.errors import Rejection, rejection_of
from bank_graphql.api.loaders import PageKey, loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.enums import DayRule, MissedRuns, ScheduledRunStatus, ScheduleStatus, Sweep
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Connection, Node, Paged, node_id, page_size
from bank_graphql.api.types.payees import Payee
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.engine.costs import Cost
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.paging import page_of
from bank_graphql.schedules import refusals
from bank_graphql.schedules.queries import RUNS_OF_SCHEDULES, RunRow, ScheduleRow
from bank_graphql.schedules.rules import Recurrence

MAX_PREVIEW = 24
"""How many dates of a standing order can be looked at."""


@strawberry.type(description="What became of one date of a standing order.")
class ScheduledRun:
    planned_for: date = strawberry.field(description="The date.")
    ran_at: DateTime = strawberry.field(description="When the transfer was last tried.")
    status: ScheduledRunStatus = strawberry.field(description="What became of it.")
    attempts: int = strawberry.field(description="How often it was tried.")

    is_type_of = backed_by(RunRow)

    @loaded_field(
        lambda readers: readers.transaction,
        description="The transfer, once it is made.",
        graphql_type=Transaction | None,
    )
    @staticmethod
    def transaction(root: RunRow) -> UUID | None:
        return root.transaction_id

    @strawberry.field(description="Why the last try was refused, with the figures of then.", graphql_type=Rejection | None)
    @staticmethod
    def rejection(root: RunRow) -> Rejection | None:
        return None if root.refusal is None else rejection_of(refusals.decode(root.refusal))


@strawberry.type(
    description="A standing order: transfers that the bank makes for its owner on the dates of a rule, each once. A transfer is "
    "tried at 6:00 in the bank's time zone, and while money is missing again at 10:00, 14:00 and 18:00 of that day."
)
class ScheduledTransfer(Node):
    id: strawberry.ID = node_id("ScheduledTransfer")
    description: str | None = strawberry.field(description="The text of its transfers.")
    recurrence: str = strawberry.field(description="The rule of its dates: ONCE, or an RRULE of RFC 5545.")
    starts_on: date = strawberry.field(description="The first day that can be a date.")
    status: ScheduleStatus = strawberry.field(description="Its status.")
    day_rule: DayRule = strawberry.field(description="When the transfer of a date is made that is no business day.")
    missed_runs: MissedRuns = strawberry.field(
        description="Which transfers are made of dates that passed while the bank was down."
    )

    sweep: Sweep | None = strawberry.field(description="For a sweep, how much its transfers move. Null if each moves the amount.")

    is_type_of = backed_by(ScheduleRow)

    @loaded_field(lambda readers: readers.account, name="from", description="The account that pays.", graphql_type=Account)
    @staticmethod
    def from_(root: ScheduleRow) -> UUID:
        return root.from_account_id

    @loaded_field(
        lambda readers: readers.payee,
        description="The payee that is paid, if it is one that its owner has saved and not removed.",
        graphql_type=Payee | None,
    )
    @staticmethod
    def payee(root: ScheduleRow) -> UUID | None:
        return root.payee_id

    @strawberry.field(description="The account number that is paid.")
    @staticmethod
    def to_account_number(root: ScheduleRow) -> str:
        return root.to_number

    @strawberry.field(
        description="The amount of each transfer; of a sweep, what its transfers leave on one account or fill up to.",
        graphql_type=Money,
    )
    @staticmethod
    def amount(root: ScheduleRow) -> money.Money:
        return money.Money(root.amount, root.currency)

    @strawberry.field(
        description="When the next transfer is made, in the bank's time zone. Null while it is paused, and once it has ended."
    )
    @staticmethod
    def next_run_on(root: ScheduleRow, info: Info) -> date | None:
        if root.planned_for is None or root.status != ScheduleStatus.ACTIVE:
            return None
        return info.context.services.schedules.timetable.day_of(root.planned_for, root.day_rule)

    @strawberry.field(
        description=f"The days of its next transfers, {MAX_PREVIEW} at most. Empty once it has ended.",
        directives=[Cost(weight="20")],
    )
    @staticmethod
    def next_runs(root: ScheduleRow, info: Info, first: int = 10) -> list[date]:
        if not 0 <= first <= MAX_PREVIEW:
            raise BadRequest(f"There are 0 to {MAX_PREVIEW} dates to look at.")
        if root.planned_for is None or root.status == ScheduleStatus.CANCELLED:
            return []
        services = info.context.services
        timetable, today = services.schedules.timetable, services.schedules.timetable.today(services.clock())
        days = (
            timetable.day_of(each, root.day_rule) for each in Recurrence(root.recurrence, root.starts_on).dates(root.planned_for)
        )
        return list(islice((each for each in days if each >= today), first))

    @loaded_field(
        lambda readers: readers.runs_of_schedule,
        description="What became of its dates, newest first.",
        graphql_type=Connection[ScheduledRun],
        then=lambda _, found: Paged(found, RUNS_OF_SCHEDULES.key),
        directives=[page_size("first")],
    )
    @staticmethod
    def runs(root: ScheduleRow, first: int | None = None, after: str | None = None) -> PageKey:
        return root.id, page_of(RUNS_OF_SCHEDULES.key, first, after), None
