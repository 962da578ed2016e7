"""Have what one member of staff requests approved by another one, and execute it then. The only writer of proposals."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from bank_graphql.accounts import queries as accounts_queries
from bank_graphql.accounts.service import Accounts
from bank_graphql.approvals import queries, statements
from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.approvals.errors import ApprovalRequired
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.approvals.statements import NewApproval
from bank_graphql.audit import service as audit
from bank_graphql.identity import queries as identity_queries
from bank_graphql.identity.enums import IdentityAction, UserRole, UserStatus
from bank_graphql.identity.permissions import PERMISSIONS, Permission
from bank_graphql.identity.users import Users
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.money import CURRENCY_DIGITS, Money
from bank_graphql.payments.commands import ReleaseReservation, ReserveReversal, ReverseTransaction
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Issued, Moved, Opened, Outcome, Preview
from bank_graphql.payments.service import BANK

DECIDE = "decide"
"""The action of a decision, in the audit."""
SET_OVERDRAFT_LIMIT = "setOverdraftLimit"
FINISHED_AFTER = timedelta(seconds=10)
"""After how long an approved proposal that is not executed is taken over."""
_PIECE = 50
_DECIDERS = {
    ApprovalKind.SET_USER_ROLE: Permission.MANAGE_USERS,
    ApprovalKind.SET_OVERDRAFT_LIMIT: Permission.MANAGE_ACCOUNTS,
    ApprovalKind.REVERSE_TRANSACTION: Permission.REVERSE,
}
"""What one must be allowed to do to propose and to decide."""
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
        self._clock = clock

    async def set_role(self, actor: Actor, user_id: UUID, role: UserRole) -> None:
        """Give a user another role, or propose it.

        Raises:
            ApprovalRequired: it is proposed now.
            Refusal: as `Users.set_role`, or another proposal about the user waits.
        """
        if not self._policy.roles or not await self._has_decider(actor, ApprovalKind.SET_USER_ROLE):
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
        is_large = self._policy.is_above(limit.minor, limit.currency)
        if not is_large or not await self._has_decider(actor, ApprovalKind.SET_OVERDRAFT_LIMIT):
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
        """Reverse a transaction, or propose it and reserve what it takes back.

        Raises:
            ApprovalRequired: it is proposed, now or with this key before.
            Refusal: as `ReverseTransaction`; another proposal about the transaction waits; or that with this key was rejected.
        """
        if command.dry_run or command.key is None or not await self._is_large(actor, command):
            return await self._execute_one(command)
        earlier = await self._db.fetch_one(queries.OF_REQUEST, user=actor.user_id, key=command.key)
        if earlier is not None:
            return await self._repeated(earlier, command)
        await self._refuse_if_waiting(actor, command)
        moved = await self._execute_one(
            ReserveReversal(
                actor=actor,
                key=_derived(command.key),
                transaction_id=command.transaction_id,
                reason=command.reason,
                expires_at=self._clock() + self._policy.lasts,
            )
        )
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
        except StateConflict:
            await self._release(hold_id)
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

        async def work(connection: Connection) -> ApprovalRow:
            found = await connection.fetch_one(queries.LOCKED, id=approval_id)
            current = await self._as_now(connection, actor)
            if found is None or not current.is_allowed(Permission.READ_ANY):
                raise NotFound("approval", global_id("Approval", approval_id))
            await self._require_decider(connection, current, found, approve=approve)
            now = self._clock()
            if found.status != ApprovalStatus.PENDING or found.expires_at <= now:
                state = ApprovalStatus.EXPIRED if found.status == ApprovalStatus.PENDING else found.status
                raise StateConflict(StateConflictCode.WRONG_STATUS, state, f"The proposal is {state.lower()}.")
            await connection.execute(statements.DECIDED, id=approval_id, new_status=status, user=actor.user_id, now=now)
            return found

        proposal = await audit.execute_audited(self._db, actor, DECIDE, approval_id, work, detail=status)
        if approve:
            await self._carry_out(proposal)
        else:
            await self._release(proposal.hold_id)

    async def expire_due(self) -> int:
        """Let the proposals expire that are due, and return how many did. Their holds expire at the same time."""
        return len(await self._db.transact(lambda connection: connection.fetch(statements.EXPIRE, now=self._clock())))

    async def finish(self) -> int:
        """Execute what was approved by processes that ended before they could, and return how many proposals those were."""
        given = {"before": self._clock() - FINISHED_AFTER, "maximum": _PIECE}
        unfinished = await self._db.fetch(queries.UNFINISHED, **given)
        for proposal in unfinished:
            await self._carry_out(proposal)
        return len(unfinished)

    async def warn_if_alone(self) -> None:
        """Log which proposals nobody could decide: there one person is enough."""
        for kind in ApprovalKind:
            is_on = self._policy.roles if kind == ApprovalKind.SET_USER_ROLE else self._policy.above is not None
            if is_on and await identity_queries.count_staff(self._db, _roles_that_decide(kind)) < 2:
                _log.warning("four eyes are asked for, and there are not two people: one is enough until there are", kind=kind)

    async def _has_decider(self, actor: Actor, kind: ApprovalKind) -> bool:
        """Return whether the actor may propose this, and somebody else may decide it. A suspended user counts, if reinstated."""
        if not actor.is_allowed(_DECIDERS[kind]):
            return False
        return await identity_queries.count_staff(self._db, _roles_that_decide(kind), but=actor.user_id) > 0

    async def _is_large(self, actor: Actor, command: ReverseTransaction) -> bool:
        """Return whether a reversal is to be approved. What is reversed never changes its amount."""
        [found] = await accounts_queries.transactions(self._db, [(actor, [command.transaction_id])])
        if found is None or not self._policy.is_above(found.amount, found.currency):
            return False
        return await self._has_decider(actor, ApprovalKind.REVERSE_TRANSACTION)

    async def _refuse_if_waiting(self, actor: Actor, command: ReverseTransaction) -> None:
        """Refuse a reversal that somebody has proposed already, before its money is reserved twice."""
        given = {"kind": ApprovalKind.REVERSE_TRANSACTION, "subject": command.transaction_id}
        waiting = await self._db.fetch_one(queries.PENDING, **given)
        if waiting is not None and waiting.expires_at > self._clock():
            await audit.execute_audited(self._db, actor, command.action, command.transaction_id, _refuse_second)

    async def _repeated(self, earlier: ApprovalRow, command: ReverseTransaction) -> Moved | Opened | Issued | Preview:
        """Answer a request whose key has become a proposal."""
        if (earlier.subject_id, earlier.reason) == (command.transaction_id, command.reason):
            if earlier.status in {ApprovalStatus.PENDING, ApprovalStatus.APPROVED}:
                raise ApprovalRequired(earlier.id)
            if earlier.status != ApprovalStatus.EXECUTED:
                reason = f"The proposal with this key is {earlier.status.lower()}: {earlier.refusal or 'use a new key'}"
                raise StateConflict(StateConflictCode.WRONG_STATUS, earlier.status, reason)
        return await self._execute_one(command)

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
        lasts = self._policy.lasts
        return NewApproval(new_id(), kind, ApprovalStatus.PENDING, subject_id, *request, actor.user_id, now, now + lasts)

    async def _propose(
        self, actor: Actor, action: str, proposal: NewApproval, check: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """Store a proposal. The same proposal by the same user is the one that waits already.

        Raises:
            ApprovalRequired: always, unless another refusal comes first.
        """

        async def work(connection: Connection) -> None:
            await check(connection)
            await connection.fetch(statements.EXPIRE, now=self._clock())
            await connection.insert(statements.INSERT, [proposal])
            waiting = await connection.fetch_one(queries.PENDING, kind=proposal.kind, subject=proposal.subject_id)
            if waiting is None or _request_of(waiting) != _request_of(proposal):
                await _refuse_second(connection)
                return
            raise ApprovalRequired(waiting.id)

        await audit.execute_audited(self._db, actor, action, proposal.subject_id, work)

    async def _require_decider(self, connection: Connection, actor: Actor, proposal: ApprovalRow, *, approve: bool) -> None:
        if not actor.is_allowed(_DECIDERS[proposal.kind]):
            raise Forbidden("Your role may not decide this.")
        if not approve:
            return
        if proposal.proposed_by == actor.user_id:
            raise Forbidden("Nobody may approve a proposal of their own.")
        if await accounts_queries.owns_any(connection, actor.user_id, proposal.subject_id):
            raise Forbidden("Nobody may decide about money of their own.")

    async def _as_now(self, connection: Connection, actor: Actor) -> Actor:
        """Return an actor with what its user is allowed to do at present."""
        [user] = await connection.fetch(identity_queries.OWN_PROFILE, user=actor.user_id)
        permissions = PERMISSIONS[user.role] if user.status == UserStatus.ACTIVE else frozenset[Permission]()
        return Actor(actor.user_id, actor.session_id, permissions, actor.origin)

    async def _carry_out(self, proposal: ApprovalRow) -> None:
        """Execute an approved proposal as its proposer, and store whether it could be executed. Twice is as good as once."""
        proposer = Actor(proposal.proposed_by, None, frozenset())
        proposer = await self._db.transact(lambda connection: self._as_now(connection, proposer))
        refusal: Refusal | None = None
        try:
            await self._carry_out_as(proposer, proposal)
        except Refusal as refused:
            refusal = refused
        given = {
            "id": proposal.id,
            "old_status": ApprovalStatus.APPROVED,
            "new_status": ApprovalStatus.EXECUTED if refusal is None else ApprovalStatus.FAILED,
            "refusal": None if refusal is None else str(refusal),
        }
        await self._db.transact(lambda connection: connection.execute(statements.FINISH, **given))

    async def _carry_out_as(self, proposer: Actor, proposal: ApprovalRow) -> None:
        if not proposer.is_allowed(_DECIDERS[proposal.kind]):
            raise Forbidden("Whoever proposed this may no longer do it.")
        match proposal.kind:
            case ApprovalKind.SET_USER_ROLE:
                await self._users.set_role(proposer, proposal.subject_id, UserRole(proposal.role or ""))
            case ApprovalKind.SET_OVERDRAFT_LIMIT:
                limit = Money(proposal.amount or 0, proposal.currency or "")
                await self._accounts.set_overdraft_limit(proposer, proposal.subject_id, limit)
            case ApprovalKind.REVERSE_TRANSACTION:
                reversal = ReverseTransaction(
                    actor=proposer,
                    key=proposal.request_key,
                    transaction_id=proposal.subject_id,
                    reason=proposal.reason or "",
                )
                # In one transaction: nobody spends what was reserved before the reversal takes it.
                outcomes = await self._execute(Group((*_release(proposal.hold_id), reversal)))
                if isinstance(outcomes[-1], Refusal):
                    raise outcomes[-1]

    async def _execute_one(self, command: ReserveReversal | ReverseTransaction) -> Moved | Opened | Issued | Preview:
        [outcome] = await self._execute(Group((command,)))
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def _release(self, hold_id: UUID | None) -> None:
        if hold_id is not None:
            await self._execute(Group(_release(hold_id)))


def _release(hold_id: UUID | None) -> tuple[ReleaseReservation, ...]:
    return () if hold_id is None else (ReleaseReservation(actor=BANK, key=None, transaction_id=hold_id),)


def _roles_that_decide(kind: ApprovalKind) -> list[UserRole]:
    return [role for role, permissions in PERMISSIONS.items() if _DECIDERS[kind] in permissions]


def _request_of(proposal: ApprovalRow | NewApproval) -> tuple[object, ...]:
    """Return what makes two proposals about the same thing the same."""
    return (
        proposal.proposed_by, proposal.role, proposal.amount, proposal.currency, proposal.reason, proposal.request_key,
        proposal.hold_id,
    )  # fmt: skip


def _derived(key: str) -> str:
    """Return the key of the hold that a proposal needs, which belongs to the key of the request."""
    return f"approval/{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


async def _refuse_second(_: Connection) -> None:
    reason = "Another proposal about this waits for a decision."
    raise StateConflict(StateConflictCode.APPROVAL_PENDING, ApprovalStatus.PENDING, reason)


async def _nothing(_: Connection) -> None:
    """Check nothing: placing the hold has checked it all."""
