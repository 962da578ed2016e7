"""What identity does by itself: empty buckets of attempts are deleted."""

from bank_graphql.identity.attempts import Attempts
from bank_graphql.kit.jobs import Job

MIN_SECONDS = 300


def jobs(attempts: Attempts, *, seconds: float) -> tuple[Job, ...]:
    """Return the room's jobs. `seconds` is how often to look for empty buckets, but at least five minutes."""
    return (Job("delete old attempts", max(seconds, MIN_SECONDS), attempts.delete_old),)
