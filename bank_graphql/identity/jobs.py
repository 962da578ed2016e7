"""What identity does by itself: empty buckets of attempts, expired codes and expired challenges are deleted."""

from functools import partial

from bank_graphql.identity import challenges
from bank_graphql.identity.attempts import Buckets
from bank_graphql.identity.email_codes import EmailCodes
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import Job

MIN_SECONDS = 300


def jobs(db: Database, attempts: Buckets, codes: EmailCodes, clock: Clock, *, seconds: float) -> tuple[Job, ...]:
    """Return the room's jobs. `seconds` is how often to look for what is to be deleted, but at least five minutes."""
    interval = max(seconds, MIN_SECONDS)
    return (
        Job("delete old attempts", interval, attempts.delete_old),
        Job("delete expired codes", interval, partial(codes.delete_expired, db)),
        Job("delete expired challenges", interval, partial(challenges.delete_expired, db, clock)),
    )
