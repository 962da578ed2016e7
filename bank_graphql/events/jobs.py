"""What the feed does by itself: old events are deleted."""

from datetime import timedelta
from functools import partial

from bank_graphql.events import service
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import Job

MIN_SECONDS = 600


def jobs(db: Database, clock: Clock, *, seconds: float, keep: timedelta) -> tuple[Job, ...]:
    """Return the room's jobs.

    Args:
        db: the database.
        clock: gives the time.
        seconds: how often to look for old events, but at least ten minutes.
        keep: how long events are kept.
    """
    return (Job("delete old events", max(seconds, MIN_SECONDS), partial(service.delete_old_events, db, clock, keep)),)
