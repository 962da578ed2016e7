"""The schema: descriptions, types and declared costs."""

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_introspection_type,
    is_list_type,
    is_specified_scalar_type,
)

from bank_graphql.api.schema import build_schema, export
from bank_graphql.engine.costs import costs_of
from bank_graphql.kit.paging import DEFAULT_SIZE

SCHEMA = build_schema()
TYPES = [
    kind for kind in SCHEMA._schema.type_map.values() if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
]
SELF_EXPLANATORY = {
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
"""Enums that need no description of each value: the names explain the values, or the enum's description does."""
UNSIZED = {
    "ClockAdvanced.details": "one for each kind of thing that falls due; nothing is read for it",
    "Card.limits": "at most one for each of four windows, read for all cards together",
    "LedgerVerification.checks": "a few, which the weight of the field above covers",
    "Transaction.entries": "one or two, read for all transactions together",
    "User.sessions": "at most 100, which the field's own weight covers",
    "User.passkeys": "at most 20, which the field's own weight covers",
    "ValidationRejection.fields": "what is wrong with one input; nothing is read for it",
}
"""Lists that declare no size and count as one item, each with the reason."""


def test_everything_is_described() -> None:
    missing = []
    for kind in TYPES:
        if not kind.description:
            missing.append(kind.name)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            missing += [f"{kind.name}.{name}" for name, field in kind.fields.items() if not field.description]
        if isinstance(kind, GraphQLEnumType) and kind.name not in SELF_EXPLANATORY:
            missing += [f"{kind.name}.{name}" for name, value in kind.values.items() if not value.description]
    assert missing == []


def test_unions_and_enums_that_may_grow_say_so_in_their_description() -> None:
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
def test_the_schema_declares_costs_to_clients(line: str) -> None:
    assert line in export(SCHEMA).splitlines()


def test_every_list_of_objects_declares_its_size() -> None:
    costs, unsized = costs_of(SCHEMA._schema).types, set()
    for kind in TYPES:
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                declared = costs[kind.name].fields[name]
                is_list_of_objects = is_list_type(get_nullable_type(field.type)) and is_composite_type(get_named_type(field.type))
                if is_list_of_objects and declared.size is None and not declared.is_sized:
                    unsized.add(f"{kind.name}.{name}")
    assert unsized == set(UNSIZED)


def test_every_field_of_a_connection_declares_the_size_of_its_pages() -> None:
    costs, connections = costs_of(SCHEMA._schema).types, 0
    for kind in TYPES:
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                if get_named_type(field.type).name.endswith("Connection"):
                    size = costs[kind.name].fields[name].size
                    assert size is not None, f"{kind.name}.{name}"
                    assert (size.is_of_fields, size.assumed) == (True, DEFAULT_SIZE)
                    assert {path.argument for path in size.paths} == {"first", "last"} & set(field.args)
                    connections += 1
    assert connections == 16


def test_every_mutation_declares_its_cost() -> None:
    assert min(field.weight for field in costs_of(SCHEMA._schema).types["Mutation"].fields.values()) >= 130
