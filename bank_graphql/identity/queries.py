"""Reads of users and sessions, batched and scoped to the actor."""

import re
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnClause,
    ColumnElement,
    DateTime,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    column,
    false,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import Mapped
from sqlalchemy.types import TypeEngine
from sqlmodel import col

from bank_graphql.identity.enums import UserRole, UserStatus
from bank_graphql.identity.models import IS_STAFF, WORDS, RefreshToken, Session, TotpFactor, User
from bank_graphql.identity.scopes import Scope, viewer_of
from bank_graphql.identity.visibility import is_visible, sees_all, sees_processed
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.paging import Page, RootListing, Slice, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row, array_of

R = TypeVar("R", bound=Row)
_WORD = re.compile(r"[^\W_]+")
MAX_SESSIONS_LISTED = 100
"""The maximum number of sessions that a list shows. Older ones can still be ended, all together."""


class UserRow(Row):
    """A user, as the user and staff see it."""

    id: UUID
    email: str
    full_name: str
    phone_number: str | None
    role: UserRole
    status: UserStatus
    created_at: datetime
    updated_at: datetime
    suspension_reason: str | None
    erased_at: datetime | None
    mfa_enabled: bool
    email_verified: bool


class SignInRow(Row):
    """The columns of a user that a log-in checks."""

    id: UUID
    email_key: str
    password_hash: str
    role: UserRole
    status: UserStatus


class SessionState(Row):
    """What requests in a session depend on: its user, the user's role, when the user was last verified, and whether it is active.

    A session is active until it is ended or expires, as long as its user's status is ACTIVE.
    """

    user_id: UUID
    role: UserRole
    verified_at: datetime
    active: bool


class _RoleRow(Row):
    id: UUID
    role: UserRole


class _IdRow(Row):
    id: UUID


class SessionRow(Row):
    """A session, as its user sees it."""

    id: UUID
    user_agent: str | None
    ip_address: str | None
    created_at: datetime
    last_used_at: datetime


class RefreshRow(Row):
    """A refresh token and its session. `active` is as in `SessionState`."""

    session_id: UUID
    user_id: UUID
    role: UserRole
    used_at: datetime | None
    reply: bytes | None
    active: bool


viewer: ColumnElement[UUID] = column("viewer", Uuid())
"""The id of the user who requests a row, in statements on `requested_keys` and in those of a `Listing`."""


def requested_keys(key: TypeEngine[Any], *, sees_all: bool = True, sees_processed: bool = False) -> TableValuedAlias:
    """Return a table of the keys that several actors request, for statements that `fetch_rows` or `fetch_lists` runs.

    Its columns are `position`, `key`, `viewer`, and where the statement depends on them, `sees_all` and `sees_processed`.

    Args:
        key: the keys' type.
        sees_all: whether there is a column `sees_all`, which is true of a viewer that sees what any customer owns.
        sees_processed: whether there is a column `sees_processed`, which is true of a viewer that sees all transactions of cards
            and of the clearing.
    """
    columns: dict[str, ColumnClause[Any]] = {"keys": column("key", key), "viewers": column("viewer", Uuid())}
    if sees_all:
        columns["sees_all"] = column("sees_all", Boolean())
    if sees_processed:
        columns["sees_processed"] = column("sees_processed", Boolean())
    return (
        func.unnest(*(array_of(name, each.type) for name, each in columns.items()))
        .table_valued(*columns.values(), with_ordinality="position", name="requested")
        .render_derived()
    )


def visible_to_viewer(owner_id: Mapped[UUID] | ColumnElement[UUID], requested: TableValuedAlias) -> ColumnElement[bool]:
    """Return the condition that what has this owner is visible to the viewer of a requested key."""
    condition: ColumnElement[bool] = is_visible(owner_id, requested.c.viewer, requested.c.sees_all)
    return condition


async def fetch_rows(
    db: Reads, query: Query[R], requested: Sequence[Requested[Hashable]], scope: Scope | None, **more: object
) -> list[R | None]:
    """Return the row of each key, in the order of the requests and of their keys; None for a key without one.

    The query selects from `requested_keys`, and `position` is its first column. A program needs the `scope`; None is for people
    alone. `more` are the query's further arguments.
    """
    arguments = _arguments(query, requested, scope)
    found: list[R | None] = [None] * len(arguments["keys"])
    for row in await db.fetch(query, **arguments, **more):
        found[row[0] - 1] = row
    return found


async def fetch_lists(
    db: Reads, query: Query[R], requested: Sequence[Requested[Hashable]], scope: Scope | None, **more: object
) -> list[list[R]]:
    """Return the rows of each key, in the order of the requests and of their keys. The arguments are those of `fetch_rows`."""
    arguments = _arguments(query, requested, scope)
    found: list[list[R]] = [[] for _ in arguments["keys"]]
    for row in await db.fetch(query, **arguments, **more):
        found[row[0] - 1].append(row)
    return found


def _arguments(query: Query[R], requested: Sequence[Requested[Hashable]], scope: Scope | None) -> dict[str, Sequence[Hashable]]:
    """Return the arguments of `requested_keys`: an array for each column that the query has."""
    keys: list[Hashable] = []
    viewers: list[UUID] = []
    all_seen: list[bool] = []
    processed_seen: list[bool] = []
    for actor, each in requested:
        keys += each
        viewers += [viewer_of(actor, scope)] * len(each)
        if "sees_all" in query.names:
            all_seen += [sees_all(actor)] * len(each)
        if "sees_processed" in query.names:
            processed_seen += [sees_processed(actor)] * len(each)
    return {"keys": keys, "viewers": viewers, "sees_all": all_seen, "sees_processed": processed_seen}


_confirmed = select(col(TotpFactor.confirmed_at).is_not(None)).where(col(TotpFactor.user_id) == User.id)
_mfa_enabled = func.coalesce(_confirmed.scalar_subquery(), false())
USER_COLUMNS = (
    col(User.id),
    col(User.email),
    col(User.full_name),
    col(User.phone_number),
    col(User.role),
    col(User.status),
    col(User.created_at),
    col(User.updated_at),
    col(User.suspension_reason),
    col(User.erased_at),
    _mfa_enabled.label("mfa_enabled"),
    col(User.email_verified_at).is_not(None).label("email_verified"),
)
_is_active = and_(
    col(Session.ended_at).is_(None),
    col(Session.expires_at) > bindparam("now", type_=DateTime(timezone=True)),
    col(User.status) == UserStatus.ACTIVE,
)
_active = _is_active.label("active")
_ids = requested_keys(Uuid())
_USERS = Query(
    select(_ids.c.position, *USER_COLUMNS)
    .select_from(_ids)
    .join(User, col(User.id) == _ids.c.key)
    .where(visible_to_viewer(col(User.id), _ids)),
    UserRow,
)
OWN_PROFILE = Query(select(*USER_COLUMNS).where(col(User.id) == bindparam("user", type_=Uuid())), UserRow)
_sign_in = select(col(User.id), col(User.email_key), col(User.password_hash), col(User.role), col(User.status))
SIGN_IN = Query(_sign_in.where(col(User.email_key) == bindparam("email_key", type_=Text())), SignInRow)
_of_user = _sign_in.where(col(User.id) == bindparam("user", type_=Uuid()))
PASSWORD = Query(_of_user, SignInRow)
SIGNING_IN = Query(_of_user.with_for_update(read=True), SignInRow)
"""What a log-in checks, once more in the transaction that opens its session: nobody changes it meanwhile."""
_SESSION_STATE = Query(
    select(
        col(Session.user_id),
        col(User.role),
        func.coalesce(Session.verified_at, Session.created_at).label("verified_at"),
        _active,
    )
    .join(User, col(User.id) == Session.user_id)
    .where(col(Session.id) == bindparam("id", type_=Uuid())),
    SessionState,
)
ACTIVE_SESSION = Query(
    select(col(Session.id))
    .join(User, col(User.id) == Session.user_id)
    .where(col(Session.id) == bindparam("session", type_=Uuid()), _is_active),
    _IdRow,
)
"""The session if it is active."""
LOCKED_USER = Query(
    select(col(User.id)).where(col(User.id) == bindparam("user", type_=Uuid())).with_for_update(key_share=True), _IdRow
)
"""The user, locked against changes, and against signing in."""
_ACTIVE_ROLES = Query(
    select(col(Session.id), col(User.role))
    .join(User, col(User.id) == Session.user_id)
    .where(col(Session.id) == any_(array_of("ids", Uuid())), _is_active),
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
    .where(col(Session.user_id) == bindparam("viewer", type_=Uuid()), _is_active)
    .order_by(col(Session.id).desc()),
    SessionRow,
)
_CLOSED = Query(
    select(col(User.id)).where(col(User.id) == any_(array_of("ids", Uuid())), col(User.status) == UserStatus.CLOSED), _IdRow
)
REFRESH_TOKEN = Query(
    select(
        col(RefreshToken.session_id),
        col(Session.user_id),
        col(User.role),
        col(RefreshToken.used_at),
        col(RefreshToken.reply),
        _active,
    )
    .join(Session, col(Session.id) == RefreshToken.session_id)
    .join(User, col(User.id) == Session.user_id)
    .where(col(RefreshToken.token_hash) == bindparam("token_hash"))
    .with_for_update(of=RefreshToken),
    RefreshRow,
)


class _CountRow(Row):
    count: int


_STAFF = Query(
    select(func.count().label("count"))
    .select_from(User)
    .where(text(IS_STAFF), col(User.role) == any_(array_of("roles", Text())), col(User.id) != bindparam("but", type_=Uuid())),
    _CountRow,
)
_ALL_USERS = RootListing(select(*USER_COLUMNS), by=col(User.id), key=uuid_key("User"), record=UserRow)
_FOUND_USERS = RootListing(
    select(*USER_COLUMNS).where(
        literal_column(WORDS).op("@@")(func.to_tsquery(literal_column("'simple'"), bindparam("words", type_=Text())))
    ),
    by=col(User.id),
    key=uuid_key("User"),
    record=UserRow,
)
USERS_KEY = _ALL_USERS.key
"""The type of the keys by which users are listed."""


async def count_staff(db: Reads, roles: Sequence[UserRole], but: UUID | None = None) -> int:
    """Return how many users have one of these roles of staff and are not closed, but for one."""
    found = await db.fetch_one(_STAFF, roles=list(roles), but=but or UUID(int=0))
    return found.count if found else 0


async def list_users(db: Reads, page: Page, search: str | None) -> Slice[UserRow]:
    """Return a page of all users, newest first. With a search, of those with words in name or address that begin so.

    The caller has made sure that the actor may see all users.
    """
    if not search:
        return await _ALL_USERS.fetch(db, page)
    words = _WORD.findall(search)
    if not words:
        return Slice([], has_next=False, has_previous=False)
    return await _FOUND_USERS.fetch(db, page, words=" & ".join(f"'{word}':*" for word in words))


async def users(db: Reads, requested: Sequence[Requested[UUID]]) -> list[UserRow | None]:
    """Return the users with the ids; None where the actor may not see one. Everyone sees oneself, and with READ_ANY all users."""
    return await fetch_rows(db, _USERS, requested, Scope.PROFILE)


async def session_state(db: Database, session_id: UUID, now: datetime) -> SessionState | None:
    """Return the state of a session; None if there is no such session."""
    return await db.fetch_one(_SESSION_STATE, id=session_id, now=now)


async def active_roles(db: Database, session_ids: Sequence[UUID], now: datetime) -> dict[UUID, UserRole]:
    """Return those of the sessions that are active, each with its user's role."""
    return {row.id: row.role for row in await db.fetch(_ACTIVE_ROLES, ids=list(session_ids), now=now)}


async def closed_among(connection: Connection, user_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of the users who are closed."""
    if not user_ids:
        return frozenset()
    return frozenset(row.id for row in await connection.fetch(_CLOSED, ids=list(user_ids)))


async def sessions(db: Database, actor: Actor, now: datetime) -> list[SessionRow]:
    """Return the actor's own active sessions, newest first, at most `MAX_SESSIONS_LISTED`."""
    return (await db.fetch(_SESSIONS, viewer=actor.user_id, now=now))[:MAX_SESSIONS_LISTED]
