"""What the cards do by themselves: they expire."""

from functools import partial

from bank_graphql.cards import service
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import Job

MIN_SECONDS = 60


def jobs(db: Database, clock: Clock, *, seconds: float) -> tuple[Job, ...]:
    """Return the room's jobs; `seconds` is how often to look for cards that are due, but at least a minute."""
    return (Job("expire cards", max(seconds, MIN_SECONDS), partial(service.expire, db, clock)),)
