"""What the cards do by themselves: they expire."""

from functools import partial

from bank_graphql.cards import service
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueJob

MIN_SECONDS = 60


def due_jobs(db: Database, clock: Clock, *, seconds: float) -> tuple[DueJob, ...]:
    """Return the room's jobs; `seconds` is how often to look for cards that are due, but at least a minute."""
    expire, next_expiry = partial(service.expire, db, clock), partial(service.next_expiry, db)
    return (DueJob("expire cards", max(seconds, MIN_SECONDS), expire, next_expiry),)
