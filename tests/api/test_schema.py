"""The schema itself."""

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    is_introspection_type,
    is_specified_scalar_type,
)

from bank_graphql.api.schema import build_schema, export

SCHEMA = build_schema()
TYPES = [
    kind for kind in SCHEMA._schema.type_map.values() if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
]
LISTED = {
    "TransactionEventKind",
    "CurrencyCode",
    "AccountKind",
    "AccountStatus",
    "EntryDirection",
    "CardForm",
    "FrozenBy",
    "CardKind",
    "CardStatus",
    "LimitWindow",
    "StateConflictCode",
    "TransactionKind",
    "TransactionStatus",
    "UserRole",
    "UserStatus",
}
"""Enums whose values are their own explanation, or are explained in the enum's description."""


def test_everything_is_described() -> None:
    missing = []
    for kind in TYPES:
        if not kind.description:
            missing.append(kind.name)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            missing += [f"{kind.name}.{name}" for name, field in kind.fields.items() if not field.description]
        if isinstance(kind, GraphQLEnumType) and kind.name not in LISTED:
            missing += [f"{kind.name}.{name}" for name, value in kind.values.items() if not value.description]
    assert missing == []


def test_what_will_grow_says_so() -> None:
    for kind in TYPES:
        if isinstance(kind, GraphQLUnionType) or kind.name in {
            "TransactionKind",
            "TransactionStatus",
            "StateConflictCode",
            "UserRole",
        }:
            assert "may be added" in (kind.description or ""), kind.name


def test_no_field_name_has_two_types_within_a_union() -> None:
    for kind in TYPES:
        if isinstance(kind, GraphQLUnionType):
            seen: dict[str, str] = {}
            for member in kind.types:
                for name, field in member.fields.items():
                    assert seen.setdefault(name, str(field.type)) == str(field.type), f"{kind.name}: {name}"


def test_optional_arguments_have_no_null_default() -> None:
    assert "= null" not in export(SCHEMA)


@pytest.mark.parametrize(
    "line",
    [
        "directive @cost(weight: String!) on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT",
        "directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], "
        "requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION",
        'type PageInfo @cost(weight: "0") {',
        '  balanceAt(at: DateTime!): Money! @cost(weight: "20")',
        '  nodes(ids: [ID!]! @cost(weight: "1")): [Node]! @cost(weight: "1") '
        '@listSize(slicingArguments: ["ids"], requireOneSlicingArgument: true)',
        '  transferBatch(input: TransferBatchInput!): TransferBatchResult! @cost(weight: "130") '
        '@listSize(slicingArguments: ["input.transfers"], sizedFields: ["results"], requireOneSlicingArgument: true)',
        '  transfers: [TransferInput!]! @cost(weight: "12")',
    ],
)
def test_clients_can_read_what_costs(line: str) -> None:
    assert line in export(SCHEMA).splitlines()
