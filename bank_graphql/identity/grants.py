"""Finds the actor of a program's token: a program acts under an access grant, as far as its scopes go."""

import hashlib
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from cachetools import LRUCache
from sqlalchemy import ColumnElement, DateTime, LargeBinary, Uuid, and_, any_, bindparam, delete, func, or_, select, update
from sqlmodel import col

from bank_graphql.identity.enums import UserRole, UserStatus
from bank_graphql.identity.models import AccessGrant, GrantToken, User
from bank_graphql.identity.networks import StaffNetworks
from bank_graphql.identity.permissions import PERMISSIONS, Permission
from bank_graphql.identity.scopes import SERVICES, Scope
from bank_graphql.identity.session_cache import CACHE_SECONDS, SessionCache
from bank_graphql.identity.tokens import Claims, ProgramClaims
from bank_graphql.kit.actor import Actor, Grant, Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Query, Row, any_of, array_of

PREFIX = "bank_"
"""What each token of a program begins with, so that a token in the wrong place is recognised."""
_USED_EVERY = timedelta(minutes=1)
"""How exactly it is noted when a grant was last used."""
_MAX_STATES = 100_000
_ID_BYTES = 16


class _IdRow(Row):
    id: UUID


class _GrantRow(Row):
    token_id: UUID
    id: UUID
    user_id: UUID
    scopes: list[str]
    role: UserRole
    expires_at: datetime
    last_used_at: datetime | None


_now = bindparam("now", type_=DateTime(timezone=True))
_is_active: ColumnElement[bool] = and_(
    col(AccessGrant.revoked_at).is_(None), col(AccessGrant.expires_at) > _now, col(User.status) == UserStatus.ACTIVE
)
_is_valid = or_(col(GrantToken.expires_at).is_(None), col(GrantToken.expires_at) > _now)
_tokens = (
    select(
        col(GrantToken.id).label("token_id"),
        col(AccessGrant.id),
        col(AccessGrant.user_id),
        col(AccessGrant.scopes),
        col(User.role),
        func.least(AccessGrant.expires_at, GrantToken.expires_at).label("expires_at"),
        col(AccessGrant.last_used_at),
    )
    .select_from(GrantToken)
    .join(AccessGrant, col(AccessGrant.id) == GrantToken.grant_id)
    .join(User, col(User.id) == AccessGrant.user_id)
    .where(_is_valid, _is_active)
)
_OF_TOKEN = Query(_tokens.where(col(GrantToken.token_hash) == bindparam("token_hash", type_=LargeBinary())), _GrantRow)
_ACTIVE = Query(_tokens.where(col(GrantToken.id) == any_(array_of("ids", Uuid()))), _GrantRow)
_REVOKE_ALL = Query(
    update(AccessGrant)
    .where(col(AccessGrant.user_id) == bindparam("user", type_=Uuid()), col(AccessGrant.revoked_at).is_(None))
    .values(revoked_at=_now),
    Row,
)
_of_user = select(col(AccessGrant.id)).where(col(AccessGrant.user_id) == bindparam("user", type_=Uuid()))
_DELETE_TOKENS = Query(delete(GrantToken).where(any_of(col(GrantToken.grant_id), _of_user)).returning(col(GrantToken.id)), _IdRow)
_NOTE_USE = Query(
    update(AccessGrant).where(col(AccessGrant.id) == bindparam("grant", type_=Uuid())).values(last_used_at=_now), Row
)


def new_token() -> str:
    """Return a new token of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


class Grants:
    """The access grants of programs, as one process knows them. One that ends elsewhere is refused within two seconds.

    Args:
        db: the database.
        clock: gives the time by which they expire.
        ended: knows what this process has ended.
        networks: from where the programs of staff may act.
    """

    def __init__(self, db: Database, clock: Clock, ended: SessionCache, networks: StaffNetworks) -> None:
        self._db = db
        self._clock = clock
        self._ended = ended
        self._networks = networks
        self._states: LRUCache[bytes, tuple[float, _GrantRow]] = LRUCache(_MAX_STATES)

    async def authenticate(self, token: str, origin: Origin) -> Actor | None:
        """Return the actor of a program's token; None if it is not valid, or its grant has ended.

        Raises:
            Unavailable: it cannot be read.
        """
        state = await self._state(hash_of(token))
        if state is None or state.expires_at <= self._clock() or self._ended.has_ended(state.token_id):
            return None
        return self._actor(state, origin)

    async def of_client(self, claims: Claims, program: ProgramClaims, origin: Origin) -> Actor | None:
        """Return the actor of a registered client's token that is valid; None if the consent has ended.

        Raises:
            Unavailable: it cannot be read.
        """
        state = await self._state(claims.session_id.bytes)
        if state is None or state.user_id != claims.user_id or self._ended.has_ended(state.token_id):
            return None
        actor = self._actor(state, origin, program.scopes)
        return None if actor is None else replace(actor, expires_at=min(claims.expires_at, state.expires_at))

    async def current(self, actor: Actor) -> Actor | None:
        """Return a program as it is now; None if its grant has ended since.

        Raises:
            Unavailable: it cannot be read.
        """
        token_id = actor.session_id
        permissions = None if token_id is None else (await self.active([token_id])).get(token_id)
        return None if permissions is None else replace(actor, permissions=permissions & actor.permissions)

    async def active(self, token_ids: Sequence[UUID]) -> dict[UUID, frozenset[Permission]]:
        """Return those of the tokens that are valid, each with the permissions that its grant passes on."""
        rows = await self._db.fetch(_ACTIVE, ids=list(token_ids), now=self._clock())
        return {row.token_id: _permissions(row, row.scopes) for row in rows if not self._ended.has_ended(row.token_id)}

    async def revoke_all(self, connection: Connection, user_id: UUID) -> set[UUID]:
        """End all grants of a user, and return the ids of their tokens. The caller passes them to `SessionCache.end`."""
        await connection.execute(_REVOKE_ALL, user=user_id, now=self._clock())
        return {row.id for row in await connection.fetch(_DELETE_TOKENS, user=user_id)}

    def forget(self) -> None:
        """Read each grant again when it is used next, because it may have changed."""
        self._states.clear()

    async def _state(self, key: bytes) -> _GrantRow | None:
        """Return a grant by the hash of its token, or by the bytes of the token's id."""
        now = time.monotonic()
        cached = self._states.get(key)
        if cached is not None and now - cached[0] <= CACHE_SECONDS:
            return cached[1]
        if len(key) == _ID_BYTES:
            found = await self._db.fetch_one(_ACTIVE, ids=[UUID(bytes=key)], now=self._clock())
        else:
            found = await self._db.fetch_one(_OF_TOKEN, token_hash=key, now=self._clock())
        if found is not None:
            self._states[key] = (now, found)
            await self._note_use(found)
        return found

    async def _note_use(self, grant: _GrantRow) -> None:
        now = self._clock()
        if grant.last_used_at is None or now - grant.last_used_at > _USED_EVERY:
            await self._db.transact(lambda connection: connection.execute(_NOTE_USE, grant=grant.id, now=now))

    def _actor(self, grant: _GrantRow, origin: Origin, scopes: frozenset[str] | None = None) -> Actor | None:
        """Return the actor of a grant, or None if staff is elsewhere. A token may have fewer scopes than its grant."""
        if not self._networks.admit(grant.role, origin):
            return None
        given = frozenset(grant.scopes)
        allowed = Grant(grant.user_id, given if scopes is None else given & scopes)
        permissions = _permissions(grant, allowed.scopes)
        return Actor(grant.id, grant.token_id, permissions, origin, grant.expires_at, is_verified=False, grant=allowed)


def _permissions(grant: _GrantRow, scopes: Collection[str]) -> frozenset[Permission]:
    """Return the permissions that scopes of a grant pass on: those that the user's role has, too."""
    passed_on = {SERVICES[scope] for scope in map(Scope, scopes) if scope in SERVICES}
    return PERMISSIONS[grant.role] & passed_on
