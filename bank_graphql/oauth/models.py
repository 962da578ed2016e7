"""The tables of registered clients, their authorization codes and refresh tokens. Secrets are stored as hashes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from bank_graphql.kit.columns import key_field, text_field, time_field, uuid_field


class OAuthClient(SQLModel, table=True):
    """A program of somebody else that users may let act."""

    __tablename__ = "oauth_clients"

    id: UUID = key_field()
    name: str = text_field()
    secret_hash: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    redirect_uris: list[str] = Field(sa_type=ARRAY(Text))
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    created_at: datetime = time_field()
    disabled_at: datetime | None = time_field(nullable=True)


class OAuthConsent(SQLModel, table=True):
    """The access grant that a user gave a registered client."""

    __tablename__ = "oauth_consents"
    __table_args__ = (
        Index("ix_oauth_consents_user_id_client_id", "user_id", "client_id", "grant_id"),
        Index("ix_oauth_consents_client_id", "client_id"),
    )

    grant_id: UUID = uuid_field(references="access_grants.id", primary_key=True)
    client_id: UUID = uuid_field(references="oauth_clients.id")
    user_id: UUID = uuid_field(references="users.id")


class OAuthCode(SQLModel, table=True):
    """The SHA-256 of an authorization code, good for one use. A second use ends the consent."""

    __tablename__ = "oauth_codes"
    __table_args__ = (Index("ix_oauth_codes_expires_at", "expires_at"),)

    code_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    grant_id: UUID = uuid_field(references="access_grants.id")
    token_id: UUID = uuid_field()
    client_id: UUID = uuid_field(references="oauth_clients.id")
    redirect_uri: str = text_field()
    challenge: str = text_field()
    nonce: str | None = text_field(nullable=True)
    key_thumbprint: str | None = text_field(nullable=True)
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    created_at: datetime = time_field()
    expires_at: datetime = time_field()
    used_at: datetime | None = time_field(nullable=True)


class OAuthRefreshToken(SQLModel, table=True):
    """The SHA-256 of a refresh token of a client, good for one use. A second use ends the consent."""

    __tablename__ = "oauth_refresh_tokens"
    __table_args__ = (Index("ix_oauth_refresh_tokens_grant_id", "grant_id"),)

    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    grant_id: UUID = uuid_field(references="access_grants.id")
    token_id: UUID = uuid_field()
    client_id: UUID = uuid_field(references="oauth_clients.id")
    key_thumbprint: str | None = text_field(nullable=True)
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    created_at: datetime = time_field()
    used_at: datetime | None = time_field(nullable=True)
