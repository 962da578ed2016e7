"""Fallbacks to the reference executor are counted and logged, and what the quick start and the playground show needs none."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from structlog.testing import capture_logs

from bank_graphql import demo
from bank_graphql.api.context import Context
from bank_graphql.api.errors import rejection_of
from bank_graphql.api.schema import build_schema
from bank_graphql.bank import Bank
from bank_graphql.engine.columns import leaf, nulls
from bank_graphql.engine.executor import Executor, Request
from bank_graphql.engine.fallbacks import UnplannedError
from bank_graphql.identity.sessions import SignedIn
from bank_graphql.kit import log
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.ids import new_hex_id, parse_global_id
from bank_graphql.web.operations import OperationGate, Response
from tests.engine.examples import PLAYGROUND, documents_in, is_subscription
from tests.engine.services import followed, services_of
from tests.sync import ROOT

SCHEMA = build_schema()
SECRET = "hunter2-4929123412341234"


class Asking:
    """Someone who sends documents to an executor of its own."""

    def __init__(self, bank: Bank, actor: Actor | None = None) -> None:
        self.executor = Executor(SCHEMA, to_result=rejection_of)
        self.gate = OperationGate(self.executor, user_limit=10**9, address_limit=10**9)
        self.services = services_of(bank)
        self.actor = actor

    async def run(self, document: str, **variables: Any) -> Response:
        """The answer to a query or a mutation."""
        return await self.gate.run(Request(document, None, variables), self.context())

    def context(self) -> Context:
        """The context of a new request."""
        return Context(self.services, self.actor, Origin())


async def ada_of(bank: Bank) -> Actor:
    """A customer of the demo."""
    signed_in = await bank.people.identity.log_in(email="ada@example.com", password=demo.PASSWORD, origin=Origin())
    assert isinstance(signed_in, SignedIn)
    return signed_in.actor


@pytest.fixture
def debug_log() -> Iterator[None]:
    """Log at DEBUG, whichever level other tests have set."""
    log.configure(level="DEBUG")
    yield
    log.configure(level="INFO")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{ __schema { queryType { name } } }", "introspection"),
        ("{ me { sessions { current } } }", "a field that is no plain function of its source object"),
        ('{ account(id: "x") { id } }', "Unauthenticated"),
        (f'mutation {{ freezeCard(id: "{SECRET}") {{ __typename }} }}', "Unauthenticated"),
    ],
)  # fmt: skip
async def test_a_fallback_is_counted_and_logged_with_its_reason(bank: Bank, document: str, reason: str, debug_log: None) -> None:
    visitor = Asking(bank)
    with capture_logs() as logs:
        for _ in range(2):
            await visitor.run(document)
    assert dict(visitor.executor.fallbacks) == {reason: 2}
    noted = [(each["event"], each["log_level"], each["reason"]) for each in logs if "reason" in each]
    assert noted == [("fallback to the reference executor", "debug", reason)] * 2
    assert SECRET not in str(logs)


async def test_an_event_that_falls_back_is_counted(bank: Bank) -> None:
    await demo.fill(bank.db, bank.people.identity, bank.products, bank.execute)
    ada = Asking(bank, await ada_of(bank))
    document = "subscription { transactionFeed { account { owner { sessions { current } } } } }"
    async with followed(bank), aclosing(ada.gate.stream(Request(document), ada.context())) as stream:
        coming = asyncio.ensure_future(anext(stream))
        while not bank.hub.subscriber_count:
            await asyncio.sleep(0)
        await ada.run(TRANSFER, account=await account_of(ada), key=new_hex_id())
        assert "errors" not in (await coming).body
    assert dict(ada.executor.fallbacks) == {"a field that is no plain function of its source object": 1}


def test_what_is_not_as_planned_has_a_reason() -> None:
    kind = SCHEMA._schema.type_map["Int"]
    for column, value in ((nulls(lambda values: values, nullable=False), None), (leaf(kind, nullable=False), None)):  # type: ignore[arg-type]
        with pytest.raises(UnplannedError) as raised:
            column([value])
        assert raised.value.reason == "a null where the schema has none"


EXAMPLES = [
    *documents_in(ROOT / "docs" / "tutorial" / "quick-start.md"),
    *documents_in(ROOT / "docs" / "how-to" / "feed.md"),
    *(document for path in sorted(PLAYGROUND.glob("*.ts*")) for document in documents_in(path)),
]
[TRANSFER] = (document for document in EXAMPLES if document.startswith("mutation Transfer("))


async def test_no_example_falls_back(bank: Bank) -> None:
    """Every document of the quick start and of the playground is answered by its plan."""
    await demo.fill(bank.db, bank.people.identity, bank.products, bank.execute)
    ada = Asking(bank, await ada_of(bank))
    seen = Seen(account=await account_of(ada))
    for document in sorted(filter(lambda each: not is_subscription(each), EXAMPLES), key=lambda each: "logOut" in each):
        answer = await ada.run(seen.filled(document), **seen.variables(document))
        assert answer.executed, (document, answer.body)
        assert "errors" not in answer.body, (document, answer.body)
        seen.notice(answer.body)
    ada.actor = await ada_of(bank)
    async with followed(bank), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(aclosing(ada.gate.stream(Request(document), ada.context())))
            for document in filter(is_subscription, EXAMPLES)
        ]
        coming = [asyncio.ensure_future(anext(stream)) for stream in streams]
        while bank.hub.subscriber_count < len(streams):
            await asyncio.sleep(0)
        await ada.run(TRANSFER, account=seen.found["account"], key=new_hex_id())
        assert [answer.body for answer in await asyncio.gather(*coming) if "errors" in answer.body] == []
    assert len(EXAMPLES) >= 24
    assert len(streams) >= 4
    assert dict(ada.executor.fallbacks) == {}


async def account_of(asking: Asking) -> str:
    """The first account of whoever asks."""
    answer: Any = (await asking.run("{ me { accounts(first: 1) { nodes { id } } } }")).body
    account: str = answer["data"]["me"]["accounts"]["nodes"][0]["id"]
    return account


class Seen:
    """Values of earlier responses that later examples need, as the playground and the quick start's shell fill them in."""

    def __init__(self, account: str) -> None:
        self.found = {"account": account}

    def filled(self, document: str) -> str:
        """A document with values in place of the shell's variables."""
        values = {"ACCOUNT": self.found["account"], "CARD": self.found.get("card", ""), "1": "12.50", "2": new_hex_id()}
        return re.sub(r'"\$(\w+)"', lambda match: f'"{values[match[1]]}"', document)

    def variables(self, document: str) -> dict[str, Any]:
        """The variables that a document declares."""
        more = {
            "key": new_hex_id(),
            "code": "000000",
            "email": f"visitor-{new_hex_id()}@example.com",
            "input": {"email": "ada@example.com", "password": demo.PASSWORD},
        }
        [definition] = parse(document).definitions
        assert isinstance(definition, OperationDefinitionNode)
        names = [each.variable.name.value for each in definition.variable_definitions or ()]
        return {name: (self.found | more)[name] for name in names}

    def notice(self, answer: Any) -> None:
        """Note the ids of what an answer tells of."""
        for each in _objects(answer):
            kind, _ = parse_global_id(each.get("id", "")) or ("", "")
            if kind == "Card":
                self.found["card"] = each["id"]
            elif kind == "Transaction" and (each.get("kind"), each.get("status")) == ("HOLD", "PENDING"):
                self.found["hold"] = each["id"]
            elif kind == "Transaction" and each.get("kind") == "CARD_PAYMENT":
                self.found["payment"] = each["id"]
            if "refreshToken" in each:
                self.found["token"] = each["refreshToken"]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
