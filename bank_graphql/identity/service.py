"""Sign users up, in and out, and keep their sessions. The only writer of the identity tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries, statements
from bank_graphql.identity.enums import IdentityAction, UserRole, UserStatus
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.metrics import IdentityMetrics
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.identity.permissions import PERMISSIONS, Permission
from bank_graphql.identity.queries import SessionRow
from bank_graphql.identity.refresh_tokens import REPLAY_FOR, Tokens, hash_of, new_refresh_token, seal, unseal
from bank_graphql.identity.rules import (
    EMAIL_MAX,
    NAME_MAX,
    check_email,
    check_full_name,
    check_phone_number,
    email_key,
)
from bank_graphql.identity.session_cache import SessionCache
from bank_graphql.identity.statements import NewUser
from bank_graphql.identity.tokens import AccessTokens
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import FieldProblem, NotFound, Refusal, ValidationFailed
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.text import normalise
from bank_graphql.kit.throttle import AttemptThrottle

_MAX_USER_AGENT = 500
"""The maximum number of characters of a user agent that are stored."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The answer to a sign-in or a refresh: the actor that the client is from now on, and its tokens."""

    actor: Actor
    tokens: Tokens


class Identity:
    """The identity service of one process.

    Args:
        db: the database.
        hasher: hashes and verifies passwords.
        tokens: issues and verifies access tokens.
        clock: gives the time.
        session_lifetime: how long a session lasts after its tokens were last refreshed.
        allow_test_domains: whether e-mail addresses may be under `.test`.
        metrics: counts sign-ins.
    """

    def __init__(
        self,
        db: Database,
        hasher: PasswordHasher,
        tokens: AccessTokens,
        *,
        clock: Clock,
        session_lifetime: timedelta,
        allow_test_domains: bool,
        metrics: IdentityMetrics,
    ) -> None:
        self._db = db
        self._metrics = metrics
        self._hasher = hasher
        self.tokens = tokens
        self._clock = clock
        self._session_lifetime = session_lifetime
        self._allow_test_domains = allow_test_domains
        self.session_cache = SessionCache(db, clock)
        self._throttle = AttemptThrottle()

    def email_key(self, email: str) -> str:
        """Return the key of an e-mail address, the same for all its spellings; of any other text, its normalised form."""
        address = check_email(email, allow_test_domains=self._allow_test_domains)
        return email_key(normalise(email[:EMAIL_MAX]) if isinstance(address, FieldProblem) else address)

    async def authenticate(self, token: str, origin: Origin) -> Actor | None:
        """Return the actor of an access token; None if the token is not valid or its session is not active.

        Raises:
            Unavailable: the session's state cannot be read.
        """
        claims = self.tokens.verify(token, self._clock())
        if claims is None:
            return None
        state = await self.session_cache.state(claims.session_id)
        if state is None or not state.active or state.user_id != claims.user_id:
            return None
        return Actor(state.user_id, claims.session_id, PERMISSIONS[state.role], origin, claims.expires_at)

    async def active_sessions(self, session_ids: Sequence[UUID]) -> dict[UUID, frozenset[Permission]]:
        """Return those of the sessions that are active, each with its user's permissions."""
        roles = await queries.active_roles(self._db, session_ids, self._clock())
        return {session_id: PERMISSIONS[role] for session_id, role in roles.items()}

    async def sessions(self, actor: Actor) -> list[SessionRow]:
        """Return the actor's own active sessions, newest first, at most `queries.MAX_SESSIONS_LISTED`."""
        return await queries.sessions(self._db, actor, self._clock())

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
            signed_in = await self._open_session(connection, user.id, origin)
            await self._record(connection, signed_in.actor, IdentityAction.SIGN_UP, user.id)
            return signed_in

        signed_in = await self._db.transact(work)
        self._metrics.done(IdentityAction.SIGN_UP)
        self._throttle.record_success(user.email_key, origin.network)
        return signed_in

    async def log_in(self, *, email: str, password: str, origin: Origin) -> SignedIn:
        """Open a session for the user with this e-mail address and password.

        Raises:
            CredentialsRefused: there is no such user, the password is wrong, or the user is not active. All take equally long.
            RateLimited: too many attempts on this e-mail address are queued.
        """
        key = self.email_key(email)
        await self._throttle.wait_turn(key, origin.network)
        user = await self._db.fetch_one(queries.SIGN_IN, email_key=key)
        matches = await self._hasher.verify(password, user.password_hash if user else None)
        if user is None or not matches or user.status != UserStatus.ACTIVE:
            await self._record_refused_credentials(IdentityAction.LOG_IN, user.id if user else None, origin)
            raise CredentialsRefused
        self._throttle.record_success(key, origin.network)
        new_hash = await self._hasher.hash(password) if self._hasher.is_outdated(user.password_hash) else None
        user_id = user.id

        async def work(connection: Connection) -> SignedIn:
            if new_hash is not None:
                await connection.execute(statements.SET_PASSWORD_HASH, user=user_id, hash=new_hash)
            signed_in = await self._open_session(connection, user_id, origin)
            await self._record(connection, signed_in.actor, IdentityAction.LOG_IN, user_id)
            return signed_in

        signed_in = await self._db.transact(work)
        self._metrics.done(IdentityAction.LOG_IN)
        return signed_in

    async def verify_password(self, actor: Actor, password: str) -> bool:
        """Return whether this is the actor's password. It is checked before what a stolen token must not allow.

        Raises:
            RateLimited: too many attempts on this user are queued.
        """
        [user] = await self._db.fetch(queries.PASSWORD, user=actor.user_id)
        await self._throttle.wait_turn(user.email_key, actor.origin.network)
        matches = await self._hasher.verify(password, user.password_hash)
        if matches:
            self._throttle.record_success(user.email_key, actor.origin.network)
        return matches

    async def refresh(self, refresh_token: str, origin: Origin) -> SignedIn:
        """Use up a refresh token, and return new tokens for its session.

        Within `REPLAY_FOR` the same client gets the same answer for the same token again, because the first may have been lost.

        Raises:
            CredentialsRefused: the token is unknown, its session is not active, or it was used before; the last ends the session.
        """
        token_hash = hash_of(refresh_token)

        async def work(connection: Connection) -> SignedIn | UUID | None:
            found = await connection.fetch_one(queries.REFRESH_TOKEN, token_hash=token_hash, now=self._clock())
            if found is None or not found.active:
                return None
            now = self._clock()
            if found.used_at is not None:
                reply = found.reply if now - found.used_at <= REPLAY_FOR else None
                if reply is not None and (tokens := unseal(reply, refresh_token, origin)) is not None:
                    return await self._signed_in(connection, found.user_id, found.session_id, tokens, origin)
                await connection.execute(statements.END_SESSIONS, user=found.user_id, session=found.session_id, now=now)
                return found.session_id
            tokens = await self._issue(connection, found.user_id, found.session_id, now)
            reply, expires = seal(tokens, refresh_token, origin), now + self._session_lifetime
            await connection.execute(statements.USE_TOKEN, hash=token_hash, now=now, reply=reply)
            await connection.execute(statements.DELETE_OLD_REPLIES, session=found.session_id, before=now - REPLAY_FOR)
            await connection.execute(statements.EXTEND_SESSION, session=found.session_id, now=now, expires=expires)
            return await self._signed_in(connection, found.user_id, found.session_id, tokens, origin)

        outcome = await self._db.transact(work)
        if isinstance(outcome, SignedIn):
            self._metrics.done(IdentityAction.REFRESH_SESSION)
            return outcome
        if outcome is not None:
            self.session_cache.end([outcome])
        await self._record_refused_credentials(IdentityAction.REFRESH_SESSION, outcome, origin)
        raise CredentialsRefused

    async def log_out(self, actor: Actor, *, session_id: UUID | None = None, everywhere: bool = False) -> set[UUID]:
        """End sessions of the actor. Their tokens are refused at once in this process, and within 2 seconds in others.

        Args:
            actor: the user.
            session_id: the session to end; None for the actor's own.
            everywhere: whether to end all sessions of the user instead.

        Returns:
            The ids of the sessions that ended.

        Raises:
            NotFound: the user has no such session, or it has ended already.
        """
        target = None if everywhere else session_id or actor.session_id
        missing = NotFound("session", global_id("Session", target) if target else None)

        async def work(connection: Connection) -> set[UUID]:
            rows = await connection.fetch(statements.END_SESSIONS, user=actor.user_id, session=target, now=self._clock())
            refusal = None if rows or everywhere else missing
            await self._record(connection, actor, IdentityAction.LOG_OUT, target or actor.user_id, refusal)
            return {row.id for row in rows}

        ended = await self._db.transact(work)
        self.session_cache.end(ended)
        if not ended and not everywhere:
            raise missing
        return ended

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
            await self._record(connection, actor, IdentityAction.UPDATE_PROFILE, actor.user_id)

        await self._db.transact(work)

    async def _new_user(self, email: str, password: str, full_name: str, phone_number: str | None, role: UserRole) -> NewUser:
        problems: list[FieldProblem] = []
        address = _collect(check_email(email, allow_test_domains=self._allow_test_domains), problems)
        name = _collect(check_full_name(full_name), problems)
        phone = _collect(check_phone_number(phone_number), problems) if phone_number else None
        problem = await self._hasher.check(password, (email[:EMAIL_MAX], full_name[:NAME_MAX]))
        if problem is not None:
            problems.append(problem)
        if problems or address is None or name is None:
            raise ValidationFailed(problems)
        hashed = await self._hasher.hash(password)
        now = self._clock()
        return NewUser(new_id(), address, email_key(address), hashed, name, phone, role, UserStatus.ACTIVE, now, now)

    async def _open_session(self, connection: Connection, user_id: UUID, origin: Origin) -> SignedIn:
        session_id, now = new_id(), self._clock()
        agent = origin.user_agent[:_MAX_USER_AGENT] if origin.user_agent else None
        row = (session_id, user_id, agent, origin.ip_address, now, now, now + self._session_lifetime)
        await connection.insert(statements.INSERT_SESSION, [row])
        tokens = await self._issue(connection, user_id, session_id, now)
        return await self._signed_in(connection, user_id, session_id, tokens, origin)

    async def _issue(self, connection: Connection, user_id: UUID, session_id: UUID, now: datetime) -> Tokens:
        refresh_token = new_refresh_token()
        await connection.insert(statements.INSERT_TOKEN, [(hash_of(refresh_token), session_id, now)])
        access_token, expires_at = self.tokens.issue(user_id, session_id, now)
        return Tokens(access_token, refresh_token, expires_at)

    async def _signed_in(
        self, connection: Connection, user_id: UUID, session_id: UUID, tokens: Tokens, origin: Origin
    ) -> SignedIn:
        user = (await connection.fetch(queries.OWN_PROFILE, user=user_id))[0]
        return SignedIn(Actor(user_id, session_id, PERMISSIONS[user.role], origin), tokens)

    async def _record(
        self, connection: Connection, actor: Actor, action: IdentityAction, subject_id: UUID, refusal: Refusal | None = None
    ) -> None:
        await audit.write(connection, [audit.Record.of(actor, action, subject_id, refusal)])

    async def _record_refused_credentials(self, action: IdentityAction, subject_id: UUID | None, origin: Origin) -> None:
        self._metrics.refused(action)
        record = audit.Record(None, action, subject_id, CredentialsRefused.code, origin.ip_address, origin.request_id)
        await self._db.transact(lambda connection: audit.write(connection, [record]))


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
