"""What the room does by itself: proposals expire, and what was approved is executed."""

from functools import partial

from bank_graphql.approvals import queries
from bank_graphql.approvals.service import Approvals
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueJob, Job


def jobs(approvals: Approvals, *, seconds: float) -> tuple[Job, ...]:
    """Return the jobs that run beside those for what falls due. `seconds` is how often to look for what is not finished."""
    return (Job("finish approvals", seconds, approvals.finish),)


def due_jobs(db: Database, approvals: Approvals, *, seconds: float) -> tuple[DueJob, ...]:
    """Return the jobs for what falls due. `seconds` is how often to look for it."""
    return (DueJob("expire approvals", seconds, approvals.expire_due, partial(queries.next_expiry, db)),)
