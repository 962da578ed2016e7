"""Signing up, in and out, as clients see it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from passlib.hash import argon2
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.client import INVALID, PASSWORD, SESSION, Client
from tests.serving import connect, serving

SIGN_UP = f"mutation ($input: SignUpInput!) {{ signUp(input: $input) {{ {SESSION} {INVALID} }} }}"
LOG_IN = "mutation ($input: LogInInput!) { logIn(input: $input) { __typename ... on Rejection { message } } }"
REFRESH = f"mutation ($token: String!) {{ refreshSession(refreshToken: $token) {{ {SESSION} ... on Rejection {{ message }} }} }}"
LOG_OUT = "mutation ($id: ID, $all: Boolean) { logOut(sessionId: $id, everywhere: $all) { __typename } }"
ME = "{ me { email } }"
REFUSED = {"__typename": "CredentialsRejection", "message": "These credentials are not valid."}


@pytest.fixture(scope="module", autouse=True)
def password_cost() -> None:
    """Pay the real cost of passwords, which some of these tests are about."""


async def test_a_new_customer_is_signed_in(visitor: Client) -> None:
    ada = await visitor.sign_up("Ada@Bank.test", "  Ada Lovelace ")
    me = (await ada.run("{ me { id email fullName phoneNumber role status createdAt updatedAt } }"))["me"]
    assert me["id"] == ada.user_id
    assert (me["email"], me["fullName"], me["role"], me["status"]) == ("Ada@bank.test", "Ada Lovelace", "CUSTOMER", "ACTIVE")
    assert me["createdAt"].endswith("Z")
    assert await (await visitor.log_in("ada@BANK.test")).run(ME) == {"me": {"email": "Ada@bank.test"}}


async def test_a_refused_sign_up_lists_every_problem(visitor: Client) -> None:
    data = await visitor.run(SIGN_UP, input={"email": "x", "password": "short", "fullName": " ", "phoneNumber": "1"})
    assert data["signUp"]["__typename"] == "ValidationRejection"
    assert {(field["path"][0], field["code"]) for field in data["signUp"]["fields"]} == {
        ("email", "INVALID"), ("password", "TOO_SHORT"), ("fullName", "REQUIRED"), ("phoneNumber", "INVALID"),
    }  # fmt: skip


async def test_concurrent_sign_ups_with_one_address_create_one_user(visitor: Client) -> None:
    given = {"email": "eve@bank.test", "password": PASSWORD, "fullName": "Eve"}
    answers = await asyncio.gather(*(visitor.run(SIGN_UP, input=given) for _ in range(5)))
    kinds = sorted(answer["signUp"]["__typename"] for answer in answers)
    assert kinds == ["AuthSession", *["ValidationRejection"] * 4]
    again = await visitor.run(SIGN_UP, input={**given, "email": "EVE@bank.test"})
    assert again["signUp"]["fields"] == [{"path": ["email"], "code": "TAKEN"}]


async def test_all_wrong_credentials_get_the_same_refusal(visitor: Client, ada: Client) -> None:
    assert ada.token
    answers = [
        await visitor.run(LOG_IN, input={"email": email, "password": password})
        for email, password in [("ada@bank.test", "wrong"), ("nobody@bank.test", PASSWORD), ("", ""), ("x" * 999, "y" * 9999)]
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["logIn"]["__typename"] == "CredentialsRejection"


async def test_a_suspended_user_can_neither_log_in_nor_refresh(visitor: Client, ada: Client, raw: asyncpg.Connection) -> None:
    assert ada.token
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    data = await visitor.run(LOG_IN, input={"email": "ada@bank.test", "password": PASSWORD})
    assert data["logIn"]["__typename"] == "CredentialsRejection"
    assert (await visitor.run(REFRESH, token=ada.refresh_token))["refreshSession"]["__typename"] == "CredentialsRejection"


async def assert_refused(client: Client) -> None:
    """Assert that the client's token is refused, per RFC 6750."""
    for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
        answer = await client.http.post(
            "/graphql", json={"query": ME}, headers={"authorization": f"Bearer {client.token}", "accept": accept}
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["UNAUTHENTICATED"]


async def test_a_request_without_a_valid_token_has_no_user(visitor: Client, http: httpx.AsyncClient) -> None:
    assert await visitor.run(ME) == {"me": None}
    await assert_refused(Client(http, "nonsense"))
    error = await visitor.error('{ node(id: "x") { id } }')
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


@dataclass
class ClockedBank:
    """A bank whose clock the test sets."""

    now: datetime
    app: Starlette

    def caller(self, address: str = "127.0.0.1", agent: str = "tests") -> Client:
        """Return a signed-out client with an address and a user agent."""
        return Client(connect(self.app, address, **{"user-agent": agent}))


@pytest.fixture
async def clocked(settings: Settings) -> AsyncIterator[ClockedBank]:
    """A bank whose clock the test sets."""
    made = ClockedBank(datetime.now(UTC), Starlette())
    made.app = create_app(settings, clock=lambda: made.now)
    async with made.app.router.lifespan_context(made.app):
        yield made


async def refresh(client: Client, token: str) -> dict[str, Any]:
    """Return the result of a refresh."""
    answer: dict[str, Any] = (await client.run(REFRESH, token=token))["refreshSession"]
    return answer


async def test_a_second_use_of_a_refresh_token_ends_the_session(clocked: ClockedBank) -> None:
    visitor = clocked.caller()
    ada = await visitor.sign_up("ada@bank.test", "Ada Lovelace")
    newer = visitor.signed_in(await refresh(visitor, ada.refresh_token))
    assert await newer.run(ME) == {"me": {"email": "ada@bank.test"}}
    newest = visitor.signed_in(await refresh(visitor, newer.refresh_token))
    clocked.now += timedelta(seconds=31)
    assert await refresh(visitor, ada.refresh_token) == REFUSED
    for client in (ada, newer, newest):
        await assert_refused(client)
        assert await refresh(visitor, client.refresh_token) == REFUSED
    assert await refresh(visitor, "unknown") == REFUSED


async def test_a_repeated_refresh_gets_the_same_answer_for_a_moment(clocked: ClockedBank) -> None:
    visitor = clocked.caller()
    ada = await visitor.sign_up("ada@bank.test", "Ada Lovelace")
    first, *others = await asyncio.gather(*(refresh(visitor, ada.refresh_token) for _ in range(5)))
    assert first["__typename"] == "AuthSession"
    assert all(each == first for each in others)
    clocked.now += timedelta(seconds=29)
    assert await refresh(visitor, ada.refresh_token) == first
    newer = await refresh(visitor, first["refreshToken"])
    assert newer["refreshToken"] != first["refreshToken"]
    assert await refresh(visitor, ada.refresh_token) == first  # the second of two tabs may refresh late
    assert await visitor.signed_in(newer).run(ME) == {"me": {"email": "ada@bank.test"}}


@pytest.mark.parametrize("other", [{"address": "198.51.100.1"}, {"agent": "another"}])
async def test_a_used_refresh_token_from_another_client_ends_the_session(clocked: ClockedBank, other: dict[str, str]) -> None:
    visitor = clocked.caller()
    ada = visitor.signed_in(await refresh(visitor, (await visitor.sign_up("ada@bank.test", "Ada Lovelace")).refresh_token))
    newer = visitor.signed_in(await refresh(visitor, ada.refresh_token))
    assert await refresh(clocked.caller(**other), ada.refresh_token) == REFUSED
    await assert_refused(newer)


async def test_answers_to_refreshes_are_stored_encrypted_and_deleted(
    clocked: ClockedBank, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    visitor = clocked.caller()
    tokens = [(await visitor.sign_up("ada@bank.test", "Ada Lovelace")).refresh_token]
    for _ in range(3):
        clocked.now += timedelta(seconds=31)
        answer = await refresh(visitor, tokens[-1])
        tokens.append(answer["refreshToken"])
        replies = [each["reply"] for each in await raw.fetch("SELECT reply FROM refresh_tokens WHERE reply IS NOT NULL")]
        assert len(replies) == 1
        assert not any(secret.encode() in replies[0] for secret in (*tokens, answer["accessToken"]))


async def test_log_out_ends_this_another_or_every_session(visitor: Client, ada: Client, grace: Client) -> None:
    others = [await visitor.log_in("ada@bank.test") for _ in range(2)]
    assert await ada.run(LOG_OUT) == {"logOut": {"__typename": "Done"}}
    await assert_refused(ada)
    assert await others[0].run(ME) == {"me": {"email": "ada@bank.test"}}
    assert await others[0].run(LOG_OUT, all=True) == {"logOut": {"__typename": "Done"}}
    for other in others:
        await assert_refused(other)
    assert await grace.run(ME) == {"me": {"email": "grace@bank.test"}}
    assert await grace.run(LOG_OUT, id="nonsense") == {"logOut": {"__typename": "NotFoundRejection"}}
    error = await visitor.error(LOG_OUT)
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_sessions_are_listed_and_ended_one_by_one(visitor: Client, ada: Client, grace: Client) -> None:
    other = await visitor.log_in("ada@bank.test")
    listed = "{ me { sessions { id createdAt lastUsedAt userAgent ipAddress current } } }"
    sessions = (await ada.run(listed))["me"]["sessions"]
    assert [session["current"] for session in sessions] == [False, True]
    assert sessions[0]["ipAddress"] == "127.0.0.1"
    assert "httpx" in sessions[0]["userAgent"]
    others = sessions[0]["id"]
    assert (await ada.run("query ($id: ID!) { node(id: $id) { id } }", id=others))["node"] == {"id": others}
    assert (await grace.run("query ($id: ID!) { node(id: $id) { id } }", id=others))["node"] is None
    assert await grace.run(LOG_OUT, id=others) == {"logOut": {"__typename": "NotFoundRejection"}}
    assert await other.run(ME) == {"me": {"email": "ada@bank.test"}}
    assert await ada.run(LOG_OUT, id=others) == {"logOut": {"__typename": "Done"}}
    await assert_refused(other)
    assert await ada.run(LOG_OUT, id=others) == {"logOut": {"__typename": "NotFoundRejection"}}
    assert [session["current"] for session in (await ada.run(listed))["me"]["sessions"]] == [True]


async def test_staff_does_not_see_the_sessions_of_others(ada: Client, teller: Client) -> None:
    user = "query ($id: ID!) { node(id: $id) { ... on User { email sessions { id } } } }"
    assert (await teller.run(user, id=ada.user_id))["node"] == {"email": "ada@bank.test", "sessions": []}


async def test_a_session_that_is_not_refreshed_expires(settings: Settings) -> None:
    now = datetime.now(UTC)
    async with serving(create_app(settings, clock=lambda: now)) as http:
        visitor = Client(http)
        ada = await visitor.sign_up("ada@bank.test", "Ada")
        now += timedelta(days=29)
        ada = visitor.signed_in((await visitor.run(REFRESH, token=ada.refresh_token))["refreshSession"])
        now += timedelta(days=29)
        ada = visitor.signed_in((await visitor.run(REFRESH, token=ada.refresh_token))["refreshSession"])
        now += timedelta(days=31)
        assert (await visitor.run(REFRESH, token=ada.refresh_token))["refreshSession"]["__typename"] == "CredentialsRejection"


@pytest.mark.parametrize(
    "document",
    [
        'mutation { refreshSession(refreshToken: "x") { __typename } }',
        'mutation { __typename ...on Mutation { refreshSession(refreshToken: "x") { __typename } } }',
        'mutation { ...f } fragment f on Mutation { a: refreshSession(refreshToken: "x") { __typename } ...g } '
        'fragment g on Mutation { logIn(input: {email: "x", password: "y"}) { __typename } }',
    ],
)
async def test_an_invalid_token_does_not_prevent_a_sign_in(http: httpx.AsyncClient, document: str) -> None:
    answer = await Client(http, "nonsense").run(document)
    assert all(each in ("Mutation", {"__typename": "CredentialsRejection"}) for each in answer.values())


@pytest.mark.parametrize(
    "document",
    [
        "{ __typename }",
        "mutation { logOut { __typename } }",
        'mutation { refreshSession(refreshToken: "x") { __typename } logOut { __typename } }',
        "mutation { ...f } fragment f on Mutation { logIn: updateProfile { __typename } }",
        "{ signUp: __typename }",
    ],
)
async def test_an_invalid_token_is_refused_for_every_other_operation(http: httpx.AsyncClient, document: str) -> None:
    assert (await Client(http, "nonsense").error(document))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_addresses_and_passwords_are_normalised(visitor: Client) -> None:
    await visitor.sign_up(" ada@bank.test\t", "Ada", password="ein langes Pa\u0308sswort, ja")
    ada = await visitor.log_in("ada@bank.test ", password="ein langes P\u00e4sswort, ja")
    assert (await ada.run(ME))["me"]["email"] == "ada@bank.test"


async def test_domains_that_look_the_same_are_different(visitor: Client) -> None:
    one = await visitor.sign_up("ada@fa\u00df.test", "Ada One")
    two = await visitor.sign_up("ada@fass.test", "Ada Two")
    assert one.user_id != two.user_id
    assert (await visitor.log_in("ADA@FA\u00df.test")).user_id == one.user_id
    assert (await visitor.log_in("ada@xn--fa-hia.test")).user_id == one.user_id
    assert (await visitor.log_in("ada@fass.test")).user_id == two.user_id


async def test_all_spellings_of_an_address_are_one_user(visitor: Client) -> None:
    await visitor.sign_up("jose\u0301@bücher.test", "José")
    for spelling in ("josé@bücher.test", "JOSÉ@BÜCHER.test", "jose\u0301@xn--bcher-kva.test"):
        await visitor.log_in(spelling)
        data = await visitor.run(SIGN_UP, input={"email": spelling, "password": PASSWORD, "fullName": "Other"})
        assert data["signUp"]["fields"] == [{"path": ["email"], "code": "TAKEN"}]


async def test_a_log_in_does_not_change_who_executes_the_other_mutations(ada: Client, grace: Client) -> None:
    account = await grace.open()
    data = await ada.run(
        f"mutation ($in: LogInInput!, $cash: DepositInput!) {{ logIn(input: $in) {{ {SESSION} }} "
        "deposit(input: $cash) { __typename } updateProfile { ... on User { email } } }",
        **{"in": {"email": "grace@bank.test", "password": PASSWORD}},
        cash={"accountId": account["id"], "amount": {"amount": "1", "currency": "EUR"}, "idempotencyKey": "k"},
    )
    assert data["logIn"]["user"]["email"] == "grace@bank.test"
    assert data["deposit"] == {"__typename": "NotFoundRejection"}
    assert data["updateProfile"] == {"email": "ada@bank.test"}


async def test_mutations_after_a_log_out_are_unauthenticated(ada: Client) -> None:
    error = await ada.error("mutation { logOut { __typename } updateProfile { __typename } }")
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["path"] == ["updateProfile"]


async def test_concurrent_changes_to_name_and_phone_number_are_both_stored(ada: Client) -> None:
    update = "mutation ($n: String, $p: String) { updateProfile(fullName: $n, phoneNumber: $p) { __typename } }"
    for number in range(10):
        await asyncio.gather(ada.run(update, n=f"Ada {number}"), ada.run(update, p=f"+44 20 7946 095{number}"))
        me = (await ada.run("{ me { fullName phoneNumber } }"))["me"]
        assert me == {"fullName": f"Ada {number}", "phoneNumber": f"+44207946095{number}"}


async def test_another_process_refuses_an_ended_session_within_seconds(settings: Settings, ada: Client) -> None:
    async with serving(create_app(settings)) as http:
        elsewhere = Client(http, ada.token)
        assert await elsewhere.run(ME) == {"me": {"email": "ada@bank.test"}}
        await ada.run(LOG_OUT)
        async with asyncio.timeout(2.5):
            while "errors" not in await elsewhere.post(ME):
                await asyncio.sleep(0.05)
        await assert_refused(elsewhere)


async def test_an_access_token_expires_before_its_refresh_token(settings: Settings) -> None:
    now = datetime.now(UTC)
    async with serving(create_app(settings, clock=lambda: now)) as http:
        visitor = Client(http)
        ada = await visitor.sign_up("ada@bank.test", "Ada")
        assert (await ada.run(ME))["me"]
        now += timedelta(minutes=31)
        await assert_refused(ada)
        assert (await visitor.run(REFRESH, token=ada.refresh_token))["refreshSession"]["__typename"] == "AuthSession"


async def test_a_profile_is_updated_field_by_field(ada: Client) -> None:
    update = "mutation ($n: String, $p: String) { updateProfile(fullName: $n, phoneNumber: $p) { __typename ... on User { fullName phoneNumber } } }"
    data = await ada.run(update, n="Ada King", p="+44 20 7946 0958")
    assert data["updateProfile"] == {"__typename": "User", "fullName": "Ada King", "phoneNumber": "+442079460958"}
    assert (await ada.run(update, n="Ada"))["updateProfile"]["phoneNumber"] == "+442079460958"
    assert (await ada.run(update, p=""))["updateProfile"] == {"__typename": "User", "fullName": "Ada", "phoneNumber": None}
    assert (await ada.run(update, n=" "))["updateProfile"]["__typename"] == "ValidationRejection"


async def test_a_log_in_replaces_an_outdated_hash(visitor: Client, ada: Client, raw: asyncpg.Connection) -> None:
    assert ada.token
    await raw.execute("UPDATE users SET password_hash = $1", argon2.using(memory_cost=1024, time_cost=1).hash(PASSWORD))
    await visitor.log_in("ada@bank.test")
    assert "m=19456,t=2,p=1" in await raw.fetchval("SELECT password_hash FROM users")


async def test_each_attempt_in_a_document_counts(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"log_in_rate_limit": 10}))) as http:
        fields = " ".join(f'a{n}: logIn(input: {{email: "e{n}@bank.test", password: "x"}}) {{ __typename }}' for n in range(15))
        answer = await Client(http).post(f"mutation {{ {fields} }}")
        codes = [error["extensions"]["code"] for error in answer["errors"]]
        assert set(codes) == {"RATE_LIMITED"}
        assert answer["errors"][0]["extensions"]["retryAfter"] >= 1


async def test_guesses_from_elsewhere_do_not_lock_a_user_out(settings: Settings) -> None:
    """A user signs in again from an address that has signed in before, however many guesses come from other addresses."""
    app = create_app(settings.model_copy(update={"log_in_rate_limit": 30}))
    async with app.router.lifespan_context(app):

        def at(address: str) -> Client:
            return Client(connect(app, address))

        await at("192.0.2.1").sign_up("ada@bank.test", "Ada Lovelace")
        guesses = [
            at(f"198.51.100.{n % 200}").post(LOG_IN, input={"email": "ada@bank.test", "password": "x"}) for n in range(400)
        ]
        guessing = [asyncio.create_task(each) for each in guesses]
        await asyncio.sleep(0)
        for _ in range(3):
            await at("192.0.2.1").log_in("ada@bank.test")
        for each in guessing:
            each.cancel()
        answers = await asyncio.gather(*guessing, return_exceptions=True)
        limited = [each for each in answers if isinstance(each, dict) and "errors" in each]
        assert len(limited) > 300
        assert all(each["errors"][0]["extensions"]["code"] == "RATE_LIMITED" for each in limited)


async def test_all_addresses_of_an_ipv6_network_share_one_limit(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"log_in_rate_limit": 10}))
    async with app.router.lifespan_context(app):
        codes = []
        for n in range(12):
            async with connect(app, f"2001:db8::{n:x}") as http:
                answer = await Client(http).post(LOG_IN, input={"email": f"x{n}@bank.test", "password": "x"})
            codes.append("errors" in answer)
        assert codes == [False] * 10 + [True] * 2


async def test_sign_ups_log_ins_and_log_outs_are_audited(ada: Client, visitor: Client, raw: asyncpg.Connection) -> None:
    await visitor.run(LOG_IN, input={"email": "ada@bank.test", "password": "wrong"})
    await ada.run(LOG_OUT, id="U2Vzc2lvbjowMTlhYjY1NDBhYzU3MmQxOGM1YzBhY2I5ZDZhZGU5Nw")
    await ada.run(LOG_OUT)
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE ip_address = '127.0.0.1' AND length(request_id) = 32") == 4
    rows = await raw.fetch(
        "SELECT action, outcome, actor_id IS NOT NULL AS known, subject_id IS NOT NULL AS about FROM audit_events ORDER BY id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("signUp", "DONE", True, True),
        ("logIn", "CredentialsRefused", False, True),
        ("logOut", "NotFound", True, True),
        ("logOut", "DONE", True, True),
    ]


@pytest.mark.parametrize("column", ["password_hash", "token_hash"])
async def test_secrets_are_stored_hashed(ada: Client, raw: asyncpg.Connection, column: str) -> None:
    table = {"password_hash": "users", "token_hash": "refresh_tokens"}[column]
    stored = str(await raw.fetchval(f"SELECT {column} FROM {table}"))
    assert PASSWORD not in stored
    assert ada.refresh_token not in stored
