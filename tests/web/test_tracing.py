"""Traces: from the request through its operation and batch down to the statements."""

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.client import Client
from tests.e2e.processes import Server, accounts_of
from tests.serving import serving

SUBSCRIPTION = "subscription ($after: String) { transactionFeed(after: $after) { transaction { amount { amount } } } }"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector(ThreadingHTTPServer):
    """Receives traces by OTLP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Span] = []

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server


async def test_one_trace_leads_from_the_request_to_its_statements(
    settings: Settings, collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    traced = settings.model_copy(update={"otlp_endpoint": endpoint, "log_requests": True})
    async with serving(create_app(traced)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        account, other = await ada.open(deposit="10.00"), await ada.open()
        http.headers["traceparent"] = f"00-{TRACE}-b7ad6b7169203331-01"
        capsys.readouterr()
        await ada.transfer(account["id"], other["id"], "1.00", description="tr3asure")
        [line] = capsys.readouterr().err.splitlines()
        del http.headers["traceparent"]
        http.headers["baggage"] = "n0te=%ff%00"
        await Client(http).post("{ nonsense }")
        assert "n0te" not in capsys.readouterr().err
    spans = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    by_id = {span.span_id: span for span in spans}

    def chain_to(span: Span) -> tuple[str, ...]:
        parent = by_id.get(span.parent_span_id)
        return (*(chain_to(parent) if parent else ()), span.name)

    chains = set(map(chain_to, spans))
    assert ("POST", "GraphQL mutation", "batch", "BEGIN") in chains
    assert ("POST", "GraphQL mutation", "batch", "COMMIT") in chains
    assert ("POST", "GraphQL mutation", "batch", "WITH") in chains
    attributes = {each.key: each.value for span in spans for each in span.attributes}
    assert attributes["db.system.name"].string_value == "postgresql"
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["graphql.operation.type"].string_value == "mutation"
    assert json.loads(line)["trace_id"] == TRACE
    for secret in (b"tr3asure", b"ada@", b"Lovelace", b"passphrase", (ada.token or "").encode()):
        assert not any(secret in span.SerializeToString() for span in collector.spans), secret


async def test_each_event_of_a_subscription_has_its_statements(folder: Path, collector: Collector) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    async with Server(folder, BANK_OTLP_ENDPOINT=endpoint) as server:
        ada = await server.ada()
        account = (await accounts_of(ada))[0]["id"]
        cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
        await ada.deposit(account, "1")
        query = {"query": SUBSCRIPTION, "variables": {"after": cursor}}
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {ada.token}"}
        async with server.http.stream("POST", "/graphql", json=query, headers=headers) as stream, asyncio.timeout(10):
            async for line in stream.aiter_lines():
                if '"amount":"1.00"' in line:
                    break
        await server.end()
    [event] = [span for span in collector.spans if span.name == "GraphQL event"]
    assert any(span.parent_span_id == event.span_id and span.name == "SELECT" for span in collector.spans)


async def test_requests_of_one_batch_are_linked(settings: Settings, collector: Collector) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    async with serving(create_app(settings.model_copy(update={"otlp_endpoint": endpoint}))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        account = await ada.open(deposit="10.00")
        await asyncio.gather(*(ada.deposit(account["id"], "1.00") for _ in range(20)))
    batches = [span for span in collector.spans if span.name == "batch"]
    operations = {span.span_id for span in collector.spans if span.name == "GraphQL mutation"}
    linked = {link.span_id for span in batches for link in span.links} | {span.parent_span_id for span in batches}
    assert len(batches) < 21
    assert len(linked & operations) == 21
