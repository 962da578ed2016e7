"""The jobs that accrue interest, close months, and post what is due."""

from datetime import datetime

from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueJob
from bank_graphql.kit.months import Months
from bank_graphql.products import interest_queries
from bank_graphql.products.interest import Interest

MIN_SECONDS = 60


def due_jobs(db: Database, interest: Interest, months: Months, *, seconds: float) -> tuple[DueJob, ...]:
    """Return the room's jobs.

    Args:
        db: the database.
        interest: accrues interest and closes months.
        months: the months of the bank's time zone.
        seconds: how often to look for what is due, at least a minute.
    """

    async def next_month_end(after: datetime) -> datetime | None:
        [first] = await db.fetch(interest_queries.FIRST_TERMS)
        return None if first.date is None else months.end(months.month(after))

    async def not_by_itself(_: datetime) -> None:
        """Return None: what is accrued or posted at a later time is the same."""

    return (
        DueJob("accrue interest", max(seconds, MIN_SECONDS), interest.accrue, not_by_itself),
        DueJob("close months", max(seconds, MIN_SECONDS), interest.close_months, next_month_end),
        DueJob("post fees and interest", max(seconds, MIN_SECONDS), interest.post_due, not_by_itself),
    )
