"""Verifies the audit against its seals, and its seals against heads that were exported."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, select
from sqlmodel import col

from bank_graphql.audit import chain
from bank_graphql.audit.chain import EventRow
from bank_graphql.audit.checkpoints import Checkpoint
from bank_graphql.audit.models import AuditSeal
from bank_graphql.audit.sealing import BEFORE_FIRST, EVENTS_AFTER, SEAL_COLUMNS, SealRow
from bank_graphql.kit.checks import Finding
from bank_graphql.kit.db import Connection
from bank_graphql.kit.statements import Query

_PAGE = 5000
_HIGHEST = 2**63 - 1
_SEAL = Query(select(*SEAL_COLUMNS).where(col(AuditSeal.last_sequence) == bindparam("size", type_=BigInteger())), SealRow)
_SEALS_AFTER = Query(
    select(*SEAL_COLUMNS)
    .where(col(AuditSeal.last_sequence) > bindparam("after", type_=BigInteger()))
    .order_by(col(AuditSeal.last_sequence))
    .limit(bindparam("maximum", type_=BigInteger())),
    SealRow,
)


class AuditChain:
    """Recomputes the whole chain of hashes.

    It finds events that were edited, deleted, inserted or reordered, and seals that were. Whoever can rewrite the whole database
    can make a new chain, or cut off its end: `ExportedHeads` finds that.
    """

    async def examine(self, connection: Connection) -> Finding:
        """Read all seals and all events that they cover."""
        head, sequence, events = chain.GENESIS, 0, _Events(connection)
        while seals := await connection.fetch(_SEALS_AFTER, after=sequence, maximum=_PAGE):
            for seal in seals:
                covered = await events.until(seal.last_event_id)
                head = chain.seal(chain.extend(head, covered), seal.last_sequence, seal.sealed_at)
                count = seal.last_sequence - sequence
                if head != seal.head or len(covered) != count or covered[-1].id != seal.last_event_id:
                    problem = f"events {sequence + 1} to {seal.last_sequence} are not as they were sealed"
                    return Finding("audit chain", sequence, problem)
                sequence = seal.last_sequence
        return Finding("audit chain", sequence, None)


@dataclass(frozen=True, slots=True)
class ExportedHeads:
    """Compares the heads of the chain with those that were exported. `AuditChain` says whether they are those of the events.

    Attributes:
        checkpoints: the exported heads.
    """

    checkpoints: Sequence[Checkpoint]

    async def examine(self, connection: Connection) -> Finding:
        """Read the seals of the exported heads."""
        name, count = "exported heads", len(self.checkpoints)
        for each in self.checkpoints:
            found = await connection.fetch_one(_SEAL, size=each.size)
            if found is None or found.head != each.head:
                return Finding(name, count, f"the first {each.size} events are not those whose head was exported")
        return Finding(name, count, None)


class _Events:
    """The events in the order of their ids, read in large pages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: list[EventRow] = []
        self._position = 0

    async def until(self, event_id: int) -> list[EventRow]:
        """Return the next events, up to the one with this id."""
        while not self._read or self._read[-1].id < event_id:
            after = self._read[-1].id if self._read else BEFORE_FIRST
            page = await self._connection.fetch(EVENTS_AFTER, after=after, until=_HIGHEST, maximum=_PAGE)
            if not page:
                break
            self._read, self._position = [*self._read[self._position :], *page], 0
        start = self._position
        self._position = bisect_right(self._read, event_id, key=lambda event: event.id)
        return self._read[start : self._position]
