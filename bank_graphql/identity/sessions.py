"""Open, refresh and end the sessions of users, and find the actor of an access token."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from bank_graphql.audit import service as audit
from bank_graphql.identity import queries, statements
from bank_graphql.identity.enums import IdentityAction
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.grants import PREFIX, Grants
from bank_graphql.identity.metrics import IdentityMetrics
from bank_graphql.identity.networks import StaffNetworks
from bank_graphql.identity.permissions import PERMISSIONS, Permission
from bank_graphql.identity.queries import SessionRow
from bank_graphql.identity.refresh_tokens import REPLAY_FOR, Tokens, hash_of, new_refresh_token, seal, unseal
from bank_graphql.identity.session_cache import SessionCache
from bank_graphql.identity.tokens import AccessTokens
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import NotFound, Unauthenticated
from bank_graphql.kit.ids import global_id, new_id

_MAX_USER_AGENT = 500
"""The maximum number of characters of a user agent that are stored."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The answer to a sign-in or a refresh: the actor that the client is from now on, and its tokens."""

    actor: Actor
    tokens: Tokens


class Sessions:
    """The sessions of all users, as one process knows them.

    Args:
        db: the database.
        tokens: issues and verifies access tokens.
        clock: gives the time.
        lifetime: how long a session lasts after its tokens were last refreshed.
        metrics: counts refreshed sessions.
        networks: from which staff may act.
        verified_for: for how long a user who has proved who they are counts as verified.
    """

    def __init__(
        self,
        db: Database,
        tokens: AccessTokens,
        *,
        clock: Clock,
        lifetime: timedelta,
        metrics: IdentityMetrics,
        networks: StaffNetworks,
        verified_for: timedelta,
    ) -> None:
        self._db = db
        self._metrics = metrics
        self.tokens = tokens
        self._clock = clock
        self._lifetime = lifetime
        self.networks = networks
        self._verified_for = verified_for
        self.cache = SessionCache(db, clock)
        self.grants = Grants(db, clock, self.cache, networks)
        self.cache.on_ended(lambda _: self.grants.forget())

    async def authenticate(self, token: str, origin: Origin, key_thumbprint: str | None = None) -> Actor | None:
        """Return the actor of an access token; None if the token is not valid, its session not active, or staff is elsewhere.

        The token of a program is one of an access grant.

        Args:
            token: the access token.
            origin: where the request came from.
            key_thumbprint: the key that the request proves to hold; None if it proves none. A bound token needs its key.

        Raises:
            Unavailable: the session's state cannot be read.
        """
        if token.startswith(PREFIX):
            return await self.grants.authenticate(token, origin)
        now = self._clock()
        claims = self.tokens.verify(token, now)
        if claims is None:
            return None
        if claims.program is not None:
            is_bound_elsewhere = claims.program.key_thumbprint != key_thumbprint
            return None if is_bound_elsewhere else await self.grants.of_client(claims, claims.program, origin)
        state = await self.cache.state(claims.session_id)
        if state is None or not state.active or state.user_id != claims.user_id:
            return None
        if not self.networks.admit(state.role, origin):
            return None
        is_verified = now - state.verified_at <= self._verified_for
        return Actor(state.user_id, claims.session_id, PERMISSIONS[state.role], origin, claims.expires_at, is_verified)

    async def resume(self, session_id: UUID, origin: Origin) -> Actor | None:
        """Return the actor of a session that the bank has noted itself; None if it is not active, or staff is elsewhere.

        Raises:
            Unavailable: the session's state cannot be read.
        """
        state = await self.cache.state(session_id)
        if state is None or not state.active or not self.networks.admit(state.role, origin):
            return None
        is_verified = self._clock() - state.verified_at <= self._verified_for
        return Actor(state.user_id, session_id, PERMISSIONS[state.role], origin, None, is_verified)

    async def current(self, actor: Actor) -> Actor | None:
        """Return an actor as it is now; None if its session has ended since. A document may take long.

        Raises:
            Unavailable: the session's state cannot be read.
        """
        if actor.session_id is None:
            return actor
        if actor.grant is not None:
            return await self.grants.current(actor)
        state = await self.cache.state(actor.session_id)
        if state is None or not state.active or not self.networks.admit(state.role, actor.origin):
            return None
        is_verified = self._clock() - state.verified_at <= self._verified_for
        if actor.permissions == PERMISSIONS[state.role] and actor.is_verified == is_verified:
            return actor
        return replace(actor, permissions=PERMISSIONS[state.role], is_verified=is_verified)

    async def require_active(self, connection: Connection, actor: Actor) -> None:
        """Require that the actor's session is active, and lock the actor's row: nobody signs in, suspends or closes it meanwhile.

        Raises:
            Unauthenticated: it is not, any more.
        """
        await connection.fetch(queries.LOCKED_USER, user=actor.user_id)
        # In a statement of its own: what the lock was waited for may have ended the session.
        if not await connection.fetch(queries.ACTIVE_SESSION, session=actor.session_id, now=self._clock()):
            raise Unauthenticated

    async def active(self, session_ids: Sequence[UUID]) -> dict[UUID, frozenset[Permission]]:
        """Return those of the sessions that are active, each with its user's permissions. Access grants may be among them."""
        roles = await queries.active_roles(self._db, session_ids, self._clock())
        found = {session_id: PERMISSIONS[role] for session_id, role in roles.items()}
        others = [each for each in session_ids if each not in found]
        return found | (await self.grants.active(others) if others else {})

    async def of(self, actor: Actor) -> list[SessionRow]:
        """Return the actor's own active sessions, newest first, at most `queries.MAX_SESSIONS_LISTED`."""
        return await queries.sessions(self._db, actor, self._clock())

    async def refresh(self, refresh_token: str, origin: Origin) -> SignedIn:
        """Use up a refresh token, and return new tokens for its session.

        Within `REPLAY_FOR` the same client gets the same answer for the same token again, because the first may have been lost.

        Raises:
            CredentialsRefused: the token is unknown, its session is not active, staff is outside its networks, or the token was
                used before; the last ends the session.
        """
        token_hash = hash_of(refresh_token)

        async def work(connection: Connection) -> SignedIn | UUID | None:
            found = await connection.fetch_one(queries.REFRESH_TOKEN, token_hash=token_hash, now=self._clock())
            if found is None or not found.active or not self.networks.admit(found.role, origin):
                return None
            now = self._clock()
            if found.used_at is not None:
                reply = found.reply if now - found.used_at <= REPLAY_FOR else None
                if reply is not None and (tokens := unseal(reply, refresh_token, origin)) is not None:
                    return await self._signed_in(connection, found.user_id, found.session_id, tokens, origin)
                await connection.execute(statements.END_SESSIONS, user=found.user_id, session=found.session_id, now=now)
                return found.session_id
            tokens = await self._issue(connection, found.user_id, found.session_id, now)
            reply, expires = seal(tokens, refresh_token, origin), now + self._lifetime
            await connection.execute(statements.USE_TOKEN, hash=token_hash, now=now, reply=reply)
            await connection.execute(statements.DELETE_OLD_REPLIES, session=found.session_id, before=now - REPLAY_FOR)
            await connection.execute(statements.EXTEND_SESSION, session=found.session_id, now=now, expires=expires)
            return await self._signed_in(connection, found.user_id, found.session_id, tokens, origin)

        outcome = await self._db.transact(work)
        if isinstance(outcome, SignedIn):
            self._metrics.done(IdentityAction.REFRESH_SESSION)
            return outcome
        if outcome is not None:
            self.cache.end([outcome])
        raise await refused_credentials(self._db, self._metrics, IdentityAction.REFRESH_SESSION, outcome, origin)

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
            subject = target or actor.user_id
            await audit.write(connection, [audit.Record.of(actor, IdentityAction.LOG_OUT, subject, refusal)])
            return {row.id for row in rows}

        ended = await self._db.transact(work)
        self.cache.end(ended)
        if not ended and not everywhere:
            raise missing
        return ended

    async def end_own(self, connection: Connection, actor: Actor) -> set[UUID]:
        """End the actor's own session, and return its id. The caller passes it to `cache.end`."""
        rows = await connection.fetch(statements.END_SESSIONS, user=actor.user_id, session=actor.session_id, now=self._clock())
        return {row.id for row in rows}

    async def end_others(self, connection: Connection, actor: Actor) -> set[UUID]:
        """End all sessions of the actor but the present one, and return their ids. The caller passes them to `cache.end`."""
        others = await connection.fetch(
            statements.END_OTHER_SESSIONS, user=actor.user_id, session=actor.session_id, now=self._clock()
        )
        return {row.id for row in others}

    async def end_all(self, connection: Connection, user_id: UUID) -> set[UUID]:
        """End all sessions of a user, and return their ids. The caller passes them to `cache.end`."""
        rows = await connection.fetch(statements.END_SESSIONS, user=user_id, session=None, now=self._clock())
        return {row.id for row in rows}

    async def open(self, connection: Connection, user_id: UUID, origin: Origin) -> SignedIn:
        """Open a session for a user."""
        session_id, now = new_id(), self._clock()
        agent = origin.user_agent[:_MAX_USER_AGENT] if origin.user_agent else None
        row = (session_id, user_id, agent, origin.ip_address, now, now, now + self._lifetime)
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


async def refused_credentials(
    db: Database, metrics: IdentityMetrics, action: IdentityAction, subject_id: UUID | None, origin: Origin
) -> CredentialsRefused:
    """Count, log and record that credentials of somebody who is not signed in were refused, and return the refusal."""
    metrics.refused(action)
    _log.warning("credentials were refused", action=action.value, address=origin.network)
    record = audit.Record(None, action, subject_id, CredentialsRefused.code, origin.ip_address, origin.request_id)
    await db.transact(lambda connection: audit.write(connection, [record]))
    return CredentialsRefused()
