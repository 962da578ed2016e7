"""Reads of memberships, each as far as it is visible to the actor who requests it.

The owners of an account see all of its memberships, and so does staff; a member sees only that of their own, and whoever is
invited sees the invitation. Those that ended are not listed.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.access import Access, Delegate, access_of
from bank_graphql.accounts.enums import MemberRole, MembershipStatus
from bank_graphql.accounts.models import Account, GrantedAccount, Membership
from bank_graphql.accounts.visibility import account_is_visible, is_active
from bank_graphql.identity.models import User
from bank_graphql.identity.queries import USER_COLUMNS, UserRow, fetch_lists, fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.identity.visibility import is_visible
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.statements import Query, Reads, Row, any_of
from bank_graphql.ledger.models import Balance

MAX_MEMBERS = 50
"""The maximum number of members of an account, and of invitations to it, together."""
MAX_LISTED = 100
"""The maximum number of memberships of one person that a list shows."""


class MembershipRow(Row):
    """A membership as its account's owners and its member see it. `daily_limit` is in minor units; None does not limit."""

    id: UUID
    account_id: UUID
    user_id: UUID | None
    role: MemberRole
    may_pay: bool
    daily_limit: int | None
    may_manage_cards: bool
    status: MembershipStatus
    email: str | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    currency: str
    member_name: str | None
    inviter_name: str


class HoldersRow(Row):
    """The names of those who own an account: first whoever opened it."""

    names: list[str]


class MemberRow(Row):
    """An active membership. `daily_limit` is in minor units; None does not limit."""

    id: UUID
    role: MemberRole
    may_pay: bool
    may_manage_cards: bool
    daily_limit: int | None


_is_invited: ColumnElement[bool] = and_(
    col(Membership.status) == literal_column(f"'{MembershipStatus.INVITED}'"),
    col(Membership.expires_at) > bindparam("now", type_=DateTime(timezone=True)),
)
_member, _inviter = aliased(User), aliased(User)
_columns = (
    *(col(getattr(Membership, name)) for name in list(MembershipRow.__annotations__)[:12]),
    col(Balance.currency),
    col(_member.full_name).label("member_name"),
    col(_inviter.full_name).label("inviter_name"),
)


def _joined(memberships: Any) -> Any:
    return (
        memberships.join(Account, col(Account.id) == Membership.account_id)
        .join(Balance, col(Balance.account_id) == Membership.account_id)
        .join(_inviter, col(_inviter.id) == Membership.invited_by)
        .outerjoin(_member, col(_member.id) == Membership.user_id)
    )


_own = aliased(Membership)
_reader = aliased(User)


def _visible(requested: Any) -> ColumnElement[bool]:
    """Return the condition that a membership is visible to the viewer of a requested key."""
    owns_jointly = (
        select(true())
        .where(
            col(_own.user_id) == requested.c.viewer,
            col(_own.account_id) == Membership.account_id,
            is_active(_own),
            col(_own.role) == MemberRole.OWNER,
        )
        .correlate(Membership, requested)
        .scalar_subquery()
    )
    is_invited = (
        select(func.lower(_reader.email) == func.lower(Membership.email))
        .where(col(_reader.id) == requested.c.viewer, col(_reader.email_verified_at).is_not(None))
        .correlate(Membership, requested)
        .scalar_subquery()
    )
    return or_(
        is_visible(Account.owner_id, requested.c.viewer, requested.c.sees_all),
        col(Membership.user_id) == requested.c.viewer,
        owns_jointly,
        and_(_is_invited, is_invited),
    )


_ids, _accounts, _viewed, _held = (requested_keys(Uuid()) for _ in range(4))
_is_current = or_(is_active(Membership), _is_invited)
_MEMBERSHIPS = Query(
    _joined(select(_ids.c.position, *_columns).select_from(_ids).join(Membership, col(Membership.id) == _ids.c.key)).where(
        _is_current, _visible(_ids)
    ),
    MembershipRow,
)
_OF_ACCOUNTS = Query(
    _joined(
        select(_accounts.c.position, *_columns)
        .select_from(_accounts)
        .join(Membership, col(Membership.account_id) == _accounts.c.key)
    )
    .where(_is_current, _visible(_accounts))
    .order_by(_accounts.c.position, col(Membership.id)),
    MembershipRow,
)
_OF_VIEWER = Query(
    _joined(
        select(_viewed.c.position, *_columns)
        .select_from(_viewed)
        .join(
            Membership,
            and_(
                col(Membership.account_id) == _viewed.c.key,
                col(Membership.user_id) == _viewed.c.viewer,
                is_active(Membership),
            ),
        )
    ),
    MembershipRow,
)
_user = bindparam("user", type_=Uuid())
_address = [
    select(each).where(col(_reader.id) == _user, col(_reader.email_verified_at).is_not(None)).scalar_subquery()
    for each in (col(_reader.email_key), func.lower(_reader.email))
]
_of_user = select(col(Membership.id)).where(col(Membership.user_id) == _user, is_active(Membership)).limit(MAX_LISTED)
_invitations = (
    select(col(Membership.id))
    .where(_is_invited, col(Membership.email_key) == _address[0], func.lower(Membership.email) == _address[1])
    .limit(MAX_LISTED)
)
_OF_USER = Query(
    _joined(select(*_columns).select_from(Membership)).where(
        any_of(col(Membership.id), _of_user.correlate(None), _invitations.correlate(None))
    ),
    MembershipRow,
)
HOLDERS = """ARRAY(
    SELECT h.full_name FROM (
        SELECT u.full_name, '-infinity'::timestamptz AS since FROM users u WHERE u.id = a.owner_id
        UNION ALL
        SELECT u.full_name, m.accepted_at FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.account_id = a.id AND m.role = 'OWNER' AND m.status = 'ACTIVE'
    ) h ORDER BY h.since, h.full_name
)"""
"""In SQL, the names of those who own the account `a`: first whoever opened it."""
_account = aliased(Account, name="a")
_HOLDERS = Query(
    select(_held.c.position, literal_column(HOLDERS, ARRAY(Text())).label("names"))
    .select_from(_held)
    .join(_account, col(_account.id) == _held.c.key)
    .where(account_is_visible(_account, _held)),
    HoldersRow,
)
_owned, _given = requested_keys(Uuid()), aliased(GrantedAccount)
_is_known = is_visible(User.id, _owned.c.viewer, _owned.c.sees_all)
_is_program = (
    select(true()).where(col(_given.grant_id) == _owned.c.viewer, col(_given.account_id) == Account.id).scalar_subquery()
)
_PRIVATE: dict[str, ColumnElement[Any]] = {
    "phone_number": null(),
    "suspension_reason": null(),
    "mfa_enabled": false(),
    "email": case((_is_program, ""), else_=col(User.email)),
}
_OWNERS = Query(
    select(
        _owned.c.position,
        *(
            case((_is_known, each), else_=_PRIVATE[name]).label(name) if name in _PRIVATE else each
            for name, each in zip(UserRow.__annotations__, USER_COLUMNS, strict=True)
        ),
    )
    .select_from(_owned)
    .join(Account, col(Account.id) == _owned.c.key)
    .join(User, col(User.id) == Account.owner_id)
    .where(account_is_visible(Account, _owned)),
    UserRow,
)
_MEMBER = Query(
    select(*(col(getattr(Membership, name)) for name in MemberRow.__annotations__)).where(
        col(Membership.account_id) == bindparam("account", type_=Uuid()),
        col(Membership.user_id) == _user,
        is_active(Membership),
    ),
    MemberRow,
)


async def memberships(db: Reads, clock: Clock, requested: Sequence[Requested[UUID]]) -> list[MembershipRow | None]:
    """Return memberships by id; None for one that has ended, or is not visible to the actor."""
    return await fetch_rows(db, _MEMBERSHIPS, requested, None, now=clock())


async def memberships_of_accounts(db: Reads, clock: Clock, requested: Sequence[Requested[UUID]]) -> list[list[MembershipRow]]:
    """Return the memberships of each account that are visible to the actor, oldest first."""
    return await fetch_lists(db, _OF_ACCOUNTS, requested, None, now=clock())


async def own_memberships(db: Reads, requested: Sequence[Requested[UUID]]) -> list[MembershipRow | None]:
    """Return the actor's own membership of each account; None where the actor is no member."""
    return await fetch_rows(db, _OF_VIEWER, requested, None)


async def memberships_of(db: Reads, actor: Actor, now: datetime) -> list[MembershipRow]:
    """Return the actor's memberships and invitations, oldest first, at most `MAX_LISTED`."""
    found = await db.fetch(_OF_USER, user=actor.user_id, now=now)
    return sorted(found, key=attrgetter("id"))[:MAX_LISTED]


async def holders(db: Reads, requested: Sequence[Requested[UUID]]) -> list[HoldersRow | None]:
    """Return the names of those who own each account; None where the account is not visible to the actor."""
    return await fetch_rows(db, _HOLDERS, requested, Scope.ACCOUNTS_READ)


async def owners(db: Reads, requested: Sequence[Requested[UUID]]) -> list[UserRow | None]:
    """Return the user who owns each account, without what is private if the actor is a member."""
    return await fetch_rows(db, _OWNERS, requested, Scope.ACCOUNTS_READ)


async def access_to(db: Reads | Connection, actor: Actor, account_id: UUID, owner_id: UUID) -> Access:
    """Return what an actor may do with an account. Under its lock, that stays so."""
    row = None
    if owner_id != actor.user_id:
        row = await db.fetch_one(_MEMBER, account=account_id, user=actor.user_id)
    return access_of(actor, owner_id, None if row is None else delegate_of(row))


def delegate_of(row: MemberRow) -> Delegate:
    """Return an active membership as decisions need it."""
    return Delegate(row.id, MemberRole(row.role), row.may_pay, row.may_manage_cards, row.daily_limit)
