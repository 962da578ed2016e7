"""The only writer of the audit."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from bank_graphql.audit.models import AuditEvent
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.statements import Insert, Writes

T = TypeVar("T")
DONE = "DONE"
"""The outcome of an action that took effect; a refused one has the refusal's code."""


class Record(NamedTuple):
    """What to write down: a row.

    Attributes:
        at: when it happened.
        actor_id: the user who did it, or None when nobody was signed in.
        action: what was done, in the API's name for it, e.g. `logIn`.
        subject_id: what it was done to.
        outcome: `DONE`, or the `code` of the refusal.
        ip_address: where the request came from.
        request_id: the request's id, as in the logs.
    """

    at: datetime
    actor_id: UUID | None
    action: str
    subject_id: UUID | None = None
    outcome: str = DONE
    ip_address: str | None = None
    request_id: str | None = None

    @classmethod
    def by(cls, actor: Actor, at: datetime, action: str, subject_id: UUID | None, refusal: Refusal | None = None) -> "Record":
        """What an actor did, or was refused."""
        outcome = DONE if refusal is None else refusal.code
        origin = actor.origin
        return cls(
            at, actor.user_id if actor.user_id.int else None, action, subject_id, outcome, origin.ip_address, origin.request_id
        )


_INSERT = Insert(AuditEvent, *Record._fields, shared=["at"])


async def write(connection: Connection, records: Sequence[Record]) -> None:
    """Append to the audit, within the transaction of what is recorded."""
    writes = Writes()
    record(writes, records)
    await connection.write(writes)


def record(writes: Writes, records: Sequence[Record]) -> None:
    """Append to the audit together with other writes."""
    writes.insert(_INSERT, records)


async def execute_audited(
    db: Database, clock: Clock, actor: Actor, action: str, subject_id: UUID, act: Callable[[Connection], Awaitable[T]]
) -> T:
    """Do something to one thing in a transaction, with its record. A refusal is recorded too, and raised once that is committed.

    Raises:
        Refusal: what `act` raised, which it does before it writes anything.
    """

    async def work(connection: Connection) -> T | Refusal:
        outcome: T | Refusal
        try:
            outcome = await act(connection)
        except Refusal as refusal:
            outcome = refusal
        told = outcome if isinstance(outcome, Refusal) else None
        await write(connection, [Record.by(actor, clock(), action, subject_id, told)])
        return outcome

    outcome = await db.transact(work)
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome
