"""How columns are declared, so that every table says the same thing the same way."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Text, Uuid
from sqlmodel import Field, SQLModel

from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.ids import new_id

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def key_field(**more: Any) -> Any:
    """A UUIDv7 primary key, made in Python."""
    return Field(default_factory=new_id, primary_key=True, sa_type=Uuid, **more)


def uuid_field(*, references: str | None = None, **more: Any) -> Any:
    """A UUID, or a foreign key (`table.column`)."""
    return Field(sa_type=Uuid, foreign_key=references, **more)


def text_field(**more: Any) -> Any:
    """A text; enums too are stored as text, their values held by a CHECK."""
    return Field(sa_type=Text, **more)


def amount_field(**more: Any) -> Any:
    """An amount in minor units."""
    return Field(sa_type=BigInteger, **more)


def time_field(**more: Any) -> Any:
    """A moment in UTC; now, unless said otherwise."""
    if not more.get("nullable"):
        more.setdefault("default_factory", utc_now)
    return Field(sa_type=DateTime(timezone=True), **more)


def one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    """The CHECK that a text column holds one of the enum's values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")
