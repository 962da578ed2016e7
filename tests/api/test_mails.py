"""Verified addresses, forgotten passwords, and notices of what users may not have done themselves."""

import asyncio
import re
from datetime import timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from bank_graphql.app import create_app
from bank_graphql.environment import Environment
from bank_graphql.settings import Settings
from tests.api.clocked import ClockedBank
from tests.api.test_passkeys import add, answer
from tests.authenticator import Authenticator
from tests.client import INVALID, PASSWORD, Client
from tests.serving import serving

ASK = "mutation { x: requestEmailVerification { __typename ... on StateConflictRejection { conflict state } } }"
VERIFY = "mutation ($code: String!) { x: verifyEmail(code: $code) { __typename ... on User { emailVerified } } }"
FORGOT = "mutation ($email: String!) { x: requestPasswordReset(email: $email) { __typename ... on StateConflictRejection { conflict } } }"
RESET = f"""mutation ($email: String!, $code: String!, $new: String!) {{
    x: resetPassword(email: $email, code: $code, newPassword: $new) {{ __typename {INVALID} }} }}"""
ME = "{ me { emailVerified } }"
NEW_PASSWORD = "another fine long passphrase"
KEYS = {"signing_keys": "signing-keys", "card_keys": "card-master-keys"}


def code_in(mail: object) -> str:
    """Return the code in a mail."""
    [code] = re.findall(r"^[0-9A-Z]{5}-[0-9A-Z]{5}$", mail.get_content(), re.MULTILINE)  # type: ignore[attr-defined]
    assert isinstance(code, str)
    return code


@pytest.fixture
async def ada(clocked: ClockedBank) -> Client:
    return await clocked.visitor().sign_up("ada@bank.test", "Ada Lovelace")


@pytest.fixture
async def verified(clocked: ClockedBank, ada: Client) -> Client:
    [welcome] = await clocked.mails()
    assert (await ada.run(VERIFY, code=code_in(welcome)))["x"] == {"__typename": "User", "emailVerified": True}
    return ada


async def test_an_address_is_verified_by_the_code_that_is_mailed_to_it(clocked: ClockedBank, ada: Client) -> None:
    [welcome] = await clocked.mails()
    assert (welcome["To"], welcome["From"]) == ("ada@bank.test", "bank@127.0.0.1")
    assert await ada.run(ME) == {"me": {"emailVerified": False}}
    assert (await ada.run(VERIFY, code="00000-00000"))["x"] == {"__typename": "CredentialsRejection"}
    written_otherwise = code_in(welcome).lower().replace("-", " ")
    assert (await ada.run(VERIFY, code=written_otherwise))["x"] == {"__typename": "User", "emailVerified": True}
    assert await ada.run(ME) == {"me": {"emailVerified": True}}
    assert (await ada.run(VERIFY, code=code_in(welcome)))["x"] == {"__typename": "CredentialsRejection"}  # it is spent
    assert (await ada.run(ASK))["x"] == {"__typename": "StateConflictRejection", "conflict": "WRONG_STATUS", "state": "VERIFIED"}


async def test_a_code_expires_is_replaced_after_a_pause_and_ends_with_its_guesses(
    clocked: ClockedBank, ada: Client, raw: asyncpg.Connection
) -> None:
    [first] = await clocked.mails()
    assert (await ada.run(ASK))["x"] == {"__typename": "Done"}
    assert await clocked.mails() == []  # the first is still good
    clocked.now += timedelta(minutes=5)
    assert (await ada.run(ASK))["x"] == {"__typename": "Done"}
    [second] = await clocked.mails()
    assert (await ada.run(VERIFY, code=code_in(first)))["x"] == {"__typename": "CredentialsRejection"}
    for _ in range(9):  # guesses do not use up the code of somebody else
        assert (await ada.run(VERIFY, code="00000-00000"))["x"] == {"__typename": "CredentialsRejection"}
    await raw.execute("UPDATE email_codes SET guesses = 10000")
    assert (await ada.run(VERIFY, code=code_in(second)))["x"] == {"__typename": "CredentialsRejection"}
    assert (await ada.run(ASK))["x"] == {"__typename": "Done"}  # at once, because the last one is used up
    [third] = await clocked.mails()
    clocked.now += timedelta(minutes=30)
    relogged = clocked.visitor().signed_in(await clocked.log_in())
    assert (await relogged.run(VERIFY, code=code_in(third)))["x"] == {"__typename": "CredentialsRejection"}


async def test_of_racing_uses_of_a_code_one_wins(clocked: ClockedBank, ada: Client) -> None:
    await clocked.mails()
    await clocked.visitor().run(FORGOT, email="ada@bank.test")
    [mail] = await clocked.mails()
    answers = await asyncio.gather(
        *(
            clocked.visitor().run(RESET, email="ada@bank.test", code=code_in(mail), new=f"{NEW_PASSWORD} {number}")
            for number in range(5)
        )
    )
    assert sorted(answer["x"]["__typename"] for answer in answers) == [*["CredentialsRejection"] * 4, "Done"]


async def test_a_forgotten_password_is_replaced_and_all_sessions_end(clocked: ClockedBank, ada: Client) -> None:
    [welcome] = await clocked.mails()
    visitor = clocked.visitor()
    assert (await visitor.run(FORGOT, email=" ADA@bank.test"))["x"] == {"__typename": "Done"}
    [mail] = await clocked.mails()
    assert mail["To"] == "ada@bank.test"
    given = {"email": "Ada@Bank.test", "code": code_in(mail)}
    assert (await visitor.run(RESET, **{**given, "code": code_in(welcome)}, new=NEW_PASSWORD))["x"][
        "__typename"
    ] == "CredentialsRejection"
    weak = (await visitor.run(RESET, **given, new="short"))["x"]
    assert weak["fields"] == [{"path": ["newPassword"], "code": "TOO_SHORT"}]
    await ada.run(ME)  # the process knows that her session is active
    assert (await visitor.run(RESET, **given, new=NEW_PASSWORD))["x"] == {"__typename": "Done"}
    assert (await ada.error(ME))["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await visitor.run(RESET, **given, new=NEW_PASSWORD))["x"]["__typename"] == "CredentialsRejection"
    assert (await clocked.log_in())["__typename"] == "CredentialsRejection"
    relogged = clocked.visitor().signed_in(await clocked.log_in(NEW_PASSWORD))
    assert await relogged.run(ME) == {"me": {"emailVerified": True}}
    assert [each["Subject"] for each in await clocked.mails()] == [
        "Your password was changed and your passkeys were removed - The Bank"
    ]


async def test_a_code_for_a_password_ends_with_the_user(clocked: ClockedBank, ada: Client, raw: asyncpg.Connection) -> None:
    visitor = clocked.visitor()
    await visitor.run(FORGOT, email="ada@bank.test")
    given = {"email": "ada@bank.test", "code": code_in((await clocked.mails())[-1])}
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    assert (await visitor.run(RESET, **given, new=NEW_PASSWORD))["x"]["__typename"] == "CredentialsRejection"
    await raw.execute("UPDATE users SET status = 'ACTIVE'")
    assert (await clocked.log_in())["__typename"] == "AuthSession"


async def test_a_reset_does_not_say_whether_an_address_is_known(
    clocked: ClockedBank, ada: Client, raw: asyncpg.Connection
) -> None:
    await clocked.mails()
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    await clocked.visitor().sign_up("bob@bank.test", "Bob")
    await clocked.mails()
    counted = (
        "SELECT (SELECT count(*) FROM outgoing_mails), (SELECT count(*) FROM email_codes), (SELECT count(*) FROM audit_events)"
    )
    for address, mails in (
        ("ada@bank.test", 0),
        ("nobody@bank.test", 0),
        ("no address", 0),
        ("x\r\nBcc: eve@bank.test", 0),
        ("bob@bank.test", 1),
    ):
        before = tuple(await raw.fetchrow(counted) or ())
        assert (await clocked.visitor().run(FORGOT, email=address))["x"] == {"__typename": "Done"}
        after = tuple(await raw.fetchrow(counted) or ())
        assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1, 1], address
        assert len(await clocked.mails()) == mails, address
        answer = (await clocked.visitor().run(RESET, email=address, code="00000-00000", new=NEW_PASSWORD))["x"]
        assert answer["__typename"] == "CredentialsRejection"


async def test_codes_and_addresses_of_strangers_are_stored_as_hashes(clocked: ClockedBank, raw: asyncpg.Connection) -> None:
    await clocked.visitor().run(FORGOT, email="stranger@bank.test")
    stored = str(
        [
            dict(row)
            for table in ("email_codes", "outgoing_mails", "audit_events")
            for row in await raw.fetch(f"SELECT * FROM {table}")
        ]
    )
    assert "stranger" not in stored


@pytest.mark.parametrize("is_verified", [True, False])
async def test_a_reset_leaves_nothing_to_whoever_was_there_before(clocked: ClockedBank, ada: Client, is_verified: bool) -> None:
    """Somebody may have signed up with the address of somebody else, or have stolen a token."""
    [welcome] = await clocked.mails()
    if is_verified:
        await ada.run(VERIFY, code=code_in(welcome))
    device = Authenticator()
    assert (await add(ada, device))["__typename"] == "Passkey"
    enrol = "mutation ($p: String!) { x: enrolTotp(password: $p) { ... on TotpEnrolment { secret } } }"
    secret = (await ada.run(enrol, p=PASSWORD))["x"]["secret"]
    await ada.run("mutation ($code: String!) { confirmTotp(code: $code) { __typename } }", code=clocked.code(secret))
    await clocked.mails()
    visitor = clocked.visitor()
    await visitor.run(FORGOT, email="ada@bank.test")
    [mail] = await clocked.mails()
    done = await visitor.run(RESET, email="ada@bank.test", code=code_in(mail), new=NEW_PASSWORD)
    assert done["x"] == {"__typename": "Done"}
    log_in = "mutation ($input: PasskeyAnswerInput!) { x: logInWithPasskey(input: $input) { __typename } }"
    assert (await visitor.run(log_in, input=await answer(visitor, device)))["x"] == {"__typename": "CredentialsRejection"}
    assert (await clocked.log_in(NEW_PASSWORD))["__typename"] == ("MfaChallenge" if is_verified else "AuthSession")


async def test_signing_in_goes_on_with_a_token_that_is_not_good(clocked: ClockedBank, ada: Client) -> None:
    stale = Client(clocked.visitor().http, "not a token")
    assert (await stale.run(FORGOT, email="ada@bank.test"))["x"] == {"__typename": "Done"}
    assert (await stale.run("mutation { x: requestPasskeyLogIn { __typename } }"))["x"] == {"__typename": "PasskeyChallenge"}
    assert (await stale.error(ASK))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_users_hear_of_new_devices_once(clocked: ClockedBank, verified: Client) -> None:
    phone = {"user-agent": "A phone\x07 of somebody"}
    known = verified.http.headers["user-agent"]
    for headers, notices in (({"user-agent": known}, 0), (phone, 1), (phone, 0)):
        await clocked.visitor(**headers).log_in("ada@bank.test")
        sent = await clocked.mails()
        assert [each["Subject"] for each in sent] == ["A new device signed in - The Bank"] * notices, headers
        if sent:
            assert "A phone of somebody\nfrom 127.0.0.1" in sent[0].get_content().replace("\r", "")


async def test_notices_are_mailed_to_verified_addresses_alone(clocked: ClockedBank, ada: Client) -> None:
    await clocked.mails()
    await clocked.visitor(**{"user-agent": "A phone"}).log_in("ada@bank.test")
    assert await clocked.mails() == []


async def test_a_bank_without_a_mail_server_says_so(settings: Settings) -> None:
    folder = settings.data_dir / "keys"
    async with serving(create_app(settings)):
        pass  # it makes the keys
    keys = {name: SecretStr(str(folder / f"{file}.json")) for name, file in KEYS.items()}
    given = settings.model_copy(update={"env": Environment.PRODUCTION, **keys})
    async with serving(create_app(given)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        assert (await ada.run(ASK))["x"] == {"__typename": "StateConflictRejection", "conflict": "NO_MAIL", "state": "NO_MAIL"}
        assert (await Client(http).run(FORGOT, email="ada@bank.test"))["x"] == {
            "__typename": "StateConflictRejection",
            "conflict": "NO_MAIL",
        }


def test_mails_need_a_sender() -> None:
    with pytest.raises(ValueError, match="BANK_MAIL_FROM"):
        Settings(smtp_url=SecretStr("smtps://mail.example"), _env_file=None)  # type: ignore[call-arg]
