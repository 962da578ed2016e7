"""The statements of `grants`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import MemberRole
from bank_graphql.accounts.models import Account, GrantedAccount, Membership
from bank_graphql.accounts.visibility import is_active
from bank_graphql.identity.enums import GrantKind
from bank_graphql.identity.models import AccessGrant, GrantToken
from bank_graphql.kit.statements import Insert, Query, Row, any_of, array_of
from bank_graphql.ledger.models import Balance


class GrantRow(Row):
    """An access grant that is active, as its user sees it. Amounts are in minor units of its currency."""

    id: UUID
    kind: GrantKind
    name: str
    scopes: list[str]
    payees: list[str] | None
    currency: str | None
    daily_limit: int | None
    approval_above: int | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    account_ids: list[UUID]


class OwnedRow(Row):
    """An account that its user owns, alone or jointly."""

    id: UUID
    currency: str


class IdRow(Row):
    """The id of a token."""

    id: UUID


class CountRow(Row):
    """How many there are."""

    count: int


_user, _grant = bindparam("user", type_=Uuid()), bindparam("grant", type_=Uuid())
_now, _expires = (bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "expires"))
INSERT = Query(
    insert(AccessGrant).values(
        id=_grant,
        kind=bindparam("kind", type_=Text()),
        user_id=_user,
        name=bindparam("given_name", type_=Text()),
        scopes=bindparam("given_scopes", type_=ARRAY(Text())),
        payees=bindparam("given_payees", type_=ARRAY(Text())),
        currency=bindparam("given_currency", type_=Text()),
        daily_limit=bindparam("limit", type_=BigInteger()),
        approval_above=bindparam("above", type_=BigInteger()),
        created_at=_now,
        expires_at=_expires,
    ),
    Row,
)
INSERT_ACCOUNT = Insert(GrantedAccount, "grant_id", "account_id")
INSERT_TOKEN = Insert(GrantToken, "id", "token_hash", "grant_id", "created_at")
_given = select(col(GrantedAccount.account_id)).where(col(GrantedAccount.grant_id) == AccessGrant.id).correlate(AccessGrant)
_grants = select(
    *(col(getattr(AccessGrant, name)) for name in list(GrantRow.__annotations__)[:-1]),
    func.array(_given.order_by(col(GrantedAccount.account_id)).scalar_subquery(), type_=ARRAY(Uuid())).label("account_ids"),
).where(col(AccessGrant.user_id) == _user, col(AccessGrant.revoked_at).is_(None), col(AccessGrant.expires_at) > _now)
OF_USER = Query(_grants.order_by(col(AccessGrant.id)), GrantRow)
GRANT = Query(_grants.where(col(AccessGrant.id) == _grant), GrantRow)
COUNT = Query(
    select(func.count().label("count")).where(
        col(AccessGrant.user_id) == _user, col(AccessGrant.revoked_at).is_(None), col(AccessGrant.expires_at) > _now
    ),
    CountRow,
)
_is_joint = (
    select(true())
    .where(
        col(Membership.user_id) == _user,
        col(Membership.account_id) == Account.id,
        is_active(Membership),
        col(Membership.role) == literal_column(f"'{MemberRole.OWNER}'"),
    )
    .correlate(Account)
    .scalar_subquery()
)
OWNED = Query(
    select(col(Account.id), col(Balance.currency))
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(col(Account.id) == any_(array_of("accounts", Uuid())), or_(col(Account.owner_id) == _user, _is_joint)),
    OwnedRow,
)
"""Those of the accounts that a user owns, alone or jointly."""
_tokens = col(GrantToken.grant_id) == _grant
EXPIRE_TOKENS = Query(
    update(GrantToken)
    .where(_tokens)
    .values(expires_at=func.least(func.coalesce(col(GrantToken.expires_at), _expires), _expires)),
    Row,
)
DELETE_TOKENS = Query(delete(GrantToken).where(_tokens, col(GrantToken.expires_at) <= _now).returning(col(GrantToken.id)), IdRow)
DELETE_ALL_TOKENS = Query(delete(GrantToken).where(_tokens).returning(col(GrantToken.id)), IdRow)
REVOKE = Query(update(AccessGrant).where(col(AccessGrant.id) == _grant).values(revoked_at=_now), Row)
DELETE_ACCOUNTS = Query(delete(GrantedAccount).where(col(GrantedAccount.grant_id) == _grant), Row)
_of_user = aliased(AccessGrant)
DROP_ACCOUNT = Query(
    delete(GrantedAccount).where(
        col(GrantedAccount.account_id) == bindparam("account", type_=Uuid()),
        any_of(col(GrantedAccount.grant_id), select(col(_of_user.id)).where(col(_of_user.user_id) == _user)),
    ),
    Row,
)
"""Take an account from all grants of a user."""
_of_users = select(col(_of_user.id)).where(col(_of_user.user_id) == _user)
ERASE_TOKENS = Query(delete(GrantToken).where(any_of(col(GrantToken.grant_id), _of_users)), Row)
ERASE_ACCOUNTS = Query(delete(GrantedAccount).where(any_of(col(GrantedAccount.grant_id), _of_users)), Row)
ERASE = Query(
    update(AccessGrant)
    .where(col(AccessGrant.user_id) == _user)
    .values(name="", payees=None, revoked_at=func.coalesce(col(AccessGrant.revoked_at), _now)),
    Row,
)
"""End all grants of a user, and erase their names and payees."""
