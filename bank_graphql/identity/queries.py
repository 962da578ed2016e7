"""Reads of users and sessions, batched and scoped to the actor."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, DateTime, Text, Uuid, and_, any_, bindparam, column, func, or_, select
from sqlalchemy.types import TypeEngine
from sqlmodel import col

from bank_graphql.identity.enums import UserRole, UserStatus
from bank_graphql.identity.models import RefreshToken, Session, User
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.loading import Requested
from bank_graphql.kit.statements import Query, Row, array_of

R = TypeVar("R", bound=Row)
SESSIONS_MAX = 100
"""Sessions that are listed; older ones can still be ended all together."""


class UserRow(Row):
    """A user as others and the user may see it."""

    id: UUID
    email: str
    full_name: str
    phone_number: str | None
    role: UserRole
    status: UserStatus
    created_at: datetime
    updated_at: datetime


class SignInRow(Row):
    """What log-in needs to know about a user."""

    id: UUID
    email_key: str
    password_hash: str
    status: UserStatus


class StandingRow(Row):
    """A session as far as requests depend on it."""

    user_id: UUID
    role: UserRole
    live: bool


class _RoleRow(Row):
    id: UUID
    role: UserRole


class SessionRow(Row):
    """A session as its user sees it."""

    id: UUID
    user_agent: str | None
    ip_address: str | None
    created_at: datetime
    last_used_at: datetime


class RefreshRow(Row):
    """A refresh token, with what its use depends on."""

    session_id: UUID
    user_id: UUID
    used_at: datetime | None
    reply: bytes | None
    live: bool


viewer: ColumnElement[UUID] = column("viewer", Uuid())
"""Who asks, in statements on what is `asked`, and in those of a `Listing`."""


def own_or_any(owner_id: Any, asked: Any) -> ColumnElement[bool]:
    """Whether the viewer is the owner, or sees everyone's."""
    return or_(owner_id == asked.c.viewer, asked.c.sees_all)


def asked(key: TypeEngine[Any], *, scoped: bool = True, sees_cards: bool = False) -> Any:
    """What several actors ask for, as a table for statements: `position`, `key`, `viewer`, and whether that one `sees_all`.

    Where that makes no difference, it is not `scoped`, and has no `sees_all`. Where the card network sees what was paid by card,
    it has `sees_cards`.
    """
    columns = {"keys": column("key", key), "viewers": column("viewer", Uuid())}
    if scoped:
        columns["seers"] = column("sees_all", Boolean())
    if sees_cards:
        columns["processors"] = column("sees_cards", Boolean())
    return (
        func.unnest(*(array_of(name, each.type) for name, each in columns.items()))
        .table_valued(*columns.values(), with_ordinality="position", name="asked")
        .render_derived()
    )


async def fetch_rows(db: Database, query: Query[R], requested: Sequence[Requested[Any]]) -> list[R | None]:
    """The row at each position of what is `asked`, or None."""
    arguments = _arguments(query, requested)
    found: list[R | None] = [None] * len(arguments["keys"])
    for row in await db.fetch(query, **arguments):
        found[row[0] - 1] = row
    return found


async def fetch_lists(db: Database, query: Query[R], requested: Sequence[Requested[Any]], **more: Any) -> list[list[R]]:
    """The rows at each position of what is `asked`, given what else the query needs."""
    arguments = _arguments(query, requested)
    found: list[list[R]] = [[] for _ in arguments["keys"]]
    for row in await db.fetch(query, **arguments, **more):
        found[row[0] - 1].append(row)
    return found


def _arguments(query: Query[Any], requested: Sequence[Requested[Any]]) -> dict[str, list[Any]]:
    keys: list[Any] = []
    viewers: list[UUID] = []
    seers: list[bool] = []
    processors: list[bool] = []
    for actor, wanted in requested:
        keys += wanted
        viewers += [actor.user_id] * len(wanted)
        if "seers" in query.names:
            seers += [actor.is_allowed(Permission.READ_ANY)] * len(wanted)
        if "processors" in query.names:
            processors += [actor.is_allowed(Permission.PROCESS_CARDS)] * len(wanted)
    return {"keys": keys, "viewers": viewers, "seers": seers, "processors": processors}


_user_columns = (
    col(User.id),
    col(User.email),
    col(User.full_name),
    col(User.phone_number),
    col(User.role),
    col(User.status),
    col(User.created_at),
    col(User.updated_at),
)
_stands = and_(
    col(Session.ended_at).is_(None),
    col(Session.expires_at) > bindparam("now", type_=DateTime(timezone=True)),
    col(User.status) == UserStatus.ACTIVE,
)
_live = _stands.label("live")

_ids = asked(Uuid())
_USERS = Query(
    select(_ids.c.position, *_user_columns)
    .select_from(_ids)
    .join(User, col(User.id) == _ids.c.key)
    .where(or_(col(User.id) == _ids.c.viewer, _ids.c.sees_all)),
    UserRow,
)
OWN_PROFILE = Query(select(*_user_columns).where(col(User.id) == bindparam("user", type_=Uuid())), UserRow)
_sign_in = select(col(User.id), col(User.email_key), col(User.password_hash), col(User.status))
SIGN_IN = Query(_sign_in.where(col(User.email_key) == bindparam("email_key", type_=Text())), SignInRow)
PASSWORD = Query(_sign_in.where(col(User.id) == bindparam("user", type_=Uuid())), SignInRow)
_SESSION = Query(
    select(col(Session.user_id), col(User.role), _live)
    .join(User, col(User.id) == Session.user_id)
    .where(col(Session.id) == bindparam("id", type_=Uuid())),
    StandingRow,
)
_STANDING = Query(
    select(col(Session.id), col(User.role))
    .join(User, col(User.id) == Session.user_id)
    .where(col(Session.id) == any_(array_of("ids", Uuid())), _stands),
    _RoleRow,
)
_SESSIONS = Query(
    select(
        col(Session.id),
        col(Session.user_agent),
        col(Session.ip_address),
        col(Session.created_at),
        col(Session.last_used_at),
    )
    .join(User, col(User.id) == Session.user_id)
    .where(col(Session.user_id) == bindparam("viewer", type_=Uuid()), _stands)
    .order_by(col(Session.id).desc()),
    SessionRow,
)
REFRESH_TOKEN = Query(
    select(col(RefreshToken.session_id), col(Session.user_id), col(RefreshToken.used_at), col(RefreshToken.reply), _live)
    .join(Session, col(Session.id) == RefreshToken.session_id)
    .join(User, col(User.id) == Session.user_id)
    .where(col(RefreshToken.token_hash) == bindparam("token_hash"))
    .with_for_update(of=RefreshToken),
    RefreshRow,
)


async def users(db: Database, requested: Sequence[Requested[UUID]]) -> list[UserRow | None]:
    """The users; None where the asker may not see one: anyone sees oneself, and with `READ_ANY` everyone."""
    return await fetch_rows(db, _USERS, requested)


async def standing(db: Database, session_id: UUID, now: datetime) -> StandingRow | None:
    """The session's user and role, and whether it still stands."""
    return await db.fetch_one(_SESSION, id=session_id, now=now)


async def standing_of(db: Database, sessions: Sequence[UUID], now: datetime) -> dict[UUID, UserRole]:
    """Which of the sessions still stand, and their users' roles."""
    return {row.id: row.role for row in await db.fetch(_STANDING, ids=list(sessions), now=now)}


async def sessions(db: Database, actor: Actor, now: datetime) -> list[SessionRow]:
    """The actor's own sessions that still stand, newest first, `SESSIONS_MAX` at the most."""
    return (await db.fetch(_SESSIONS, viewer=actor.user_id, now=now))[:SESSIONS_MAX]
