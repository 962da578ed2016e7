"""The scalars. Parsing a Decimal never fails here: whether it is an amount depends on the currency, and `inputs` says so."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NewType

import orjson
import strawberry
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

DecimalText = NewType("DecimalText", str)
DateTime = NewType("DateTime", datetime)
BigInt = NewType("BigInt", int)

_NO_AMOUNT = DecimalText("?")
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(\.\d{1,30})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MICROSECONDS = len(".123456")


def _parse_decimal(value: Any) -> DecimalText:
    if isinstance(value, str):
        return DecimalText(value)
    return DecimalText(str(value)) if type(value) is int and abs(value) < 10**30 else _NO_AMOUNT


def _parse_decimal_literal(node: ValueNode, _variables: Any = None) -> DecimalText:
    return DecimalText(node.value) if isinstance(node, StringValueNode | IntValueNode) else _NO_AMOUNT


def _parse_datetime(value: Any) -> DateTime:
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        to_second, fraction, offset = match.groups(default="")
        try:
            # .NET writes seven digits of a second, Java and Go up to nine: what is finer than a microsecond is left out.
            moment = datetime.fromisoformat(f"{to_second}{fraction[:_MICROSECONDS]}{offset}".upper())
            return DateTime(moment.astimezone(UTC))
        except (ValueError, OverflowError):
            pass
    raise GraphQLError("A DateTime is a string after RFC 3339, with its offset: for example 2026-11-24T09:30:00Z.")


def _parse_date(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise GraphQLError("A Date is a string after RFC 3339: for example 2026-11-24.")


def _parse_big_int(value: Any) -> BigInt:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,30}", value, re.ASCII):
        return BigInt(int(value))
    raise GraphQLError("A BigInt is a string of digits.")


def _in_utc(moment: datetime) -> datetime:
    """A moment in UTC. `to_json` writes it after RFC 3339."""
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def to_json(answer: Any) -> bytes:
    """An answer as JSON; moments after RFC 3339 in UTC, e.g. `2026-11-24T09:30:00.123456Z`."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


SCALARS: Mapping[object, ScalarDefinition] = {
    DecimalText: strawberry.scalar(
        name="Decimal",
        description=(
            "An amount as a string with a dot as decimal separator and, on output, exactly as many digits after it as the "
            'currency has: "12.30" for EUR, "12" for JPY. Input is a string or an integer, never a float.'
        ),
        serialize=str,
        parse_value=_parse_decimal,
        parse_literal=_parse_decimal_literal,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of any size, as a string of digits.",
        serialize=str,
        parse_value=_parse_big_int,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day per RFC 3339, in the bank's time zone: 2026-11-24.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description=(
            "A date and time per RFC 3339. On output always in UTC, with up to six digits of a second: "
            "2026-11-24T09:30:00.123456Z. Input has any offset; digits beyond the sixth are ignored."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_in_utc,
        parse_value=_parse_datetime,
    ),
}
