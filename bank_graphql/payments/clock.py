"""The bank's time, by which money is booked and things fall due. In a sandbox it can be moved.

It is the real time until it is moved for the first time. From then on it stands still until it is moved again, so that the same
requests lead to the same books whenever they are made. Tokens, rate limits and the audit always follow the real time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.audit import service as audit
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ConfigurationError, Forbidden, ValidationFailed
from bank_graphql.kit.ids import lock_key
from bank_graphql.kit.jobs import DueJob, Job
from bank_graphql.kit.statements import Query, Row
from bank_graphql.payments.models import BankTime

ACTION = "advanceClock"
MAX_STEP = timedelta(days=5 * 366)
"""How far the clock can be moved at a time."""
END = datetime(3000, 1, 1, tzinfo=UTC)
"""The clock stays before this: calendars end in the year 9999, and cards and holds reach some years ahead."""
_PAUSE_SECONDS = 0.05


class _TimeRow(Row):
    moved_to: datetime


class _LockRow(Row):
    is_locked: bool


_MOVED_TO = Query(select(col(BankTime.moved_to)), _TimeRow)
_insert = insert(BankTime).values(id=1, moved_to=bindparam("moved_to", type_=DateTime(timezone=True)))
_MOVE = Query(
    _insert.on_conflict_do_update(index_elements=["id"], set_={"moved_to": _insert.excluded.moved_to}).returning(
        col(BankTime.moved_to)
    ),
    _TimeRow,
)
_key = bindparam("key", type_=BigInteger())
_LOCK = Query(select(func.pg_try_advisory_lock(_key).label("is_locked")), _LockRow)
_UNLOCK = Query(select(func.pg_advisory_unlock(_key).label("is_locked")), _LockRow)


@dataclass(frozen=True, slots=True)
class Advanced:
    """The clock was moved.

    Attributes:
        now: the bank's time.
        done: how many things fell due and were done, by the name of the job.
    """

    now: datetime
    done: Mapping[str, int]


class BankClock:
    """Gives the bank's time, as this process knows it: another may have moved the clock since a job last called `read`.

    Attributes:
        is_movable: whether the clock can be moved.

    Args:
        db: the database, in which all processes share the clock.
        real: gives the real time.
        is_movable: whether the bank is a sandbox.
    """

    def __init__(self, db: Database, real: Clock, *, is_movable: bool) -> None:
        self.is_movable = is_movable
        self._db = db
        self._real = real
        self._moved_to: datetime | None = None
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, db: Database, real: Clock, *, is_movable: bool) -> "BankClock":
        """Return the clock, read. Raises as `read`."""
        opened = cls(db, real, is_movable=is_movable)
        await opened.read()
        return opened

    def __call__(self) -> datetime:
        """Return the bank's time."""
        return self._moved_to or self._real()

    async def read(self) -> datetime:
        """Read where the clock was moved to by any process, and return the bank's time.

        Raises:
            ConfigurationError: it was moved, and the bank is no sandbox.
        """
        row = await self._db.fetch_one(_MOVED_TO)
        if row is not None and not self.is_movable:
            raise ConfigurationError(
                f"The clock of this bank was moved to {row.moved_to:%Y-%m-%d %H:%M}, which is for tests only. "
                "Set BANK_SANDBOX=true, or begin with a new database."
            )
        self._moved_to = row.moved_to if row is not None else None
        return self()

    async def advance(self, actor: Actor, to: datetime, jobs: Sequence[DueJob]) -> Advanced:
        """Move the clock, and do all that falls due on the way, each at its own time and in order.

        If this is cancelled or fails, the clock stands where it had come to, and a repetition goes on from there.

        Args:
            actor: who requests it.
            to: the new time.
            jobs: do what falls due.

        Raises:
            Forbidden: the bank is no sandbox.
            ValidationFailed: `PAST`, `TOO_FAR`.
        """
        now = await self.read()

        async def check(_: Connection) -> None:
            _check(now, to, is_movable=self.is_movable)

        await audit.execute_audited(self._db, actor, ACTION, None, check)
        done: Counter[str] = Counter()
        async with self._exclusively():
            at = await self.read()
            _check(at, to, is_movable=self.is_movable)  # another may have moved it meanwhile
            while True:
                for job in jobs:
                    done[job.name] += await job.run_due()
                if at >= to:
                    return Advanced(at, +done)
                due = [await job.next_due(at) for job in jobs]
                at = min((each for each in due if each is not None and each < to), default=to)
                await self._move(at)

    def periodic(self, due: DueJob) -> Job:
        """Return the job that does periodically what falls due. It stands aside while this process moves the clock.

        What falls due then is done, and counted, by whoever moves it.
        """
        if not self.is_movable:
            return due.job

        async def run() -> int:
            async with self._turn:
                return await due.run_due()

        return replace(due.job, run=run)

    async def _move(self, to: datetime) -> None:
        await self._db.transact(lambda connection: connection.fetch(_MOVE, moved_to=to))
        self._moved_to = to

    @asynccontextmanager
    async def _exclusively(self) -> AsyncIterator[None]:
        """Let one process at a time move the clock. The others try again: a waiting statement is what the feed would wait for."""
        key = lock_key("clock", UUID(int=0))
        async with self._turn:  # of this process's requests, only one takes a connection
            while True:
                async with self._db.connection() as connection:
                    if (await connection.fetch(_LOCK, key=key))[0].is_locked:
                        try:
                            yield
                        finally:
                            await connection.fetch(_UNLOCK, key=key)
                        return
                await asyncio.sleep(_PAUSE_SECONDS)


def _check(now: datetime, to: datetime, *, is_movable: bool) -> None:
    if not is_movable:
        raise Forbidden("Only the clock of a sandbox can be moved.")
    if to < now:
        raise ValidationFailed.of("to", "PAST", "The clock only moves forward.")
    if to - now > MAX_STEP or to >= END:
        raise ValidationFailed.of("to", "TOO_FAR", "The clock moves by five years at most, and not beyond the year 2999.")
