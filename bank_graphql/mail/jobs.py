"""What the room does by itself: mails are sent."""

from bank_graphql.kit.jobs import Job
from bank_graphql.mail.service import Outbox

MAX_SECONDS = 2


def jobs(outbox: Outbox, *, seconds: float) -> tuple[Job, ...]:
    """Return the room's jobs. `seconds` is how often to look for mails, at most two."""
    return (Job("send mails", min(seconds, MAX_SECONDS), outbox.send_due),) if outbox.is_open else ()
