"""Sign users up and in, verify who they are, and change their profiles. `credentials`, `sessions` and `users` do the rest."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries, statements
from bank_graphql.identity.attempts import Buckets
from bank_graphql.identity.challenges import Challenges, answer, is_answered
from bank_graphql.identity.enums import IdentityAction, UserRole, UserStatus
from bank_graphql.identity.factors import SecondFactors
from bank_graphql.identity.metrics import IdentityMetrics
from bank_graphql.identity.notices import Notices
from bank_graphql.identity.passkeys import PasskeyAnswer, Passkeys
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.identity.queries import SignInRow
from bank_graphql.identity.rules import (
    EMAIL_MAX,
    NAME_MAX,
    check_email,
    check_full_name,
    check_phone_number,
    email_key,
)
from bank_graphql.identity.sessions import Sessions, SignedIn, refused_credentials
from bank_graphql.identity.statements import NewUser
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import FieldProblem, ValidationFailed
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.text import normalise
from bank_graphql.kit.throttle import AttemptThrottle

CHALLENGED = "CHALLENGED"
"""The outcome, in the audit, of a log-in with the right password that waits for a second factor."""


@dataclass(frozen=True, slots=True)
class LogInChallenge:
    """The answer to a log-in with the right password, which a second factor is to complete."""

    token: str
    expires_at: datetime


class Identity:
    """The users of the bank, as one process serves them.

    Args:
        db: the database.
        hasher: hashes and verifies passwords.
        sessions: opens sessions.
        factors: the users' second factors.
        passkeys: the users' passkeys.
        notices: tells users of what was done with their access.
        attempts: limits attempts to sign in.
        clock: gives the time.
        allow_test_domains: whether e-mail addresses may be under `.test`.
        metrics: counts sign-ins.
    """

    def __init__(
        self,
        db: Database,
        hasher: PasswordHasher,
        sessions: Sessions,
        factors: SecondFactors,
        passkeys: Passkeys,
        notices: Notices,
        attempts: Buckets,
        *,
        clock: Clock,
        allow_test_domains: bool,
        metrics: IdentityMetrics,
    ) -> None:
        self._db = db
        self._metrics = metrics
        self.hasher = hasher
        self.sessions = sessions
        self.factors = factors
        self.passkeys = passkeys
        self.notices = notices
        self.attempts = attempts
        self._clock = clock
        self._allow_test_domains = allow_test_domains
        self._challenges = Challenges(sessions.tokens.private_keys, "bank log-ins", clock)
        self._password_throttle = AttemptThrottle()
        self._code_throttle = AttemptThrottle()

    def email_key(self, email: str) -> str:
        """Return the key of an e-mail address, the same for all its spellings; of any other text, its normalised form."""
        address = check_email(email, allow_test_domains=self._allow_test_domains)
        return email_key(normalise(email[:EMAIL_MAX]) if isinstance(address, FieldProblem) else address)

    def check_address(self, email: str) -> str:
        """Return an e-mail address in its normal form.

        Raises:
            ValidationFailed: `INVALID`.
        """
        address = check_email(email, allow_test_domains=self._allow_test_domains)
        if isinstance(address, FieldProblem):
            raise ValidationFailed([address])
        return address

    async def create_user(
        self, *, email: str, password: str, full_name: str, phone_number: str | None = None, role: UserRole
    ) -> UUID:
        """Create a user of any role, without a session.

        Returns:
            The user's id.

        Raises:
            ValidationFailed: with a problem for each wrong field; the code is `TAKEN` if another user has the address.
        """
        user = await self._new_user(email, password, full_name, phone_number, role)

        async def work(connection: Connection) -> None:
            await _insert_user(connection, user)
            await audit.write(connection, [audit.Record(None, IdentityAction.CREATE_USER, user.id)])

        await self._db.transact(work)
        return user.id

    async def sign_up(self, *, email: str, password: str, full_name: str, phone_number: str | None, origin: Origin) -> SignedIn:
        """Create a customer, and sign it in.

        Raises:
            ValidationFailed: as for `create_user`.
        """
        user = await self._new_user(email, password, full_name, phone_number, UserRole.CUSTOMER)

        async def work(connection: Connection) -> SignedIn:
            await _insert_user(connection, user)
            await self.notices.mail_code(connection, user.email, user.email_key)
            return await self._sign_in(connection, IdentityAction.SIGN_UP, user.id, origin)

        signed_in = await self._db.transact(work)
        self._metrics.done(IdentityAction.SIGN_UP)
        self._password_throttle.record_success(user.email_key, origin.network)
        return signed_in

    async def log_in(self, *, email: str, password: str, origin: Origin) -> SignedIn | LogInChallenge:
        """Open a session for the user with this e-mail address and password, or ask for the user's second factor.

        Raises:
            CredentialsRefused: there is no such user, the password is wrong, or the user is not active, or staff outside its
                networks. All take equally long.
            RateLimited: too many attempts on this e-mail address are queued.
        """
        key = self.email_key(email)
        await self._password_throttle.wait_turn(key, origin.network)
        user = await self._db.fetch_one(queries.SIGN_IN, email_key=key)
        matches = await self.hasher.verify(password, user.password_hash if user else None)
        if user is None or not matches or not self._may_sign_in(user, origin):
            raise await refused_credentials(self._db, self._metrics, IdentityAction.LOG_IN, user.id if user else None, origin)
        self._password_throttle.record_success(key, origin.network)
        if self.hasher.is_outdated(user.password_hash):
            user = await self._rehash(user, password)
        verified = user

        async def work(connection: Connection) -> SignedIn | LogInChallenge | None:
            # The password was verified a moment ago, and may have been changed since, or the user suspended.
            current = await connection.fetch_one(queries.SIGNING_IN, user=verified.id)
            if current is None or current.password_hash != verified.password_hash or not self._may_sign_in(current, origin):
                return None
            if await self.factors.are_enabled(connection, verified.id):
                return await self._challenge(connection, verified, origin)
            return await self._sign_in(connection, IdentityAction.LOG_IN, verified.id, origin)

        answer = await self._db.transact(work)
        if answer is None:
            raise await refused_credentials(self._db, self._metrics, IdentityAction.LOG_IN, verified.id, origin)
        if isinstance(answer, SignedIn):
            self._metrics.done(IdentityAction.LOG_IN)
        return answer

    async def complete_log_in(self, challenge_token: str, code: str, origin: Origin) -> SignedIn:
        """Open a session for the user of a challenge, and spend the code.

        Args:
            challenge_token: what `log_in` returned.
            code: a one-time code of the user's app, or a recovery code.
            origin: where the request came from.

        Raises:
            CredentialsRefused: the challenge is none, has expired, was answered, or was made before the password was changed;
                the code is wrong or was spent; or the user is not active, or staff outside its networks.
            RateLimited: too many attempts on this user are queued.
        """
        challenge = self._challenges.open(challenge_token)
        if challenge is None:
            raise await refused_credentials(self._db, self._metrics, IdentityAction.COMPLETE_LOG_IN, None, origin)
        user_id = UUID(challenge.claims["user"])
        await self._code_throttle.wait_turn(user_id.hex, origin.network)

        async def work(connection: Connection) -> SignedIn | None:
            user = await connection.fetch_one(queries.SIGNING_IN, user=user_id)
            if user is None or not self._may_sign_in(user, origin):
                return None
            if _digest_of(user.password_hash) != challenge.claims["password"] or await is_answered(connection, challenge):
                return None
            if not await self.factors.spend(connection, user_id, code) or not await answer(connection, challenge):
                return None
            return await self._sign_in(connection, IdentityAction.COMPLETE_LOG_IN, user_id, origin)

        signed_in = await self._db.transact(work)
        if signed_in is None:
            raise await refused_credentials(self._db, self._metrics, IdentityAction.COMPLETE_LOG_IN, user_id, origin)
        self._metrics.done(IdentityAction.COMPLETE_LOG_IN)
        self._code_throttle.record_success(user_id.hex, origin.network)
        return signed_in

    async def log_in_with_passkey(self, given: PasskeyAnswer, origin: Origin) -> SignedIn:
        """Open a session for the user of a passkey. It is two factors, so no code is asked for.

        Raises:
            CredentialsRefused: the answer is not good, or was sent before; or the user is not active, or staff outside its
                networks.
        """
        owner: UUID | None = None

        async def work(connection: Connection) -> SignedIn | None:
            nonlocal owner
            owner = await self.passkeys.owner_of(connection, given)
            user = await connection.fetch_one(queries.SIGNING_IN, user=owner) if owner else None
            if user is None or not self._may_sign_in(user, origin):
                return None
            if not await self.passkeys.use(connection, user.id, given):
                return None
            return await self._sign_in(connection, IdentityAction.LOG_IN_WITH_PASSKEY, user.id, origin)

        signed_in = await self._db.transact(work)
        if signed_in is None:
            raise await refused_credentials(self._db, self._metrics, IdentityAction.LOG_IN_WITH_PASSKEY, owner, origin)
        self._metrics.done(IdentityAction.LOG_IN_WITH_PASSKEY)
        return signed_in

    async def verify_password(self, actor: Actor, password: str) -> bool:
        """Return whether this is the actor's password. It is checked before what a stolen token must not allow.

        Raises:
            RateLimited: too many attempts on this user are queued.
        """
        return await self.user_with(actor, password) is not None

    async def wait_for_code(self, actor: Actor) -> None:
        """Wait until a code of the actor may be verified: guesses are slowed down.

        Raises:
            RateLimited: too many attempts on this user are queued.
        """
        await self._code_throttle.wait_turn(actor.user_id.hex, actor.origin.network)

    def note_good_code(self, actor: Actor) -> None:
        """Slow the actor down no more: a code was good."""
        self._code_throttle.record_success(actor.user_id.hex, actor.origin.network)

    async def needs_code(self, actor: Actor) -> bool:
        """Return whether the actor's password is not enough, because a second factor was not proved a short while ago."""
        return not actor.is_verified and await self.factors.are_enabled(self._db, actor.user_id)

    async def update_profile(self, actor: Actor, *, full_name: str | None, phone_number: str | None) -> None:
        """Change the actor's name or phone number. None leaves a field as it is; an empty phone number removes it.

        Raises:
            ValidationFailed: with a problem for each wrong field.
        """
        problems: list[FieldProblem] = []
        name = _collect(check_full_name(full_name), problems) if full_name is not None else None
        phone = _collect(check_phone_number(phone_number), problems) if phone_number else None
        if problems:
            raise ValidationFailed(problems)

        async def work(connection: Connection) -> None:
            await connection.execute(
                statements.UPDATE_PROFILE,
                user=actor.user_id,
                name=name,
                phone=phone,
                keeps_phone=phone_number is None,
                now=self._clock(),
            )

        await audit.execute_audited(self._db, actor, IdentityAction.UPDATE_PROFILE, actor.user_id, work)

    def _may_sign_in(self, user: SignInRow, origin: Origin) -> bool:
        return user.status == UserStatus.ACTIVE and self.sessions.networks.admit(user.role, origin)

    async def user_with(self, actor: Actor, password: str) -> SignInRow | None:
        """Return the actor's row if this is the actor's password. Raises as `verify_password`."""
        [user] = await self._db.fetch(queries.PASSWORD, user=actor.user_id)
        await self._password_throttle.wait_turn(user.email_key, actor.origin.network)
        if not await self.hasher.verify(password, user.password_hash):
            return None
        self._password_throttle.record_success(user.email_key, actor.origin.network)
        return user

    async def _rehash(self, user: SignInRow, password: str) -> SignInRow:
        """Store the password's hash anew, as strong as new ones are, and return the user's row; as it was, if it was changed."""
        given = {"user": user.id, "old_hash": user.password_hash, "new_hash": await self.hasher.hash(password)}
        if not await self._db.transact(lambda connection: connection.fetch(statements.REPLACE_PASSWORD_HASH, **given)):
            return user
        [rehashed] = await self._db.fetch(queries.PASSWORD, user=user.id)
        return rehashed if rehashed.password_hash == given["new_hash"] else user

    async def _challenge(self, connection: Connection, user: SignInRow, origin: Origin) -> LogInChallenge:
        """Return a challenge to a user whose password was right, and record it."""
        made = self._challenges.make(user=user.id.hex, password=_digest_of(user.password_hash))
        record = audit.Record(None, IdentityAction.LOG_IN, user.id, CHALLENGED, origin.ip_address, origin.request_id)
        await audit.write(connection, [record])
        return LogInChallenge(made.token, made.expires_at)

    async def _sign_in(self, connection: Connection, action: IdentityAction, user_id: UUID, origin: Origin) -> SignedIn:
        """Open a session and record it."""
        if action != IdentityAction.SIGN_UP:
            await self.notices.signed_in(connection, user_id, origin)
        signed_in = await self.sessions.open(connection, user_id, origin)
        await audit.write(connection, [audit.Record.of(signed_in.actor, action, user_id)])
        return signed_in

    async def _new_user(self, email: str, password: str, full_name: str, phone_number: str | None, role: UserRole) -> NewUser:
        problems: list[FieldProblem] = []
        address = _collect(check_email(email, allow_test_domains=self._allow_test_domains), problems)
        name = _collect(check_full_name(full_name), problems)
        phone = _collect(check_phone_number(phone_number), problems) if phone_number else None
        problem = await self.hasher.check(password, (email[:EMAIL_MAX], full_name[:NAME_MAX]))
        if problem is not None:
            problems.append(problem)
        if problems or address is None or name is None:
            raise ValidationFailed(problems)
        hashed = await self.hasher.hash(password)
        now = self._clock()
        return NewUser(new_id(), address, email_key(address), hashed, name, phone, role, UserStatus.ACTIVE, now, now)


async def _insert_user(connection: Connection, user: NewUser) -> None:
    """Insert a user.

    Raises:
        ValidationFailed: another user has the e-mail address.
    """
    await connection.insert(statements.INSERT_USER, [user])
    found = await connection.fetch_one(queries.SIGN_IN, email_key=user.email_key)
    if found is None or found.id != user.id:
        raise ValidationFailed.of("email", "TAKEN", "There is a user with this e-mail address already.")


def _collect(checked: str | FieldProblem, problems: list[FieldProblem]) -> str | None:
    """Return the checked value; if the check failed, add the problem to the list and return None."""
    if isinstance(checked, FieldProblem):
        problems.append(checked)
        return None
    return checked


def _digest_of(password_hash: str) -> str:
    """Return a digest of a stored hash, which changes when the password does."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]
