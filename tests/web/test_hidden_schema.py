"""What a bank that does not show its schema says, and what it costs."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from bank_graphql.app import create_app
from bank_graphql.environment import Environment
from bank_graphql.settings import Settings
from tests.client import Client
from tests.serving import serving

INTROSPECTIONS = [
    "{ __schema { types { name } } }",
    '{ __type(name: "User") { fields { name } } }',
    "{ a: __schema { queryType { name } } me { id } }",
    "{ ...F } fragment F on Query { ... on Query { __schema { queryType { name } } } }",
    "query A { me { id } } query B { __schema { queryType { name } } }",
]


@pytest.fixture
async def hidden(settings: Settings) -> AsyncIterator[Client]:
    """Someone who is not signed in, at a bank that hides its schema."""
    async with serving(create_app(settings.model_copy(update={"introspection": False}))) as http:
        yield Client(http)


@pytest.mark.parametrize("query", INTROSPECTIONS)
async def test_introspection_is_refused(hidden: Client, query: str) -> None:
    answer = (
        await hidden.http.post("/graphql", json={"query": query, "operationName": "A" if "query A" in query else None})
    ).json()
    assert [error["message"] for error in answer["errors"]] == ["Introspection is off at this bank."]
    assert "data" not in answer


@pytest.mark.parametrize(
    "query", ["{ mee { id } }", "{ me { nam } }", "{ me(i: 1) { id } }", "{ ... on Usr { id } }", '{ clock(m: "x") { now } }']
)
async def test_messages_suggest_no_names(hidden: Client, visitor: Client, query: str) -> None:
    [error] = (await hidden.post(query))["errors"]
    assert "Did you mean" not in error["message"]
    assert error["message"]
    [shown] = (await visitor.post(query))["errors"]
    assert shown["message"].startswith(error["message"])


async def test_the_schema_is_served_nowhere(hidden: Client, http: httpx.AsyncClient) -> None:
    for path in ("/schema.graphql", "/schema.json"):
        assert (await hidden.http.get(path)).status_code == 404
        assert (await http.get(path)).status_code == 200


async def test_type_names_are_no_introspection(hidden: Client) -> None:
    assert await hidden.run("{ __typename clock { __typename } }") == {"__typename": "Query", "clock": {"__typename": "Clock"}}


def test_production_hides_the_schema_unless_told_otherwise(settings: Settings) -> None:
    assert settings.shows_schema
    given = {"env": Environment.PRODUCTION, "signing_keys": SecretStr("x"), "card_keys": SecretStr("x")}
    assert not settings.model_copy(update=given).shows_schema
    assert settings.model_copy(update={**given, "introspection": True}).shows_schema


async def test_an_answer_says_what_it_cost_when_asked(http: httpx.AsyncClient) -> None:
    async def extensions(query: str, asked: object) -> dict[str, dict[str, int]] | None:
        sent = {"query": query, "extensions": asked}
        found: dict[str, dict[str, int]] | None = (await http.post("/graphql", json=sent)).json().get("extensions")
        return found

    small, large = (
        await extensions("{ clock { now } }", {"cost": True}),
        await extensions("{ clock { now movable } }", {"cost": True}),
    )
    assert small is not None
    assert large is not None
    assert set(small["cost"]) == {"cost", "limit", "remaining"}
    assert 0 < small["cost"]["cost"] <= large["cost"]["cost"]
    assert 0 < large["cost"]["remaining"] < large["cost"]["limit"]
    assert await extensions("{ mee { id } }", {"cost": True}) is not None
    for asked in (None, {}, {"cost": False}, {"cost": "true"}, {"other": True}):
        assert await extensions("{ clock { now } }", asked) is None
