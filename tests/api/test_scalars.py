"""The scalars accept what they describe, and nothing else."""

from datetime import UTC, datetime

import pytest
from graphql import GraphQLError, GraphQLScalarType

from bank_graphql.api.schema import build_schema

TYPES = build_schema()._schema.type_map


def scalar(name: str) -> GraphQLScalarType:
    found = TYPES[name]
    assert isinstance(found, GraphQLScalarType)
    return found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T09:30:00Z", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24t09:30:00.1234567+01:30", datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_utc(text: str, moment: datetime) -> None:
    assert scalar("DateTime").coerce_input_value(text) == moment


@pytest.mark.parametrize(
    "value",
    ["2026-11-24T09:30:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "2026-11-24", "now", "", 1795512600, None],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="RFC 3339"):
        scalar("DateTime").coerce_input_value(value)


def test_a_whole_number_of_any_size_is_a_string_of_digits() -> None:
    assert scalar("BigInt").coerce_input_value("-12345678901234567890123") == -12345678901234567890123
    for value in ("", "1.5", "1e3", "٣", "9" * 31, 5, None):
        with pytest.raises(GraphQLError, match="digits"):
            scalar("BigInt").coerce_input_value(value)
