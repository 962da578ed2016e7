"""Passwords, second factors, and closing oneself, as clients see them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
from passlib.totp import TOTP

from tests.api.clocked import ClockedBank
from tests.client import INVALID, PASSWORD, Client

ENROL = "mutation ($p: String!) { enrolTotp(password: $p) { __typename ... on TotpEnrolment { secret otpauthUrl qrSvg } ... on StateConflictRejection { conflict state } } }"
CONFIRM = "mutation ($code: String!) { confirmTotp(code: $code) { __typename ... on RecoveryCodes { codes } ... on StateConflictRejection { conflict state } } }"
DISABLE = "mutation ($p: String!, $code: String!) { disableTotp(password: $p, code: $code) { __typename ... on StateConflictRejection { conflict state } } }"
CHANGE = (
    f"mutation ($current: String!, $new: String!) {{ changePassword(current: $current, new: $new) {{ __typename {INVALID} }} }}"
)
CLOSE = "mutation ($p: String!) { closeUser(password: $p) { __typename ... on User { status email } ... on StateConflictRejection { conflict state } } }"
ME = "{ me { mfaEnabled } }"
NEW_PASSWORD = "another fine long passphrase"


@pytest.fixture
async def ada(clocked: ClockedBank) -> Client:
    return await clocked.visitor().sign_up("ada@bank.test", "Ada Lovelace")


@dataclass
class Enrolled:
    """A second factor that is in use."""

    secret: str
    recovery: list[str]
    first_code: str


@pytest.fixture
async def enrolled(clocked: ClockedBank, ada: Client) -> Enrolled:
    """Ada's second factor. The code that confirmed it belongs to the step before."""
    secret = (await ada.run(ENROL, p=PASSWORD))["enrolTotp"]["secret"]
    code = clocked.code(secret)
    recovery = (await ada.run(CONFIRM, code=code))["confirmTotp"]["codes"]
    clocked.now += timedelta(seconds=30)
    return Enrolled(secret, recovery, code)


async def test_a_second_factor_is_set_up_and_asked_for(clocked: ClockedBank, ada: Client) -> None:
    assert (await ada.run(ENROL, p="wrong"))["enrolTotp"]["__typename"] == "CredentialsRejection"
    assert (await ada.run(CONFIRM, code="123456"))["confirmTotp"] == {
        "__typename": "StateConflictRejection", "conflict": "MFA_STATE", "state": "DISABLED",
    }  # fmt: skip
    first = (await ada.run(ENROL, p=PASSWORD))["enrolTotp"]
    assert f"secret={first['secret']}" in first["otpauthUrl"]
    assert first["qrSvg"].startswith("<svg ")
    second = (await ada.run(ENROL, p=PASSWORD))["enrolTotp"]
    assert second["secret"] != first["secret"]
    assert (await ada.run(CONFIRM, code=clocked.code(first["secret"])))["confirmTotp"]["__typename"] == "CredentialsRejection"
    assert (await clocked.log_in())["__typename"] == "AuthSession"
    assert await ada.run(ME) == {"me": {"mfaEnabled": False}}
    code = clocked.code(second["secret"])
    confirmed = (await ada.run(CONFIRM, code=code))["confirmTotp"]
    assert len(set(confirmed["codes"])) == 10
    assert await ada.run(ME) == {"me": {"mfaEnabled": True}}
    challenge = await clocked.log_in()
    assert challenge["__typename"] == "MfaChallenge"
    assert (await clocked.complete(challenge["challengeToken"], code))["__typename"] == "CredentialsRejection"  # it is spent
    clocked.now += timedelta(seconds=30)
    signed_in = await clocked.complete(challenge["challengeToken"], clocked.code(second["secret"]))
    assert signed_in["user"]["email"] == "ada@bank.test"
    for mutation, given, state in ((ENROL, {"p": PASSWORD}, "ENABLED"), (CONFIRM, {"code": code}, "ENABLED")):
        [refused] = (await ada.run(mutation, **given)).values()
        assert (refused["conflict"], refused["state"]) == ("MFA_STATE", state)


async def test_a_wrong_password_gets_no_challenge(clocked: ClockedBank, enrolled: Enrolled) -> None:
    assert (await clocked.log_in("wrong")) == {"__typename": "CredentialsRejection"}


async def test_a_challenge_ends_with_its_time_the_password_and_the_user(
    clocked: ClockedBank, ada: Client, enrolled: Enrolled, raw: asyncpg.Connection
) -> None:
    async def refused(token: str) -> bool:
        clocked.now += timedelta(seconds=30)
        answer = await clocked.complete(token, clocked.code(enrolled.secret))
        return bool(answer["__typename"] == "CredentialsRejection")

    late = (await clocked.log_in())["challengeToken"]
    clocked.now += timedelta(minutes=5)
    assert await refused(late)
    old = (await clocked.log_in())["challengeToken"]
    assert (await ada.run(CHANGE, current=PASSWORD, new=NEW_PASSWORD))["changePassword"]["__typename"] == "Done"
    assert await refused(old)
    own = (await clocked.log_in(NEW_PASSWORD))["challengeToken"]
    for forged in (
        "",
        "x",
        own[:-1],
        own[:-1] + ("0" if own[-1] != "0" else "1"),
        "." + own,
        own.partition(".")[0],
        ada.token or "",
    ):
        assert await refused(forged)
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    assert await refused(own)
    await raw.execute("UPDATE users SET status = 'ACTIVE'")
    assert not await refused(own)


async def test_a_recovery_code_replaces_the_device_once(clocked: ClockedBank, enrolled: Enrolled) -> None:
    code = enrolled.recovery[3]
    challenge = (await clocked.log_in())["challengeToken"]
    written_otherwise = f" {code.lower().replace('-', ' ')}"
    assert (await clocked.complete(challenge, written_otherwise))["__typename"] == "AuthSession"
    for spent, typename in (
        (code, "CredentialsRejection"),
        (enrolled.recovery[4], "AuthSession"),
        ("AAAAA-AAAAA", "CredentialsRejection"),
    ):
        challenge = (await clocked.log_in())["challengeToken"]
        assert (await clocked.complete(challenge, spent))["__typename"] == typename


async def test_a_challenge_is_answered_once(clocked: ClockedBank, enrolled: Enrolled) -> None:
    challenge = (await clocked.log_in())["challengeToken"]
    assert (await clocked.complete(challenge, "000000"))["__typename"] == "CredentialsRejection"  # a slip may be corrected
    answers = await asyncio.gather(*(clocked.complete(challenge, code) for code in enrolled.recovery[:5]))
    assert sorted(each["__typename"] for each in answers) == ["AuthSession", *["CredentialsRejection"] * 4]
    unspent = enrolled.recovery[5]
    assert (await clocked.complete(challenge, unspent))["__typename"] == "CredentialsRejection"
    assert (await clocked.complete((await clocked.log_in())["challengeToken"], unspent))["__typename"] == "AuthSession"


@pytest.mark.parametrize("racers", [20, pytest.param(1000, marks=pytest.mark.deep)])
@pytest.mark.parametrize("kind", ["one-time", "recovery"])
async def test_of_racing_codes_one_wins(clocked: ClockedBank, enrolled: Enrolled, kind: str, racers: int) -> None:
    challenge = (await clocked.log_in())["challengeToken"]
    code = clocked.code(enrolled.secret) if kind == "one-time" else enrolled.recovery[0]
    identity = clocked.app.state.graphql._services.identity
    identity._code_throttle.reserve_turn = lambda *_: 0.0  # they are to race, not to queue
    answers = await asyncio.gather(*(clocked.complete(challenge, code) for _ in range(racers)))
    kinds = [answer["__typename"] for answer in answers]
    assert sorted(kinds) == ["AuthSession", *["CredentialsRejection"] * (racers - 1)]


async def test_guesses_at_codes_are_slowed_down_although_the_password_is_known(
    clocked: ClockedBank, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    identity = clocked.app.state.graphql._services.identity
    reserve = identity._code_throttle.reserve_turn

    def reserve_turn(name: str, address: str | None) -> float:
        waited.append(reserve(name, address))
        return 0.0

    monkeypatch.setattr(identity._code_throttle, "reserve_turn", reserve_turn)
    for _ in range(8):
        challenge = (await clocked.log_in())["challengeToken"]
        assert (await clocked.complete(challenge, "AAAAAA"))["__typename"] == "CredentialsRejection"
    assert waited[0] == 0
    assert waited[-1] > 0


async def test_a_second_factor_is_removed_with_password_and_code(clocked: ClockedBank, ada: Client, enrolled: Enrolled) -> None:
    for password, code in ((PASSWORD, "000000"), ("wrong", clocked.code(enrolled.secret)), (PASSWORD, enrolled.first_code)):
        assert (await ada.run(DISABLE, p=password, code=code))["disableTotp"]["__typename"] == "CredentialsRejection"
    assert (await ada.run(DISABLE, p=PASSWORD, code=enrolled.recovery[0]))["disableTotp"]["__typename"] == "Done"
    assert (await clocked.log_in())["__typename"] == "AuthSession"
    again = (await ada.run(DISABLE, p=PASSWORD, code=enrolled.recovery[1]))["disableTotp"]
    assert (again["conflict"], again["state"]) == ("MFA_STATE", "DISABLED")


async def test_secrets_of_second_factors_are_stored_encrypted(
    clocked: ClockedBank, enrolled: Enrolled, raw: asyncpg.Connection
) -> None:
    sealed = await raw.fetchval("SELECT sealed_secret FROM totp_factors")
    assert TOTP(key=enrolled.secret).key not in sealed
    stored = await raw.fetchval("SELECT string_agg(code_hash, '') FROM recovery_codes")
    assert not any(code.replace("-", "").encode() in stored for code in enrolled.recovery)
    assert len(stored) == 10 * 32


async def test_a_new_password_ends_all_other_sessions(clocked: ClockedBank, ada: Client) -> None:
    other = clocked.visitor().signed_in(await clocked.log_in())
    refused = [
        (await ada.run(CHANGE, current=current, new=new))["changePassword"]
        for current, new in (("wrong", NEW_PASSWORD), (PASSWORD, "short"), (PASSWORD, "ada@bank.test"), (PASSWORD, PASSWORD))
    ]
    assert [each["__typename"] for each in refused] == ["CredentialsRejection", *["ValidationRejection"] * 3]
    assert [each["fields"][0] for each in refused[1:]] == [
        {"path": ["new"], "code": code} for code in ("TOO_SHORT", "TOO_COMMON", "UNCHANGED")
    ]
    assert await other.run(ME)
    assert (await ada.run(CHANGE, current=PASSWORD, new=NEW_PASSWORD))["changePassword"]["__typename"] == "Done"
    assert (await other.error(ME))["extensions"]["code"] == "UNAUTHENTICATED"
    assert await ada.run(ME)
    assert (await clocked.log_in())["__typename"] == "CredentialsRejection"
    assert (await clocked.log_in(NEW_PASSWORD))["__typename"] == "AuthSession"


async def test_of_racing_changes_of_a_password_one_wins(clocked: ClockedBank, ada: Client) -> None:
    answers = await asyncio.gather(*(ada.run(CHANGE, current=PASSWORD, new=f"{NEW_PASSWORD} {number}") for number in range(5)))
    kinds = [answer["changePassword"]["__typename"] for answer in answers]
    assert sorted(kinds) == [*["CredentialsRejection"] * 4, "Done"]


async def test_a_user_closes_with_all_accounts_and_cards(clocked: ClockedBank, ada: Client, raw: asyncpg.Connection) -> None:
    account = await ada.open(deposit="5")
    empty = await ada.open()
    await ada.issue(empty["id"])
    other = clocked.visitor().signed_in(await clocked.log_in())
    assert (await ada.run(CLOSE, p="wrong"))["closeUser"]["__typename"] == "CredentialsRejection"
    refused = (await ada.run(CLOSE, p=PASSWORD))["closeUser"]
    assert (refused["conflict"], refused["state"]) == ("MONEY_REMAINS", "ACTIVE")
    assert (await ada.account(empty["id"]))["status"] == "ACTIVE"
    await ada.withdraw(account["id"], "5")
    assert (await ada.run(CLOSE, p=PASSWORD))["closeUser"] == {"__typename": "User", "status": "CLOSED", "email": "ada@bank.test"}
    for client in (ada, other):
        assert (await client.error(ME))["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await clocked.log_in())["__typename"] == "CredentialsRejection"
    assert await raw.fetchval("SELECT count(*) FROM accounts WHERE status <> 'CLOSED' OR closed_at IS NULL") == 0
    assert await raw.fetchval("SELECT status FROM cards") == "CANCELLED"


async def test_an_account_that_the_bank_froze_keeps_its_owner(clocked: ClockedBank, ada: Client, raw: asyncpg.Connection) -> None:
    await ada.open()
    await raw.execute("UPDATE accounts SET status = 'FROZEN', frozen_by = 'STAFF'")
    refused = (await ada.run(CLOSE, p=PASSWORD))["closeUser"]
    assert (refused["conflict"], refused["state"]) == ("WRONG_STATUS", "FROZEN")


async def test_an_account_that_is_opened_meanwhile_is_closed_or_keeps_the_user(
    clocked: ClockedBank, ada: Client, raw: asyncpg.Connection
) -> None:
    answers = await asyncio.gather(
        *(ada.post(CLOSE, p=PASSWORD) for _ in range(2)),
        *(ada.post("mutation ($i: OpenAccountInput!) { openAccount(input: $i) { __typename } }",
                   i={"kind": "CHECKING", "currency": "EUR", "idempotencyKey": f"k{number}"}) for number in range(20)),
    )  # fmt: skip
    assert any(answer["data"] and answer["data"].get("closeUser", {}).get("__typename") == "User" for answer in answers[:2])
    assert await raw.fetchval("SELECT status FROM users") == "CLOSED"
    assert await raw.fetchval("SELECT count(*) FROM accounts WHERE status <> 'CLOSED'") == 0
