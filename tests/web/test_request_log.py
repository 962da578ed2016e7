"""The log's lines for requests."""

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.client import Client
from tests.serving import serving


def lines(logged: Any) -> list[dict[str, Any]]:
    return [line for line in logged if line["event"] == "request"]


async def test_each_request_is_a_line_without_anything_that_the_client_wrote(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"log_requests": True}))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        account = await ada.open(deposit="10.00")
        with capture_logs() as logged:
            await ada.deposit(account["id"], "1.00", description="for the tr3asure")
            await ada.run("query Tr3asure { me { accounts(first: 5) { nodes { name } } } }")
            await http.get("/version")
            await http.get("/metrics?x=tr3asure")
    paid, read, version, _ = lines(logged)
    assert (paid["operation"], paid["outcome"], paid["status"], paid["batch"]) == ("mutation", "OK", 200, 1)
    assert (read["operation"], read["batch"], read["statements"]) == ("query", None, 2)
    assert paid["cost"] > 100
    assert paid["milliseconds"] > 0
    assert len(paid["document"]) == 16
    assert paid["actor_id"] == read["actor_id"] is not None
    assert (version["path"], version["status"], "operation" in version) == ("/version", 200, False)
    assert "tr3asure" not in str(logged).lower()
    assert "ada@" not in str(logged)


@pytest.mark.parametrize(("seconds", "logged_requests"), [(60, 0), (0, 1)])
async def test_slow_requests_are_always_logged(settings: Settings, seconds: float, logged_requests: int) -> None:
    async with serving(create_app(settings.model_copy(update={"slow_request_seconds": seconds}))) as http:
        with capture_logs() as logged:
            await http.post("/graphql", json={"query": "{ __typename }"})
        assert len(lines(logged)) == logged_requests


async def test_a_refused_operation_is_logged_with_its_code(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"log_requests": True}))) as http:
        with capture_logs() as logged:
            await http.post("/graphql", json={"query": "{ me { tr3asure } }"})
            await http.post("/graphql", json={"query": "{ {"})
            await http.post("/graphql", content=b"nonsense", headers={"content-type": "application/json"})
    assert [(line.get("operation"), line.get("outcome"), line["status"]) for line in lines(logged)] == [
        ("query", "GRAPHQL_VALIDATION_FAILED", 200),
        ("unknown", "GRAPHQL_PARSE_FAILED", 200),
        (None, None, 400),
    ]


async def test_a_stream_is_never_slow(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"slow_request_seconds": 0}))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        query = {"query": 'subscription { transactionFeed(after: "x") { cursor } }'}
        headers = {"authorization": f"Bearer {ada.token}", "accept": "text/event-stream"}
        with capture_logs() as logged:
            answer: httpx.Response = await http.post("/graphql", json=query, headers=headers)
    assert "BAD_REQUEST" in answer.text
    assert lines(logged) == []
