"""A document, a log-in or a change that is under way ends with the session, the password, the role or the user that it had."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.service import Identity
from tests.client import PASSWORD, Client

ME = "{ me { fullName } }"
SUSPEND = 'mutation ($id: ID!) { suspendUser(userId: $id, reason: "r") { __typename } }'
NEW_PASSWORD = "another fine long passphrase"
CHANGE = f'mutation {{ changePassword(current: "{PASSWORD}", new: "{NEW_PASSWORD}") {{ __typename }} }}'
LOG_IN = f'mutation {{ logIn(input: {{email: "ada@bank.test", password: "{PASSWORD}"}}) {{ __typename ... on AuthSession {{ accessToken }} }} }}'
TWO = 'mutation { a: enrolTotp(password: "wrong") { __typename } b: updateProfile(fullName: "Too late") { __typename } }'
Staff = Callable[[UserRole], Awaitable[Client]]
Hook = Callable[[], Awaitable[object]]


@pytest.fixture
def identity(app: Starlette) -> Identity:
    found: Identity = app.state.graphql._services.identity
    return found


@pytest.fixture
async def admin(staff: Staff) -> Client:
    return await staff(UserRole.ADMIN)


def after_the_password(identity: Identity, monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    """Have something happen once, when the next password was verified, and before anything follows from it."""
    verify = identity.hasher.verify

    async def verify_then(password: str, stored: str | None) -> bool:
        matches = await verify(password, stored)
        monkeypatch.setattr(identity.hasher, "verify", verify)
        await hook()
        return matches

    monkeypatch.setattr(identity.hasher, "verify", verify_then)


async def test_a_document_does_not_outlive_its_session(
    identity: Identity, admin: Client, ada: Client, monkeypatch: pytest.MonkeyPatch, raw: asyncpg.Connection
) -> None:
    after_the_password(identity, monkeypatch, lambda: admin.run(SUSPEND, id=ada.user_id))
    answer = await ada.post(TWO)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}
    assert await raw.fetchval("SELECT full_name FROM users WHERE email_key = 'ada@bank.test'") == "Ada Lovelace"


async def test_a_document_does_not_outlive_its_role(
    identity: Identity, admin: Client, ada: Client, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller, account = await staff(UserRole.TELLER), (await ada.open())["id"]
    demote = "mutation ($id: ID!) { setUserRole(userId: $id, role: CUSTOMER) { __typename } }"
    after_the_password(identity, monkeypatch, lambda: admin.run(demote, id=teller.user_id))
    two = 'mutation ($id: ID!) { a: enrolTotp(password: "wrong") { __typename } b: freezeAccount(id: $id) { __typename } }'
    assert (await teller.run(two, id=account))["b"]["__typename"] == "NotFoundRejection"
    assert (await ada.account(account))["status"] == "ACTIVE"


@pytest.mark.parametrize(
    "mutation",
    [
        f'enrolTotp(password: "{PASSWORD}") {{ __typename }}',
        f'closeUser(password: "{PASSWORD}") {{ __typename }}',
        f'changePassword(current: "{PASSWORD}", new: "{NEW_PASSWORD}") {{ __typename }}',
        f'disableTotp(password: "{PASSWORD}", code: "123456") {{ __typename }}',
    ],
)
async def test_credentials_do_not_change_after_the_session_has_ended(
    identity: Identity, admin: Client, ada: Client, monkeypatch: pytest.MonkeyPatch, raw: asyncpg.Connection, mutation: str
) -> None:
    after_the_password(identity, monkeypatch, lambda: admin.run(SUSPEND, id=ada.user_id))
    before = await raw.fetchval("SELECT password_hash FROM users WHERE email_key = 'ada@bank.test'")
    assert (await ada.error(f"mutation {{ {mutation} }}"))["extensions"]["code"] == "UNAUTHENTICATED"
    user = await raw.fetchrow("SELECT status, password_hash FROM users WHERE email_key = 'ada@bank.test'")
    assert user is not None
    assert (user["status"], user["password_hash"]) == ("SUSPENDED", before)
    assert await raw.fetchval("SELECT count(*) FROM totp_factors") == 0


async def test_a_log_in_under_way_ends_with_the_old_password(
    identity: Identity, ada: Client, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_password(identity, monkeypatch, lambda: ada.run(CHANGE))
    assert (await visitor.run(LOG_IN))["logIn"] == {"__typename": "CredentialsRejection"}
    assert len((await ada.run("{ me { sessions { id } } }"))["me"]["sessions"]) == 1


async def test_a_log_in_under_way_ends_with_a_suspension(
    identity: Identity, admin: Client, ada: Client, visitor: Client, monkeypatch: pytest.MonkeyPatch, raw: asyncpg.Connection
) -> None:
    after_the_password(identity, monkeypatch, lambda: admin.run(SUSPEND, id=ada.user_id))
    assert (await visitor.run(LOG_IN))["logIn"] == {"__typename": "CredentialsRejection"}
    assert (
        await raw.fetchval(
            "SELECT count(*) FROM sessions s JOIN users u ON u.id = user_id WHERE u.role = 'CUSTOMER' AND ended_at IS NULL"
        )
        == 0
    )


async def test_a_log_in_under_way_needs_the_second_factor_that_was_set_up_meanwhile(
    identity: Identity, ada: Client, visitor: Client, monkeypatch: pytest.MonkeyPatch, raw: asyncpg.Connection
) -> None:
    async def set_up() -> None:
        await raw.execute("INSERT INTO totp_factors SELECT id, '', now(), now(), 1 FROM users WHERE email_key = 'ada@bank.test'")

    after_the_password(identity, monkeypatch, set_up)
    assert (await visitor.run(LOG_IN))["logIn"] == {"__typename": "MfaChallenge"}


async def test_of_two_closings_one_is_told_that_the_session_has_ended(ada: Client, raw: asyncpg.Connection) -> None:
    close = f'mutation {{ closeUser(password: "{PASSWORD}") {{ __typename }} }}'
    answers: list[dict[str, Any]] = await asyncio.gather(*(ada.post(close) for _ in range(4)))
    closed = [answer for answer in answers if answer.get("data") and answer["data"]["closeUser"]["__typename"] == "User"]
    assert len(closed) == 1
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE action = 'closeUser' AND outcome = 'DONE'") == 1


async def test_who_waits_for_the_user_looks_at_the_session_again(ada: Client, raw: asyncpg.Connection, dsn: str) -> None:
    """Another process changes the password, say: it has locked the user, and ends the session before it commits."""
    changing = raw.transaction()
    await changing.start()
    await raw.execute("SELECT FROM users FOR UPDATE")
    closing = asyncio.create_task(ada.post(f'mutation {{ closeUser(password: "{PASSWORD}") {{ __typename }} }}'))
    watcher = await asyncpg.connect(dsn)
    while not await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        await asyncio.sleep(0.01)
    await watcher.close()
    await raw.execute("UPDATE sessions SET ended_at = now()")
    await changing.commit()
    assert (await closing)["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await raw.fetchval("SELECT status FROM users") == "ACTIVE"
