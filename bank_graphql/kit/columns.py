"""Fields of table models, declared the same way in every table."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypedDict, Unpack

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
_Field = Any  # a field is declared as a value of the column's type, whatever that is


class Options(TypedDict, total=False):
    """Options that every field takes, with SQLModel's meaning."""

    default: object
    nullable: bool
    primary_key: bool
    unique: bool


def key_field() -> _Field:
    """Return a field with a UUIDv7 as primary key, generated in Python."""
    return Field(default_factory=new_id, primary_key=True, sa_type=Uuid)


def uuid_field(*, references: str | None = None, **options: Unpack[Options]) -> _Field:
    """Return a field with a UUID. It is a foreign key if it references a `table.column`."""
    return Field(sa_type=Uuid, foreign_key=references, **options)


def text_field(**options: Unpack[Options]) -> _Field:
    """Return a field with a text. Enums are stored as text too, and restricted to their values by `one_of`."""
    return Field(sa_type=Text, **options)


def amount_field(**options: Unpack[Options]) -> _Field:
    """Return a field with an amount in minor units."""
    return Field(sa_type=BigInteger, **options)


def time_field(**options: Unpack[Options]) -> _Field:
    """Return a field with a time in UTC. Unless it is nullable, its default is the current time."""
    if options.get("nullable"):
        return Field(sa_type=DateTime(timezone=True), **options)
    return Field(sa_type=DateTime(timezone=True), default_factory=utc_now, **options)


def one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    """Return the CHECK constraint that a text column has one of the values of an enum."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")
