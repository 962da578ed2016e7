"""The job that issues the statements of a month after its end."""

from datetime import datetime
from functools import partial

from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueJob
from bank_graphql.statements import service
from bank_graphql.statements.service import Issuer

MIN_SECONDS = 60


def due_jobs(db: Database, issuer: Issuer, *, seconds: float) -> tuple[DueJob, ...]:
    """Return the room's jobs; `seconds` is how often to look whether a month has ended, but at least a minute."""

    async def next_month_end(after: datetime) -> datetime | None:
        return issuer.months.end(issuer.months.month(after))

    return (DueJob("issue statements", max(seconds, MIN_SECONDS), partial(service.issue_ended, db, issuer), next_month_end),)
