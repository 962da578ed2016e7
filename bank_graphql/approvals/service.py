"""Have what one member of staff requests approved by another one, and execute it then. The only writer of proposals."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import structlog

from bank_graphql.accounts import queries as accounts_queries
from bank_graphql.accounts.service import Accounts
from bank_graphql.approvals import queries, statements
from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.approvals.errors import ApprovalRequired
from bank_graphql.approvals.execution import DECIDERS, SET_OVERDRAFT_LIMIT, Execution, as_now
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.approvals.statements import NewApproval
from bank_graphql.audit import service as audit
from bank_graphql.identity import queries as identity_queries
from bank_graphql.identity.enums import IdentityAction, UserRole
from bank_graphql.identity.permissions import PERMISSIONS, Permission
from bank_graphql.identity.users import Users
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.money import CURRENCY_DIGITS, Money
from bank_graphql.payments import queries as payments_queries
from bank_graphql.payments.commands import ReserveReversal, ReverseTransaction
from bank_graphql.payments.errors import IdempotencyConflict
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Issued, Moved, Opened, Outcome, Preview

DECIDE = "decide"
"""The action of a decision, in the audit."""
EXPIRE = "expireApproval"
"""The action of a proposal that nobody has decided in time, in the audit."""
FINISHED_AFTER = timedelta(seconds=10)
"""After how long an approved proposal that is not executed is taken over."""
_PIECE = 50
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FourEyes:
    """What needs a second person.

    Attributes:
        roles: whether changes of roles do.
        above: above how much, in whole units of the currency, overdraft limits and reversals do; None for never.
        lasts: how long a proposal waits for a decision.
    """

    roles: bool
    above: int | None
    lasts: timedelta

    def is_above(self, minor: int, currency: str) -> bool:
        """Return whether an amount needs a second person."""
        return self.above is not None and minor > self.above * 10 ** CURRENCY_DIGITS[currency]


class Approvals:
    """Proposals of staff, and the decisions about them.

    Args:
        db: the database.
        users: sets roles.
        accounts: sets overdraft limits.
        execute: executes commands, in batches with those of others.
        policy: what needs a second person.
        clock: gives the bank's time, by which proposals and their holds expire.
    """

    def __init__(
        self,
        db: Database,
        users: Users,
        accounts: Accounts,
        execute: Callable[[Group], Awaitable[list[Outcome]]],
        policy: FourEyes,
        clock: Clock,
    ) -> None:
        self._db = db
        self._users = users
        self._accounts = accounts
        self._execute = execute
        self._policy = policy
        self._execution = Execution(db, users, accounts, execute)
        self._clock = clock

    async def set_role(self, actor: Actor, user_id: UUID, role: UserRole) -> None:
        """Give a user another role, or propose it.

        Raises:
            ApprovalRequired: it is proposed now.
            Refusal: as `Users.set_role`, or another proposal about the user waits.
        """
        if not self._policy.roles or not await self._changes_role(actor, user_id, role):
            await self._users.set_role(actor, user_id, role)
            return
        proposal = self._proposal(actor, ApprovalKind.SET_USER_ROLE, user_id, role=role)
        await self._propose(
            actor,
            IdentityAction.SET_USER_ROLE,
            proposal,
            lambda connection: self._users.check_role(connection, actor, user_id, role),
        )

    async def set_overdraft_limit(self, actor: Actor, account_id: UUID, limit: Money) -> None:
        """Set how far an account may go below zero, or propose it.

        Raises:
            ApprovalRequired: it is proposed now.
            Refusal: as `Accounts.set_overdraft_limit`, or another proposal about the account waits.
        """
        is_above = self._policy.is_above(limit.minor, limit.currency)
        if not is_above or not await self._raises_limit(actor, account_id, limit):
            await self._accounts.set_overdraft_limit(actor, account_id, limit)
            return
        proposal = self._proposal(actor, ApprovalKind.SET_OVERDRAFT_LIMIT, account_id, money=limit)
        await self._propose(
            actor,
            SET_OVERDRAFT_LIMIT,
            proposal,
            lambda connection: self._accounts.check_overdraft_limit(connection, actor, account_id, limit),
        )

    async def reverse(self, actor: Actor, command: ReverseTransaction) -> Moved | Opened | Issued | Preview:
        """Reverse a transaction, or propose it and hold the money that it debits.

        Raises:
            ApprovalRequired: it is proposed, now or with this key before.
            Refusal: as `ReverseTransaction`; another proposal about the transaction waits; or that with this key was rejected.
        """
        if command.dry_run or command.key is None or self._policy.above is None:
            return await self._execute_one(command)
        earlier = await self._db.fetch_one(queries.OF_REQUEST, user=actor.user_id, key=command.key)
        if earlier is not None:
            return await self._repeated(actor, earlier, command)
        if await payments_queries.is_used(self._db, actor.user_id, command.key) or not await self._is_large(actor, command):
            return await self._execute_one(command)
        await self._refuse_if_waiting(actor, command)
        until = self._clock() + self._policy.lasts
        reservation = ReserveReversal(
            actor=actor, key=_derived(command.key), transaction_id=command.transaction_id, reason=command.reason, until=until
        )
        moved = await self._execute_one(reservation)
        hold_id = moved.transaction_id if isinstance(moved, Moved) and moved.transaction_id != command.transaction_id else None
        proposal = self._proposal(
            actor,
            ApprovalKind.REVERSE_TRANSACTION,
            command.transaction_id,
            reason=command.reason,
            request_key=command.key,
            hold_id=hold_id,
        )
        try:
            await self._propose(actor, command.action, proposal, _nothing)
        except ApprovalRequired:
            raise
        except Exception:
            await self._execution.release(hold_id)
            raise
        raise AssertionError  # a proposal always ends in a refusal

    async def decide(self, actor: Actor, approval_id: UUID, *, approve: bool) -> None:
        """Approve a proposal and execute it, or reject it. Its proposer may only reject it.

        Whether it could be executed is in the proposal then.

        Raises:
            NotFound, Forbidden: the proposal is not visible to the actor; the actor may not do what it is about, made it, or
                owns what it is about.
            StateConflict: `WRONG_STATUS`: it does not wait for a decision any more.
        """
        status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED

        async def work(connection: Connection) -> None:
            found = await connection.fetch_one(queries.LOCKED, id=approval_id)
            current = await as_now(connection, actor)
            if found is None or not current.is_allowed(Permission.READ_ANY):
                raise NotFound("approval", global_id("Approval", approval_id))
            await self._require_decider(connection, current, found, approve=approve)
            now = self._clock()
            if found.status != ApprovalStatus.PENDING or found.expires_at <= now:
                state = ApprovalStatus.EXPIRED if found.status == ApprovalStatus.PENDING else found.status
                raise StateConflict(
                    StateConflictCode.WRONG_STATUS, state, f"It cannot be decided any more: the proposal is {state}."
                )
            await connection.execute(statements.DECIDED, id=approval_id, new_status=status, user=actor.user_id, now=now)

        await audit.execute_audited(self._db, actor, DECIDE, approval_id, work, detail=status)
        decided = await queries.approval(self._db, approval_id)
        if decided is not None:
            await self._execution.finish(decided)

    async def expire_due(self) -> int:
        """Let the proposals expire that are due, and return how many did. Their holds expire at the same time."""
        return len(await self._db.transact(self._expire))

    async def finish(self) -> int:
        """Finish what was decided by processes that ended before they could, and return how many proposals those were."""
        given = {"before": self._clock() - FINISHED_AFTER, "maximum": _PIECE}
        finished = 0
        for proposal in await self._db.fetch(queries.UNFINISHED, **given):
            try:
                await self._execution.finish(proposal)
                finished += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are not to wait for it
                _log.warning("a proposal cannot be finished and is tried again", approval=str(proposal.id), exc_info=error)
        return finished

    async def warn_if_alone(self) -> None:
        """Log which proposals nobody else could decide: for these one person is enough."""
        for kind in ApprovalKind:
            is_on = self._policy.roles if kind == ApprovalKind.SET_USER_ROLE else self._policy.above is not None
            if is_on and await identity_queries.count_staff(self._db, _roles_that_decide(kind)) < 2:
                _log.warning(
                    "four eyes are required, and there are no two people: one is enough until `create-user` makes another",
                    setting="BANK_FOUR_EYES" if kind == ApprovalKind.SET_USER_ROLE else "BANK_FOUR_EYES_AMOUNT",
                    proposal=kind,
                    roles=_roles_that_decide(kind),
                )

    async def _has_decider(self, actor: Actor, kind: ApprovalKind) -> bool:
        """Return whether the actor may propose this, and somebody else may decide it. A suspended user counts, if reinstated."""
        if not actor.is_allowed(DECIDERS[kind]):
            return False
        return await identity_queries.count_staff(self._db, _roles_that_decide(kind), but=actor.user_id) > 0

    async def _changes_role(self, actor: Actor, user_id: UUID, role: UserRole) -> bool:
        """Return whether a user would get another role, and somebody could approve it."""
        present = await self._db.fetch_one(identity_queries.OWN_PROFILE, user=user_id)
        return present is not None and present.role != role and await self._has_decider(actor, ApprovalKind.SET_USER_ROLE)

    async def _raises_limit(self, actor: Actor, account_id: UUID, limit: Money) -> bool:
        """Return whether an account would get a higher overdraft limit, and somebody could approve it."""
        [present] = await accounts_queries.accounts(self._db, [(actor, [account_id])])
        rises = present is not None and limit.minor > present.overdraft_limit
        return rises and await self._has_decider(actor, ApprovalKind.SET_OVERDRAFT_LIMIT)

    async def _is_large(self, actor: Actor, command: ReverseTransaction) -> bool:
        """Return whether a reversal is to be approved. What is reversed never changes its amount."""
        [found] = await accounts_queries.transactions(self._db, [(actor, [command.transaction_id])])
        if found is None or not self._policy.is_above(found.amount, found.currency):
            return False
        return await self._has_decider(actor, ApprovalKind.REVERSE_TRANSACTION)

    async def _refuse_if_waiting(self, actor: Actor, command: ReverseTransaction) -> None:
        """Refuse a reversal that somebody has proposed already, before its money is reserved twice."""
        waiting = await self._db.fetch_one(
            queries.ABOUT,
            kind=ApprovalKind.REVERSE_TRANSACTION,
            subject=command.transaction_id,
            status=ApprovalStatus.PENDING,
        )
        if waiting is not None and waiting.expires_at > self._clock():
            await self._refuse(actor, command, _another_waits())

    async def _repeated(
        self, actor: Actor, earlier: ApprovalRow, command: ReverseTransaction
    ) -> Moved | Opened | Issued | Preview:
        """Answer a request whose key has become a proposal."""
        if (earlier.subject_id, earlier.reason) != (command.transaction_id, command.reason):
            await self._refuse(actor, command, IdempotencyConflict(None))
        if earlier.status in {ApprovalStatus.PENDING, ApprovalStatus.APPROVED}:
            await self._refuse(actor, command, ApprovalRequired(earlier.id))
        if earlier.status != ApprovalStatus.EXECUTED:
            ended = f"The proposal with this key has ended as {earlier.status}."
            reason = " ".join(filter(None, (ended, earlier.refusal, "Use a new key to propose it again.")))
            await self._refuse(actor, command, StateConflict(StateConflictCode.WRONG_STATUS, earlier.status, reason))
        return await self._execute_one(replace(command, approval_id=earlier.id))

    async def _refuse(self, actor: Actor, command: ReverseTransaction, refusal: Refusal) -> None:
        """Record a refusal, and raise it."""

        async def refuse(_: Connection) -> None:
            raise refusal

        await audit.execute_audited(self._db, actor, command.action, command.transaction_id, refuse)

    async def _expire(self, connection: Connection) -> list[statements.ExpiredRow]:
        """Let proposals expire that are due, and record it."""
        expired = await connection.fetch(statements.EXPIRE, now=self._clock())
        await audit.write(connection, [audit.Record(None, EXPIRE, row.id) for row in expired])
        return expired

    def _proposal(
        self,
        actor: Actor,
        kind: ApprovalKind,
        subject_id: UUID,
        *,
        role: UserRole | None = None,
        money: Money | None = None,
        reason: str | None = None,
        request_key: str | None = None,
        hold_id: UUID | None = None,
    ) -> NewApproval:
        now = self._clock()
        amount, currency = (money.minor, money.currency) if money else (None, None)
        request = (role, amount, currency, reason, request_key, hold_id)
        return NewApproval(
            new_id(),
            kind,
            ApprovalStatus.PENDING,
            subject_id,
            *request,
            proposed_by=actor.user_id,
            is_finished=False,
            created_at=now,
            expires_at=now + self._policy.lasts,
        )

    async def _propose(
        self, actor: Actor, action: str, proposal: NewApproval, check: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """Store a proposal. The same proposal by the same user is the one that waits already.

        Raises:
            ApprovalRequired: always, unless another refusal comes first.
        """

        async def work(connection: Connection) -> None:
            await check(connection)
            await self._expire(connection)
            await connection.insert(statements.INSERT, [proposal])
            waiting = await connection.fetch_one(
                queries.ABOUT, kind=proposal.kind, subject=proposal.subject_id, status=ApprovalStatus.PENDING
            )
            if waiting is None or _request_of(waiting) != _request_of(proposal):
                raise _another_waits()
            raise ApprovalRequired(waiting.id)

        await audit.execute_audited(self._db, actor, action, proposal.subject_id, work, detail=proposal.role)

    async def _require_decider(self, connection: Connection, actor: Actor, proposal: ApprovalRow, *, approve: bool) -> None:
        if not actor.is_allowed(DECIDERS[proposal.kind]):
            raise Forbidden("Your role may not decide this.")
        if proposal.proposed_by == actor.user_id:
            if approve:
                raise Forbidden("Nobody may approve a proposal of their own.")
            return
        if await accounts_queries.is_party_to(connection, actor.user_id, proposal.subject_id):
            raise Forbidden("Nobody may decide about money of their own.")

    async def _execute_one(self, command: ReserveReversal | ReverseTransaction) -> Moved | Opened | Issued | Preview:
        [outcome] = await self._execute(Group((command,)))
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome


def _roles_that_decide(kind: ApprovalKind) -> list[UserRole]:
    return [role for role, permissions in PERMISSIONS.items() if DECIDERS[kind] in permissions]


def _request_of(proposal: ApprovalRow | NewApproval) -> tuple[object, ...]:
    """Return what makes two proposals about the same thing the same."""
    return (
        proposal.proposed_by, proposal.role, proposal.amount, proposal.currency, proposal.reason, proposal.request_key,
        proposal.hold_id,
    )  # fmt: skip


def _derived(key: str) -> str:
    """Return the key of the hold that a proposal needs, which belongs to the key of the request."""
    return f"approval/{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def _another_waits() -> StateConflict:
    reason = "Another proposal about this waits for a decision."
    return StateConflict(StateConflictCode.APPROVAL_PENDING, ApprovalStatus.PENDING, reason)


async def _nothing(_: Connection) -> None:
    """Check nothing: placing the hold has checked it all."""
