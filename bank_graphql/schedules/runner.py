"""Makes the transfers of standing orders that are due, each date once.

A process claims orders for a minute, tries their transfers as their owners, and notes what became of each. It may die in between:
another one then sends the same request with the same key, and learns what the first one did. No transaction is open meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import structlog

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.identity.enums import UserStatus
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import NotFound, Refusal
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import CurrencyMismatch, InsufficientFunds
from bank_graphql.payments.commands import RunScheduledTransfer
from bank_graphql.payments.errors import NothingToMove
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Moved, Outcome
from bank_graphql.schedules import queries, refusals, statements
from bank_graphql.schedules.destinations import destination_of
from bank_graphql.schedules.enums import MissedRuns, ScheduledRunStatus, ScheduleStatus
from bank_graphql.schedules.rules import Recurrence, Timetable
from bank_graphql.schedules.statements import ClaimedRow

CLAIM_SECONDS = 60
"""How long a process has for the orders that it claims. Whoever finds them afterwards does the same once more, to no effect."""
_PIECE = 100
_REFUSED = frozenset({ScheduledRunStatus.RETRYING, ScheduledRunStatus.REFUSED})
_log = structlog.get_logger(__name__)


class _Next(NamedTuple):
    """What comes after a try: the next one, and of the order a new status if it has one."""

    planned_for: date | None
    due_at: datetime | None
    status: ScheduleStatus | None = None


class Runner:
    """Makes what is due.

    Args:
        db: the database.
        execute: executes commands, in batches with those of others.
        timetable: when transfers are tried.
        clock: gives the bank's time.
    """

    def __init__(
        self, db: Database, execute: Callable[[Group], Awaitable[list[Outcome]]], timetable: Timetable, clock: Clock
    ) -> None:
        self._db = db
        self._execute = execute
        self._timetable = timetable
        self._clock = clock
        self._turn = asyncio.Lock()

    async def run_due(self) -> int:
        """Try all transfers that are due, and return how many were. Several processes may do so at once."""
        tried = 0
        async with self._turn:  # whoever moves the clock waits for what is under way
            while claimed := await self._claim():
                done = await asyncio.gather(*map(self._run, claimed), return_exceptions=True)
                for row, failure in zip(claimed, done, strict=True):
                    if isinstance(failure, BaseException):  # it is tried again once the claim is over
                        _log.warning("a standing order cannot be tried", schedule=str(row.id), exc_info=failure)
                tried += len(claimed)
        return tried

    async def _claim(self) -> list[ClaimedRow]:
        given = {"now": self._clock(), "seconds": CLAIM_SECONDS, "maximum": _PIECE}
        return await self._db.transact(lambda connection: connection.fetch(statements.CLAIM, **given))

    async def settle(self, owner_id: UUID, schedule_id: UUID) -> None:
        """Note what became of a try that a process has begun, before its owner changes the order.

        The process may be at it, or have died. Either way the same is done once more.
        """
        row = await self._db.fetch_one(statements.CLAIMED, owner=owner_id, id=schedule_id)
        if row is not None:
            await self._run(row)

    async def _run(self, row: ClaimedRow) -> None:
        """Try the transfer of an order's date, and note what became of it."""
        planned, due = row.planned_for, row.due_at
        if planned is None or due is None:
            raise AssertionError  # it is due
        last = self._last_missed(row, planned)
        if last != planned:
            due, planned = self._timetable.first_try(last, row.day_rule), last
            if not await self._db.transact(
                lambda connection: connection.fetch(
                    statements.SKIP, **_as_claimed(row, row.planned_for, row.due_at), new_planned=planned, new_due=due
                )
            ):
                return  # it was changed
        before = await self._db.fetch_one(queries.RUN, schedule=row.id, planned=planned)
        now, following = self._clock(), self._following(row, planned)
        if before is not None and before.status != ScheduledRunStatus.RETRYING:
            await self._db.transact(lambda connection: self._advance(connection, row, planned, due, following, now))
            return
        attempt = before.attempts + 1 if before else 1
        again = self._timetable.next_try(now)
        outcome = await self._try(row, planned, attempt, is_last=again is None)
        status = _status_of(outcome)
        if isinstance(outcome, InsufficientFunds) and again is not None:
            status, following = ScheduledRunStatus.RETRYING, _Next(planned, again)
        elif row.owner_status == UserStatus.CLOSED or _is_final(outcome):
            following = _Next(None, None, ScheduleStatus.CANCELLED)

        async def work(connection: Connection) -> None:
            await connection.execute(
                statements.RECORD,
                run=new_id(),
                id=row.id,
                planned=planned,
                now=now,
                run_status=status,
                run_attempts=attempt,
                transaction=outcome.transaction_id if isinstance(outcome, Moved) else None,
                refusal=refusals.encode(outcome) if status in _REFUSED and isinstance(outcome, Refusal) else None,
            )
            await self._advance(connection, row, planned, due, following, now)

        await self._db.transact(work)

    async def _advance(
        self, connection: Connection, row: ClaimedRow, planned: date, due: datetime, following: _Next, now: datetime
    ) -> None:
        await connection.execute(
            statements.ADVANCE,
            **_as_claimed(row, planned, due),
            new_planned=following.planned_for,
            new_due=following.due_at,
            new_status=following.status,
            now=now,
        )

    def _last_missed(self, row: ClaimedRow, planned: date) -> date:
        """Return the date whose transfer is made: of several that were missed, the last one if the order says so."""
        if row.missed_runs == MissedRuns.LAST:
            now = self._clock()
            for each in Recurrence(row.recurrence, row.starts_on).dates(planned):
                if self._timetable.first_try(each, row.day_rule) > now:
                    break
                planned = each
        return planned

    async def _try(self, row: ClaimedRow, planned: date, attempt: int, *, is_last: bool) -> Outcome:
        is_active = row.owner_status == UserStatus.ACTIVE
        [outcome] = await self._execute(
            Group((
                RunScheduledTransfer(
                    actor=Actor(row.owner_id, None, frozenset()),
                    key=None,
                    from_account_id=row.from_account_id,
                    to=destination_of(row),
                    amount=Money(row.amount, row.currency),
                    description=row.description,
                    schedule_id=row.id,
                    planned_for=planned,
                    attempt=attempt,
                    sweep=row.sweep,
                    is_last=is_last,
                    forbidden=None if is_active else f"The user is {row.owner_status}.",
                ),
            ))
        )  # fmt: skip
        return outcome

    def _following(self, row: ClaimedRow, planned: date) -> _Next:
        """Return what comes after a date. It is known before that is paid."""
        following = Recurrence(row.recurrence, row.starts_on).next_after(planned)
        if following is None:
            return _Next(None, None, ScheduleStatus.COMPLETED)
        return _Next(following, self._timetable.first_try(following, row.day_rule))


def _as_claimed(row: ClaimedRow, planned: date | None, due: datetime | None) -> dict[str, object]:
    """Return the arguments of statements that do nothing if the order is no longer as it was claimed."""
    return {"id": row.id, "version": row.version, "planned": planned, "due": due}


def _status_of(outcome: Outcome) -> ScheduledRunStatus:
    """Return what became of a date that is not tried again."""
    if isinstance(outcome, Moved):
        return ScheduledRunStatus.MOVED
    return ScheduledRunStatus.SKIPPED if isinstance(outcome, NothingToMove) else ScheduledRunStatus.REFUSED


def _is_final(outcome: Outcome) -> bool:
    """Return whether a refusal is one that no later date can change: the account is closed, or the payee is gone."""
    if isinstance(outcome, AccountStatusRefused):
        return outcome.status == AccountStatus.CLOSED
    return isinstance(outcome, NotFound | CurrencyMismatch)
