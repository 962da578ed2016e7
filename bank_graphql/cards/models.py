"""The cards' tables. Outside the vault's own tables they hold no more of a card's number than its last four digits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, text
from sqlmodel import Field, SQLModel

from bank_graphql.accounts.enums import FrozenBy
from bank_graphql.cards.enums import CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.kit.columns import amount_field, key_field, one_of, text_field, time_field, uuid_field


class Card(SQLModel, table=True):
    """A card on an account.

    A card and the cards that replaced it form a series, which has the first card's id. They share their spending limits.
    """

    __tablename__ = "cards"
    __table_args__ = (
        one_of("kind", CardKind),
        one_of("form", CardForm),
        one_of("status", CardStatus),
        one_of("frozen_by", FrozenBy),
        CheckConstraint("status <> 'FROZEN' OR frozen_by IS NOT NULL", name="frozen_by_is_told"),
        CheckConstraint("frozen_by IS NULL OR status NOT IN ('INACTIVE', 'ACTIVE')", name="frozen_by_has_its_time"),
        CheckConstraint("last4 ~ '^[0-9]{4}$'", name="last4_are_digits"),
        Index("ix_cards_account_id_id", "account_id", "id"),
        Index("ix_cards_series_id", "series_id"),
        Index("uq_cards_replaces_id", "replaces_id", unique=True, postgresql_where=text("replaces_id IS NOT NULL")),
        Index("ix_cards_expires_at", "expires_at", postgresql_where=text("status IN ('INACTIVE', 'ACTIVE', 'FROZEN')")),
    )

    id: UUID = key_field()
    account_id: UUID = uuid_field(references="accounts.id")
    series_id: UUID = uuid_field(references="cards.id")
    replaces_id: UUID | None = uuid_field(references="cards.id", nullable=True)
    kind: CardKind = text_field()
    form: CardForm = text_field()
    status: CardStatus = text_field()
    frozen_by: FrozenBy | None = text_field(nullable=True)
    holder_name: str = text_field()
    last4: str = text_field()
    expiry_month: int = Field(sa_type=Integer)
    expiry_year: int = Field(sa_type=Integer)
    expires_at: datetime = time_field()
    created_at: datetime = time_field()
    updated_at: datetime = time_field()


class CardSecret(SQLModel, table=True):
    """A card's number, sealed under a key of its own, which a master key wraps; and the number's keyed hash, for look-ups."""

    __tablename__ = "card_secrets"
    card_id: UUID = uuid_field(references="cards.id", primary_key=True)
    number_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    sealed_number: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    wrapped_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    master_key: str = text_field()


class VaultKey(SQLModel, table=True):
    """One of the vault's own keys, wrapped by the master key in use. The keys of new cards are wrapped by the same one."""

    __tablename__ = "vault_keys"

    purpose: str = text_field(primary_key=True)
    wrapped_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    master_key: str = text_field()


class CardLimit(SQLModel, table=True):
    """The maximum that a card may spend in a window of time, in minor units of its account's currency."""

    __tablename__ = "card_limits"
    __table_args__ = (
        one_of("time_window", LimitWindow),
        CheckConstraint("amount >= 0", name="amount_is_not_negative"),
    )

    card_id: UUID = uuid_field(references="cards.id", primary_key=True)
    time_window: LimitWindow = text_field(primary_key=True)
    amount: int = amount_field()


class CardBlock(SQLModel, table=True):
    """A merchant category (ISO 18245) that a card does not pay."""

    __tablename__ = "card_blocks"
    __table_args__ = (CheckConstraint("category ~ '^[0-9]{4}$'", name="category_is_four_digits"),)

    card_id: UUID = uuid_field(references="cards.id", primary_key=True)
    category: str = text_field(primary_key=True)


class CardTransaction(SQLModel, table=True):
    """What is stored of a transaction that was made with a card, beside the ledger's row.

    `counted` is what the transaction counts toward limits in the windows that contain `authorized_at`: for a hold what it still
    reserves, for a payment what was not refunded.
    """

    __tablename__ = "card_transactions"
    __table_args__ = (
        CheckConstraint("counted >= 0", name="counted_is_not_negative"),
        Index("ix_card_transactions_card_id_transaction_id", "card_id", "transaction_id"),
        Index("ix_card_transactions_series_id_authorized_at", "series_id", "authorized_at", postgresql_include=["counted"]),
    )

    transaction_id: UUID = uuid_field(references="transactions.id", primary_key=True)
    card_id: UUID = uuid_field(references="cards.id")
    series_id: UUID = uuid_field(references="cards.id")
    authorized_at: datetime = time_field()
    counted: int = amount_field()
    merchant_name: str = text_field()
    merchant_category: str = text_field()
    merchant_country: str = text_field()
    decline_reason: str | None = text_field(nullable=True)
