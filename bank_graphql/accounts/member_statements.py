"""The statements of `members`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import MemberRole, MembershipStatus
from bank_graphql.accounts.models import Account, Membership
from bank_graphql.accounts.queries import ACCOUNT_COLUMNS, AccountRow
from bank_graphql.accounts.visibility import is_active
from bank_graphql.identity.models import User
from bank_graphql.kit.statements import Insert, Query, Row, any_of
from bank_graphql.ledger.models import Balance


class LockedMembershipRow(Row):
    """A membership that has not ended, as it is under its account's lock."""

    id: UUID
    account_id: UUID
    user_id: UUID | None
    role: MemberRole
    status: MembershipStatus
    email: str | None
    expires_at: datetime


class CountRow(Row):
    """How many there are."""

    count: int


class EndedRow(Row):
    """An account, and a user who is a member of it."""

    account_id: UUID
    user_id: UUID


_id, _now = bindparam("id", type_=Uuid()), bindparam("now", type_=DateTime(timezone=True))
_user, _account = bindparam("user", type_=Uuid()), bindparam("account", type_=Uuid())
_key = bindparam("email", type_=Text())
INSERT = Insert(
    Membership,
    *("id", "account_id", "role", "may_pay", "daily_limit", "may_manage_cards", "status", "email", "email_key", "invited_by"),
    *("created_at", "expires_at"),
)
ACCOUNT = Query(
    select(*ACCOUNT_COLUMNS).join(Balance, col(Balance.account_id) == Account.id).where(col(Account.id) == _account), AccountRow
)
MEMBERSHIP = Query(
    select(*(col(getattr(Membership, name)) for name in LockedMembershipRow.__annotations__)).where(
        col(Membership.id) == _id, col(Membership.status) != MembershipStatus.ENDED
    ),
    LockedMembershipRow,
)
_is_invited = col(Membership.status) == literal_column(f"'{MembershipStatus.INVITED}'")
DELETE_EXPIRED = Query(
    delete(Membership).where(col(Membership.account_id) == _account, _is_invited, col(Membership.expires_at) <= _now), Row
)
COUNT = Query(
    select(func.count().label("count")).where(
        col(Membership.account_id) == _account, col(Membership.status) != MembershipStatus.ENDED
    ),
    CountRow,
)
COUNT_OF_USER = Query(
    select(func.count().label("count")).where(col(Membership.user_id) == _user, is_active(Membership)), CountRow
)
WITH_ADDRESS = Query(
    select(func.count().label("count"))
    .select_from(Membership)
    .where(col(Membership.account_id) == _account, col(Membership.email_key) == _key, or_(_is_invited, is_active(Membership))),
    CountRow,
)
ACCEPT = Query(
    update(Membership).where(col(Membership.id) == _id).values(status=MembershipStatus.ACTIVE, user_id=_user, accepted_at=_now),
    Row,
)
CHANGE = Query(
    update(Membership)
    .where(col(Membership.id) == _id)
    .values(
        may_pay=bindparam("pays", type_=Boolean()),
        daily_limit=bindparam("limit", type_=BigInteger()),
        may_manage_cards=bindparam("manages", type_=Boolean()),
    ),
    Row,
)
_ended = {"status": MembershipStatus.ENDED, "ended_at": _now, "email": None, "email_key": None}
END = Query(update(Membership).where(col(Membership.id) == _id).values(**_ended), Row)
DELETE = Query(delete(Membership).where(col(Membership.id) == _id), Row)
DELETE_INVITATIONS_OF = Query(
    delete(Membership).where(col(Membership.account_id) == _account, _is_invited, col(Membership.invited_by) == _user), Row
)
"""Withdraw what somebody invited to who is no owner any more."""
DELETE_INVITATIONS = Query(delete(Membership).where(col(Membership.account_id) == _account, _is_invited), Row)
OF_USER = Query(
    select(col(Membership.account_id), col(Membership.user_id)).where(col(Membership.user_id) == _user, is_active(Membership)),
    EndedRow,
)
END_OF_USER = Query(
    update(Membership)
    .where(col(Membership.user_id) == _user, is_active(Membership))
    .values(**_ended)
    .returning(col(Membership.account_id), col(Membership.user_id)),
    EndedRow,
)
_erased = aliased(Membership)
ERASE_ADDRESSES = Query(
    update(Membership)
    .where(
        any_of(
            col(Membership.id),
            select(col(_erased.id)).where(col(_erased.user_id) == _user),
            select(col(_erased.id)).where(
                any_of(col(_erased.account_id), select(col(Account.id)).where(col(Account.owner_id) == _user))
            ),
        )
    )
    .values(email=None, email_key=None),
    Row,
)
"""Erase the addresses of a user's memberships, and of all who were invited to the user's accounts."""
_address = select(col(User.email_key)).where(col(User.id) == _user).scalar_subquery()
DELETE_INVITATIONS_TO = Query(delete(Membership).where(_is_invited, col(Membership.email_key) == _address), Row)
"""Withdraw the invitations to a user's address, before that is erased."""
