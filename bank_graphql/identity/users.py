"""What staff do with users: their roles, suspension, reinstatement and erasure; and how a user is closed.

Changes of roles and statuses run one at a time, so that no race can leave the bank without an active administrator.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select, text
from sqlmodel import col

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries, statements
from bank_graphql.identity.enums import IdentityAction, UserRole, UserStatus
from bank_graphql.identity.factors import SecondFactors
from bank_graphql.identity.models import ACTIVE_ADMIN, User
from bank_graphql.identity.notices import Change, Notices
from bank_graphql.identity.passkeys import Passkeys
from bank_graphql.identity.permissions import Permission
from bank_graphql.identity.queries import UserRow
from bank_graphql.identity.rules import check_suspension_reason
from bank_graphql.identity.sessions import Sessions
from bank_graphql.identity.visibility import sees
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound
from bank_graphql.kit.ids import global_id, lock_key
from bank_graphql.kit.statements import Query, Row

ERASED_NAME = "Erased user"
"""The name of a user who was erased."""
_LOCK = lock_key("users", UUID(int=0))
_OTHER_ADMIN = Query(
    select(col(User.id))
    .where(
        text(ACTIVE_ADMIN),
        col(User.id) != bindparam("user", type_=Uuid()),
    )
    .limit(1),
    Row,
)


class Users:
    """Changes of users by staff. Each is audited, and so is each refusal.

    Args:
        db: the database.
        sessions: where the sessions of suspended users end.
        factors: the users' second factors.
        passkeys: the users' passkeys.
        notices: tells users of what was done with their access.
        clock: gives the time.
    """

    def __init__(
        self, db: Database, sessions: Sessions, factors: SecondFactors, passkeys: Passkeys, notices: Notices, clock: Clock
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._factors = factors
        self._passkeys = passkeys
        self._notices = notices
        self._clock = clock

    async def set_role(
        self, actor: Actor, user_id: UUID, role: UserRole, confirm: Callable[[Connection], Awaitable[None]] | None = None
    ) -> None:
        """Give a user another role. The user's sessions go on with it, within 2 seconds.

        Args:
            actor: an administrator.
            user_id: the user.
            role: the role.
            confirm: called in the transaction, before anything is changed; it may refuse.

        Raises:
            NotFound, Forbidden: the user is not visible to the actor; the actor may not manage users.
            StateConflict: `WRONG_STATUS`: the user is closed. `LAST_ADMIN`: no active administrator would remain.
        """

        async def change(connection: Connection, user: UserRow) -> None:
            await _check_role(connection, user, role)
            if confirm is not None:
                await confirm(connection)
            await connection.execute(statements.SET_ROLE, user=user_id, new_role=role, now=self._clock())

        await self._change(actor, IdentityAction.SET_USER_ROLE, user_id, change, detail=role)
        self._sessions.cache.forget()

    async def check_role(self, connection: Connection, actor: Actor, user_id: UUID, role: UserRole) -> None:
        """Refuse what `set_role` would refuse, and change nothing."""
        await _check_role(connection, await self._lock(connection, actor, user_id), role)

    async def suspend(self, actor: Actor, user_id: UUID, reason: str) -> None:
        """Suspend a user, whose sessions end at once.

        Accounts and cards stay as they are: they can be frozen one by one.

        Raises:
            NotFound, Forbidden: the user is not visible to the actor; the actor may not manage users, or is that user.
            StateConflict: `WRONG_STATUS`: the user is not active. `LAST_ADMIN`: no active administrator would remain.
            ValidationFailed: the reason is missing, too long, or has characters that cannot be printed.
        """
        checked = check_suspension_reason(reason)
        ended: set[UUID] = set()

        async def change(connection: Connection, user: UserRow) -> None:
            if user_id == actor.user_id:
                raise Forbidden("Nobody can suspend themselves.")
            if user.status != UserStatus.ACTIVE:
                raise _wrong_status(user)
            await _require_other_admin(connection, user)
            await self._set_status(connection, user_id, UserStatus.SUSPENDED, checked)
            ended.update(await self._sessions.end_all(connection, user_id))

        await self._change(actor, IdentityAction.SUSPEND_USER, user_id, change)
        self._sessions.cache.end(ended)

    async def reinstate(self, actor: Actor, user_id: UUID) -> None:
        """Let a suspended user sign in again.

        Raises:
            NotFound, Forbidden: the user is not visible to the actor; the actor may not manage users.
            StateConflict: `WRONG_STATUS`: the user is not suspended.
        """

        async def change(connection: Connection, user: UserRow) -> None:
            if user.status != UserStatus.SUSPENDED:
                raise _wrong_status(user)
            await self._set_status(connection, user_id, UserStatus.ACTIVE, None)

        await self._change(actor, IdentityAction.REINSTATE_USER, user_id, change)

    async def erase(self, actor: Actor, user_id: UUID, others: Callable[[Connection, UUID], Awaitable[None]]) -> None:
        """Erase what the bank knows about a closed user as a person. The user stays, because the books refer to it.

        Args:
            actor: an administrator.
            user_id: the user.
            others: called in the transaction, to erase what other rooms know.

        Raises:
            NotFound, Forbidden: the user is not visible to the actor; the actor may not manage users.
            StateConflict: `WRONG_STATUS`: the user is not closed, or was erased before.
        """

        async def change(connection: Connection, user: UserRow) -> None:
            if user.status != UserStatus.CLOSED:
                raise _wrong_status(user)
            if user.erased_at is not None:
                raise StateConflict(StateConflictCode.WRONG_STATUS, "ERASED", "The user was erased already.")
            await others(connection, user_id)
            await self._factors.erase(connection, user_id)
            await self._passkeys.remove_all(connection, user_id)
            await connection.execute(statements.ERASE_SESSIONS, user=user_id)
            now = self._clock()
            await connection.execute(statements.ERASE_USER, user=user_id, name=ERASED_NAME, now=now)
            await connection.fetch(statements.ERASE_ADDRESS, user=user_id, now=now)

        await self._change(actor, IdentityAction.ERASE_USER, user_id, change)

    async def remove_second_factor(self, actor: Actor, user_id: UUID) -> None:
        """Delete the second factor and the passkeys of a user who has lost them, once the bank is sure who that is.

        Raises:
            NotFound, Forbidden: the user is not visible to the actor; the actor may not manage users, or is that user.
            StateConflict: `MFA_STATE`: the user has neither.
        """

        async def change(connection: Connection, _: UserRow) -> None:
            if user_id == actor.user_id:
                raise Forbidden("Nobody can remove their own second factor without a code: call disableTotp.")
            had_passkeys = await self._passkeys.remove_all(connection, user_id)
            await self._factors.remove(connection, user_id, required=not had_passkeys)
            await self._notices.changed(connection, user_id, Change.FACTOR_REMOVED)

        await self._change(actor, IdentityAction.REMOVE_SECOND_FACTOR, user_id, change)

    async def begin_to_close(self, connection: Connection, user_id: UUID) -> UserRow:
        """Keep a user who is to be closed from any other change of role or status, and return it.

        Raises:
            StateConflict: `LAST_ADMIN`: no active administrator would remain.
        """
        await connection.lock([_LOCK])
        [user] = await connection.fetch(queries.OWN_PROFILE, user=user_id)
        await _require_other_admin(connection, user)
        return user

    async def close(self, connection: Connection, user_id: UUID) -> set[UUID]:
        """Close a user for good, end the sessions, and return their ids. The caller passes them to the cache of sessions."""
        await self._set_status(connection, user_id, UserStatus.CLOSED, None)
        return await self._sessions.end_all(connection, user_id)

    async def _change(
        self,
        actor: Actor,
        action: IdentityAction,
        user_id: UUID,
        change: Callable[[Connection, UserRow], Awaitable[None]],
        *,
        detail: str | None = None,
    ) -> None:
        async def locked(connection: Connection) -> None:
            await change(connection, await self._lock(connection, actor, user_id))

        await audit.execute_audited(self._db, actor, action, user_id, locked, detail=detail)

    async def _lock(self, connection: Connection, actor: Actor, user_id: UUID) -> UserRow:
        """Keep the roles and statuses of all users as they are, and return a user whom the actor may change."""
        await connection.lock([_LOCK])
        user = await connection.fetch_one(queries.OWN_PROFILE, user=user_id)
        if user is None or not sees(actor, user_id):
            raise NotFound("user", global_id("User", user_id))
        # Read again: another administrator may have changed the actor's role a moment ago.
        [own] = await connection.fetch(queries.OWN_PROFILE, user=actor.user_id)
        is_admin = own.role == UserRole.ADMIN and own.status == UserStatus.ACTIVE
        if not is_admin or not actor.is_allowed(Permission.MANAGE_USERS):
            raise Forbidden("Only administrators may do this.")
        return user

    async def _set_status(self, connection: Connection, user_id: UUID, status: UserStatus, reason: str | None) -> None:
        now = self._clock()
        closed = now if status == UserStatus.CLOSED else None
        await connection.execute(statements.SET_STATUS, user=user_id, new_status=status, reason=reason, closed=closed, now=now)


async def _check_role(connection: Connection, user: UserRow, role: UserRole) -> None:
    """Require that a user may get a role."""
    if user.status == UserStatus.CLOSED:
        raise _wrong_status(user)
    if role != UserRole.ADMIN:
        await _require_other_admin(connection, user)


async def _require_other_admin(connection: Connection, user: UserRow) -> None:
    """Require that an active administrator remains when this user is none any more."""
    is_admin = user.role == UserRole.ADMIN and user.status == UserStatus.ACTIVE
    if is_admin and not await connection.fetch(_OTHER_ADMIN, user=user.id):
        raise StateConflict(StateConflictCode.LAST_ADMIN, user.role, "The bank needs an administrator: appoint another first.")


def _wrong_status(user: UserRow) -> StateConflict:
    return StateConflict(StateConflictCode.WRONG_STATUS, user.status, f"The user is {user.status.lower()}.")
