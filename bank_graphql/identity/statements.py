"""The statements that change users, sessions and tokens. Only the services run them."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, DateTime, LargeBinary, Text, Uuid, bindparam, case, func, select, true, update
from sqlmodel import col

from bank_graphql.identity.enums import UserRole, UserStatus
from bank_graphql.identity.models import RefreshToken, Session, User
from bank_graphql.kit.statements import Insert, Query, Row


class NewUser(NamedTuple):
    """A row to insert. Its name, address and phone number are normalised."""

    id: UUID
    email: str
    email_key: str
    password_hash: str
    full_name: str
    phone_number: str | None
    role: UserRole
    status: UserStatus
    created_at: datetime
    updated_at: datetime


# An existing address is skipped and then looked for: after a unique violation the database would log the address.
INSERT_USER = Insert(User, *NewUser._fields, skip_existing=True)
INSERT_SESSION = Insert(Session, "id", "user_id", "user_agent", "ip_address", "created_at", "last_used_at", "expires_at")
INSERT_TOKEN = Insert(RefreshToken, "token_hash", "session_id", "created_at")
USE_TOKEN = Query(
    update(RefreshToken)
    .where(col(RefreshToken.token_hash) == bindparam("hash", type_=LargeBinary()))
    .values(used_at=bindparam("now"), reply=bindparam("reply")),
    Row,
)
DELETE_OLD_REPLIES = Query(
    update(RefreshToken)
    .where(
        col(RefreshToken.session_id) == bindparam("session", type_=Uuid()),
        col(RefreshToken.reply).is_not(None),
        col(RefreshToken.used_at) < bindparam("before", type_=DateTime(timezone=True)),
    )
    .values(reply=None),
    Row,
)
EXTEND_SESSION = Query(
    update(Session)
    .where(col(Session.id) == bindparam("session", type_=Uuid()))
    .values(last_used_at=bindparam("now"), expires_at=bindparam("expires")),
    Row,
)
END_SESSIONS = Query(
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
END_ALL_SESSIONS = Query(
    update(Session).where(col(Session.ended_at).is_(None)).values(ended_at=bindparam("now")).returning(col(Session.id)), Row
)
VERIFY_SESSION = Query(
    update(Session).where(col(Session.id) == bindparam("session", type_=Uuid())).values(verified_at=bindparam("now")), Row
)
END_OTHER_SESSIONS = Query(
    update(Session)
    .where(
        col(Session.user_id) == bindparam("user", type_=Uuid()),
        col(Session.id) != bindparam("session", type_=Uuid()),
        col(Session.ended_at).is_(None),
    )
    .values(ended_at=bindparam("now"))
    .returning(col(Session.id)),
    Row,
)
REPLACE_PASSWORD_HASH = Query(
    update(User)
    .where(
        col(User.id) == bindparam("user", type_=Uuid()),
        col(User.password_hash) == bindparam("old_hash", type_=Text()),
    )
    .values(password_hash=bindparam("new_hash", type_=Text()))
    .returning(col(User.id)),
    Row,
)
SET_ROLE = Query(
    update(User)
    .where(col(User.id) == bindparam("user", type_=Uuid()))
    .values(role=bindparam("new_role", type_=Text()), updated_at=bindparam("now")),
    Row,
)
SET_STATUS = Query(
    update(User)
    .where(col(User.id) == bindparam("user", type_=Uuid()))
    .values(
        status=bindparam("new_status", type_=Text()),
        suspension_reason=bindparam("reason", type_=Text()),
        closed_at=bindparam("closed"),
        updated_at=bindparam("now"),
    ),
    Row,
)
ERASE_USER = Query(
    update(User)
    .where(col(User.id) == bindparam("user", type_=Uuid()))
    .values(
        password_hash="",
        full_name=bindparam("name", type_=Text()),
        phone_number=None,
        suspension_reason=None,
        updated_at=bindparam("now"),
    ),
    Row,
)
ERASE_ADDRESS = Query(
    select(func.erase_address(bindparam("user", type_=Uuid()), bindparam("now", type_=DateTime(timezone=True)))), Row
)
"""Replace the address of a closed user. It is a function of the database, because the application may not change addresses."""
ERASE_SESSIONS = Query(
    update(Session).where(col(Session.user_id) == bindparam("user", type_=Uuid())).values(user_agent=None, ip_address=None), Row
)
VERIFY_EMAIL = Query(
    update(User)
    .where(col(User.id) == bindparam("user", type_=Uuid()), col(User.email_verified_at).is_(None))
    .values(email_verified_at=bindparam("now"), updated_at=bindparam("now")),
    Row,
)
UPDATE_PROFILE = Query(
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
