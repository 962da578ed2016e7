"""Verifies the audit against its seals, and its seals against heads that were exported."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, select, text
from sqlmodel import col

from bank_graphql.audit import chain
from bank_graphql.audit.chain import EventRow
from bank_graphql.audit.checkpoints import Checkpoint
from bank_graphql.audit.models import AuditSeal
from bank_graphql.audit.sealing import EVENTS_FROM, LOWEST, SEAL_COLUMNS, IdRow, SealRow
from bank_graphql.kit.checks import Finding
from bank_graphql.kit.db import Connection
from bank_graphql.kit.statements import Query, Reads

_UNSEALED = Query(
    text("SELECT id FROM audit_events WHERE id > :after AND at < now() - interval '1 minute' ORDER BY id LIMIT 1").bindparams(
        bindparam("after", type_=BigInteger())
    ),
    IdRow,
)
_PAGE = 5000
_HIGHEST = 2**63 - 1
_SEAL = Query(select(*SEAL_COLUMNS).where(col(AuditSeal.last_sequence) == bindparam("size", type_=BigInteger())), SealRow)
_SEALS_FROM = Query(
    select(*SEAL_COLUMNS)
    .where(col(AuditSeal.last_sequence) >= bindparam("start", type_=BigInteger()))
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
        start = LOWEST
        while seals := await connection.fetch(_SEALS_FROM, start=start, maximum=_PAGE):
            for seal in seals:
                covered = await events.until(seal.last_event_id)
                head = chain.seal(chain.extend(head, covered), seal.last_sequence, seal.microseconds)
                count = seal.last_sequence - sequence
                if not covered or head != seal.head or len(covered) != count or covered[-1].id != seal.last_event_id:
                    problem = f"events {sequence + 1} to {seal.last_sequence} are not as they were sealed"
                    return Finding("audit chain", sequence, problem)
                sequence, start = seal.last_sequence, seal.last_sequence + 1
        unsealed = await connection.fetch_one(_UNSEALED, after=events.last_id)
        if unsealed is not None:
            return Finding("audit chain", sequence, "there are events of more than a minute ago that are not sealed")
        return Finding("audit chain", sequence, None)


@dataclass(frozen=True, slots=True)
class ExportedHeads:
    """Compares the heads of the chain with those that were exported. `AuditChain` says whether they are those of the events.

    Attributes:
        checkpoints: the exported heads.
        problem: what is wrong with the file that they were read from; None if nothing is.
    """

    checkpoints: Sequence[Checkpoint]
    problem: str | None = None

    async def examine(self, connection: Connection) -> Finding:
        """Read the seals of the exported heads."""
        for each in self.checkpoints:
            if not await is_head(connection, each):
                problem = f"the first {each.size} events are not those whose head was exported"
                return Finding("exported heads", len(self.checkpoints), problem)
        return Finding("exported heads", len(self.checkpoints), self.problem)


async def is_head(connection: Reads | Connection, checkpoint: Checkpoint) -> bool:
    """Return whether the audit has, or had, this head."""
    found = await connection.fetch_one(_SEAL, size=checkpoint.size)
    return found is not None and found.head == checkpoint.head


class _Events:
    """The events in the order of their ids, read in large pages.

    Attributes:
        last_id: the id of the last event that was returned; the lowest if there was none.
    """

    def __init__(self, connection: Connection) -> None:
        self.last_id = LOWEST
        self._connection = connection
        self._page: list[EventRow] = []
        self._position = 0
        self._next_id = LOWEST

    async def until(self, event_id: int) -> list[EventRow]:
        """Return the next events, up to the one with this id."""
        found: list[EventRow] = []
        while True:
            end = bisect_right(self._page, event_id, lo=self._position, key=lambda event: event.id)
            found += self._page[self._position : end]
            self._position = end
            if end < len(self._page) or self._next_id > event_id:
                break
            self._page = await self._connection.fetch(EVENTS_FROM, start=self._next_id, until=_HIGHEST, maximum=_PAGE)
            self._position = 0
            self._next_id = self._page[-1].id + 1 if self._page else _HIGHEST + 1
        if found:
            self.last_id = found[-1].id
        return found
