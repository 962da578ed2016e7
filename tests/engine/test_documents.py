"""Prepared documents: kept by use, within bounds, and safe from a flood of others."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues
from structlog.testing import CapturingLogger

from bank_graphql.api.schema import build_schema
from bank_graphql.engine import executor, variables
from bank_graphql.engine.documents import Documents, Prepared
from tests.client import Client

SCHEMA = build_schema()
CORE = SCHEMA._schema


def prepared(text: str) -> Prepared:
    """A document as the executor prepares it."""
    document = parse(text)
    [node] = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return Prepared(CORE, text, document, node)


def used(documents: Documents, text: str) -> bool:
    """Use a document as the executor does; True if it was there."""
    if documents.get((text, None)) is not None:
        return True
    documents.keep((text, None), prepared(text))
    return False


def test_a_document_is_kept_from_its_first_use_on() -> None:
    documents = Documents()
    assert [used(documents, "{ me { id } }") for _ in range(3)] == [False, True, True]
    assert documents.get(("{ me { id } }", "Other")) is None


def test_a_flood_of_documents_drives_out_none_that_is_in_use() -> None:
    documents = Documents(once=2_000, again=2_000)
    used(documents, "{ me { id } }")
    assert used(documents, "{ me { id } }")
    for n in range(500):
        used(documents, f"{{ a{n}: me {{ id }} }}")
    assert used(documents, "{ me { id } }")
    assert not used(documents, "{ a0: me { id } }")


def test_what_is_kept_is_bounded_by_its_text() -> None:
    documents = Documents(once=2_000, again=2_000)
    for n in range(300):
        for _ in range(2):
            used(documents, f"{{ a{n}: me {{ id }} }}")
    kept = sum(documents.get((f"{{ a{n}: me {{ id }} }}", None)) is not None for n in range(300))
    assert 0 < kept < 200
    long = "{ me { id } }" + " " * 500
    assert [used(documents, long) for _ in range(2)] == [False, False]


def test_costs_are_kept_by_the_sizes_that_they_depend_on() -> None:
    one = prepared("query ($n: Int) { me { accounts(first: $n) { nodes { id } } } }")
    assert one.cost({"n": 1}) < one.cost({"n": 50}) == one.cost({"n": 50})
    for n in range(200):
        one.cost({"n": n})
    assert one.cost({"n": 1}) == prepared("query ($n: Int) { me { accounts(first: $n) { nodes { id } } } }").cost({"n": 1})


async def test_a_document_that_is_not_valid_is_refused_every_time(ada: Client) -> None:
    for _ in range(3):
        error = await ada.error("{ me { nothing } }")
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_an_operation_is_selected_by_its_name(ada: Client) -> None:
    both = "query A { me { email } } query B { me { fullName } }"
    for name, field in (("A", "email"), ("B", "fullName"), ("A", "email")):
        response = await ada.http.post(
            "/graphql",
            json={"query": both, "operationName": name},
            headers={"authorization": f"Bearer {ada.token}"},
        )
        assert list(response.json()["data"]["me"]) == [field]


async def test_a_plan_is_for_the_fields_that_variables_switch_on(ada: Client) -> None:
    query = "query ($more: Boolean!) { me { email fullName @include(if: $more) } }"
    for more in (True, False, True):
        data = await ada.run(query, more=more)
        assert list(data["me"]) == (["email", "fullName"] if more else ["email"])


def test_documents_leave_nothing_behind_in_how_variables_are_coerced() -> None:
    kept = set()
    for n in range(50):
        one = prepared(f"query Q{n}($ids: [ID!]!, $filter: TransactionFilter) {{ nodes(ids: $ids) {{ id }} }}")
        one.operation.variables({"ids": ["x"], "filter": {"search": "x"}})
        kept.add(variables._input_object.cache_info().currsize)
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("query ($x: Boolean = true) { me { id @skip(if: $x) email } }", {"x": None}),
        ("query ($ids: [ID!] = []) { nodes(ids: $ids) { id } }", {"ids": None}),
    ],
)
async def test_null_for_a_variable_that_has_a_default_is_the_clients_mistake(
    ada: Client, query: str, given: dict[str, Any]
) -> None:
    error = await ada.error(query, **given)
    assert error["extensions"]["code"] == "BAD_REQUEST"


def test_a_member_of_which_nothing_is_selected_is_no_reason_for_having_no_plan() -> None:
    one = prepared('{ node(id: "x") { ... on Transaction { id } } }')
    coerced = one.operation.variables({})
    assert isinstance(coerced, VariableValues)
    assert one.operation.plan(SCHEMA, coerced).names == ("node",)


async def test_what_was_sent_is_not_logged_when_a_plan_gives_up(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(executor, "_log", log)
    query = 'mutation ($e: String = "x", $p: String!) { logIn(input: {email: $e, password: $p}) { __typename } }'
    await visitor.post(query, e=None, p="a password to keep")
    assert [call.kwargs for call in log.calls if call.method_name == "debug"] == [{"reason": "GraphQLError"}]
    assert "a password to keep" not in str(log.calls)
