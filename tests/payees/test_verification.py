"""verifyPayee: who holds an account? Only those who nearly know see it, and the transaction keeps the answer."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.app import create_app
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.seals import Seals
from bank_graphql.payees import service
from bank_graphql.settings import Settings
from tests.api.accounts import CLOSE
from tests.client import Client, key
from tests.serving import serving

VERIFY = (
    "mutation ($number: String!, $name: String!) { verifyPayee(accountNumber: $number, name: $name) { __typename "
    "... on PayeeVerification { match actualName token expiresAt } ... on ValidationRejection { fields { path code } } } }"
)
MATCH_OF = "query ($id: ID!) { transaction(id: $id) { payeeMatch } }"


async def verify(client: Client, number: str, name: str) -> dict[str, Any]:
    """What a verification answers."""
    answer: dict[str, Any] = (await client.run(VERIFY, number=number, name=name))["verifyPayee"]
    return answer


async def test_the_holders_name_is_shown_for_a_close_match_only(ada: Client, grace: Client) -> None:
    number = (await grace.open())["number"]
    for name, match, shown in (
        ("Grace Hopper", "MATCH", None),
        ("Grace Hoper", "CLOSE_MATCH", "Grace Hopper"),
        ("Ada Lovelace", "NO_MATCH", None),
    ):
        answer = await verify(ada, number, name)
        assert (answer["match"], answer["actualName"]) == (match, shown)
    spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    assert (await verify(ada, spaced.lower(), "hopper GRACE"))["match"] == "MATCH"


async def test_other_banks_missing_and_closed_accounts_cannot_be_told_apart(ada: Client, grace: Client) -> None:
    closed = await grace.open()
    await grace.run(CLOSE, id=closed["id"])
    answers = [await verify(ada, number, "Grace Hopper") for number in (closed["number"], "GB33BUKB20201555555555")]
    assert {(each["match"], each["actualName"]) for each in answers} == {("NOT_POSSIBLE", None)}
    assert (await verify(ada, "GB00", "x"))["fields"] == [{"path": ["accountNumber"], "code": "INVALID"}]
    assert (await verify(ada, closed["number"], ""))["fields"] == [{"path": ["name"], "code": "REQUIRED"}]


async def test_the_transaction_keeps_the_answer_for_the_payer(ada: Client, grace: Client, teller: Client) -> None:
    payer, payee = (await ada.open(deposit="100"))["id"], await grace.open()
    token = (await verify(ada, payee["number"], "Ada Lovelace"))["token"]
    same = key()
    paid = await ada.transfer(payer, payee["id"], "1", payeeVerification=token, idempotencyKey=same)
    for client, match in ((ada, "NO_MATCH"), (teller, "NO_MATCH"), (grace, None)):
        assert (await client.run(MATCH_OF, id=paid["transaction"]["id"]))["transaction"] == {"payeeMatch": match}
    replayed = await ada.transfer(payer, payee["id"], "1", payeeVerification=token, idempotencyKey=same)
    assert (replayed["__typename"], replayed["replayed"]) == ("MoneyMoved", True)
    preview = await ada.transfer(payer, payee["id"], "1", payeeVerification=token, dryRun=True)
    assert preview["__typename"] == "MoneyPreview"
    without = await ada.transfer(payer, payee["id"], "1")
    assert (await ada.run(MATCH_OF, id=without["transaction"]["id"]))["transaction"] == {"payeeMatch": None}


async def test_a_token_is_bound_to_its_user_and_account(ada: Client, grace: Client) -> None:
    payer, payee, other = (await ada.open(deposit="100"))["id"], await grace.open(), await grace.open()
    token = (await verify(ada, payee["number"], "Grace Hopper"))["token"]
    foreign = (await verify(grace, payee["number"], "Grace Hopper"))["token"]
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for wrong, code in (
        (foreign, "INVALID"),
        (changed, "INVALID"),
        ("", "INVALID"),
        ("x.y", "INVALID"),
        ("ü", "INVALID"),
        ("x" * 9999, "INVALID"),
    ):
        refused = await ada.transfer(payer, payee["id"], "1", payeeVerification=wrong)
        assert refused["fields"] == [{"path": ["payeeVerification"], "code": code}]
    refused = await ada.transfer(payer, other["id"], "1", payeeVerification=token)
    assert refused["fields"] == [{"path": ["payeeVerification"], "code": "OTHER_ACCOUNT"}]
    assert await ada.booked(payer) == "100.00"


async def test_an_expired_token_is_refused_but_a_repetition_is_not(
    ada: Client, grace: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, payee, same = (await ada.open(deposit="100"))["id"], await grace.open(), key()
    token = (await verify(ada, payee["number"], "Grace Hopper"))["token"]
    await ada.transfer(payer, payee["id"], "1", payeeVerification=token, idempotencyKey=same)
    monkeypatch.setattr(service, "utc_now", lambda: utc_now() + timedelta(minutes=16))
    replayed = await ada.transfer(payer, payee["id"], "1", payeeVerification=token, idempotencyKey=same)
    assert (replayed["__typename"], replayed["replayed"]) == ("MoneyMoved", True)
    refused = await ada.transfer(payer, payee["id"], "1", payeeVerification=token)
    assert refused["fields"] == [{"path": ["payeeVerification"], "code": "EXPIRED"}]


async def test_attempts_are_audited_and_limited(
    settings: Settings, ada: Client, grace: Client, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    number = (await grace.open())["number"]
    await verify(ada, number, "Grace Hopper")
    assert await raw.fetchval("SELECT array_agg(outcome) FROM audit_events WHERE action = 'verifyPayee'") == ["DONE"]
    async with serving(create_app(settings.model_copy(update={"log_in_rate_limit": 30}))) as http:
        guesser = await Client(http).log_in("ada@bank.test")
        answers = [await guesser.post(VERIFY, number=number, name=f"Guess {n}") for n in range(4)]
        assert [answer.get("errors", [{}])[0].get("extensions", {}).get("code") for answer in answers] == [
            None, None, "RATE_LIMITED", "RATE_LIMITED",
        ]  # fmt: skip # one of the three was used at the other process


def test_seals_of_one_purpose_do_not_open_those_of_another() -> None:
    keys = [b"first", b"second"]
    token = Seals(keys[1:], "one").seal({"a": 1})
    assert Seals(keys, "one").open(token) == {"a": 1}
    assert Seals(keys, "other").open(token) is None
    assert Seals(keys[:1], "one").open(token) is None
