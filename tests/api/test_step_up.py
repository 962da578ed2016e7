"""What is dangerous requires that the user proved a short while ago who they are."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from passlib.totp import TOTP

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.client import ABROAD, PASSWORD, Client, key, transfer_of
from tests.schedules.orders import order
from tests.serving import connect

STEP_UP = """mutation ($challenge: String!, $code: String, $password: String) {
    stepUp(challenge: $challenge, code: $code, password: $password) { __typename ... on ValidationRejection { fields { path code } } } }"""
REQUIRED = "__typename ... on StepUpRequiredRejection { challenge factor message }"
ADD_PAYEE = f'mutation {{ x: addPayee(name: "Me", accountNumber: "DE02120300000000202051") {{ {REQUIRED} }} }}'
TRANSFER = f"mutation ($i: TransferInput!) {{ x: transfer(input: $i) {{ {REQUIRED} ... on MoneyMoved {{ replayed }} }} }}"
HOLD = f"mutation ($i: PlaceHoldInput!) {{ x: placeHold(input: $i) {{ {REQUIRED} }} }}"
BATCH = f"""mutation ($i: TransferBatchInput!) {{ transferBatch(input: $i) {{
    ... on TransferBatchOutcome {{ moved results {{ {REQUIRED} }} }} }} }}"""
REVEAL = f'mutation ($id: ID!) {{ x: revealCard(id: $id, password: "{PASSWORD}") {{ {REQUIRED} }} }}'
CLOSE = f'mutation {{ x: closeUser(password: "{PASSWORD}") {{ {REQUIRED} }} }}'
CHANGE = f'mutation {{ x: changePassword(current: "{PASSWORD}", new: "another fine long passphrase") {{ {REQUIRED} }} }}'


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def code(self, secret: str) -> str:
        """Return the code of an authenticator app, in a step of its own."""
        self.now += timedelta(seconds=30)
        return str(TOTP(key=secret).generate(int(self.now.timestamp())).token)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ada(settings: Settings, clock: Clock) -> AsyncIterator[Client]:
    """A customer who signed in 16 minutes ago, at a bank where payments above 100 are large."""
    app = create_app(settings.model_copy(update={"step_up_amount": 100, "access_token_minutes": 60}), clock=clock)
    async with app.router.lifespan_context(app), connect(app) as http:
        client = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        clock.now += timedelta(minutes=16)
        yield client


async def x(client: Client, document: str, **given: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.run(document, **given))["x"]
    return answer


async def step_up(client: Client, challenge: str, **factor: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.run(STEP_UP, challenge=challenge, **factor))["stepUp"]
    return answer


async def enrol(client: Client, clock: Clock) -> str:
    enrolled = await client.run(f'mutation {{ enrolTotp(password: "{PASSWORD}") {{ ... on TotpEnrolment {{ secret }} }} }}')
    secret = str(enrolled["enrolTotp"]["secret"])
    confirm = "mutation ($c: String!) { confirmTotp(code: $c) { __typename } }"
    assert (await client.run(confirm, c=clock.code(secret)))["confirmTotp"]["__typename"] == "RecoveryCodes"
    return secret


async def test_a_sweep_to_somebody_else_needs_the_password_again_whatever_there_is_to_move(ada: Client, clock: Clock) -> None:
    grace = await Client(ada.http).sign_up("grace@bank.test", "Grace Hopper")
    clock.now += timedelta(minutes=16)
    source, own, hers = [(await each.open())["id"] for each in (ada, ada, grace)]
    abroad = {"external": {"accountNumber": ABROAD, "name": "Jane Abroad"}}
    given = {"amount": "0", "sweep": "ABOVE", "startsOn": clock.now.date().isoformat()}
    assert (await order(ada, source, {"accountId": own}, **given))["__typename"] == "ScheduledTransfer"
    for to in ({"accountId": hers}, abroad):
        assert (await order(ada, source, to, **given))["__typename"] == "StepUpRequiredRejection"
    required = await x(ada, ADD_PAYEE)
    await step_up(ada, required["challenge"], password=PASSWORD)
    assert (await order(ada, source, {"accountId": hers}, **given))["__typename"] == "ScheduledTransfer"


async def test_a_new_payee_needs_the_password_again(ada: Client, clock: Clock) -> None:
    required = await x(ada, ADD_PAYEE)
    assert (required["__typename"], required["factor"]) == ("StepUpRequiredRejection", "PASSWORD")
    assert (await step_up(ada, required["challenge"]))["fields"] == [{"path": ["password"], "code": "REQUIRED"}]
    assert await step_up(ada, required["challenge"], password="wrong") == {"__typename": "CredentialsRejection"}
    assert (await x(ada, ADD_PAYEE))["__typename"] == "StepUpRequiredRejection"
    assert await step_up(ada, required["challenge"], password=PASSWORD) == {"__typename": "Done"}
    assert (await x(ada, ADD_PAYEE))["__typename"] == "Payee"
    clock.now += timedelta(minutes=15, seconds=1)
    assert (await x(ada, ADD_PAYEE))["__typename"] == "StepUpRequiredRejection"


async def test_signing_in_is_a_proof(ada: Client) -> None:
    again = await ada.log_in("ada@bank.test")
    assert (await x(again, ADD_PAYEE))["__typename"] == "Payee"


async def test_a_challenge_is_good_in_its_session_and_for_its_time(ada: Client, clock: Clock) -> None:
    challenge = (await x(ada, ADD_PAYEE))["challenge"]
    other = await ada.log_in("ada@bank.test")
    for client, given in ((other, challenge), (ada, "x"), (ada, challenge[:-1] + ("0" if challenge[-1] != "0" else "1"))):
        assert await step_up(client, given, password=PASSWORD) == {"__typename": "CredentialsRejection"}
    clock.now += timedelta(minutes=5)
    assert await step_up(ada, challenge, password=PASSWORD) == {"__typename": "CredentialsRejection"}


async def test_large_payments_need_a_proof_and_keep_their_key(ada: Client) -> None:
    account, other = await ada.open(deposit="1000"), await ada.open()
    given = transfer_of(account["id"], other["id"], "100.01")
    for document, input_ in (
        (TRANSFER, given),
        (TRANSFER, {**given, "dryRun": True}),
        (TRANSFER, {**given, "to": {"external": {"accountNumber": ABROAD, "name": "Jane"}}}),
        (HOLD, {"accountId": account["id"], "to": given["to"], "amount": given["amount"], "idempotencyKey": key()}),
    ):
        assert (await x(ada, document, i=input_))["__typename"] == "StepUpRequiredRejection"
    dollars = [await ada.open("USD", deposit="100"), await ada.open("USD")]
    small = transfer_of(dollars[0]["id"], dollars[1]["id"], "100", "USD")
    batch = (await ada.run(BATCH, i={"transfers": [given, small]}))["transferBatch"]
    assert [each["__typename"] for each in batch["results"]] == ["StepUpRequiredRejection", "MoneyMoved"]
    assert await step_up(ada, batch["results"][0]["challenge"], password=PASSWORD) == {"__typename": "Done"}
    assert await x(ada, TRANSFER, i=given) == {"__typename": "MoneyMoved", "replayed": False}
    assert await ada.booked(account["id"]) == "899.99"


async def test_a_batch_is_large_if_its_sum_is(ada: Client) -> None:
    account, other = await ada.open(deposit="1000"), await ada.open()
    items = [transfer_of(account["id"], other["id"], "60") for _ in range(2)]
    for atomic in (False, True):
        batch = (await ada.run(BATCH, i={"transfers": items, "atomic": atomic}))["transferBatch"]
        assert batch["moved"] == 0
        assert "StepUpRequiredRejection" in {each["__typename"] for each in batch["results"]}
    await step_up(ada, batch["results"][0]["challenge"], password=PASSWORD)
    assert (await ada.run(BATCH, i={"transfers": items}))["transferBatch"]["moved"] == 2


async def test_what_was_paid_is_answered_again_without_a_proof(ada: Client, clock: Clock) -> None:
    account, other = await ada.open(deposit="1000"), await ada.open()
    given = transfer_of(account["id"], other["id"], "500")
    await step_up(ada, (await x(ada, TRANSFER, i=given))["challenge"], password=PASSWORD)
    await x(ada, TRANSFER, i=given)
    clock.now += timedelta(minutes=16)
    assert await x(ada, TRANSFER, i=given) == {"__typename": "MoneyMoved", "replayed": True}


async def test_with_a_second_factor_the_password_is_not_enough(ada: Client, clock: Clock) -> None:
    secret = await enrol(ada, clock)
    card = await ada.issue((await ada.open())["id"])
    for document, given in ((ADD_PAYEE, {}), (REVEAL, {"id": card["id"]}), (CHANGE, {}), (CLOSE, {})):
        required = await x(ada, document, **given)
        assert (required["__typename"], required["factor"]) == ("StepUpRequiredRejection", "CODE")
    assert (await step_up(ada, required["challenge"], password=PASSWORD))["fields"] == [{"path": ["code"], "code": "REQUIRED"}]
    another = await x(ada, ADD_PAYEE)
    code = clock.code(secret)
    assert await step_up(ada, required["challenge"], code=code) == {"__typename": "Done"}
    unspent = clock.code(secret)
    assert await step_up(ada, required["challenge"], code=unspent) == {"__typename": "CredentialsRejection"}
    assert await step_up(ada, another["challenge"], code=code) == {"__typename": "CredentialsRejection"}
    assert await step_up(ada, another["challenge"], code=unspent) == {"__typename": "Done"}
    assert (await x(ada, REVEAL, id=card["id"]))["__typename"] == "CardSecrets"
    assert (await x(ada, CHANGE))["__typename"] == "Done"


async def test_without_a_second_factor_the_password_that_is_given_is_enough(ada: Client) -> None:
    card = await ada.issue((await ada.open())["id"])
    assert (await x(ada, REVEAL, id=card["id"]))["__typename"] == "CardSecrets"
    assert (await x(ada, CHANGE))["__typename"] == "Done"
