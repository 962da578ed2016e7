"""Global ids, cursors, references."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import (
    decode_cursor,
    encode_cursor,
    global_id,
    lock_key,
    new_id,
    parse_global_id,
    parse_reference,
    parse_serial,
    parse_uuid,
    reference,
    uuid_of,
)


@given(st.uuids())
def test_ids_and_references_can_be_parsed_again(key: UUID) -> None:
    assert uuid_of(global_id("Account", key), "Account") == key
    assert uuid_of(global_id("Account", key), "User") is None
    assert parse_reference(f" {reference(key).lower()} ") == key
    assert decode_cursor(encode_cursor("Account", key), "Account") == key.hex


@given(st.text(max_size=300))
def test_a_malformed_id_is_the_id_of_nothing(text: str) -> None:
    parse_global_id(text)
    assert uuid_of(text, "Account") is None
    assert parse_serial("x" + text) is None
    with pytest.raises(BadRequest):
        decode_cursor(text, "Account")


def test_new_ids_are_version_7_and_rise() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(each.version == 7 for each in ids)
    assert ids == sorted(ids)


def test_lock_keys_are_signed_64_bit_and_distinct() -> None:
    one, other = UUID(int=1), UUID(int=2)
    keys = [lock_key("a", one), lock_key("b", one), lock_key("a", other), lock_key("a", one, "x"), lock_key("a", one, "y")]
    assert len(set(keys)) == len(keys)
    assert all(-(2**63) <= key < 2**63 for key in keys)


@pytest.mark.parametrize("text", ["0" * 31, "g" * 32, "A" * 32, "0" * 31 + "\n", "0_" * 16, "٠" * 32, "{" + "0" * 30 + "}"])
def test_a_key_has_only_one_spelling(text: str) -> None:
    assert parse_uuid(text) is None
