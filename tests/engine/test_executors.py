"""The breadth-first executor answers as the reference executor does: to the byte, for thousands of documents made at random."""

import asyncio
import gc
import os
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.api.context import Context
from bank_graphql.api.errors import rejection_of
from bank_graphql.api.loaders import Readers
from bank_graphql.api.scalars import to_json
from bank_graphql.api.schema import build_schema
from bank_graphql.bank import Bank
from bank_graphql.cards.enums import CardForm, CardKind
from bank_graphql.cards.rules import Merchant
from bank_graphql.engine.executor import Executor, Request
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.identity.sessions import SignedIn
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.ids import encode_cursor, global_id, new_id, uuid_of
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Destination,
    IssueCard,
    OpenAccount,
    PlaceHold,
    RefundCardPayment,
    ReverseTransaction,
    Transfer,
)
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Issued, Moved, Opened, Outcome
from bank_graphql.statements.service import issue
from bank_graphql.web.operations import OperationGate, Response
from tests.client import PASSWORD
from tests.engine.documents import Documents, Made, Pool
from tests.engine.services import followed, services_of

SEED = int(os.environ.get("SEED", "1"))
SCHEMA = build_schema()
CORE = SCHEMA._schema


class World:
    """A bank with a bit of everything in it, and both executors."""

    def __init__(self, bank: Bank) -> None:
        self.services = services_of(bank)
        self.executor = Executor(SCHEMA, to_result=rejection_of)
        reference = Executor(SCHEMA, to_result=rejection_of, breadth_first=False)
        self.planned = OperationGate(self.executor, user_limit=10**12, address_limit=10**12)
        self.reference = OperationGate(reference, user_limit=10**12, address_limit=10**12)
        self.actors: list[Actor | None] = [None]
        self.pool = Pool([], [], [], [], [])

    async def fill(self) -> None:
        """Let things happen."""
        ada, grace = await self._sign_up("ada"), await self._sign_up("grace")
        teller = await self.services.identity.create_user(
            email="teller@bank.test", password=PASSWORD, full_name="Teller", role=UserRole.TELLER
        )
        staff = Actor(teller, None, PERMISSIONS[UserRole.TELLER])
        self.actors += [ada, ada, grace, staff]
        opened = [
            await self._open(ada, "EUR", 100_000),
            await self._open(ada, "JPY"),
            await self._open(grace, "EUR", 100_000),
            await self._open(grace, "EUR"),
            await self._open(ada, "EUR"),
        ]
        first, _, other, closed, frozen = opened
        transactions = []
        for n in range(12):
            pays, gets = ((ada, first), (grace, other)) if n % 2 else ((grace, other), (ada, first))
            transactions.append(
                await self._move(
                    Transfer(
                        actor=pays[0],
                        key=new_id().hex,
                        from_account_id=pays[1],
                        to=Destination(account_id=gets[1]),
                        amount=Money(100 + n, "EUR"),
                        description="Rent" if n % 3 else None,
                    )
                )
            )
        for n in range(2):
            hold = await self._move(
                PlaceHold(
                    actor=ada,
                    key=new_id().hex,
                    account_id=first,
                    to=Destination(account_id=other),
                    amount=Money(500, "EUR"),
                    expires_at=utc_now() + timedelta(days=1),
                )
            )
            transactions.append(hold)
            if n:
                transactions.append(await self._move(CaptureHold(actor=grace, key=new_id().hex, transaction_id=hold)))
        transactions.append(
            await self._move(ReverseTransaction(actor=staff, key=new_id().hex, transaction_id=transactions[0], reason="wrong"))
        )
        cards = [
            await self._issue(ada, first, limits=(("DAY", Money(10_000, "EUR")), ("TRANSACTION", Money(500, "EUR")))),
            await self._issue(grace, other),
        ]
        for actor, card, minor in ((ada, cards[0], 300), (ada, cards[0], 200), (grace, cards[1], 100)):
            merchant = Merchant("Café Central", "5812", "AT")
            amount = Money(minor, "EUR")
            paid = AuthorizeCard(actor=actor, key=new_id().hex, card_id=card, amount=amount, merchant=merchant)
            transactions.append(await self._move(paid))
        payment = await self._move(CaptureHold(actor=ada, key=new_id().hex, transaction_id=transactions[-3]))
        transactions.append(payment)
        transactions.append(await self._move(RefundCardPayment(actor=ada, key=new_id().hex, transaction_id=payment)))
        await self.services.accounts.freeze(ada, frozen, "lost")
        await self.services.accounts.close(grace, closed)
        payee = await self.services.payees.add(ada, "Grace", "DE02120300000000202051")
        later = replace(self.services.issuer, clock=lambda: utc_now() + timedelta(days=70))
        await issue(self.services.db, later)
        statements = await self.services.db._pool.fetch("SELECT id FROM statements")
        rows = await self.services.db._pool.fetch("SELECT id FROM entries ORDER BY id")
        numbers = await self.services.db._pool.fetch("SELECT number FROM accounts")
        entries = [row["id"] for row in rows]
        missing = [
            *(global_id(kind, new_id()) for kind in ("Account", "Transaction", "Card")),
            "garbage",
            global_id("Entry", 10**15),
        ]
        self.pool = Pool(
            ids=[
                *(global_id("Account", each) for each in opened),
                *(global_id("Transaction", each) for each in transactions[-12:]),
                *(global_id("Card", each) for each in cards),
                *(global_id("Entry", each) for each in entries[-8:]),
                *(global_id("Statement", row["id"]) for row in statements),
                global_id("Payee", payee.id),
                *(global_id("User", each.user_id) for each in (ada, grace, staff)),
                *missing,
            ],
            missing=missing,
            numbers=[*(row["number"] for row in numbers), "DE00", " "],
            cursors=[
                *(encode_cursor("Entry", each) for each in entries[::5]),
                *(encode_cursor("Transaction", each) for each in transactions[::5]),
                *(encode_cursor("Account", each) for each in opened),
                *(encode_cursor("Card", each) for each in cards),
                "garbage",
            ],
            moments=[utc_now().isoformat(), "2020-01-01T00:00:00Z", "2999-01-01T00:00:00+02:00"],
        )

    async def both(self, made: Made, who: int) -> tuple[Response, Response]:
        """The answers of the breadth-first executor and of the reference."""
        request = Request(made.text, None, made.variables)
        planned, reference = await asyncio.gather(
            self.planned.run(request, self._context(who)), self.reference.run(request, self._context(who))
        )
        return planned, reference

    def _context(self, who: int) -> Context:
        return Context(self.services, self.actors[who % len(self.actors)], Origin(request_id="request"))

    async def _sign_up(self, name: str) -> Actor:
        signed_in: SignedIn = await self.services.identity.sign_up(
            email=f"{name}@bank.test", password=PASSWORD, full_name=name.title(), phone_number=None, origin=Origin()
        )
        return signed_in.actor

    async def _open(self, actor: Actor, currency: str, deposit: int | None = None) -> Any:
        key = new_id().hex
        command = OpenAccount(
            actor=actor, key=key, kind=AccountKind.CHECKING, currency=currency, name="Daily", opening_deposit=deposit
        )
        [outcome] = await self.services.execute(Group((command,)))
        assert isinstance(outcome, Opened)
        return outcome.account_id

    async def _issue(self, actor: Actor, account: Any, **more: Any) -> Any:
        command = IssueCard(actor=actor, key=new_id().hex, account_id=account, kind=CardKind.DEBIT, form=CardForm.VIRTUAL, **more)
        [outcome] = await self.services.execute(Group((command,)))
        assert isinstance(outcome, Issued)
        return outcome.card_id

    async def transfer(self) -> None:
        """Ada pays Grace a cent."""
        source, target = (uuid_of(self.pool.ids[index], "Account") for index in (0, 2))
        payer = self.actors[1]
        assert source is not None
        assert payer is not None
        await self._move(
            Transfer(
                actor=payer,
                key=new_id().hex,
                from_account_id=source,
                to=Destination(account_id=target),
                amount=Money(1, "EUR"),
            )
        )

    async def _move(self, command: Command) -> Any:
        [outcome] = await self.services.execute(Group((command,)))
        assert isinstance(outcome, Moved), outcome
        return outcome.transaction_id


@pytest.fixture
async def world(bank: Bank) -> World:
    made = World(bank)
    await made.fill()
    return made


def errors_of(response: Response) -> list[Any]:
    """The errors of an answer."""
    errors: Any = response.body.get("errors", [])
    return list(errors)


def _comparable(response: Response) -> bytes:
    """Return the response, with errors by their paths: which of several comes first depends on what is read first.

    Where several fields below one that is null failed, only one of them tells so (GraphQL, 6.4.4), and it may be any.
    """
    errors = []
    for error in errors_of(response):
        path = error.get("path", [])
        null = _nulled(response.body.get("data"), path)
        errors.append(error if null == path else {"path": null, "message": "something below failed"})
    errors.sort(key=lambda error: (str(error.get("path")), error["message"]))
    return to_json({**response.body, "errors": errors})


def _nulled(value: Any, path: list[Any]) -> list[Any]:
    """The part of an error's path that leads to the null which stands for it."""
    for depth, step in enumerate(path):
        if value is None:
            return path[:depth]
        value = value[step]
    return path


# Where a field fails, graphql-core cancels what it has under way beside it, also what it has not begun: that is not awaited then.
@pytest.mark.filterwarnings(r"ignore:coroutine '(.*_async_resolver|Executor\..*)' was never awaited:RuntimeWarning")
# The same, where they are collected while a named tuple is made: that frame has no builtins, and so the warning itself fails there.
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored in.*<coroutine object .*_async_resolver:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kind", "how_many"),
    [
        ("query", 128),
        ("mutation", 64),
        pytest.param("query", 1600, marks=pytest.mark.deep),
        pytest.param("mutation", 400, marks=pytest.mark.deep),
    ],
)
async def test_answers_are_those_of_the_reference_executor(world: World, kind: str, how_many: int) -> None:
    documents = Documents(CORE, world.pool, SEED)
    refused = failed = 0
    for start in range(0, how_many, 16):
        made = [documents.query() if kind == "query" else documents.mutation() for _ in range(16)]
        answers = await asyncio.gather(*(world.both(each, start + n) for n, each in enumerate(made)))
        for each, (planned, reference) in zip(made, answers, strict=True):
            assert _comparable(planned) == _comparable(reference), (each.text, each.variables)
            assert (planned.status, planned.executed) == (reference.status, reference.executed)
            refused += not planned.executed
            failed += planned.executed and "errors" in planned.body
    # The documents are worth something: most are executed, some fail in part, and many are answered by plans.
    assert refused < how_many * 0.3
    assert failed > how_many * 0.02
    fallbacks = world.executor.fallbacks
    assert fallbacks.total() - fallbacks["AccessDenied"] < (how_many - refused) * 0.7
    gc.collect()  # so that what was not awaited is found here, and not in the next test


@pytest.mark.parametrize("which", ["itself", "its answer"])
async def test_a_mutation_that_fails_is_executed_once(world: World, which: str) -> None:
    """The second of three mutations fails, itself or in a field of its result: the executor then falls back."""
    executed: list[Group] = []
    services = world.services

    async def execute(group: Group) -> list[Outcome]:
        executed.append(group)
        if which == "itself" and len(executed) == 2:
            raise Unavailable
        return await services.execute(group)

    account, target = (each for each in world.pool.ids if each in (world.pool.ids[0], world.pool.ids[2]))
    selection = "{ __typename ... on MoneyMoved { replayed transaction { amount { amount } entries { account { %s } } } } }"
    parts = [
        f'{name}: transfer(input: {{fromAccountId: "{account}", to: {{accountId: "{target}"}}, idempotencyKey: "{name}", '
        f'amount: {{amount: "1", currency: EUR}}}}) {selection % ("entries(first: 500) { nodes { id } }" if name == "b" else "name")}'
        for name in "abc"
    ]
    context = Context(replace(services, execute=execute), world.actors[1], Origin())
    answer: dict[str, Any] = (await world.planned.run(Request(f"mutation {{ {' '.join(parts)} }}"), context)).body
    assert [error["path"][0] for error in answer["errors"]] == ["b"]
    assert answer["data"] is None  # a mutation's field is never null, and those after it are not executed
    assert [group.commands[0].key for group in executed if isinstance(group.commands[0], Transfer)] == ["a", "b"]


@pytest.mark.parametrize("unplannable", ["", "sessions { current }"])
@pytest.mark.parametrize("n", [1, 500])  # the second is a mistake, and each event says so
async def test_subscriptions_answer_alike(world: World, bank: Bank, unplannable: str, n: int) -> None:
    text = (
        "subscription ($n: Int) { transactionFeed { __typename cursor kind occurredAt "
        f"account {{ id balance {{ booked {{ amount }} }} owner {{ email {unplannable} }} entries(first: $n) {{ nodes {{ id }} }} }} "
        "transaction { id kind amount { amount currency } entries { id amount { amount } } } } }"
    )
    async with followed(bank), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(aclosing(gate.stream(Request(text, None, {"n": n}), world._context(1))))
            for gate in (world.planned, world.reference)
        ]
        coming = [asyncio.ensure_future(anext(stream)) for stream in streams]
        while bank.hub.subscriber_count < len(streams):
            await asyncio.sleep(0)
        await world.transfer()
        answers = await asyncio.gather(*coming)
    assert _comparable(answers[0]) == _comparable(answers[1])
    assert ("errors" in answers[0].body) == (n == 500)


async def test_an_event_that_cannot_be_read_has_not_arrived(world: World, bank: Bank, dsn: str) -> None:
    """Or else its cursor would be gone on from, and what it was about would be missed."""
    broken = await Database.open(dsn)
    readers = Readers(broken, bank.policy.cards.calendar, utc_now, bank.links, bank.issuer.months)
    services = replace(world.services, readers=readers)
    context = Context(services, world.actors[1], Origin())
    request = Request("subscription { transactionFeed { cursor transaction { amount { amount } } } }")
    async with followed(bank), aclosing(world.planned.stream(request, context)) as stream:
        coming = asyncio.ensure_future(anext(stream))
        while not bank.hub.subscriber_count:
            await asyncio.sleep(0)
        await broken.close()
        await world.transfer()
        answer = await coming
        assert isinstance(answer.ended_by, Unavailable)
        assert errors_of(answer)[0]["extensions"]["code"] == "UNAVAILABLE"
        assert answer.body["data"] is None
        assert [each async for each in stream] == []
