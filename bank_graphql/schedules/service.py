"""The only writer of what customers order. Each change is audited, and so is each refusal."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn, TypedDict
from uuid import UUID

from bank_graphql.audit import service as audit
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import NotFound, Refusal, Unavailable, ValidationFailed
from bank_graphql.kit.ids import global_id, lock_key, new_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.payees import queries as payees
from bank_graphql.payments.commands import Destination, RunScheduledTransfer, Transfer, fingerprint_of
from bank_graphql.payments.enums import Sweep
from bank_graphql.payments.errors import DelegateLimitExceeded, IdempotencyConflict, NothingToMove
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Outcome
from bank_graphql.schedules import queries, statements
from bank_graphql.schedules.destinations import destination_of
from bank_graphql.schedules.enums import DayRule, MissedRuns, ScheduleStatus
from bank_graphql.schedules.models import ScheduledTransfer
from bank_graphql.schedules.queries import ScheduleRow
from bank_graphql.schedules.rules import MAX_ORDERS, Recurrence, Timetable


class _Planned(TypedDict):
    planned_for: date | None
    due_at: datetime | None
    status: ScheduleStatus


class _Made(Exception):  # noqa: N818 - nobody else sees it
    """Another request with the same key has made the order."""


class _Claimed(Exception):  # noqa: N818 - nobody else sees it
    """A process has begun to try the order."""


_ADD, _CHANGE = "scheduleTransfer", "changeScheduledTransfer"
_SETTLING = 5
"""How often a change waits for a try."""
_OPEN = frozenset({ScheduleStatus.ACTIVE, ScheduleStatus.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a customer orders.

    Attributes:
        key: the idempotency key.
        sweep: how much is moved, if not the amount.
    """

    from_account_id: UUID
    to: Destination
    amount: Money
    description: str | None
    recurrence: str
    starts_on: date
    day_rule: DayRule
    missed_runs: MissedRuns
    key: str
    sweep: Sweep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different from the next date on. None leaves it as it is."""

    amount: Money | None = None
    description: str | None = None
    recurrence: str | None = None
    starts_on: date | None = None


class Schedules:
    """Standing orders of an actor.

    Args:
        db: the database.
        execute: executes commands, in batches with those of others. Here they only say what would happen.
        settle: notes what became of a try of an owner's order that was begun, so that a change does not lose it.
        timetable: when transfers are made.
        clock: gives the bank's time.
    """

    def __init__(
        self,
        db: Database,
        execute: Callable[[Group], Awaitable[list[Outcome]]],
        settle: Callable[[UUID, UUID], Awaitable[None]],
        timetable: Timetable,
        clock: Clock,
    ) -> None:
        self._db = db
        self._execute = execute
        self._settle = settle
        self._clock = clock
        self.timetable = timetable

    async def add(self, actor: Actor, order: Order) -> ScheduleRow:
        """Order transfers, and return the standing order; the one that the key has made before, if it was the same request.

        Raises:
            ValidationFailed: of the rule; `PAST`: it begins before today.
            IdempotencyConflict: the key was used for another order.
            Refusal: as `Transfer`, but for want of money: that matters on the day.
        """
        made = await self._db.fetch_one(queries.OF_REQUEST, owner=actor.user_id, key=order.key)
        if made is None:
            made = await self._made(actor, order)
        if made.fingerprint != fingerprint_of(_ADD, order):
            await self._refuse(actor, _ADD, made.id, IdempotencyConflict(None))
        return made

    async def _made(self, actor: Actor, order: Order) -> ScheduleRow:
        """Make a standing order, unless another request with the key is making it, and return it."""
        try:
            recurrence = self._recurrence(order.recurrence, order.starts_on)
            await self._check(actor, order.from_account_id, order.to, order.amount, order.description, order.sweep)
        except Refusal as refusal:
            await self._refuse(actor, _ADD, order.from_account_id, refusal)
        new = await self._new(actor, order, recurrence)

        async def work(connection: Connection) -> None:
            await connection.lock([lock_key("schedules", actor.user_id)])
            if await connection.fetch_one(queries.OF_REQUEST, owner=actor.user_id, key=order.key) is not None:
                raise _Made
            [open_orders] = await connection.fetch(queries.COUNT, owner=actor.user_id, maximum=MAX_ORDERS)
            if open_orders.count >= MAX_ORDERS:
                message = f"You may have {MAX_ORDERS} standing orders: cancel one first."
                raise ValidationFailed.of("fromAccountId", "TOO_MANY", message)
            await connection.insert(statements.INSERT, [statements.values_of(new)])

        with suppress(_Made):
            await audit.execute_audited(self._db, actor, _ADD, new.id, work)
        made = await self._db.fetch_one(queries.OF_REQUEST, owner=actor.user_id, key=order.key)
        if made is None:
            raise Unavailable  # it was erased meanwhile
        return made

    async def change(self, actor: Actor, schedule_id: UUID, change: Change) -> ScheduleRow:
        """Change a standing order from its next date on, and return it.

        Raises:
            NotFound, StateConflict: the actor has no such order; it has ended.
            ValidationFailed, Refusal: as `add`.
        """
        [found] = await queries.schedules(self._db, [(actor, [schedule_id])])
        if found is not None and found.owner_id == actor.user_id:
            amount = change.amount or Money(found.amount, found.currency)
            try:
                await self._check(actor, found.from_account_id, destination_of(found), amount, change.description, found.sweep)
            except Refusal as refusal:
                await self._refuse(actor, _CHANGE, schedule_id, refusal)

        async def work(connection: Connection) -> ScheduleRow:
            row = await self._own(connection, actor, schedule_id)
            changed: dict[str, object] = {}
            if change.amount is not None:
                changed["amount"] = change.amount.minor
            if change.description is not None:
                changed["description"] = change.description or None
            if change.recurrence is not None or change.starts_on is not None:
                starts_on = change.starts_on or self._open_from(row) or self.timetable.today(self._clock())
                recurrence = self._recurrence(change.recurrence or row.recurrence, starts_on)
                changed |= {"recurrence": recurrence.text, "starts_on": starts_on}
                changed |= self._from(recurrence, starts_on, row.day_rule, row.status)
            return await self._set(connection, row, **changed)

        return await self._changed(actor, _CHANGE, schedule_id, work)

    async def pause(self, actor: Actor, schedule_id: UUID) -> ScheduleRow:
        """Make no transfers until `resume`, and return the order. Raises NotFound, StateConflict: it has ended."""

        async def work(connection: Connection) -> ScheduleRow:
            row = await self._own(connection, actor, schedule_id)
            return await self._set(connection, row, status=ScheduleStatus.PAUSED, due_at=None)

        return await self._changed(actor, "pauseScheduledTransfer", schedule_id, work)

    async def resume(self, actor: Actor, schedule_id: UUID) -> ScheduleRow:
        """Make transfers again, from today on, and return the order. Dates that passed meanwhile are left out.

        Raises:
            NotFound, StateConflict: the actor has no such order; it has ended.
        """

        async def work(connection: Connection) -> ScheduleRow:
            row = await self._own(connection, actor, schedule_id)
            if row.status == ScheduleStatus.ACTIVE:
                return row
            first = self._open_from(row) or self.timetable.today(self._clock())
            recurrence = Recurrence(row.recurrence, row.starts_on)
            return await self._set(connection, row, **self._from(recurrence, first, row.day_rule, ScheduleStatus.ACTIVE))

        return await self._changed(actor, "resumeScheduledTransfer", schedule_id, work)

    async def cancel(self, actor: Actor, schedule_id: UUID) -> ScheduleRow:
        """End a standing order, and return it. Raises NotFound, StateConflict: it has ended by itself."""

        async def work(connection: Connection) -> ScheduleRow:
            row = await self._own(connection, actor, schedule_id, ScheduleStatus.CANCELLED)
            await connection.execute(statements.GIVE_UP, id=row.id)
            return await self._set(connection, row, status=ScheduleStatus.CANCELLED, planned_for=None, due_at=None)

        return await self._changed(actor, "cancelScheduledTransfer", schedule_id, work)

    async def _refuse(self, actor: Actor, action: str, subject_id: UUID, refusal: Refusal) -> NoReturn:
        """Record a refusal, and raise it."""

        async def refuse(_: Connection) -> None:
            raise refusal

        await audit.execute_audited(self._db, actor, action, subject_id, refuse)
        raise AssertionError  # it was raised

    def _recurrence(self, text: str, starts_on: date) -> Recurrence:
        """Return a rule that begins today or later. Raises ValidationFailed."""
        if starts_on < self.timetable.today(self._clock()):
            raise ValidationFailed.of("startsOn", "PAST", "A standing order begins today or later.")
        return Recurrence.parse(text, starts_on)

    def _open_from(self, row: ScheduleRow) -> date | None:
        """Return the first date whose day has not passed; None if there is none."""
        today = self.timetable.today(self._clock())
        dates = Recurrence(row.recurrence, row.starts_on).dates(row.planned_for or row.starts_on)
        return next((each for each in dates if self.timetable.day_of(each, row.day_rule) >= today), None)

    async def _changed(
        self, actor: Actor, action: str, schedule_id: UUID, work: Callable[[Connection], Awaitable[ScheduleRow]]
    ) -> ScheduleRow:
        """Change an order of which no try is under way, and return it."""
        for _ in range(_SETTLING):
            await self._settle(actor.user_id, schedule_id)
            with suppress(_Claimed):
                return await audit.execute_audited(self._db, actor, action, schedule_id, work)
        raise Unavailable

    async def _check(
        self, actor: Actor, source_id: UUID, to: Destination, amount: Money, description: str | None, sweep: Sweep | None
    ) -> None:
        """Refuse what no transfer could be. Whether there is enough money, and what a member may pay, matters on the day."""
        given: dict[str, Any] = {"from_account_id": source_id, "to": to, "amount": amount, "description": description}
        given |= {"actor": actor, "key": None, "dry_run": True}
        if sweep is None:
            command = Transfer(**given)
        else:
            command = RunScheduledTransfer(**given, schedule_id=source_id, planned_for=date.min, attempt=0, sweep=sweep)
        [outcome] = await self._execute(Group((command,)))
        if isinstance(outcome, Refusal) and not isinstance(outcome, InsufficientFunds | DelegateLimitExceeded | NothingToMove):
            raise outcome

    async def _new(self, actor: Actor, order: Order, recurrence: Recurrence) -> ScheduledTransfer:
        now, to = self._clock(), order.to
        planned = self._from(recurrence, order.starts_on, order.day_rule, ScheduleStatus.ACTIVE)
        return ScheduledTransfer(
            id=new_id(),
            owner_id=actor.user_id,
            from_account_id=order.from_account_id,
            to_account_id=to.account_id,
            payee_id=to.payee_id,
            to_number=await self._number(actor, to),
            to_name=to.external.name if to.external else None,
            amount=order.amount.minor,
            currency=order.amount.currency,
            description=order.description,
            recurrence=recurrence.text,
            day_rule=order.day_rule,
            missed_runs=order.missed_runs,
            sweep=order.sweep,
            starts_on=order.starts_on,
            version=1,
            claimed_until=None,
            request_key=order.key,
            fingerprint=fingerprint_of(_ADD, order),
            created_at=now,
            updated_at=now,
            status=planned["status"],
            planned_for=planned["planned_for"],
            due_at=planned["due_at"],
        )

    async def _number(self, actor: Actor, to: Destination) -> str:
        """Return the account number of a destination, which `_check` has found."""
        if to.payee_id is not None:
            [payee] = await payees.payees(self._db, [(actor, [to.payee_id])])
            return payee.account_number if payee else ""
        if to.account_id is not None:
            found = await self._db.fetch_one(queries.NUMBER, account=to.account_id)
            if found is None or found.owner_id == actor.user_id:
                return found.number if found else ""
            return f"••••{found.number[-4:]}"  # as the payee of a transfer is shown
        return to.external.number if to.external else to.account_number or ""

    def _from(self, recurrence: Recurrence, first: date, rule: DayRule, status: ScheduleStatus) -> _Planned:
        """Return what is planned from a day on."""
        planned = recurrence.first_from(first)
        if planned is None:
            return {"planned_for": None, "due_at": None, "status": ScheduleStatus.COMPLETED}
        due_at = self.timetable.first_try(planned, rule) if status == ScheduleStatus.ACTIVE else None
        return {"planned_for": planned, "due_at": due_at, "status": status}

    async def _own(self, connection: Connection, actor: Actor, schedule_id: UUID, *also: ScheduleStatus) -> ScheduleRow:
        row = await connection.fetch_one(statements.OWN, id=schedule_id, owner=actor.user_id)
        if row is None:
            raise NotFound("scheduled transfer", global_id("ScheduledTransfer", schedule_id))
        if row.status not in _OPEN and row.status not in also:
            raise StateConflict(StateConflictCode.WRONG_STATUS, row.status, f"The standing order is {row.status}.")
        if row.claimed_until is not None:
            raise _Claimed
        return row

    async def _set(self, connection: Connection, row: ScheduleRow, **changed: object) -> ScheduleRow:
        present = {
            "amount": row.amount, "description": row.description, "recurrence": row.recurrence, "starts_on": row.starts_on,
            "status": row.status, "planned_for": row.planned_for, "due_at": row.due_at,
        } | changed  # fmt: skip
        [stored] = await connection.fetch(
            statements.CHANGE,
            id=row.id,
            now=self._clock(),
            new_amount=present["amount"],
            new_description=present["description"],
            new_recurrence=present["recurrence"],
            new_start=present["starts_on"],
            new_status=present["status"],
            new_planned=present["planned_for"],
            new_due=present["due_at"],
        )
        return stored


async def cancel_of_account(connection: Connection, account_id: UUID, now: datetime) -> None:
    """End the standing orders that pay from an account, which is closed."""
    await connection.execute(statements.CANCEL_OF_ACCOUNT, account=account_id, now=now)


async def cancel_of_member(connection: Connection, account_id: UUID, user_id: UUID, now: datetime) -> None:
    """End the standing orders with which a user pays from an account, who is no member of it any more, and hide them."""
    await connection.execute(statements.CANCEL_OF_MEMBER, account=account_id, owner=user_id, now=now)
    await connection.execute(statements.HIDE, account=account_id, owner=user_id, now=now)


async def erase(connection: Connection, owner_id: UUID) -> None:
    """Delete the standing orders of a user, and what became of them. The transactions stay."""
    await connection.execute(statements.ERASE_RUNS, owner=owner_id)
    await connection.execute(statements.ERASE, owner=owner_id)
