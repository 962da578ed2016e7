"""Signing up, in and out. The only writer of the identity tables."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cachetools import LRUCache
from sqlalchemy import Boolean, DateTime, LargeBinary, Text, Uuid, bindparam, case, func, true, update
from sqlmodel import col

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries
from bank_graphql.identity.enums import UserRole, UserStatus
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.models import RefreshToken, Session, User
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.identity.queries import SessionRow, StandingRow
from bank_graphql.identity.refresh_tokens import REPLAY_FOR, Tokens, hash_of, new_refresh_token, seal, unseal
from bank_graphql.identity.rules import (
    EMAIL_MAX,
    NAME_MAX,
    check_email,
    check_full_name,
    check_phone_number,
    email_key,
)
from bank_graphql.identity.tokens import AccessTokens
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import FieldProblem, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, new_id
from bank_graphql.kit.slowdown import Slowdown
from bank_graphql.kit.statements import Insert, Query, Row
from bank_graphql.kit.text import normalise

_MOST_ENDED = 100_000
SESSION_CACHE_SECONDS = 2.0
"""How long a process may go on believing that a session stands; what ends a session here is known here at once."""

# A conflict is no error here, for the database would log the address that is taken.
_INSERT_USER = Insert(
    User,
    *("id", "email", "email_key", "password_hash", "full_name", "phone_number", "role", "status", "created_at", "updated_at"),
    skip_existing=True,
)
_INSERT_SESSION = Insert(Session, "id", "user_id", "user_agent", "ip_address", "created_at", "last_used_at", "expires_at")
_INSERT_TOKEN = Insert(RefreshToken, "token_hash", "session_id", "created_at")
_USE_TOKEN = Query(
    update(RefreshToken)
    .where(col(RefreshToken.token_hash) == bindparam("hash", type_=LargeBinary()))
    .values(used_at=bindparam("now"), reply=bindparam("reply")),
    Row,
)
_FORGET_REPLIES = Query(
    update(RefreshToken)
    .where(
        col(RefreshToken.session_id) == bindparam("session", type_=Uuid()),
        col(RefreshToken.reply).is_not(None),
        col(RefreshToken.used_at) < bindparam("before", type_=DateTime(timezone=True)),
    )
    .values(reply=None),
    Row,
)
_TOUCH_SESSION = Query(
    update(Session)
    .where(col(Session.id) == bindparam("session", type_=Uuid()))
    .values(last_used_at=bindparam("now"), expires_at=bindparam("expires")),
    Row,
)
_END_SESSIONS = Query(
    update(Session)
    .where(
        col(Session.user_id) == bindparam("user", type_=Uuid()),
        (col(Session.id) == bindparam("session", type_=Uuid())) | bindparam("session", type_=Uuid()).is_(None),
        col(Session.ended_at).is_(None),
    )
    .values(ended_at=bindparam("now"))
    .returning(col(Session.id)),
    Row,
)
_REHASH = Query(update(User).where(col(User.id) == bindparam("user", type_=Uuid())).values(password_hash=bindparam("hash")), Row)
_UPDATE_PROFILE = Query(
    update(User)
    .where(col(User.id) == bindparam("user", type_=Uuid()))
    .values(
        full_name=func.coalesce(bindparam("name", type_=Text()), User.full_name),
        phone_number=case(
            (bindparam("keeps_phone", type_=Boolean()) == true(), col(User.phone_number)),
            else_=bindparam("phone", type_=Text()),
        ),
        updated_at=bindparam("now"),
    ),
    Row,
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a client gets when it signs in or refreshes."""

    actor: Actor
    tokens: Tokens


class Identity:
    """The identity service of one process: the hasher, the token keys, and the sessions seen a moment ago."""

    def __init__(
        self,
        db: Database,
        hasher: PasswordHasher,
        tokens: AccessTokens,
        *,
        clock: Clock,
        session_lifetime: timedelta,
        allow_test_domains: bool,
    ) -> None:
        self._db = db
        self._hasher = hasher
        self.tokens = tokens
        self._clock = clock
        self._session_lifetime = session_lifetime
        self._allow_test_domains = allow_test_domains
        self._seen: dict[UUID, tuple[float, StandingRow | None]] = {}
        self._ended: LRUCache[UUID, bool] = LRUCache(_MOST_ENDED)
        self._watchers: list[Callable[[Collection[UUID]], None]] = []
        self._slowdown = Slowdown()

    def when_sessions_end(self, call: Callable[[Collection[UUID]], None]) -> None:
        """Pass on sessions that end in this process at once, before whoever ended them has an answer."""
        self._watchers.append(call)

    def has_ended(self, session_id: UUID | None) -> bool:
        """Return whether the session was ended in this process."""
        return session_id in self._ended

    def email_key(self, email: str) -> str:
        """Return what an address is known by, however it is written; of what is no address, the text itself."""
        address = check_email(email, allow_test_domains=self._allow_test_domains)
        return email_key(normalise(email[:EMAIL_MAX]) if isinstance(address, FieldProblem) else address)

    async def authenticate(self, token: str, origin: Origin) -> Actor | None:
        """Whose access token this is, or None when it is not valid or its session has ended."""
        claims = self.tokens.verify(token, self._clock())
        if claims is None or self.has_ended(claims.session_id):
            return None
        now = time.monotonic()
        known = self._seen.get(claims.session_id)
        if known is None or now - known[0] > SESSION_CACHE_SECONDS:
            if len(self._seen) > 100_000:
                self._seen.clear()
            known = (now, await queries.standing(self._db, claims.session_id, self._clock()))
            self._seen[claims.session_id] = known
        session = known[1]
        if session is None or not session.live or session.user_id != claims.user_id:
            return None
        return Actor(session.user_id, claims.session_id, PERMISSIONS[session.role], origin, claims.expires_at)

    async def standing_of(self, sessions: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
        """Which of the sessions still stand, and what each may do."""
        roles = await queries.standing_of(self._db, sessions, self._clock())
        return {session: PERMISSIONS[role] for session, role in roles.items()}

    async def sessions(self, actor: Actor) -> list[SessionRow]:
        """The actor's own sessions that still stand, newest first."""
        return await queries.sessions(self._db, actor, self._clock())

    async def create_user(
        self, *, email: str, password: str, full_name: str, phone_number: str | None = None, role: UserRole
    ) -> UUID:
        """A new user of any role, without a session.

        Raises:
            ValidationFailed: with a problem for each field; `TAKEN` if the address has an account.
        """
        user = await self._new_user(email, password, full_name, phone_number, role)

        async def work(connection: Connection) -> None:
            await _insert_user(connection, user)
            await audit.write(connection, [audit.Record(self._clock(), None, "createUser", user[0])])

        await self._db.transact(work)
        return user[0]

    async def sign_up(self, *, email: str, password: str, full_name: str, phone_number: str | None, origin: Origin) -> SignedIn:
        """A new customer, signed in.

        Raises:
            ValidationFailed: as `create_user`.
        """
        user = await self._new_user(email, password, full_name, phone_number, UserRole.CUSTOMER)

        async def work(connection: Connection) -> SignedIn:
            await _insert_user(connection, user)
            signed_in = await self._open_session(connection, user[0], origin)
            await self._record(connection, signed_in.actor, "signUp", user[0])
            return signed_in

        signed_in = await self._db.transact(work)
        self._slowdown.succeeded(user[2], origin.network)
        return signed_in

    async def log_in(self, *, email: str, password: str, origin: Origin) -> SignedIn:
        """A new session.

        Raises:
            CredentialsRefused: no such user, wrong password, or a user who may not sign in; all take equally long.
            RateLimited: too many attempts on this address wait for their turn.
        """
        key = self.email_key(email)
        await self._slowdown.turn(key, origin.network)
        user = await self._db.fetch_one(queries.SIGN_IN, email_key=key)
        fits = await self._hasher.verify(password, user.password_hash if user else None)
        if user is None or not fits or user.status != UserStatus.ACTIVE:
            await self._refuse("logIn", user.id if user else None, origin)
            raise CredentialsRefused
        self._slowdown.succeeded(key, origin.network)
        stronger = await self._hasher.hash(password) if self._hasher.is_outdated(user.password_hash) else None
        user_id = user.id

        async def work(connection: Connection) -> SignedIn:
            if stronger is not None:
                await connection.execute(_REHASH, user=user_id, hash=stronger)
            signed_in = await self._open_session(connection, user_id, origin)
            await self._record(connection, signed_in.actor, "logIn", user_id)
            return signed_in

        return await self._db.transact(work)

    async def is_password_of(self, actor: Actor, password: str) -> bool:
        """Return whether this is the actor's password: asked once more before something that a stolen token must not do.

        Raises:
            RateLimited: too many attempts on this user wait for their turn.
        """
        [user] = await self._db.fetch(queries.PASSWORD, user=actor.user_id)
        await self._slowdown.turn(user.email_key, actor.origin.network)
        fits = await self._hasher.verify(password, user.password_hash)
        if fits:
            self._slowdown.succeeded(user.email_key, actor.origin.network)
        return fits

    async def refresh(self, refresh_token: str, origin: Origin) -> SignedIn:
        """Return new tokens for the session of a refresh token, which is used up by this.

        The same token again from the same client within `REPLAY_FOR` gets the same answer, for the first may have been lost.

        Raises:
            CredentialsRefused: unknown or expired; and when it was used before, which ends the whole session.
        """
        token_hash = hash_of(refresh_token)

        async def work(connection: Connection) -> SignedIn | UUID | None:
            found = await connection.fetch_one(queries.REFRESH_TOKEN, token_hash=token_hash, now=self._clock())
            if found is None or not found.live:
                return None
            now = self._clock()
            if found.used_at is not None:
                reply = found.reply if now - found.used_at <= REPLAY_FOR else None
                if reply is not None and (answered := unseal(reply, refresh_token, origin)) is not None:
                    return await self._signed_in(connection, found.user_id, found.session_id, answered, origin)
                await connection.execute(_END_SESSIONS, user=found.user_id, session=found.session_id, now=now)
                return found.session_id
            tokens = await self._issue(connection, found.user_id, found.session_id, now)
            await connection.execute(_USE_TOKEN, hash=token_hash, now=now, reply=seal(tokens, refresh_token, origin))
            await connection.execute(_FORGET_REPLIES, session=found.session_id, before=now - REPLAY_FOR)
            await connection.execute(_TOUCH_SESSION, session=found.session_id, now=now, expires=now + self._session_lifetime)
            return await self._signed_in(connection, found.user_id, found.session_id, tokens, origin)

        outcome = await self._db.transact(work)
        if isinstance(outcome, SignedIn):
            return outcome
        if outcome is not None:
            self._end([outcome])
        await self._refuse("refreshSession", outcome, origin)
        raise CredentialsRefused

    async def log_out(self, actor: Actor, *, session_id: UUID | None = None, everywhere: bool = False) -> set[UUID]:
        """End this session, another one of the user's, or all of them; no request with their tokens is served any more.

        Returns:
            The sessions that ended.

        Raises:
            NotFound: the user has no such session.
        """
        target = None if everywhere else session_id or actor.session_id
        missing = NotFound("session", global_id("Session", target) if target else None)

        async def work(connection: Connection) -> set[UUID]:
            rows = await connection.fetch(_END_SESSIONS, user=actor.user_id, session=target, now=self._clock())
            refusal = None if rows or everywhere else missing
            await audit.write(connection, [audit.Record.by(actor, self._clock(), "logOut", target or actor.user_id, refusal)])
            return {row.id for row in rows}

        ended = await self._db.transact(work)
        self._end(ended)
        if not ended and not everywhere:
            raise missing
        return ended

    def _end(self, sessions: Collection[UUID]) -> None:
        """Let nothing more happen in sessions that have ended."""
        for each in sessions:
            self._ended[each] = True
            self._seen.pop(each, None)
        for call in self._watchers:
            call(sessions)

    async def update_profile(self, actor: Actor, *, full_name: str | None, phone_number: str | None) -> None:
        """Change one's name or phone number; None leaves it, an empty phone number removes it.

        Raises:
            ValidationFailed: with a problem for each field.
        """
        problems: list[FieldProblem] = []
        name = _collect(check_full_name(full_name), problems) if full_name is not None else None
        phone = _collect(check_phone_number(phone_number), problems) if phone_number else None
        if problems:
            raise ValidationFailed(problems)

        async def work(connection: Connection) -> None:
            await connection.execute(
                _UPDATE_PROFILE,
                user=actor.user_id,
                name=name,
                phone=phone,
                keeps_phone=phone_number is None,
                now=self._clock(),
            )
            await self._record(connection, actor, "updateProfile", actor.user_id)

        await self._db.transact(work)

    async def _new_user(
        self, email: str, password: str, full_name: str, phone_number: str | None, role: UserRole
    ) -> tuple[UUID, str, str, str, str, str | None, str, str, datetime, datetime]:
        problems: list[FieldProblem] = []
        address = _collect(check_email(email, allow_test_domains=self._allow_test_domains), problems)
        name = _collect(check_full_name(full_name), problems)
        phone = _collect(check_phone_number(phone_number), problems) if phone_number else None
        weakness = await self._hasher.weakness(password, (email[:EMAIL_MAX], full_name[:NAME_MAX]))
        if weakness is not None:
            problems.append(weakness)
        if problems or address is None or name is None:
            raise ValidationFailed(problems)
        hashed = await self._hasher.hash(password)
        now = self._clock()
        return (new_id(), address, email_key(address), hashed, name, phone, role, UserStatus.ACTIVE, now, now)

    async def _open_session(self, connection: Connection, user_id: UUID, origin: Origin) -> SignedIn:
        session_id, now = new_id(), self._clock()
        agent = origin.user_agent[:500] if origin.user_agent else None
        row = (session_id, user_id, agent, origin.ip_address, now, now, now + self._session_lifetime)
        await connection.insert(_INSERT_SESSION, [row])
        tokens = await self._issue(connection, user_id, session_id, now)
        return await self._signed_in(connection, user_id, session_id, tokens, origin)

    async def _issue(self, connection: Connection, user_id: UUID, session_id: UUID, now: datetime) -> Tokens:
        refresh_token = new_refresh_token()
        await connection.insert(_INSERT_TOKEN, [(hash_of(refresh_token), session_id, now)])
        access_token, expires_at = self.tokens.issue(user_id, session_id, now)
        return Tokens(access_token, refresh_token, expires_at)

    async def _signed_in(
        self, connection: Connection, user_id: UUID, session_id: UUID, tokens: Tokens, origin: Origin
    ) -> SignedIn:
        user = (await connection.fetch(queries.OWN_PROFILE, user=user_id))[0]
        return SignedIn(Actor(user_id, session_id, PERMISSIONS[user.role], origin), tokens)

    async def _record(self, connection: Connection, actor: Actor, action: str, subject: UUID | None) -> None:
        await audit.write(connection, [audit.Record.by(actor, self._clock(), action, subject)])

    async def _refuse(self, action: str, subject: UUID | None, origin: Origin) -> None:
        record = audit.Record(self._clock(), None, action, subject, CredentialsRefused.code, origin.ip_address, origin.request_id)
        await self._db.transact(lambda connection: audit.write(connection, [record]))


async def _insert_user(connection: Connection, user: tuple[object, ...]) -> None:
    await connection.insert(_INSERT_USER, [user])
    user_id, _, key, *_ = user
    found = await connection.fetch_one(queries.SIGN_IN, email_key=key)
    if found is None or found.id != user_id:
        raise ValidationFailed.of("email", "TAKEN", "There is an account with this e-mail address already.")


def _collect(checked: str | FieldProblem, problems: list[FieldProblem]) -> str | None:
    if isinstance(checked, FieldProblem):
        problems.append(checked)
        return None
    return checked
