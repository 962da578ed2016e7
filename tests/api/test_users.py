"""Users as staff find and manage them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from passlib.totp import TOTP
from starlette.applications import Starlette

from bank_graphql.identity.enums import UserRole
from tests.client import PASSWORD, Client

RESULT = """{ __typename ... on User { role status suspensionReason } ... on Rejection { message }
    ... on StateConflictRejection { conflict state } ... on ValidationRejection { fields { path code } } }"""
SET_ROLE = f"mutation ($id: ID!, $role: UserRole!) {{ setUserRole(userId: $id, role: $role) {RESULT} }}"
SUSPEND = f"mutation ($id: ID!, $reason: String!) {{ suspendUser(userId: $id, reason: $reason) {RESULT} }}"
REINSTATE = f"mutation ($id: ID!) {{ reinstateUser(userId: $id) {RESULT} }}"
USERS = """query ($search: String, $first: Int, $after: String, $last: Int, $before: String) {
    users(search: $search, first: $first, after: $after, last: $last, before: $before) {
        nodes { fullName } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
ME = "{ me { role } }"
Staff = Callable[[UserRole], Awaitable[Client]]


@pytest.fixture
async def admin(staff: Staff) -> Client:
    return await staff(UserRole.ADMIN)


async def result(client: Client, mutation: str, user_id: str, **given: Any) -> dict[str, Any]:
    [answer] = (await client.run(mutation, id=user_id, **given)).values()
    assert isinstance(answer, dict)
    return answer


async def names(client: Client, **given: Any) -> list[str]:
    return [node["fullName"] for node in (await client.run(USERS, **given))["users"]["nodes"]]


async def test_staff_find_users_by_the_beginnings_of_words(teller: Client, visitor: Client) -> None:
    for email, name in (
        ("ada@bank.test", "Ada Lovelace"), ("grace.hopper@navy.test", "Grace O'Brien-Hopper"), ("elo_die@mail.bank.test", "Élodie Ümit"),
    ):  # fmt: skip
        await visitor.sign_up(email, name)
    assert await names(teller) == ["Élodie Ümit", "Grace O'Brien-Hopper", "Ada Lovelace", "Teller"]
    for search, found in {
        "ada": ["Ada Lovelace"],
        "LOVE ad": ["Ada Lovelace"],
        "hopper": ["Grace O'Brien-Hopper"],
        "o'brien": ["Grace O'Brien-Hopper"],
        "grace.hopper@navy.test": ["Grace O'Brien-Hopper"],
        "bank.test": ["Élodie Ümit", "Ada Lovelace", "Teller"],
        "Élo": ["Élodie Ümit"],
        "elo_d": ["Élodie Ümit"],
        "lace": [],
        "ada grace": [],
        "": ["Élodie Ümit", "Grace O'Brien-Hopper", "Ada Lovelace", "Teller"],
        "  ": ["Élodie Ümit", "Grace O'Brien-Hopper", "Ada Lovelace", "Teller"],
        "' & ! :* \\ | <-> (": [],
        "x" * 200: [],
    }.items():
        assert await names(teller, search=search) == found, search
    assert (await teller.error(USERS, search="x" * 201))["extensions"]["code"] == "BAD_REQUEST"


async def test_users_are_listed_in_pages_of_both_directions(teller: Client, visitor: Client) -> None:
    for number in range(5):
        await visitor.sign_up(f"user{number}@bank.test", f"User {number}")
    first = (await teller.run(USERS, first=2))["users"]
    assert [each["fullName"] for each in first["nodes"]] == ["User 4", "User 3"]
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    second = (await teller.run(USERS, first=2, after=first["pageInfo"]["endCursor"], search="user"))["users"]
    assert [each["fullName"] for each in second["nodes"]] == ["User 2", "User 1"]
    back = (await teller.run(USERS, last=2, before=second["pageInfo"]["startCursor"]))["users"]
    assert [each["fullName"] for each in back["nodes"]] == ["User 4", "User 3"]
    assert [each["fullName"] for each in (await teller.run(USERS, last=1))["users"]["nodes"]] == ["Teller"]


async def test_a_new_role_holds_in_the_sessions_that_are_open(admin: Client, ada: Client, grace: Client) -> None:
    assert (await grace.run(f'{{ node(id: "{ada.user_id}") {{ id }} }}'))["node"] is None
    assert (await result(admin, SET_ROLE, grace.user_id, role="TELLER"))["role"] == "TELLER"
    assert (await grace.run(f'{{ node(id: "{ada.user_id}") {{ id }} }}'))["node"] == {"id": ada.user_id}
    assert (await result(admin, SET_ROLE, grace.user_id, role="CUSTOMER"))["role"] == "CUSTOMER"
    assert (await grace.run(f'{{ node(id: "{ada.user_id}") {{ id }} }}'))["node"] is None


async def test_the_last_administrator_stays(admin: Client, ada: Client, raw: asyncpg.Connection) -> None:
    refused = await result(admin, SET_ROLE, admin.user_id, role="TELLER")
    assert (refused["conflict"], refused["state"]) == ("LAST_ADMIN", "ADMIN")
    closing = f'mutation {{ closeUser(password: "{PASSWORD}") {RESULT} }}'
    assert (await admin.run(closing))["closeUser"]["conflict"] == "LAST_ADMIN"
    await result(admin, SET_ROLE, ada.user_id, role="ADMIN")
    await raw.execute("UPDATE users SET status = 'SUSPENDED' WHERE full_name = 'Ada Lovelace'")
    assert (await result(admin, SET_ROLE, admin.user_id, role="TELLER"))["conflict"] == "LAST_ADMIN"
    await result(admin, REINSTATE, ada.user_id)
    assert (await result(admin, SET_ROLE, admin.user_id, role="TELLER"))["role"] == "TELLER"


async def test_no_race_leaves_the_bank_without_an_administrator(admin: Client, visitor: Client, raw: asyncpg.Connection) -> None:
    admins = [admin]
    for number in range(5):
        client = await visitor.sign_up(f"user{number}@bank.test", f"User {number}")
        assert (await result(admin, SET_ROLE, client.user_id, role="ADMIN"))["role"] == "ADMIN"
        admins.append(client)
    for _ in range(3):  # each demotes or suspends the next one, and the last one the first
        await asyncio.gather(
            *(
                each.post(SET_ROLE if number % 2 else SUSPEND, id=admins[number - 1].user_id, **({"role": "TELLER"} if number % 2 else {"reason": "r"}))
                for number, each in enumerate(admins)
            )
        )  # fmt: skip
        assert await raw.fetchval("SELECT count(*) FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE'") >= 1


async def test_a_suspended_user_is_out_at_once(admin: Client, ada: Client, visitor: Client) -> None:
    refused = await result(admin, SUSPEND, ada.user_id, reason=" ")
    assert refused["fields"] == [{"path": ["reason"], "code": "REQUIRED"}]
    suspended = await result(admin, SUSPEND, ada.user_id, reason="Lost phone")
    assert suspended == {"__typename": "User", "role": "CUSTOMER", "status": "SUSPENDED", "suspensionReason": "Lost phone"}
    assert (await ada.error(ME))["extensions"]["code"] == "UNAUTHENTICATED"
    log_in = f'mutation {{ logIn(input: {{email: "ada@bank.test", password: "{PASSWORD}"}}) {{ __typename }} }}'
    assert (await visitor.run(log_in))["logIn"]["__typename"] == "CredentialsRejection"
    again = await result(admin, SUSPEND, ada.user_id, reason="r")
    assert (again["conflict"], again["state"]) == ("WRONG_STATUS", "SUSPENDED")
    reinstated = await result(admin, REINSTATE, ada.user_id)
    assert (reinstated["status"], reinstated["suspensionReason"]) == ("ACTIVE", None)
    assert (await ada.error(ME))["extensions"]["code"] == "UNAUTHENTICATED"
    assert await (await visitor.log_in("ada@bank.test")).run(ME)
    assert (await result(admin, REINSTATE, ada.user_id))["conflict"] == "WRONG_STATUS"


async def test_nobody_suspends_themselves_and_a_closed_user_stays_closed(
    admin: Client, ada: Client, raw: asyncpg.Connection
) -> None:
    assert (await result(admin, SUSPEND, admin.user_id, reason="r"))["__typename"] == "ForbiddenRejection"
    await raw.execute("UPDATE users SET status = 'CLOSED' WHERE full_name = 'Ada Lovelace'")
    for mutation, given in ((SET_ROLE, {"role": "ADMIN"}), (SUSPEND, {"reason": "r"}), (REINSTATE, {})):
        refused = await result(admin, mutation, ada.user_id, **given)
        assert (refused["conflict"], refused["state"]) == ("WRONG_STATUS", "CLOSED")


async def test_an_administrator_who_lost_the_role_does_nothing_more(
    app: Starlette, http: httpx.AsyncClient, admin: Client, ada: Client, grace: Client, raw: asyncpg.Connection
) -> None:
    """Not even while the role is still known to this process."""
    await result(admin, SET_ROLE, grace.user_id, role="ADMIN")
    await admin.run(ME)
    await raw.execute("UPDATE users SET role = 'TELLER' WHERE full_name = 'Admin'")
    refused = await result(admin, SET_ROLE, ada.user_id, role="ADMIN")
    assert refused["__typename"] == "ForbiddenRejection"


async def test_an_administrator_removes_a_lost_second_factor(admin: Client, ada: Client, visitor: Client) -> None:
    remove = f"mutation ($id: ID!) {{ removeSecondFactor(userId: $id) {RESULT} }}"
    assert (await result(admin, remove, ada.user_id))["state"] == "DISABLED"
    enrol = f'mutation {{ enrolTotp(password: "{PASSWORD}") {{ ... on TotpEnrolment {{ secret }} }} }}'
    app = TOTP(key=(await ada.run(enrol))["enrolTotp"]["secret"])
    confirm = "mutation ($code: String!) { confirmTotp(code: $code) { __typename } }"
    assert (await ada.run(confirm, code=app.generate().token))["confirmTotp"]["__typename"] == "RecoveryCodes"
    assert (await result(admin, remove, ada.user_id))["__typename"] == "User"
    assert await (await visitor.log_in("ada@bank.test")).run(ME)
    assert (await result(admin, remove, admin.user_id))["__typename"] == "ForbiddenRejection"
