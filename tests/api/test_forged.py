"""Tokens of every kind, forged by the hundred: none passes. And refreshes that race: one wins."""

import asyncio
import random
import string
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.api.clocked import ClockedBank
from tests.api.test_passkeys import ASK, ASK_LOG_IN, LOG_IN
from tests.authenticator import Authenticator
from tests.client import PASSWORD, SESSION, Client

Passes = Callable[[str], Awaitable[bool]]
"""Whether the bank takes a token for good."""
REFRESH = f"mutation ($t: String!) {{ x: refreshSession(refreshToken: $t) {{ {SESSION} }} }}"
STEP_UP = "mutation ($c: String!, $p: String!) { x: stepUp(challenge: $c, password: $p) { __typename } }"
EXPORT = "mutation { x: exportMyData { ... on PersonalDataExport { url } } }"
VERIFY = (
    'mutation ($n: String!) { x: verifyPayee(name: "Grace Hopper", accountNumber: $n) { ... on PayeeVerification { token } } }'
)
LETTERS = string.ascii_letters + string.digits + "-_.=+/ \n\u00e9"


def forged(draw: random.Random, good: str, others: list[str]) -> str:
    """Return something that looks like a token, and is another one."""
    at, other = draw.randrange(len(good)), draw.choice([each for each in others if each != good])
    made = draw.choice(
        (
            good[:at] + draw.choice([letter for letter in LETTERS if letter != good[at]]) + good[at + 1 :],
            good[:at],
            good[at:] if at else good[1:],
            good[:at] + draw.choice(LETTERS) + good[at:],
            good[: len(good) // 2] + other[len(other) // 2 :],
            ".".join([*good.split(".")[:-1], other.split(".")[-1]]),
            ".".join(reversed(good.split("."))),
            other,
            good.swapcase(),
            "".join(draw.choices(LETTERS, k=len(good))),
            good + "=" * draw.randint(1, 3),
            "",
        )
    )
    return made if made != good else made + "x"


async def answered(client: Client, query: str, **given: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.insist(query, **given))["x"]
    return answer


async def kinds(clocked: ClockedBank, ada: Client) -> dict[str, tuple[str, Passes]]:
    """Return a good token of each kind, and what says whether one passes."""
    visitor = clocked.visitor()
    grace = await visitor.sign_up("grace@bank.test", "Grace Hopper")
    source, to = await ada.open(deposit="9"), await grace.open()
    second = await visitor.log_in("ada@bank.test")
    device = Authenticator()
    new_key, use = await answered(ada, ASK), await answered(ada, ASK_LOG_IN)
    url = urlsplit((await answered(ada, EXPORT))["url"])
    verification = (await answered(ada, VERIFY, n=to["number"]))["token"]
    enrol = "mutation ($p: String!) { x: enrolTotp(password: $p) { ... on TotpEnrolment { secret } } }"
    secret = (await answered(grace, enrol, p=PASSWORD))["secret"]
    confirm = "mutation ($c: String!) { x: confirmTotp(code: $c) { ... on RecoveryCodes { codes } } }"
    codes = (await answered(grace, confirm, c=clocked.code(secret)))["codes"]
    log_in = 'mutation ($p: String!) { x: logIn(input: {email: "grace@bank.test", password: $p}) { ... on MfaChallenge { challengeToken } } }'
    challenge = (await answered(visitor, log_in, p=PASSWORD))["challengeToken"]
    clocked.now += timedelta(seconds=1)

    async def access(token: str) -> bool:
        if not token.isascii() or not token.isprintable():
            return False  # no client can send it in a header
        answer = await Client(visitor.http, token or " ").post("{ me { id } }")
        return "errors" not in answer and answer["data"]["me"] is not None

    async def refresh(token: str) -> bool:
        return bool((await answered(visitor, REFRESH, t=token))["__typename"] == "AuthSession")

    async def log_in_challenge(token: str) -> bool:
        complete = f"mutation ($t: String!, $c: String!) {{ x: completeLogIn(challengeToken: $t, code: $c) {{ {SESSION} }} }}"
        return bool((await answered(visitor, complete, t=token, c=codes[0]))["__typename"] == "AuthSession")

    async def step_up(token: str) -> bool:
        return bool((await answered(ada, STEP_UP, c=token, p=PASSWORD))["__typename"] == "Done")

    async def passkey(token: str) -> bool:
        given = {"challengeToken": token, "credential": device.use(use["options"])}
        return bool((await answered(visitor, LOG_IN, input=given))["__typename"] == "AuthSession")

    async def payee(token: str) -> bool:
        moved = await ada.transfer(source["id"], {"accountNumber": to["number"]}, "1", payeeVerification=token, dryRun=True)
        return bool(moved["__typename"] == "MoneyPreview")

    async def link(signature: str) -> bool:
        query = "&".join(each if not each.startswith("signature=") else f"signature={signature}" for each in url.query.split("&"))
        try:
            return (await visitor.http.get(f"{url.path}?{query}")).status_code == 200
        except Exception:  # noqa: BLE001 - no client sends such an address
            return False

    add = 'mutation ($i: PasskeyAnswerInput!) { x: addPasskey(name: "n", input: $i) { __typename } }'
    made = {"challengeToken": new_key["challengeToken"], "credential": device.make(new_key["options"])}
    assert (await answered(ada, add, i=made))["__typename"] == "Passkey"
    asked = "{ me { id } }"
    assert await second.run(asked)
    clocked.now += timedelta(minutes=16)
    visitor_again = await visitor.log_in("ada@bank.test")
    refused = await answered(ada, "mutation { x: requestPasskey { ... on StepUpRequiredRejection { challenge } } }")
    challenge = (await answered(visitor, log_in, p=PASSWORD))["challengeToken"]
    use = await answered(ada, ASK_LOG_IN)
    url = urlsplit((await answered(visitor_again, EXPORT))["url"])
    verification = (await answered(ada, VERIFY, n=to["number"]))["token"]
    signature = next(each.removeprefix("signature=") for each in url.query.split("&") if each.startswith("signature="))
    return {
        "access": (second.token or "", access),
        "refresh": (second.refresh_token, refresh),
        "log-in challenge": (challenge, log_in_challenge),
        "step-up challenge": (refused["challenge"], step_up),
        "passkey challenge": (use["challengeToken"], passkey),
        "payee verification": (verification, payee),
        "link": (signature, link),
    }


@pytest.fixture
async def ada(clocked: ClockedBank) -> Client:
    return await clocked.visitor().sign_up("ada@bank.test", "Ada Lovelace")


@pytest.mark.parametrize("number", [15, pytest.param(200, marks=pytest.mark.deep)])
async def test_no_forged_token_of_any_kind_passes(clocked: ClockedBank, ada: Client, number: int) -> None:
    draw = random.Random(number)
    given = await kinds(clocked, ada)
    others = [good for good, _ in given.values()]
    clocked.services.identity._code_throttle.reserve_turn = lambda *_: 0.0
    clocked.services.identity._password_throttle.reserve_turn = lambda *_: 0.0
    for name, (good, passes) in given.items():
        for _ in range(number):
            made = forged(draw, good, others)
            assert not await passes(made), (name, made)
        assert await passes(good), name


@pytest.mark.parametrize("racers", [20, pytest.param(1000, marks=pytest.mark.deep)])
async def test_of_racing_refreshes_one_wins(clocked: ClockedBank, ada: Client, racers: int, raw: asyncpg.Connection) -> None:
    """Those of the client that has the token get the same answer, however many they are. Any other client ends the session."""
    clients = [clocked.visitor() for _ in range(racers)]
    answers = await asyncio.gather(*(answered(each, REFRESH, t=ada.refresh_token) for each in clients))
    assert len({answer["refreshToken"] for answer in answers}) == 1
    assert await raw.fetchval("SELECT count(*) FROM refresh_tokens") == 2
    strangers = [clocked.visitor(**{"user-agent": f"Thief {number}"}) for number in range(racers)]
    newest = answers[0]["refreshToken"]
    answers = await asyncio.gather(*(answered(each, REFRESH, t=newest) for each in strangers))
    winners = [answer for answer in answers if answer["__typename"] == "AuthSession"]
    assert len(winners) == 1
    assert (await answered(strangers[0], REFRESH, t=winners[0]["refreshToken"]))["__typename"] == "CredentialsRejection"
