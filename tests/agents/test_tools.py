"""The tools of AI agents, by the Model Context Protocol's own client."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from graphql import parse
from mcp import Client as McpClient
from starlette.applications import Starlette
from strawberry.schema.schema import validate_document

from bank_graphql.agents import documents
from bank_graphql.agents.client import ATTEMPTS, BankClient
from bank_graphql.agents.server import INSTRUCTIONS, build_server
from bank_graphql.api.schema import build_schema
from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.accounts.programs import decide, program
from tests.client import ABROAD, Client, money
from tests.serving import serving

Call = Callable[..., Awaitable[dict[str, Any]]]


@asynccontextmanager
async def agent(app: Any, token: str | None) -> AsyncIterator[McpClient]:
    """A client of the tools, which act at a bank under a token."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        server = build_server(BankClient("http://bank", http), lambda _: token or "", "1")
        async with McpClient(server) as client:
            yield client


async def call(client: McpClient, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool, and return its structured answer."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def refusal(client: McpClient, tool: str, **arguments: Any) -> str:
    """Call a tool that must fail, and return what it says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


@pytest.fixture
async def account(ada: Client) -> dict[str, Any]:
    """An account of Ada's, with money."""
    return await ada.open(deposit="100")


@pytest.fixture
async def number(grace: Client) -> str:
    """The number of an account of Grace's."""
    made: str = (await grace.open())["number"]
    return made


def test_the_documents_fit_the_schema_and_are_trusted() -> None:
    schema = build_schema()._schema
    for document in documents.DOCUMENTS:
        assert validate_document(schema, parse(document), ()) == []
    for key, document in documents.manifest().items():
        assert key == hashlib.sha256(document.encode()).hexdigest()


async def test_the_tools_say_how_to_pay_once(app: Starlette) -> None:
    async with agent(app, "x") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"list_accounts", "list_entries", "list_statements", "preview_transfer", "transfer", "get_approval"}
    transfer = tools["transfer"]
    assert "One key per intended payment, sent again on every retry" in " ".join((transfer.description or "").split())
    key = transfer.input_schema["properties"]["idempotency_key"]
    assert "sent again unchanged on every retry" in key["description"]
    assert "idempotency_key" in transfer.input_schema["required"]
    assert "call transfer again with the same key" in " ".join(INSTRUCTIONS.split())
    assert {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint} == set(tools) - {
        "transfer"
    }


async def test_an_agent_reads_pays_and_waits(app: Starlette, ada: Client, account: dict[str, Any], number: str) -> None:
    granted = await program(ada, account["id"], dailyLimit=money("50"), approvalAbove=money("30"))
    async with agent(app, granted.token) as client:
        listed = await call(client, "list_accounts")
        assert [each["balance"]["available"]["amount"] for each in listed["accounts"]["nodes"]] == ["100.00"]
        assert listed["accessGrant"]["approvalAbove"] == {"amount": "30.00", "currency": "EUR"}
        given = {"from_account_id": account["id"], "to_account_number": number, "currency": "EUR"}
        preview = await call(client, "preview_transfer", **given, amount="20")
        assert (preview["__typename"], preview["fromAvailableAfter"]["amount"]) == ("MoneyPreview", "80.00")
        paid = await asyncio.gather(
            *(call(client, "transfer", **given, amount="20", idempotency_key="order-1") for _ in range(5))
        )
        assert {each["__typename"] for each in paid} == {"MoneyMoved"}
        assert len({each["transaction"]["id"] for each in paid}) == 1
        assert sorted(each["replayed"] for each in paid) == [False, True, True, True, True]
        other = await call(client, "transfer", **given, amount="21", idempotency_key="order-1")
        assert other["__typename"] == "IdempotencyConflictRejection"
        waits = await call(client, "transfer", **given, amount="40", idempotency_key="order-2", description="A lamp")
        assert (waits["__typename"], waits["approval"]["status"]) == ("ApprovalRequiredRejection", "PENDING")
        await decide(ada, waits["approval"]["id"], approve=True)
        assert (await call(client, "get_approval", approval_id=waits["approval"]["id"]))["status"] == "EXECUTED"
        entries = (await call(client, "list_entries", account_id=account["id"], first=1))["entries"]
        assert entries["nodes"][0]["transaction"]["description"] == "A lamp"
        older = await call(client, "list_entries", account_id=account["id"], after=entries["pageInfo"]["endCursor"])
        assert len(older["entries"]["nodes"]) == 2
        assert await call(client, "list_statements", account_id=account["id"]) == {
            "statements": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
        }
        abroad = {**given, "to_account_number": ABROAD, "to_name": "Jane Abroad"}
        sent = await call(client, "transfer", **abroad, amount="5", idempotency_key="order-3")
        assert (sent["__typename"], sent["transaction"]["status"]) == ("MoneyMoved", "PENDING")


async def test_what_an_agent_may_not_do_is_said_in_a_sentence(
    app: Starlette, ada: Client, account: dict[str, Any], number: str
) -> None:
    second = (await ada.open())["id"]
    granted = await program(ada, account["id"], scopes=["ACCOUNTS_READ"])
    given = {"from_account_id": account["id"], "to_account_number": number, "currency": "EUR"}
    async with agent(app, granted.token) as client:
        assert "your grant does not name it" in await refusal(client, "list_entries", account_id=second)
        assert "needs the scope PAYMENTS_WRITE." in await refusal(client, "transfer", **given, amount="1", idempotency_key="k")
        assert "There is no such approval." in await refusal(client, "get_approval", approval_id="nonsense")
        assert "amount" in await refusal(client, "transfer", **given, amount="all of it", idempotency_key="k")
        assert "idempotency_key" in await refusal(client, "transfer", **given, amount="1")
    async with agent(app, "bank_nonsense") as client:
        assert "token" in await refusal(client, "list_accounts")


async def test_an_agent_never_acts_under_a_persons_own_token(
    app: Starlette, ada: Client, account: dict[str, Any], number: str
) -> None:
    given = {"from_account_id": account["id"], "to_account_number": number, "currency": "EUR"}
    async with agent(app, ada.token) as client:
        assert "a person's own token" in await refusal(client, "list_accounts")
        assert "a person's own token" in await refusal(client, "transfer", **given, amount="1", idempotency_key="k")
    assert await ada.booked(account["id"]) == "100.00"


async def test_a_bank_that_trusts_its_own_documents_alone_serves_agents(
    settings: Settings, ada: Client, account: dict[str, Any]
) -> None:
    granted = await program(ada, account["id"], scopes=["ACCOUNTS_READ"])
    only = create_app(settings.model_copy(update={"trusted_only": True}))
    async with serving(only), agent(only, granted.token) as client:
        assert len((await call(client, "list_accounts"))["accounts"]["nodes"]) == 1


async def test_an_answer_that_is_lost_is_requested_again_with_the_same_key(
    app: Starlette, ada: Client, account: dict[str, Any], number: str
) -> None:
    granted = await program(ada, account["id"])
    bank, lost = httpx2.ASGITransport(app), ATTEMPTS

    class Losing(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            nonlocal lost
            answer = await bank.handle_async_request(request)
            if lost < ATTEMPTS - 1:
                lost += 1
                raise httpx2.ReadError("the connection broke")
            return answer

    async with httpx2.AsyncClient(transport=Losing()) as http:
        server = build_server(BankClient("http://bank", http), lambda _: granted.token or "", "1")
        async with McpClient(server) as client:
            given = {"from_account_id": account["id"], "to_account_number": number, "amount": "1", "currency": "EUR"}
            await call(client, "list_accounts")
            lost = 0
            assert (await call(client, "transfer", **given, idempotency_key="k"))["replayed"] is True
    assert await ada.booked(account["id"]) == "99.00"
