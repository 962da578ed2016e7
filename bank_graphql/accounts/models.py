"""The accounts' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Sequence
from sqlmodel import SQLModel

from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy
from bank_graphql.kit.columns import one_of, text_field, time_field, uuid_field


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


ACCOUNT_SERIALS = Sequence("account_serials", data_type=BigInteger, metadata=SQLModel.metadata)
"""Numbers accounts as they are opened; `rules.Numbering` makes the account number of it."""
