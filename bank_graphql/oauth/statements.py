"""The statements of the room."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, LargeBinary, Text, Uuid, bindparam, delete, insert, not_, or_, select, update
from sqlmodel import col

from bank_graphql.identity.enums import UserStatus
from bank_graphql.identity.models import AccessGrant, GrantToken, User
from bank_graphql.kit.statements import Query, Row
from bank_graphql.oauth.models import OAuthClient, OAuthCode, OAuthConsent, OAuthRefreshToken

R = TypeVar("R", bound=Row)


class ClientRow(Row):
    """A registered client."""

    id: UUID
    name: str
    secret_hash: bytes | None
    redirect_uris: list[str]
    scopes: list[str]
    disabled_at: datetime | None


class ConsentRow(Row):
    """A consent."""

    id: UUID


class CodeRow(Row):
    """An authorization code, the user who consented, and whether the consent has ended, or the user is not active any more."""

    grant_id: UUID
    token_id: UUID
    client_id: UUID
    redirect_uri: str
    challenge: str
    nonce: str | None
    key_thumbprint: str | None
    scopes: list[str]
    expires_at: datetime
    used_at: datetime | None
    user_id: UUID
    has_ended: bool


class RefreshRow(Row):
    """A refresh token, the user who consented, and whether the consent has ended, or the user is not active any more."""

    grant_id: UUID
    token_id: UUID
    client_id: UUID
    key_thumbprint: str | None
    scopes: list[str]
    used_at: datetime | None
    user_id: UUID
    has_ended: bool


class GrantOfTokenRow(Row):
    """The grant of a token."""

    grant_id: UUID


class GrantRow(Row):
    """An access grant, and its user."""

    user_id: UUID
    scopes: list[str]


_id, _now = bindparam("client", type_=Uuid()), bindparam("now", type_=DateTime(timezone=True))
_hash = bindparam("hash", type_=LargeBinary())
CLIENT = Query(
    select(*(col(getattr(OAuthClient, name)) for name in ClientRow.__annotations__)).where(col(OAuthClient.id) == _id), ClientRow
)
CLIENTS = Query(
    select(*(col(getattr(OAuthClient, name)) for name in ClientRow.__annotations__)).order_by(col(OAuthClient.id)).limit(1000),
    ClientRow,
)
INSERT_CLIENT = Query(
    insert(OAuthClient).values(
        id=_id,
        name=bindparam("given_name", type_=Text()),
        secret_hash=_hash,
        redirect_uris=bindparam("uris", type_=ARRAY(Text())),
        scopes=bindparam("given_scopes", type_=ARRAY(Text())),
        created_at=_now,
    ),
    Row,
)
DISABLE = Query(
    update(OAuthClient).where(col(OAuthClient.id) == _id, col(OAuthClient.disabled_at).is_(None)).values(disabled_at=_now), Row
)
_user = bindparam("user", type_=Uuid())
INSERT_CONSENT = Query(insert(OAuthConsent).values(grant_id=bindparam("grant", type_=Uuid()), client_id=_id, user_id=_user), Row)
DELETE_CONSENTS = Query(delete(OAuthConsent).where(col(OAuthConsent.user_id) == _user), Row)
OLDER_CONSENTS = Query(
    select(col(AccessGrant.id))
    .join(OAuthConsent, col(OAuthConsent.grant_id) == AccessGrant.id)
    .where(col(OAuthConsent.user_id) == _user, col(OAuthConsent.client_id) == _id, col(AccessGrant.revoked_at).is_(None))
    .order_by(col(OAuthConsent.grant_id).desc())
    .offset(bindparam("kept", type_=Integer())),
    ConsentRow,
)
"""The consents of a user to a client that have not been revoked, without the newest."""
CONSENTS = Query(
    select(col(AccessGrant.id))
    .join(OAuthConsent, col(OAuthConsent.grant_id) == AccessGrant.id)
    .where(col(OAuthConsent.client_id) == _id, col(AccessGrant.revoked_at).is_(None)),
    ConsentRow,
)
"""The consents to a client that have not been revoked."""
INSERT_CODE = Query(
    insert(OAuthCode).values(
        code_hash=_hash,
        grant_id=bindparam("grant", type_=Uuid()),
        token_id=bindparam("token", type_=Uuid()),
        client_id=_id,
        redirect_uri=bindparam("uri", type_=Text()),
        challenge=bindparam("given_challenge", type_=Text()),
        nonce=bindparam("given_nonce", type_=Text()),
        key_thumbprint=bindparam("thumbprint", type_=Text()),
        scopes=bindparam("given_scopes", type_=ARRAY(Text())),
        created_at=_now,
        expires_at=bindparam("expires", type_=DateTime(timezone=True)),
    ),
    Row,
)
_is_over = or_(
    col(AccessGrant.revoked_at).is_not(None), col(AccessGrant.expires_at) <= _now, col(User.status) != UserStatus.ACTIVE
)
_has_ended = _is_over.label("has_ended")


def _locked(table: type[OAuthCode | OAuthRefreshToken], hashed: Any, row: type[R]) -> Query[R]:
    """Return a query for a code or refresh token by its hash, with its consent. Nobody else uses it meanwhile."""
    own = [col(getattr(table, name)) for name in row.__annotations__ if name not in {"user_id", "has_ended"}]
    return Query(
        select(*own, col(AccessGrant.user_id), _has_ended)
        .select_from(table)
        .join(AccessGrant, col(AccessGrant.id) == table.grant_id)
        .join(User, col(User.id) == AccessGrant.user_id)
        .where(hashed == _hash)
        .with_for_update(of=table),
        row,
    )


CODE = _locked(OAuthCode, col(OAuthCode.code_hash), CodeRow)
USE_CODE = Query(update(OAuthCode).where(col(OAuthCode.code_hash) == _hash).values(used_at=_now), Row)
DELETE_CODES = Query(delete(OAuthCode).where(col(OAuthCode.expires_at) < _now), Row)
INSERT_REFRESH = Query(
    insert(OAuthRefreshToken).values(
        token_hash=_hash,
        grant_id=bindparam("grant", type_=Uuid()),
        token_id=bindparam("token", type_=Uuid()),
        client_id=_id,
        key_thumbprint=bindparam("thumbprint", type_=Text()),
        scopes=bindparam("given_scopes", type_=ARRAY(Text())),
        created_at=_now,
    ),
    Row,
)
REFRESH = _locked(OAuthRefreshToken, col(OAuthRefreshToken.token_hash), RefreshRow)
DELETE_REFRESH = Query(
    delete(OAuthRefreshToken).where(
        col(OAuthRefreshToken.grant_id) == bindparam("grant", type_=Uuid()), col(OAuthRefreshToken.used_at) < _now
    ),
    Row,
)
"""Delete the refresh tokens of a consent that were used before a time."""
USE_REFRESH = Query(update(OAuthRefreshToken).where(col(OAuthRefreshToken.token_hash) == _hash).values(used_at=_now), Row)
GRANT = Query(
    select(col(AccessGrant.user_id), col(AccessGrant.scopes))
    .join(User, col(User.id) == AccessGrant.user_id)
    .where(col(AccessGrant.id) == bindparam("grant", type_=Uuid()), not_(_is_over)),
    GrantRow,
)
"""An access grant that is active, as its user is."""
GRANT_OF_TOKEN = Query(
    select(col(GrantToken.grant_id)).where(col(GrantToken.id) == bindparam("token", type_=Uuid())), GrantOfTokenRow
)
