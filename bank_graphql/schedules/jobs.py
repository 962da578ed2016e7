"""The job that makes the transfers of standing orders."""

from collections.abc import Awaitable, Callable
from functools import partial

from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueJob
from bank_graphql.schedules import queries


def due_jobs(db: Database, run_due: Callable[[], Awaitable[int]], *, seconds: float) -> tuple[DueJob, ...]:
    """Return the room's jobs; `seconds` is how often to look for what is due."""
    return (DueJob("run standing orders", seconds, run_due, partial(queries.next_due, db)),)
