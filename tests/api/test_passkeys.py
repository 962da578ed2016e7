"""Passkeys: added, used in place of a password and of a code, removed; and every way in which an answer may be wrong."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.identity.enums import UserRole
from tests.api.clocked import ClockedBank
from tests.authenticator import USER_PRESENT, USER_VERIFIED, Authenticator, text_of
from tests.client import INVALID, PASSWORD, SESSION, Client
from tests.serving import sign_in_staff

CHALLENGE = (
    "__typename ... on PasskeyChallenge { options challengeToken expiresAt } ... on StepUpRequiredRejection { challenge factor }"
)
ASK = f"mutation {{ x: requestPasskey {{ {CHALLENGE} }} }}"
ADD = f"""mutation ($name: String!, $input: PasskeyAnswerInput!) {{ x: addPasskey(name: $name, input: $input) {{
    __typename ... on Passkey {{ id name isSynced lastUsedAt }} {INVALID} }} }}"""
REMOVE = "mutation ($id: ID!) { x: removePasskey(id: $id) { __typename } }"
ASK_LOG_IN = f"mutation {{ x: requestPasskeyLogIn {{ {CHALLENGE} }} }}"
LOG_IN = f"mutation ($input: PasskeyAnswerInput!) {{ x: logInWithPasskey(input: $input) {{ {SESSION} }} }}"
STEP_UP = "mutation ($c: String!, $input: PasskeyAnswerInput!) { x: stepUp(challenge: $c, passkey: $input) { __typename } }"
ME = "{ me { email passkeys { id name isSynced createdAt lastUsedAt } } }"


@pytest.fixture
async def ada(clocked: ClockedBank) -> Client:
    return await clocked.visitor().sign_up("ada@bank.test", "Ada Lovelace")


async def add(client: Client, device: Authenticator, name: str = "Phone") -> dict[str, Any]:
    """Add the passkey of a device."""
    asked = (await client.run(ASK))["x"]
    given = {"challengeToken": asked["challengeToken"], "credential": device.make(asked["options"])}
    added: dict[str, Any] = (await client.run(ADD, name=name, input=given))["x"]
    return added


async def answer(client: Client, device: Authenticator, **changes: Any) -> dict[str, str]:
    """Have a device answer a challenge."""
    asked = (await client.run(ASK_LOG_IN))["x"]
    return {"challengeToken": asked["challengeToken"], "credential": device.use(asked["options"], **changes)}


async def test_a_passkey_is_added_used_and_removed(clocked: ClockedBank, ada: Client) -> None:
    device = Authenticator()
    asked = (await ada.run(ASK))["x"]
    options = json.loads(asked["options"])
    assert options["rp"] == {"name": "The Bank", "id": "localhost"}
    assert options["user"]["name"] == "ada@bank.test"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    given = {"challengeToken": asked["challengeToken"], "credential": device.make(asked["options"])}
    added = (await ada.run(ADD, name=" Phone ", input=given))["x"]
    assert (added["name"], added["isSynced"], added["lastUsedAt"]) == ("Phone", False, None)
    again = (await ada.run(ADD, name="Phone", input=given))["x"]
    assert again["fields"] == [{"path": ["credential"], "code": "NOT_VERIFIED"}]
    visitor = clocked.visitor()
    signed_in = (await visitor.run(LOG_IN, input=await answer(visitor, device)))["x"]
    assert signed_in["user"]["email"] == "ada@bank.test"
    [passkey] = (await visitor.signed_in(signed_in).run(ME))["me"]["passkeys"]
    assert passkey["id"] == added["id"]
    assert passkey["lastUsedAt"] is not None
    assert (await ada.run(REMOVE, id=added["id"]))["x"] == {"__typename": "Done"}
    assert (await ada.run(REMOVE, id=added["id"]))["x"] == {"__typename": "NotFoundRejection"}
    assert (await visitor.run(LOG_IN, input=await answer(visitor, device)))["x"] == {"__typename": "CredentialsRejection"}


async def test_a_passkey_needs_no_code_and_code_and_password_need_no_passkey(clocked: ClockedBank, ada: Client) -> None:
    device = Authenticator()
    await add(ada, device)
    enrol = "mutation ($p: String!) { x: enrolTotp(password: $p) { ... on TotpEnrolment { secret } } }"
    secret = (await ada.run(enrol, p=PASSWORD))["x"]["secret"]
    await ada.run("mutation ($code: String!) { confirmTotp(code: $code) { __typename } }", code=clocked.code(secret))
    visitor = clocked.visitor()
    assert (await visitor.run(LOG_IN, input=await answer(visitor, device)))["x"]["__typename"] == "AuthSession"
    clocked.now += timedelta(seconds=30)
    challenge = await clocked.log_in()
    assert (await clocked.complete(challenge["challengeToken"], clocked.code(secret)))["__typename"] == "AuthSession"


def other(device: Authenticator, **changes: Any) -> Authenticator:
    """Return the same passkey on a device that answers otherwise."""
    given = {"count": device.count, "user_handle": device.user_handle, **changes}
    return Authenticator(credential_id=device.credential_id, key=device.key, **given)


async def for_another_purpose(client: Client, device: Authenticator) -> dict[str, str]:
    asked = (await client.run(ASK))["x"]
    options = json.loads(asked["options"])
    credential = device.use(json.dumps({"challenge": options["challenge"], "rpId": options["rp"]["id"]}))
    return {"challengeToken": asked["challengeToken"], "credential": credential}


async def with_credential(client: Client, device: Authenticator, credential: str) -> dict[str, str]:
    return {**await answer(client, device), "credential": credential}


Wrong = Callable[[Client, Authenticator], Any]
WRONG: dict[str, Wrong] = {
    "another origin": lambda client, device: answer(client, other(device, origin="http://evil.example")),
    "no user present": lambda client, device: answer(client, other(device, flags=USER_VERIFIED)),
    "no user verified": lambda client, device: answer(client, other(device, flags=USER_PRESENT)),
    "a count that went back": lambda client, device: answer(client, other(device, count=0)),
    "another key": lambda client, device: answer(client, Authenticator(credential_id=device.credential_id, count=9)),
    "an unknown passkey": lambda client, _: answer(client, Authenticator()),
    "another user": lambda client, device: answer(client, device, userHandle=text_of(bytes(16))),
    "no signature": lambda client, device: answer(client, device, signature=""),
    "a field of another type": lambda client, device: answer(client, device, authenticatorData=7),
    "half the data": lambda client, device: answer(client, device, authenticatorData=text_of(bytes(10))),
    "a challenge of another purpose": for_another_purpose,
    "no JSON": lambda client, device: with_credential(client, device, "{"),
    "a list": lambda client, device: with_credential(client, device, "[]"),
    "nothing": lambda client, device: with_credential(client, device, "null"),
    "deep JSON": lambda client, device: with_credential(client, device, "[" * 9000 + "]" * 9000),
    "too much": lambda client, device: with_credential(client, device, " " * 30_000),
    "no base64": lambda client, device: with_credential(
        client, device, '{"id": "é", "rawId": "é", "response": {}, "type": "public-key"}'
    ),
}
"""Answers that are not good."""


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_answer_that_is_not_good_signs_nobody_in(clocked: ClockedBank, ada: Client, wrong: str) -> None:
    device = Authenticator()
    await add(ada, device)
    await ada.run(LOG_IN, input=await answer(ada, device))  # so that the count is above zero
    given = await WRONG[wrong](ada, device)
    assert (await clocked.visitor().run(LOG_IN, input=given))["x"] == {"__typename": "CredentialsRejection"}
    device.count += 1
    assert (await ada.run(LOG_IN, input=await answer(ada, device)))["x"]["__typename"] == "AuthSession"


async def test_an_answer_is_good_once_for_five_minutes_and_for_an_active_user(
    clocked: ClockedBank, ada: Client, raw: asyncpg.Connection
) -> None:
    device = Authenticator(counts=False)
    await add(ada, device)
    visitor = clocked.visitor()
    given = await answer(visitor, device)
    kinds = [each["x"]["__typename"] for each in await asyncio.gather(*(visitor.run(LOG_IN, input=given) for _ in range(5)))]
    assert sorted(kinds) == ["AuthSession", *["CredentialsRejection"] * 4]
    late = await answer(visitor, device)
    clocked.now += timedelta(minutes=5)
    assert (await visitor.run(LOG_IN, input=late))["x"] == {"__typename": "CredentialsRejection"}
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    assert (await visitor.run(LOG_IN, input=await answer(visitor, device)))["x"] == {"__typename": "CredentialsRejection"}
    await raw.execute("UPDATE users SET status = 'ACTIVE'")
    assert (await visitor.run(LOG_IN, input=await answer(visitor, device)))["x"]["__typename"] == "AuthSession"


@pytest.mark.parametrize(
    "device",
    [
        Authenticator(origin="http://evil.example"),
        Authenticator(flags=USER_PRESENT),
        Authenticator(flags=USER_VERIFIED),
        Authenticator(credential_id=bytes(1024)),
        Authenticator(attests=True),
    ],
)
async def test_a_passkey_that_is_not_verified_is_not_added(ada: Client, device: Authenticator) -> None:
    assert (await add(ada, device))["fields"] == [{"path": ["credential"], "code": "NOT_VERIFIED"}]


async def test_a_passkey_belongs_to_one_user_and_its_challenge_too(clocked: ClockedBank, ada: Client) -> None:
    grace = await clocked.visitor().sign_up("grace@bank.test", "Grace Hopper")
    device = Authenticator()
    asked = (await ada.run(ASK))["x"]
    given = {"challengeToken": asked["challengeToken"], "credential": device.make(asked["options"])}
    assert (await grace.run(ADD, name="Phone", input=given))["x"]["fields"] == [{"path": ["credential"], "code": "NOT_VERIFIED"}]
    assert (await ada.run(ADD, name="Phone", input=given))["x"]["__typename"] == "Passkey"
    assert (await add(grace, device))["fields"] == [{"path": ["credential"], "code": "TAKEN"}]
    assert (await add(ada, Authenticator(), name=""))["fields"] == [{"path": ["name"], "code": "REQUIRED"}]


async def test_a_lost_passkey_is_removed_by_an_administrator(clocked: ClockedBank, ada: Client) -> None:
    device = Authenticator()
    await add(ada, device)
    admin = await sign_in_staff(clocked.app, clocked.visitor(), UserRole.ADMIN)
    remove = "mutation ($id: ID!) { x: removeSecondFactor(userId: $id) { __typename } }"
    assert (await admin.run(remove, id=ada.user_id))["x"] == {"__typename": "User"}
    assert (await admin.run(remove, id=ada.user_id))["x"] == {"__typename": "StateConflictRejection"}
    assert (await ada.run(ME))["me"]["passkeys"] == []


async def test_a_user_has_twenty_passkeys_at_most(ada: Client) -> None:
    for number in range(19):
        assert (await add(ada, Authenticator(), f"Phone {number}"))["__typename"] == "Passkey"
    racing = await asyncio.gather(*(add(ada, Authenticator()) for _ in range(4)))
    assert [each["__typename"] for each in racing].count("Passkey") == 1
    assert (await add(ada, Authenticator()))["fields"] == [{"path": ["credential"], "code": "TOO_MANY"}]


async def test_passkeys_are_changed_after_a_fresh_proof_and_are_one_themselves(clocked: ClockedBank, ada: Client) -> None:
    device = Authenticator()
    added = await add(ada, device)
    clocked.now += timedelta(minutes=16)
    refused = (await ada.run(ASK))["x"]
    assert (refused["__typename"], refused["factor"]) == ("StepUpRequiredRejection", "PASSWORD")
    assert (await ada.run(REMOVE, id=added["id"]))["x"]["__typename"] == "StepUpRequiredRejection"
    stranger = Authenticator()
    assert (await ada.run(STEP_UP, c=refused["challenge"], input=await answer(ada, stranger)))["x"][
        "__typename"
    ] == "CredentialsRejection"
    given = await answer(ada, device)
    assert (await ada.run(STEP_UP, c=refused["challenge"], input=given))["x"] == {"__typename": "Done"}
    assert (await ada.run(STEP_UP, c=refused["challenge"], input=await answer(ada, device)))["x"][
        "__typename"
    ] == "CredentialsRejection"
    assert (await ada.run(REMOVE, id=added["id"]))["x"] == {"__typename": "Done"}


@pytest.mark.parametrize("named", [{}, {"userHandle": None}])
async def test_the_passkey_of_somebody_else_is_no_proof(clocked: ClockedBank, ada: Client, named: dict[str, None]) -> None:
    grace = await clocked.visitor().sign_up("grace@bank.test", "Grace Hopper")
    device = Authenticator()
    await add(grace, device)
    clocked.now += timedelta(minutes=16)
    refused = (await ada.run(ASK))["x"]
    given = await answer(ada, device, **named)
    assert (await ada.run(STEP_UP, c=refused["challenge"], input=given))["x"]["__typename"] == "CredentialsRejection"


async def test_passkeys_do_not_change_after_the_session_has_ended(ada: Client, raw: asyncpg.Connection) -> None:
    added = await add(ada, Authenticator())
    asked = (await ada.run(ASK))["x"]
    given = {"challengeToken": asked["challengeToken"], "credential": Authenticator().make(asked["options"])}
    await raw.execute("UPDATE sessions SET ended_at = now()")  # by another process, a moment ago
    assert (await ada.error(ADD, name="Phone", input=given))["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await ada.error(REMOVE, id=added["id"]))["extensions"]["code"] == "UNAUTHENTICATED"
    assert await raw.fetchval("SELECT count(*) FROM passkeys") == 1
