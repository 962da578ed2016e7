"""The payees' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import SQLModel

from bank_graphql.kit.columns import key_field, one_of, text_field, time_field, uuid_field
from bank_graphql.payees.enums import PayeeMatch


class VerifiedPayment(SQLModel, table=True):
    """How the name of a payment's payee compared with that of the account's holder, when the payer had it verified."""

    __tablename__ = "verified_payments"
    __table_args__ = (one_of("match", PayeeMatch),)

    transaction_id: UUID = uuid_field(references="transactions.id", primary_key=True)
    match: PayeeMatch = text_field()
    name: str = text_field()


class Payee(SQLModel, table=True):
    """A payee of a customer. One that was removed is kept, because repeated requests may name it."""

    __tablename__ = "payees"
    __table_args__ = (
        Index("ix_payees_owner_id_id", "owner_id", "id"),
        Index(
            "uq_payees_owner_id_account_number",
            "owner_id",
            "account_number",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: UUID = key_field()
    owner_id: UUID = uuid_field(references="users.id")
    name: str = text_field()
    account_number: str = text_field()
    created_at: datetime = time_field()
    removed_at: datetime | None = time_field(nullable=True)
