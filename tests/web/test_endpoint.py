"""GraphQL over HTTP."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.engine import complexity
from bank_graphql.engine.documents import Prepared
from bank_graphql.engine.executor import Request
from bank_graphql.settings import Settings
from bank_graphql.web import endpoint
from tests.client import Client
from tests.serving import connect, scope, serving

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
ME = {"query": "{ me { id } }"}


async def post(http: httpx.AsyncClient, content: Any, content_type: str = JSON, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await http.post("/graphql", content=body, headers={"content-type": content_type, **headers})


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.5, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=much, {JSON};q=0.1", JSON),
        (f"{GRAPHQL};charset=utf-8", GRAPHQL),
        (f"text/html, {JSON};q=0.1", JSON),
    ],
)
async def test_the_answer_has_the_accepted_media_type(http: httpx.AsyncClient, accept: str, answered: str) -> None:
    response = await post(http, ME, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == answered
    assert response.json() == {"data": {"me": None}}


@pytest.mark.parametrize("accept", [f"{JSON}, text/event-stream, multipart/mixed", f"text/event-stream, {GRAPHQL};q=0.5"])
async def test_who_accepts_a_stream_as_well_gets_one_for_a_subscription_alone(
    http: httpx.AsyncClient, ada: Client, accept: str
) -> None:
    for query in (ME, {"query": "{ nonsense }"}, {"query": "subscription { nonsense }"}):
        assert (await post(http, query, accept=accept)).headers["content-type"].startswith("application/")
    following = {"query": 'subscription { transactionFeed(after: "nonsense") { cursor } }'}
    headers = {"accept": accept, "authorization": f"Bearer {ada.token}"}
    answer = await http.post("/graphql", json=following, headers={**headers, "authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    following = {"query": 'subscription { transactionFeed(after: "nonsense") { cursor } }'}
    answer = await http.post("/graphql", json=following, headers=headers)
    assert answer.headers["content-type"] == "text/event-stream"
    assert "BAD_REQUEST" in answer.text


@pytest.mark.parametrize("accept", [JSON, f"{JSON}, text/event-stream", "text/event-stream"])
async def test_a_document_waits_for_its_turn_before_it_is_parsed(
    http: httpx.AsyncClient, app: Starlette, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    gate, order = app.state.graphql._gate, []
    parse = gate._executor.parse

    async def wait(_: str) -> None:
        order.append("turn")

    def note(request: Request) -> Prepared:
        order.append("parse")
        prepared: Prepared = parse(request)
        return prepared

    monkeypatch.setattr(gate._share, "wait", wait)
    monkeypatch.setattr(gate._share, "must_wait", lambda _: True)
    monkeypatch.setattr(gate._executor, "parse", note)
    assert (await post(http, {"query": f"{{ me {{ id }} }} # {accept}"}, accept=accept)).status_code == 200
    assert order[:1] == ["turn"]
    assert order.count("parse") == 1


@pytest.mark.parametrize("accept", ["text/plain", f"{JSON};charset=latin-1", f"{JSON};q=0"])
async def test_other_media_types_are_not_acceptable(http: httpx.AsyncClient, accept: str) -> None:
    assert (await post(http, ME, accept=accept)).status_code == 406


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nam }",
        "{ me }",
        "query ($a: Int!) { me { id } }",
        "subscription { x }",
        "query a { me { id } } query b { me { id } }",
    ],
)
async def test_a_refused_document_is_400_in_the_newer_media_type_only(http: httpx.AsyncClient, query: str) -> None:
    newer, older = await post(http, {"query": query}, accept=GRAPHQL), await post(http, {"query": query}, accept=JSON)
    assert (newer.status_code, older.status_code) == (400, 200)
    assert newer.json() == older.json()
    assert "data" not in newer.json()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b'{"query": 1}', b'{"query": ""}', b'{"query": null}', b'{"query": ["{ me { id } }"]}',
        b'{"query": "{ me { id } }", "variables": []}', b'{"query": "{ me { id } }", "variables": "x"}',
        b'{"query": "{ me { id } }", "operationName": 1}', b'{"query": "{ me { id } }", "extensions": "x"}',
        b'\xff\xfe', b'{"query": "\xff"}', b'{"query": "\\ud800"}', b"[" * 100_000, b'{"a":' * 5000,
        b'{"query": "{ me { id } }", "variables": {"n": ' + b"9" * 5000 + b"}}", b'{"query": "{ me { id } }", "variables": {"n": NaN}}',
    ],
)  # fmt: skip
async def test_malformed_bodies_are_400_in_both_media_types(http: httpx.AsyncClient, body: bytes) -> None:
    for accept in (JSON, GRAPHQL):
        response = await post(http, body, accept=accept)
        assert response.status_code == 400
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_an_overlong_integer_in_a_document_is_invalid(ada: Client) -> None:
    error = await ada.error("{ me { accounts(first: " + "9" * 5000 + ") { nodes { id } } } }")
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
        f"{JSON}; charset=latin-1",
    ],
)
async def test_other_content_types_are_refused(http: httpx.AsyncClient, content_type: str) -> None:
    assert (await post(http, ME, content_type)).status_code == 415


async def test_get_serves_queries_only(http: httpx.AsyncClient) -> None:
    ok = await http.get(
        "/graphql",
        params={
            "query": "query q($n: Int) { me { id accounts(first: $n) { nodes { id } } } }",
            "operationName": "q",
            "variables": '{"n": 1}',
        },
    )
    assert ok.status_code == 200
    assert ok.json()["data"]["me"] is None
    for accept in (JSON, GRAPHQL):
        refused = await http.get("/graphql", params={"query": "mutation { logOut { __typename } }"}, headers={"accept": accept})
        assert refused.status_code == 405
        assert refused.headers["allow"] == "POST"
    assert (await http.get("/graphql", params={"query": "{ me { id } }", "variables": "{"})).status_code == 400
    assert (await http.get("/graphql", params={"query": "{ me { id } }", "variables": "[]"})).status_code == 400
    assert (await http.get("/graphql")).status_code == 400
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await http.request(method, "/graphql")).status_code == 405


async def test_a_browser_gets_the_playground(http: httpx.AsyncClient) -> None:
    page = await http.get("/graphql", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 200
    assert "GraphiQL" in page.text
    assert "'unsafe-inline'" not in page.headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    assert "bank_graphql" in (await http.get("/")).text
    assert (await http.get("/graphql/", headers={"host": "evil.example"})).status_code == 404


async def test_a_body_above_the_limit_is_refused(http: httpx.AsyncClient) -> None:
    async def drip() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    large = await http.post("/graphql", content=b" " * (endpoint.MAX_BODY + 1), headers={"content-type": JSON})
    streamed = await http.post("/graphql", content=drip(), headers={"content-type": JSON})
    assert (large.status_code, streamed.status_code) == (413, 413)
    padded = json.dumps(ME).encode() + b" " * (endpoint.MAX_BODY - 100)
    assert (await post(http, padded)).status_code == 200


async def test_a_slow_body_is_refused(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "BODY_SECONDS", 0.01)
    sent: list[Any] = []
    pieces = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Any:
        return next(pieces, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope("http"), receive, send)
    assert sent[0]["status"] == 408


async def test_every_answer_has_its_headers(http: httpx.AsyncClient) -> None:
    response = await post(http, ME, **{"x-request-id": "client-chosen-1"})
    assert response.headers["x-request-id"] == "client-chosen-1"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["cache-control"] == "no-store"
    assert int(response.headers["ratelimit-remaining"]) < int(response.headers["ratelimit-limit"])
    replaced = await post(http, ME, **{"x-request-id": "no\tsane id"})
    assert replaced.headers["x-request-id"] != "no\tsane id"
    assert (await http.get("/nowhere")).headers["x-request-id"]


async def test_an_address_that_is_none_is_not_stored(app: Starlette) -> None:
    """A proxy may send anything, for example the name of a socket."""
    for address, stored in (("unix:/run/proxy", None), ("2001:DB8::1", "2001:db8::1")):
        async with connect(app, address) as http:
            user = await Client(http).sign_up(f"{stored is None}@bank.test", "Ada Lovelace")
            sessions = (await user.run("{ me { sessions { ipAddress } } }"))["me"]["sessions"]
        assert sessions == [{"ipAddress": stored}]


async def test_only_listed_origins_are_allowed(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"allowed_origins": "https://app.example"}))) as http:
        preflight = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
        allowed = await http.options("/graphql", headers={"origin": "https://app.example", **preflight})
        foreign = await http.options("/graphql", headers={"origin": "https://evil.example", **preflight})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-origin" not in foreign.headers


async def test_requests_beyond_the_rate_limit_are_refused(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"rate_limit": 20_000}))) as http:
        query = {"query": "{ me { id } rateLimit { limit remaining cost resetAt } }"}
        first, second = [(await post(http, query)).json()["data"]["rateLimit"] for _ in range(2)]
        assert first["limit"] == 2000
        assert second["cost"] == complexity.REQUEST_COST + 2 * complexity.ROOT_FIELD_COST + 2
        assert first["cost"] == second["cost"] + complexity.source_cost(query["query"])  # for reading the new document
        for _ in range(40):
            response = await post(http, query)
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_health_and_public_keys_are_served(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).json() == {"status": "ok"}
    assert (await http.get("/health/ready")).json() == {"status": "ok", "database": "ok"}
    keys = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert keys[0]["kty"] == "EC"
    assert "d" not in keys[0]


REFRESH = 'mutation { refreshSession(refreshToken: "x") { __typename } }'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", [ME["query"], "subscription { transactionFeed { cursor } }", REFRESH])
async def test_a_stream_with_a_bad_token_is_refused_before_it_starts(http: httpx.AsyncClient, method: str, query: str) -> None:
    headers = {"accept": "text/event-stream", "authorization": "Bearer nonsense"}
    refused = await http.request(method, "/graphql", params={"query": query}, headers=headers)
    assert refused.status_code == (405 if query == REFRESH else 401)
    assert refused.headers["content-type"] == JSON
    assert bool(refused.content) is (method == "GET")


async def test_a_head_request_for_a_stream_starts_none(http: httpx.AsyncClient, ada: Client) -> None:
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {ada.token}"}
    query = {"query": "subscription { transactionFeed { cursor } }"}
    answer = await http.head("/graphql", params=query, headers=headers)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/event-stream", b"")


async def test_a_sign_in_by_event_stream_is_charged_once(
    app: Starlette, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = app.state.graphql._services.limiter
    spend, costs = limiter.spend, list[tuple[str, int]]()

    def record(name: str, cost: int, **more: Any) -> Any:
        costs.append((name, cost))
        return spend(name, cost, **more)

    await post(http, {"query": REFRESH})  # reading a new document has a cost of its own
    monkeypatch.setattr(type(limiter), "spend", staticmethod(record))
    by_media_type = []
    for accept in (JSON, "text/event-stream"):
        costs.clear()
        answer = await post(http, {"query": REFRESH}, accept=accept, authorization="Bearer nonsense")
        assert "CredentialsRejection" in answer.text
        by_media_type.append(list(costs))
    assert by_media_type[0] == by_media_type[1]
