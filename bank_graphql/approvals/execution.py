"""Execute what was approved, once, and free the money of what was not."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from bank_graphql.accounts.service import Accounts
from bank_graphql.approvals import statements
from bank_graphql.approvals.enums import ApprovalKind, ApprovalStatus
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.audit import service as audit
from bank_graphql.identity import queries as identity_queries
from bank_graphql.identity.enums import IdentityAction, UserRole, UserStatus
from bank_graphql.identity.permissions import PERMISSIONS, Permission
from bank_graphql.identity.users import Users
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, Refusal
from bank_graphql.kit.money import Money
from bank_graphql.payments import queries as payments_queries
from bank_graphql.payments.commands import ReleaseReservation, ReverseTransaction
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Outcome
from bank_graphql.payments.service import BANK

SET_OVERDRAFT_LIMIT = "setOverdraftLimit"
DECIDERS = {
    ApprovalKind.SET_USER_ROLE: Permission.MANAGE_USERS,
    ApprovalKind.SET_OVERDRAFT_LIMIT: Permission.MANAGE_ACCOUNTS,
    ApprovalKind.REVERSE_TRANSACTION: Permission.REVERSE,
}
"""What one must be allowed to do to propose and to decide."""
_ACTIONS: dict[ApprovalKind, str] = {
    ApprovalKind.SET_USER_ROLE: IdentityAction.SET_USER_ROLE,
    ApprovalKind.SET_OVERDRAFT_LIMIT: SET_OVERDRAFT_LIMIT,
    ApprovalKind.REVERSE_TRANSACTION: ReverseTransaction.action,
}
"""The names of what is proposed, in the audit."""


class Execution:
    """Finishes proposals that were decided.

    Args:
        db: the database.
        users: sets roles.
        accounts: sets overdraft limits.
        execute: executes commands, in batches with those of others.
    """

    def __init__(
        self, db: Database, users: Users, accounts: Accounts, execute: Callable[[Group], Awaitable[list[Outcome]]]
    ) -> None:
        self._db = db
        self._users = users
        self._accounts = accounts
        self._execute = execute

    async def finish(self, proposal: ApprovalRow) -> None:
        """Execute a proposal that was approved, as its proposer, and store how that ended. Free the money of all others."""
        if proposal.status != ApprovalStatus.APPROVED:
            await self.release(proposal.hold_id)
            await self._db.transact(lambda connection: self._close(connection, proposal, proposal.status))
            return
        try:
            await self._execute_approved(proposal)
        except Refusal as refused:
            refusal = str(refused)
            await self.release(proposal.hold_id)
            await self._db.transact(lambda connection: self._close(connection, proposal, ApprovalStatus.FAILED, refusal))

    async def _execute_approved(self, proposal: ApprovalRow) -> None:
        """Execute an approved proposal once, however often this is called.

        Raises:
            Refusal: it cannot be executed, or was executed before.
        """
        proposer = Actor(proposal.proposed_by, None, frozenset())
        proposer = await self._db.transact(lambda connection: as_now(connection, proposer))

        async def confirm(connection: Connection) -> None:
            if not proposer.is_allowed(DECIDERS[proposal.kind]):
                raise Forbidden("Whoever proposed this may no longer do it.")
            if not await self._close(connection, proposal, ApprovalStatus.EXECUTED):
                raise StateConflict(StateConflictCode.WRONG_STATUS, ApprovalStatus.EXECUTED, "It was executed already.")

        if not proposer.is_allowed(DECIDERS[proposal.kind]) and not await self._is_reversed(proposal):
            await audit.execute_audited(self._db, proposer, _ACTIONS[proposal.kind], proposal.subject_id, confirm)
        match proposal.kind:
            case ApprovalKind.SET_USER_ROLE:
                await self._users.set_role(proposer, proposal.subject_id, UserRole(proposal.role or ""), confirm)
            case ApprovalKind.SET_OVERDRAFT_LIMIT:
                limit = Money(proposal.amount or 0, proposal.currency or "")
                await self._accounts.set_overdraft_limit(proposer, proposal.subject_id, limit, confirm)
            case ApprovalKind.REVERSE_TRANSACTION:
                reversal = ReverseTransaction(
                    actor=proposer,
                    key=proposal.request_key,
                    transaction_id=proposal.subject_id,
                    reason=proposal.reason or "",
                    approval_id=proposal.id,
                )
                # In one transaction: nobody spends what was reserved before the reversal takes it.
                outcomes = await self._execute(Group((*_release(proposal.hold_id), reversal)))
                if isinstance(outcomes[-1], Refusal):
                    raise outcomes[-1]
                await self._db.transact(lambda connection: self._close(connection, proposal, ApprovalStatus.EXECUTED))

    async def _is_reversed(self, proposal: ApprovalRow) -> bool:
        """Return whether a reversal was executed by a process that ended before it had noted that."""
        is_reversal = proposal.kind == ApprovalKind.REVERSE_TRANSACTION
        return is_reversal and await payments_queries.is_used(self._db, proposal.id, ReverseTransaction.action)

    async def _close(
        self, connection: Connection, proposal: ApprovalRow, status: ApprovalStatus, refusal: str | None = None
    ) -> bool:
        """Note that a proposal is finished, and return whether it was not before."""
        given = {"id": proposal.id, "old_status": proposal.status, "new_status": status, "refusal": refusal}
        return bool(await connection.fetch(statements.FINISH, **given))

    async def release(self, hold_id: UUID | None) -> None:
        """Release the hold of a proposal, if it has one that is pending."""
        if hold_id is not None:
            await self._execute(Group(_release(hold_id)))


async def as_now(connection: Connection, actor: Actor) -> Actor:
    """Return an actor with what its user is allowed to do at present."""
    [user] = await connection.fetch(identity_queries.OWN_PROFILE, user=actor.user_id)
    permissions = PERMISSIONS[user.role] if user.status == UserStatus.ACTIVE else frozenset[Permission]()
    return Actor(actor.user_id, actor.session_id, permissions, actor.origin)


def _release(hold_id: UUID | None) -> tuple[ReleaseReservation, ...]:
    return () if hold_id is None else (ReleaseReservation(actor=BANK, key=None, transaction_id=hold_id),)
