"""Limits on documents."""

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, get_operation_ast, parse

from bank_graphql.api.schema import build_schema
from bank_graphql.engine import complexity
from bank_graphql.engine.complexity import operation_cost
from bank_graphql.kit.errors import TooComplex
from tests.client import Client

SCHEMA = build_schema()._schema
BASE = complexity.REQUEST_COST + complexity.ROOT_FIELD_COST
"""The cost of a request with one root field, in addition to what it selects."""


def cost(text: str, **variables: object) -> int:
    document = parse(text)
    operation = get_operation_ast(document)
    assert isinstance(operation, OperationDefinitionNode)
    return operation_cost(SCHEMA, document, operation, dict(variables))


def nested(levels: int) -> str:
    return "{ me " * levels + "{ id }" + " }" * levels


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("{ __typename }", 0),
        ("{ me { id email } }", 1),
        ("{ rateLimit { limit } me { id } }", 2 + complexity.ROOT_FIELD_COST),
        ("{ me { accounts { nodes { id } } } }", 1 + 1 + 20),
        ("{ me { accounts(first: 5) { nodes { id } pageInfo { endCursor } } } }", 1 + 1 + 5),
        ("{ me { accounts(first: 5) { nodes { entries(last: 3) { nodes { amount { amount } } } } } } }", 2 + 5 * (1 + 1 + 3 * 2)),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 1 + 3 * 2),
        ('{ nodes(ids: ["a", "b", "c"]) { ... on Account { owner { id } } } }', 1 + 3 * 3),
        ("mutation { logOut { __typename } }", 1 + 130),
        ("query ($n: Int = 7) { me { accounts(first: $n) { nodes { id } } } }", 2 + 7),
        ("{ __schema { types { name } } }", 100 + 45),
        ("{ __schema { types { fields { name } } } }", 100 + 1000 + 45),
        ("{ __schema { types { fields { type { fields { name } } } } } }", 100 + 1000 + 4 * (45 + 1000 + 45)),
        ("{ me { sessions { id } } }", 2 + 100),
        ("{ feedCursor }", 60),
        (
            "{ me { accounts { nodes { transactions(filter: {kinds: []}, first: 2) { nodes { id } } } } } }",
            2 + 20 * (1 + 1 + 2 + 100),
        ),
        ("{ me { ...f ...f } } fragment f on User { accounts { nodes { id } } }", 1 + 2 * 21),
    ],
)
def test_the_published_rule(text: str, selected: int) -> None:
    assert cost(text) == BASE + selected


def test_variables_size_lists() -> None:
    text = "query ($n: Int, $ids: [ID!]!) { nodes(ids: $ids) { ... on Account { entries(first: $n) { nodes { id } } } } }"
    assert cost(text, n=3, ids=["a"] * 4) == BASE + 1 + 4 * (2 + 1 + 3)
    assert cost(text, n=3, ids=["a"] * 1000) == BASE + 1 + 100 * (2 + 1 + 3) + 1002 // 10
    for odd in (None, -5):
        cost(text, n=odd, ids=odd)
    no_numbers: list[object] = [100.0, 1e9, "x", {}, True]
    for each in no_numbers:  # counts as much as can be
        assert cost(text, n=each, ids=["a"]) == cost(text, n=100, ids=["a"])


def test_what_is_asked_of_each_transfer_of_a_batch_counts() -> None:
    text = "mutation ($i: TransferBatchInput!) { transferBatch(input: $i) { ... on TransferBatchOutcome { results { ... on MoneyMoved %s } } } }"
    cheap, dear = (
        text % "{ transaction { id } }",
        text % "{ transaction { entries { account { entries(first: 100) { nodes { id } } } } } }",
    )
    many: dict[str, list[object]] = {"transfers": [{}] * 1000}
    assert cost(cheap, i=many) == BASE + 1 + 2 * 100 + 1001 // 10 + 130 + 12 * 1000
    with pytest.raises(TooComplex):
        cost(dear, i={"transfers": [{}] * 50})
    with pytest.raises(TooComplex):
        cost(
            dear.replace("$i: TransferBatchInput!", "$t: [TransferInput!]!").replace("input: $i", "input: {transfers: $t}"),
            t=[{}] * 50,
        )


@pytest.mark.parametrize("values", [[0] * 2001, [[0] * 900] * 30, {"a": {"b": [{"c": 1}] * 999}, "d": [[{}] * 1000] * 25}])
def test_variables_have_their_limits(values: object) -> None:
    with pytest.raises(TooComplex):
        cost("{ me { id } }", v=values)


@pytest.mark.parametrize(
    "text",
    [
        nested(12),
        "{ " + " ".join(f"a{n}: me {{ id }}" for n in range(31)) + " }",
        "{ " + "me { id } " * 21 + "}",
        "{ me " + "@include(if: true) " * 51 + "{ id } }",
        "{ me { " + "id " * 51 + "} }",
        "{ me { " + "... { " + "id " * 26 + "} ... { " + "id " * 26 + "} } }",
        "{ me { " + "x" * 101 + " } }",
        "{ " + "x" * 101 + ": me { id } }",
        "{ me { id } } " + " ".join(f"fragment f{n} on User {{ id }}" for n in range(101)),
        "{ " + " ".join(f"a{n}: __schema {{ queryType {{ name }} }}" for n in range(3)) + " }",
        "{ me { " + "... { " * 12 + "id " * 45 + "} " * 12 + " ".join(f"...f{n % 3}" for n in range(12)) + "} } "
        + " ".join(f"fragment f{n} on User {{ {'id ' * 45} }}" for n in range(3)),
        "{ me { accounts(first: 100) { nodes { entries(first: 100) { nodes { counterparty { name } } } } } } }",
        "query { me { ...f0 } } " + " ".join(f"fragment f{n} on User {{ ...f{n + 1} ...f{n + 1} }}" for n in range(60))
        + " fragment f60 on User { id email }",
    ],
)  # fmt: skip
def test_what_is_beyond_them(text: str) -> None:
    with pytest.raises(TooComplex):
        cost(text)


@pytest.mark.parametrize(
    "text",
    [
        nested(11),
        "{ " + " ".join(f"a{n}: rateLimit {{ limit }}" for n in range(20)) + " }",
        "{ me { ...f } } fragment f on User { id ...f }",
        "{ me { ...missing } }",
    ],
)
def test_what_is_within_them(text: str) -> None:
    cost(text)


def test_reading_a_new_document_costs_by_its_length() -> None:
    assert complexity.source_cost("{ me }") == 170 + 9
    assert complexity.source_cost("{ me }" * 100) == 170 + 900
    assert complexity.source_cost(" " * 200_000) == complexity.source_cost(" " * 16_000) == 170 + 24_000


async def test_hostile_documents_cost_little_and_are_answered(visitor: Client) -> None:
    hostile = {
        "fragments that double": "query { me { ...f0 } } "
        + " ".join(f"fragment f{n} on User {{ a: __typename ...f{n + 1} ...f{n + 1} }}" for n in range(150))
        + " fragment f150 on User { id }",
        "very deep": "{ me " * 400 + "{ id }" + " }" * 400,
        "deep lists": "{ nodes(ids: " + "[" * 900 + "]" * 900 + ") { id } }",
        "deep objects": "{ me(x: " + "{a: " * 500 + "1" + "}" * 500 + ") { id } }",
        "many tokens": "{ me { " + "id " * 100_000 + "} }",
        "many comments": "#\n" * 300_000 + "{ me { id } }",
        "one long name": "{ " + "x" * 900_000 + " }",
        "a long string": '{ account(id: "' + "x" * 900_000 + '") { id } }',
        "repeated fields": "{ me { " + " ".join("... { " + "id email fullName " * 15 + "}" for _ in range(11)) + " } }",
        "conflicting aliases": "{ " + " ".join(f'a: account(id: "{n}") {{ id }}' for n in range(20)) + " }",
        "a chain of fragments": "{ me { ...f0 } } " + " ".join(f"fragment f{n} on User {{ ...f{n + 1} }}" for n in range(240))
        + " fragment f240 on User { id }",
        "a circle of fragments": "{ me { ...a } } fragment a on User { ...b } fragment b on User { ...a }",
        "wide introspection": "{ " + " ".join(f"a{n}: __schema {{ types {{ possibleTypes {{ fields {{ name type {{ name }} }} }} }} }}" for n in range(20)) + " }",
        "unused fragments": "{ me { id } } " + " ".join(f"fragment f{n} on User {{ id }}" for n in range(280)),
        "names like others": "{ me { " + " ".join(f"{'emailfullname' * 25}{n}" for n in range(49)) + " } }",
        "the same edges": "{ me { " + " ".join("... { " + "accounts(first: 1) { nodes { id } } " * 9 + "}" for _ in range(13)) + " } }",
        "deep introspection": "{ __schema { types " + "{ fields { type " * 8 + "{ name }" + " } }" * 8 + " } }",
        "unknown fields": "{ me { " + " ".join(f"nam{n}" for n in range(45)) + " } }",
        "many operations": " ".join(f"query q{n} {{ me {{ id }} }}" for n in range(230)),
        "many variables": "query (" + " ".join(f"$v{n}: ID" for n in range(450)) + ") { me { id } }",
        "other operations": "query q { me { id } } query r { me { " + " ".join("... { " + "id email " * 24 + "}" for _ in range(18)) + " } }",
        "directives": "{ me " + "@a " * 900 + "{ id } }",
    }  # fmt: skip
    for name, text in hostile.items():
        answer = await visitor.post(text)
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_REQUEST", "UNAUTHENTICATED"}, (
            name
        )


async def test_introspection_is_exempt(visitor: Client) -> None:

    data = await visitor.run(get_introspection_query(input_value_deprecation=True, specified_by_url=True))
    assert data["__schema"]["queryType"]["name"] == "Query"


def test_limits_are_those_of_the_contract() -> None:
    limits = (
        complexity.MAX_DEPTH,
        complexity.MAX_TOKENS,
        complexity.MAX_ALIASES,
        complexity.MAX_ROOT_FIELDS,
        complexity.MAX_DIRECTIVES,
    )
    assert limits == (12, 2000, 30, 20, 50)
    assert (complexity.MAX_FIELDS_IN_SET, complexity.MAX_FIELDS) == (50, 500)
