"""What the payments do by themselves: holds expire, transfers of a sandbox are cleared, old idempotency keys are deleted."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from bank_graphql.clearing import queries as clearing
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import DueJob, Job
from bank_graphql.payments import queries, service
from bank_graphql.payments.service import Policy

SECONDS_BETWEEN_DELETIONS = 600


def jobs(db: Database, policy: Policy, *, seconds: float, keep_keys: timedelta) -> tuple[Job, ...]:
    """Return the jobs that run beside those for what falls due.

    Args:
        db: the database.
        policy: how the bank is set up.
        seconds: how often to look for keys to delete, but at least ten minutes.
        keep_keys: how long stored outcomes are kept.
    """
    delete_old_keys = partial(service.delete_old_keys, db, policy, keep_keys)
    return (Job("delete old keys", max(seconds, SECONDS_BETWEEN_DELETIONS), delete_old_keys),)


def due_jobs(
    db: Database,
    *,
    expire_holds: Callable[[], Awaitable[int]],
    clear_transfers: Callable[[], Awaitable[int]] | None,
    seconds: float,
) -> tuple[DueJob, ...]:
    """Return the jobs for what falls due.

    Args:
        db: the database.
        expire_holds: expires the holds that are due, and wakes the feed.
        clear_transfers: in a sandbox, does what the clearing would do, and wakes the feed; otherwise None.
        seconds: how often to look for what is due.
    """
    holds = DueJob("expire holds", seconds, expire_holds, partial(queries.next_expiry, db))
    if clear_transfers is None:
        return (holds,)
    return (holds, DueJob("clear transfers", seconds, clear_transfers, partial(clearing.next_due, db)))
