"""Prove that users read their e-mail addresses, and let those who forgot their password set a new one. All by mailed codes."""

from dataclasses import replace
from uuid import UUID

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries, statements
from bank_graphql.identity.email_codes import CodePurpose, EmailCodes
from bank_graphql.identity.enums import IdentityAction, UserStatus
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.notices import Change
from bank_graphql.identity.rules import EMAIL_MAX
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.mail.letters import Mail, letter
from bank_graphql.mail.service import Outbox


class Addresses:
    """The e-mail addresses of users.

    Args:
        db: the database.
        identity: hashes passwords, ends sessions and sends notices.
        codes: the codes that were mailed.
        outbox: takes the mails.
        bank_name: the name that they are signed with.
        clock: gives the real time.
    """

    def __init__(
        self, db: Database, identity: Identity, codes: EmailCodes, outbox: Outbox, *, bank_name: str, clock: Clock
    ) -> None:
        self._db = db
        self._identity = identity
        self._codes = codes
        self._outbox = outbox
        self._bank_name = bank_name
        self._clock = clock

    async def request_verification(self, actor: Actor) -> None:
        """Mail the actor a code that proves that the actor reads the address. Within five minutes of the last one, send none.

        Raises:
            StateConflict: `NO_MAIL`: the bank sends no mails. `WRONG_STATUS`: the address is verified already.
        """

        async def work(connection: Connection) -> None:
            self._require_mail()
            [profile] = await connection.fetch(queries.OWN_PROFILE, user=actor.user_id)
            if profile.email_verified:
                raise StateConflict(StateConflictCode.WRONG_STATUS, "VERIFIED", "Your e-mail address is verified already.")
            await self._identity.notices.mail_code(connection, profile.email, self._identity.email_key(profile.email))

        await audit.execute_audited(self._db, actor, IdentityAction.REQUEST_EMAIL_VERIFICATION, actor.user_id, work)

    async def verify(self, actor: Actor, code: str) -> None:
        """Record that the actor reads the address.

        Raises:
            CredentialsRefused: the code is wrong, has expired, or was used.
        """

        async def work(connection: Connection) -> None:
            await self._identity.sessions.require_active(connection, actor)
            [profile] = await connection.fetch(queries.OWN_PROFILE, user=actor.user_id)
            key = self._identity.email_key(profile.email)
            if not await self._codes.spend(connection, CodePurpose.VERIFY_EMAIL, key, code):
                raise CredentialsRefused
            await connection.execute(statements.VERIFY_EMAIL, user=actor.user_id, now=self._clock())

        await audit.execute_audited(self._db, actor, IdentityAction.VERIFY_EMAIL, actor.user_id, work)

    async def request_reset(self, email: str, origin: Origin) -> None:
        """Mail a code that replaces the password. The same is done, and as much, whether the bank knows the address or not.

        Raises:
            StateConflict: `NO_MAIL`: the bank sends no mails.
        """
        self._require_mail()
        key, address = self._identity.email_key(email), email[:EMAIL_MAX]

        async def work(connection: Connection) -> None:
            user = await connection.fetch_one(queries.SIGN_IN, email_key=key)
            is_known = user is not None and user.status == UserStatus.ACTIVE
            code = await self._codes.make(connection, CodePurpose.RESET_PASSWORD, key)
            if code is not None:
                profiles = await connection.fetch(queries.OWN_PROFILE, user=user.id if user else UUID(int=0))
                to = profiles[0].email if profiles else address
                text = letter(
                    "to choose a new password, enter this code within 30 minutes:",
                    code,
                    "If you have not asked for it, do nothing: your password stays as it is. Give the code to nobody.",
                    signed_by=self._bank_name,
                )
                mail = Mail(to, f"Choose a new password - {self._bank_name}", text)
                await self._outbox.add(connection, mail, discard=not is_known)
            await audit.write(connection, [_record(IdentityAction.REQUEST_PASSWORD_RESET, user.id if user else None, origin)])

        await self._db.transact(work)

    async def reset(self, *, email: str, code: str, new_password: str, origin: Origin) -> None:
        """Give a user who has a mailed code a new password, and end all sessions and access grants.

        Raises:
            ValidationFailed: the new password is too weak. The code is still good.
            CredentialsRefused: the code is wrong, has expired, or was used; or no active user has the address.
        """
        problem = await self._identity.hasher.check(new_password, (email[:EMAIL_MAX],))
        if problem is not None:
            raise ValidationFailed([replace(problem, path=("newPassword",))])
        key, new_hash = self._identity.email_key(email), await self._identity.hasher.hash(new_password)

        async def work(connection: Connection) -> set[UUID] | None:
            is_good = await self._codes.spend(connection, CodePurpose.RESET_PASSWORD, key, code)
            user = await connection.fetch_one(queries.SIGN_IN, email_key=key)
            if user is not None:
                await connection.fetch(queries.LOCKED_USER, user=user.id)
                user = await connection.fetch_one(queries.SIGN_IN, email_key=key)
            done = is_good and user is not None and user.status == UserStatus.ACTIVE
            refusal = None if done else CredentialsRefused()
            record = _record(IdentityAction.RESET_PASSWORD, user.id if user else None, origin, refusal)
            await audit.write(connection, [record])
            if user is None or not done:
                return None
            given = {"user": user.id, "old_hash": user.password_hash, "new_hash": new_hash}
            await connection.execute(statements.REPLACE_PASSWORD_HASH, **given)
            await self._remove_others_keys(connection, user.id)
            await connection.execute(statements.VERIFY_EMAIL, user=user.id, now=self._clock())
            await self._identity.notices.changed(connection, user.id, Change.RESET)
            programs = await self._identity.sessions.grants.revoke_all(connection, user.id)
            return programs | await self._identity.sessions.end_all(connection, user.id)

        ended = await self._db.transact(work)
        if ended is None:
            raise CredentialsRefused
        self._identity.sessions.cache.end(ended)

    async def _remove_others_keys(self, connection: Connection, user_id: UUID) -> None:
        """Remove the passkeys of a user who has lost the password: a thief may have added them.

        The second factor too, if nobody has proved before to read the address: then it may be that of somebody else.
        """
        await self._identity.passkeys.remove_all(connection, user_id)
        [profile] = await connection.fetch(queries.OWN_PROFILE, user=user_id)
        if not profile.email_verified:
            await self._identity.factors.erase(connection, user_id)

    def _require_mail(self) -> None:
        if not self._outbox.is_open:
            raise StateConflict(StateConflictCode.NO_MAIL, "NO_MAIL", "This bank sends no mails: ask its staff.")


def _record(
    action: IdentityAction, user_id: UUID | None, origin: Origin, refusal: CredentialsRefused | None = None
) -> audit.Record:
    """Return the record of what somebody did who is not signed in."""
    outcome = audit.DONE if refusal is None else refusal.code
    return audit.Record(None, action, user_id, outcome, origin.ip_address, origin.request_id)
