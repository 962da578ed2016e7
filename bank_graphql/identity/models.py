"""The tables of users, their second factors, sessions and refresh tokens, and the access grants of programs."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Boolean, CheckConstraint, Column, Double, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from bank_graphql.identity.enums import GrantKind, UserRole, UserStatus
from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field

WORDS = "to_tsvector('simple'::regconfig, translate((full_name || ' '::text) || email, '@._+-'::text, '     '::text))"
"""The words by which users are found, in SQL: those of their names, and their e-mail addresses."""

ACTIVE_ADMIN = "role = 'ADMIN' AND status = 'ACTIVE'"
"""The condition, in SQL, that a user is an administrator who can act."""


IS_STAFF = "role <> 'CUSTOMER' AND status <> 'CLOSED'"
"""The condition, in SQL, that a user is a member of staff who acts, or would if reinstated."""


class User(SQLModel, table=True):
    """A customer or a member of staff, who signs in with an e-mail address and a password."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", UserRole),
        one_of("status", UserStatus),
        Index("ix_users_words", text(WORDS), postgresql_using="gin"),
        Index("ix_users_staff", "role", postgresql_where=text(IS_STAFF)),
        Index("ix_users_active_admins", "id", postgresql_where=text(ACTIVE_ADMIN)),
    )

    id: UUID = key_field()
    email: str = text_field()
    email_key: str = text_field(unique=True)
    password_hash: str = text_field()
    full_name: str = text_field()
    phone_number: str | None = text_field(nullable=True)
    role: UserRole = text_field()
    status: UserStatus = text_field(default=UserStatus.ACTIVE)
    created_at: datetime = time_field()
    updated_at: datetime = time_field()
    closed_at: datetime | None = time_field(nullable=True)
    suspension_reason: str | None = text_field(nullable=True)
    email_verified_at: datetime | None = time_field(nullable=True)
    erased_at: datetime | None = time_field(nullable=True)


class AttemptBucket(SQLModel, table=True):
    """How many attempts of a kind were made of late, such as log-ins from one network. All processes share it.

    It is not logged: after a crash of the database all buckets are empty. Names are hashed, because they hold addresses.
    """

    __tablename__ = "attempt_buckets"
    __table_args__ = (Index("ix_attempt_buckets_updated_at", "updated_at"), {"prefixes": ["UNLOGGED"]})

    name_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    level: float = Field(sa_column=Column(Double, nullable=False))
    is_allowed: bool = Field(sa_column=Column(Boolean, nullable=False))
    updated_at: datetime = time_field()


class EmailCode(SQLModel, table=True):
    """The keyed hash of a code that was mailed. Its name is the keyed hash of the purpose and the address."""

    __tablename__ = "email_codes"
    __table_args__ = (Index("ix_email_codes_expires_at", "expires_at"),)

    name_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    code_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    guesses: int = Field(sa_column=Column(Integer, nullable=False))
    created_at: datetime = time_field()
    expires_at: datetime = time_field()


class TotpFactor(SQLModel, table=True):
    """The secret from which a user's device computes one-time codes (TOTP, RFC 6238), encrypted.

    It is in use once `confirmed_at` is set. `last_step` is the time step of the last code that was spent: no code of this step
    or of an earlier one is accepted again.
    """

    __tablename__ = "totp_factors"

    user_id: UUID = uuid_field(references="users.id", primary_key=True)
    sealed_secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = time_field()
    confirmed_at: datetime | None = time_field(nullable=True)
    last_step: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class RecoveryCode(SQLModel, table=True):
    """The keyed hash of a code that replaces a one-time code, once."""

    __tablename__ = "recovery_codes"

    user_id: UUID = uuid_field(references="users.id", primary_key=True)
    code_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    used_at: datetime | None = time_field(nullable=True)


class Passkey(SQLModel, table=True):
    """The public part of a key on a user's device (WebAuthn). `is_synced`: the key is on the user's other devices, too."""

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_user_id", "user_id"),)

    id: UUID = key_field()
    user_id: UUID = uuid_field(references="users.id")
    credential_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sign_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    name: str = text_field()
    is_synced: bool = Field(sa_column=Column(Boolean, nullable=False))
    created_at: datetime = time_field()
    last_used_at: datetime | None = time_field(nullable=True)


class AnsweredChallenge(SQLModel, table=True):
    """A challenge that was answered. It is kept until it expires, so that nobody answers it again."""

    __tablename__ = "answered_challenges"
    __table_args__ = (Index("ix_answered_challenges_expires_at", "expires_at"),)

    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    expires_at: datetime = time_field()


class Session(SQLModel, table=True):
    """A signed-in client of a user, from log-in to log-out. Its refresh tokens replace each other.

    `verified_at` is when the user last proved in it who they are; if it is missing, that was when it was created.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_user_id_id", "user_id", "id"),)

    id: UUID = key_field()
    user_id: UUID = uuid_field(references="users.id")
    user_agent: str | None = text_field(nullable=True)
    ip_address: str | None = text_field(nullable=True)
    created_at: datetime = time_field()
    last_used_at: datetime = time_field()
    verified_at: datetime | None = time_field(nullable=True)
    expires_at: datetime = time_field()
    ended_at: datetime | None = time_field(nullable=True)


class RefreshToken(SQLModel, table=True):
    """The SHA-256 of a refresh token. A token is good for one use; a second use ends its session.

    `reply` is the sealed answer to the use. It is kept for as long as a lost answer may be sent again.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_session_id", "session_id"),)

    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    session_id: UUID = uuid_field(references="sessions.id")
    created_at: datetime = time_field()
    used_at: datetime | None = time_field(nullable=True)
    reply: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))


class AccessGrant(SQLModel, table=True):
    """What a user lets a program do, until it expires or is revoked.

    `daily_limit` and `approval_above` are in minor units of `currency`. `payees` are the numbers of the accounts that it may
    pay; None for any.
    """

    __tablename__ = "access_grants"
    __table_args__ = (
        one_of("kind", GrantKind),
        CheckConstraint("daily_limit >= 0 AND approval_above >= 0", name="limits_are_not_negative"),
        CheckConstraint("(daily_limit IS NULL) = (currency IS NULL)", name="limit_has_a_currency"),
        Index("ix_access_grants_user_id_id", "user_id", "id"),
    )

    id: UUID = key_field()
    kind: GrantKind = text_field()
    user_id: UUID = uuid_field(references="users.id")
    name: str = text_field()
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    payees: list[str] | None = Field(sa_column=Column(ARRAY(Text), nullable=True))
    currency: str | None = text_field(nullable=True)
    daily_limit: int | None = amount_field(nullable=True)
    approval_above: int | None = amount_field(nullable=True)
    created_at: datetime = time_field()
    expires_at: datetime = time_field()
    revoked_at: datetime | None = time_field(nullable=True)
    last_used_at: datetime | None = time_field(nullable=True)


class GrantToken(SQLModel, table=True):
    """The SHA-256 of a token of an access grant. A rotated one is valid until `expires_at`."""

    __tablename__ = "grant_tokens"
    __table_args__ = (Index("ix_grant_tokens_grant_id", "grant_id"),)

    id: UUID = key_field()
    token_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    grant_id: UUID = uuid_field(references="access_grants.id")
    created_at: datetime = time_field()
    expires_at: datetime | None = time_field(nullable=True)
