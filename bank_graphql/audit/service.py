"""The only writer of the audit. Its records bear the real time, also where the bank's clock was moved."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

from bank_graphql.audit.models import AuditEvent
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, Refusal
from bank_graphql.kit.statements import Insert, Writes

T = TypeVar("T")
DONE = "DONE"
"""The outcome of an action that was executed. The outcome of a refused one is the refusal's `code`."""


class Record(NamedTuple):
    """A row of the audit.

    Attributes:
        actor_id: the user who did it; None when nobody was signed in, or the bank did it.
        action: what was done, by the API's name for it, e.g. `logIn`.
        subject_id: what it was done to.
        outcome: `DONE`, or the `code` of the refusal.
        ip_address: where the request came from.
        request_id: the request's id, as in the logs.
        detail: to what it was changed, e.g. a role; or the access grant under which a program did it. Never what a person wrote.
    """

    actor_id: UUID | None
    action: str
    subject_id: UUID | None = None
    outcome: str = DONE
    ip_address: str | None = None
    request_id: str | None = None
    detail: str | None = None

    @classmethod
    def of(
        cls, actor: Actor, action: str, subject_id: UUID | None, refusal: Refusal | None = None, detail: str | None = None
    ) -> "Record":
        """Return the record of an actor's action, which was executed unless there is a refusal."""
        return cls(
            actor_id=actor.person_id if actor.user_id.int else None,  # the bank acts under the id 0
            action=action,
            subject_id=subject_id,
            outcome=DONE if refusal is None else refusal.code,
            ip_address=actor.origin.ip_address,
            request_id=actor.origin.request_id,
            detail=f"grant {actor.user_id.hex}" if actor.grant is not None else detail,
        )


_INSERT = Insert(AuditEvent, "at", *Record._fields, shared=["at"])


async def write(connection: Connection, records: Sequence[Record]) -> None:
    """Append records in the transaction of the actions that they are about."""
    writes = Writes()
    record(writes, records)
    await connection.write(writes)


def record(writes: Writes, records: Sequence[Record]) -> None:
    """Add records to the writes of the actions that they are about."""
    at = utc_now()
    writes.insert(_INSERT, [(at, *each) for each in records])


async def record_refused_access(db: Database, actor: Actor, action: str) -> None:
    """Record that an actor was refused to read something.

    Args:
        db: the database.
        actor: who wanted to read.
        action: the API's name for the query.
    """
    refused = Record.of(actor, action, None, Forbidden())
    await db.transact(lambda connection: write(connection, [refused]))


async def execute_audited(
    db: Database,
    actor: Actor,
    action: str,
    subject_id: UUID | None,
    work: Callable[[Connection], Awaitable[T]],
    *,
    detail: str | None = None,
) -> T:
    """Execute an action on one thing and record it, in one transaction.

    A refusal is recorded and committed too, and then raised.

    Args:
        db: the database.
        actor: who requests the action.
        action: the API's name for it.
        subject_id: the thing; None for what is about no single one.
        work: executes the action. What it writes before it raises a refusal is committed too, as a wrong guess at a code is.
        detail: as in `Record`.

    Returns:
        What `work` returned.

    Raises:
        Refusal: what `work` raised.
    """

    async def work_and_record(connection: Connection) -> T | Refusal:
        outcome: T | Refusal
        try:
            outcome = await work(connection)
        except Refusal as refusal:
            outcome = refusal
        refused = outcome if isinstance(outcome, Refusal) else None
        await write(connection, [Record.of(actor, action, subject_id, refused, detail)])
        return outcome

    outcome = await db.transact(work_and_record)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome
