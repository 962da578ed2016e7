"""Change passwords, second factors and passkeys. Each change is audited, and so is each refusal."""

from dataclasses import replace
from uuid import UUID

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries, statements
from bank_graphql.identity.enums import IdentityAction
from bank_graphql.identity.errors import CredentialsRefused, StepUpRequired
from bank_graphql.identity.factors import Enrolment
from bank_graphql.identity.notices import Change
from bank_graphql.identity.passkeys import PasskeyAnswer, PasskeyRequest
from bank_graphql.identity.queries import SignInRow
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import FieldProblem, ValidationFailed


class Credentials:
    """Changes of the credentials of an actor.

    Args:
        db: the database.
        identity: verifies passwords and codes, and knows the sessions that end.
    """

    def __init__(self, db: Database, identity: Identity) -> None:
        self._db = db
        self._identity = identity

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Change the actor's password, and end all other sessions of the actor.

        Raises:
            CredentialsRefused: the current password is another one.
            StepUpRequired: the actor has a second factor, which was not proved a short while ago.
            ValidationFailed: the new password is too weak, or it is the current one.
            RateLimited: too many attempts on this user are queued.
        """
        user = await self._identity.user_with(actor, current)
        problem, new_hash, needs_code = None, "", await self._identity.needs_code(actor)
        if user is not None:
            problem = await self._problem_with(user, current, new)
            new_hash = await self._identity.hasher.hash(new) if problem is None else ""

        async def work(connection: Connection) -> set[UUID]:
            await self._identity.sessions.require_active(connection, actor)
            if user is None:
                raise CredentialsRefused
            if needs_code:
                raise StepUpRequired
            if problem is not None:
                raise ValidationFailed([problem])
            given = {"user": user.id, "old_hash": user.password_hash, "new_hash": new_hash}
            if not await connection.fetch(statements.REPLACE_PASSWORD_HASH, **given):
                raise CredentialsRefused  # it was changed meanwhile
            await self._identity.notices.changed(connection, actor.user_id, Change.PASSWORD)
            return await self._identity.sessions.end_others(connection, actor)

        ended = await audit.execute_audited(self._db, actor, IdentityAction.CHANGE_PASSWORD, actor.user_id, work)
        self._identity.sessions.cache.end(ended)

    async def enrol_totp(self, actor: Actor, password: str) -> Enrolment:
        """Make a secret for one-time codes. It is not in use before `confirm_totp`.

        Raises:
            CredentialsRefused: the password is wrong.
            StateConflict: the actor has a second factor already.
            RateLimited: too many attempts on this user are queued.
        """
        user = await self._identity.user_with(actor, password)

        async def work(connection: Connection) -> Enrolment:
            await self._identity.sessions.require_active(connection, actor)
            if user is None:
                raise CredentialsRefused
            [profile] = await connection.fetch(queries.OWN_PROFILE, user=user.id)
            return await self._identity.factors.enrol(connection, user.id, profile.email)

        return await audit.execute_audited(self._db, actor, IdentityAction.ENROL_TOTP, actor.user_id, work)

    async def confirm_totp(self, actor: Actor, code: str) -> list[str]:
        """Put the actor's new secret into use, and return recovery codes, which are not shown again.

        Raises:
            CredentialsRefused: the code is wrong.
            StateConflict: there is no new secret.
            RateLimited: too many attempts on this user are queued.
        """
        await self._identity.wait_for_code(actor)

        async def work(connection: Connection) -> list[str]:
            await self._identity.sessions.require_active(connection, actor)
            codes = await self._identity.factors.confirm(connection, actor.user_id, code)
            await self._identity.notices.changed(connection, actor.user_id, Change.FACTOR_ADDED)
            return codes

        codes = await audit.execute_audited(self._db, actor, IdentityAction.CONFIRM_TOTP, actor.user_id, work)
        self._identity.note_good_code(actor)
        return codes

    async def disable_totp(self, actor: Actor, password: str, code: str) -> None:
        """Delete the actor's second factor and recovery codes. The code may be one of either.

        Raises:
            CredentialsRefused: the password or the code is wrong.
            StateConflict: the actor has no second factor.
            RateLimited: too many attempts on this user are queued.
        """
        user = await self._identity.user_with(actor, password)
        await self._identity.wait_for_code(actor)

        async def work(connection: Connection) -> None:
            await self._identity.sessions.require_active(connection, actor)
            if user is None:
                raise CredentialsRefused
            await self._identity.factors.disable(connection, user.id, code)
            await self._identity.notices.changed(connection, actor.user_id, Change.FACTOR_REMOVED)

        await audit.execute_audited(self._db, actor, IdentityAction.DISABLE_TOTP, actor.user_id, work)
        self._identity.note_good_code(actor)

    async def request_passkey(self, actor: Actor) -> PasskeyRequest:
        """Return what to ask the actor's device for, so that it makes a passkey.

        Raises:
            StepUpRequired: the actor did not prove a short while ago who it is.
        """

        async def work(connection: Connection) -> PasskeyRequest:
            _require_verified(actor)
            [profile] = await connection.fetch(queries.OWN_PROFILE, user=actor.user_id)
            return await self._identity.passkeys.request_new(connection, actor.user_id, profile.email, profile.full_name)

        return await audit.execute_audited(self._db, actor, IdentityAction.REQUEST_PASSKEY, actor.user_id, work)

    async def add_passkey(self, actor: Actor, name: str, answer: PasskeyAnswer) -> UUID:
        """Add the passkey that the actor's device made, and return its id.

        Raises:
            StepUpRequired: the actor did not prove a short while ago who it is.
            ValidationFailed: as `Passkeys.add`.
        """

        async def work(connection: Connection) -> UUID:
            await self._identity.sessions.require_active(connection, actor)
            _require_verified(actor)
            added = await self._identity.passkeys.add(connection, actor.user_id, name, answer)
            await self._identity.notices.changed(connection, actor.user_id, Change.PASSKEY_ADDED)
            return added

        return await audit.execute_audited(self._db, actor, IdentityAction.ADD_PASSKEY, actor.user_id, work)

    async def remove_passkey(self, actor: Actor, passkey_id: UUID) -> None:
        """Forget a passkey of the actor. Sessions that it opened go on.

        Raises:
            StepUpRequired: the actor did not prove a short while ago who it is.
            NotFound: the actor has no such passkey.
        """

        async def work(connection: Connection) -> None:
            await self._identity.sessions.require_active(connection, actor)
            _require_verified(actor)
            await self._identity.passkeys.remove(connection, actor.user_id, passkey_id)
            await self._identity.notices.changed(connection, actor.user_id, Change.PASSKEY_REMOVED)

        await audit.execute_audited(self._db, actor, IdentityAction.REMOVE_PASSKEY, actor.user_id, work)

    async def _problem_with(self, user: SignInRow, current: str, new: str) -> FieldProblem | None:
        """Return what is wrong with a new password of a user."""
        [profile] = await self._db.fetch(queries.OWN_PROFILE, user=user.id)
        problem = await self._identity.hasher.check(new, (profile.email, profile.full_name))
        if problem is not None:
            return replace(problem, path=("new",))
        return FieldProblem(("new",), "UNCHANGED", "This is the current password.") if new == current else None


def _require_verified(actor: Actor) -> None:
    if not actor.is_verified:
        raise StepUpRequired
