"""The tables of accounts, and of the people who may use them beside their owners."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Index, Sequence, text
from sqlmodel import Field, SQLModel

from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy, MemberRole, MembershipStatus
from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field


class Account(SQLModel, table=True):
    """A customer's account. Its currency, balance and overdraft limit are in `balances`, under the same id."""

    __tablename__ = "accounts"
    __table_args__ = (
        one_of("kind", AccountKind),
        one_of("status", AccountStatus),
        one_of("frozen_by", FrozenBy),
        CheckConstraint("(status = 'CLOSED') = (closed_at IS NOT NULL)", name="closed_at_is_told"),
        CheckConstraint("(status = 'FROZEN') = (frozen_by IS NOT NULL)", name="frozen_by_is_told"),
        CheckConstraint("freeze_reason IS NULL OR status = 'FROZEN'", name="freeze_reason_has_its_time"),
        Index("ix_accounts_owner_id_id", "owner_id", "id"),
    )

    id: UUID = uuid_field(references="balances.account_id", primary_key=True)
    owner_id: UUID = uuid_field(references="users.id")
    number: str = text_field(unique=True)
    name: str = text_field()
    kind: AccountKind = text_field()
    status: AccountStatus = text_field(default=AccountStatus.ACTIVE)
    frozen_by: FrozenBy | None = text_field(nullable=True)
    freeze_reason: str | None = text_field(nullable=True)
    opened_at: datetime = time_field()
    updated_at: datetime = time_field()
    closed_at: datetime | None = time_field(nullable=True)


class Membership(SQLModel, table=True):
    """A person who may use an account beside its owner, or is invited to.

    `email` and `email_key` are the address that the invitation was sent to; they are erased with the person. `user_id` is known
    once it is accepted. `daily_limit` is in minor units of the account's currency; None does not limit.
    """

    __tablename__ = "memberships"
    __table_args__ = (
        one_of("role", MemberRole),
        one_of("status", MembershipStatus),
        CheckConstraint("(status = 'INVITED') = (accepted_at IS NULL)", name="acceptance_has_a_time"),
        CheckConstraint("(status = 'ENDED') = (ended_at IS NOT NULL)", name="end_has_a_time"),
        CheckConstraint("(status = 'INVITED') = (user_id IS NULL)", name="member_is_known"),
        CheckConstraint("role = 'MEMBER' OR (may_pay AND may_manage_cards AND daily_limit IS NULL)", name="owners_may_all"),
        CheckConstraint("daily_limit >= 0 AND (may_pay OR daily_limit IS NULL)", name="limit_is_of_payments"),
        Index("uq_memberships_active", "user_id", "account_id", unique=True, postgresql_where=text("status = 'ACTIVE'")),
        Index("uq_memberships_invited", "email_key", "account_id", unique=True, postgresql_where=text("status = 'INVITED'")),
        Index("ix_memberships_account_id_id", "account_id", "id"),
        Index("ix_memberships_user_id", "user_id"),
    )

    id: UUID = key_field()
    account_id: UUID = uuid_field(references="accounts.id")
    user_id: UUID | None = uuid_field(nullable=True, references="users.id")
    role: MemberRole = text_field()
    may_pay: bool = Field(sa_type=Boolean)
    daily_limit: int | None = amount_field(nullable=True)
    may_manage_cards: bool = Field(sa_type=Boolean)
    status: MembershipStatus = text_field()
    email: str | None = text_field(nullable=True)
    email_key: str | None = text_field(nullable=True)
    invited_by: UUID = uuid_field(references="users.id")
    created_at: datetime = time_field()
    expires_at: datetime = time_field()
    accepted_at: datetime | None = time_field(nullable=True)
    ended_at: datetime | None = time_field(nullable=True)


class GrantedAccount(SQLModel, table=True):
    """An account that an access grant gives a program, as long as the grant lasts and its user owns the account."""

    __tablename__ = "granted_accounts"
    __table_args__ = (Index("ix_granted_accounts_account_id", "account_id"),)

    grant_id: UUID = uuid_field(references="access_grants.id", primary_key=True)
    account_id: UUID = uuid_field(references="accounts.id", primary_key=True)


ACCOUNT_SERIALS = Sequence("account_serials", data_type=BigInteger, metadata=SQLModel.metadata)
"""Numbers accounts as they are opened; `rules.Numbering` makes the account number of it."""
