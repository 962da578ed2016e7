"""Signing in, second factors, passkeys, and tokens that are renewed once for all tabs."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from passlib.totp import TOTP
from playwright.async_api import Browser, Route

from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.embedded import EmbeddedPostgres
from bank_graphql.kit.ids import uuid_of
from tests.client import ABROAD, PASSWORD, Client, key
from tests.e2e.browser import needs_browser, window
from tests.e2e.online.conftest import Sit, code_mailed_to
from tests.e2e.online.customer import Customer, operation_of, session_of
from tests.e2e.processes import Server
from tests.e2e.test_passkeys import AUTHENTICATOR
from tests.ports import free_port

pytestmark = [*needs_browser, pytest.mark.deep]


async def sign_in(seen: Customer, email: str) -> None:
    await seen.type("E-mail", email)
    await seen.type("Password", PASSWORD)
    await seen.click("Sign in")


async def test_sign_up_open_an_account_deposit_and_sign_out(chromium: Browser, server: Server) -> None:
    async with window(chromium, server.url, locale="en-GB") as seen:
        new = Customer(seen, Client(server.http))
        await seen.open("/app")
        await new.click("New here? Sign up")
        await new.type("Full name", "Edsger Dijkstra")
        await new.type("E-mail", email := f"edsger-{key()}@bank.test")
        await new.type("Password", "12345678")
        await new.click("Sign up")
        await new.sees("Password is too easy to guess")
        await new.type("Password", PASSWORD)
        await new.click("Sign up")
        await new.sees("No account yet. Open one to begin.")
        await new.click("Open account")
        dialog = new.page.get_by_role("dialog")
        await dialog.get_by_label("Opening deposit").fill("12,34")
        await new.sees("This is not an amount in EUR.")
        await dialog.get_by_label("Opening deposit").fill("1,234.5")
        await dialog.get_by_role("button", name="Open account").click()
        await new.sees("Your account is open.")
        await new.click("Close")
        await new.sees("€1,234.50")
        await new.click("Sign out")
        await new.sees("You are signed out.")
        assert await new.page.evaluate("localStorage.getItem('bank.session')") is None
        await sign_in(new, email)
        await new.sees("€1,234.50")
        assert seen.problems == []


async def test_a_second_factor_is_set_up_used_and_removed(sit: Sit, ada: Client) -> None:
    async with sit(ada) as seen:
        await seen.go("/settings", "Settings")
        await seen.click("Set up")
        dialog = seen.page.get_by_role("dialog")
        await dialog.get_by_label("Password").fill(PASSWORD)
        await seen.click("Continue")
        assert await dialog.get_by_alt_text("QR code of the secret").evaluate("image => image.naturalWidth") > 0
        app = TOTP(key=await dialog.locator("code").inner_text())
        await dialog.get_by_label("Code").fill("000000")
        await seen.click("Confirm")
        await seen.sees("These details are not right.")
        await dialog.get_by_label("Code").fill(app.generate().token)
        await seen.click("Confirm")
        await seen.sees("Recovery codes")
        codes = await dialog.locator(".codes code").all_inner_texts()
        await seen.click("I have stored them")
        await seen.sees("Signing in needs a code of your app.")
        email = (await ada.run("{ me { email } }"))["me"]["email"]
        await seen.click("Sign out")
        await sign_in(seen, email)
        await seen.type("Code", "wrong")
        await seen.click("Sign in")
        await seen.sees("These details are not right.")
        await seen.type("Code", codes[0])
        await seen.click("Sign in")
        await seen.sees("Ada Lovelace")
        await seen.go("/settings", "Settings")
        await seen.click("Remove second factor")
        await dialog.get_by_label("Password").fill(PASSWORD)
        await dialog.get_by_label("Code").fill(codes[1])
        await dialog.get_by_role("button", name="Remove second factor").click()
        await seen.sees("Signing in needs your password alone.")
        assert seen.seen.problems == []


async def test_an_address_is_verified_by_a_code_from_a_mail(sit: Sit, ada: Client, server: Server) -> None:
    email = (await ada.run("{ me { email } }"))["me"]["email"]
    async with asyncio.timeout(20):
        while not (first := code_mailed_to(server, email)):
            await asyncio.sleep(0.05)
    async with sit(ada) as seen:
        await seen.go("/settings", "Settings")
        await seen.sees("It is not verified yet.")
        await seen.click("Send me a code")
        await seen.type("Code from the mail", "00000-00000")
        await seen.click("Verify")
        await seen.sees("These details are not right.")
        await seen.type("Code from the mail", code_mailed_to(server, email) or first)
        await seen.click("Verify")
        await seen.sees("It is verified.")
    assert (await ada.run("{ me { emailVerified } }"))["me"]["emailVerified"] is True


async def test_a_passkey_is_added_used_and_removed(chromium: Browser, folder: Path) -> None:
    port = free_port()
    server = Server(
        folder, "--no-demo", "--port", str(port), BANK_PUBLIC_URL=f"http://127.0.0.1:{port}"
    )  # passkeys are of an address
    async with server, window(chromium, f"http://localhost:{port}", locale="en-GB") as seen:
        ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
        await seen.open("/version")
        devices = await seen.page.context.new_cdp_session(seen.page)
        await devices.send("WebAuthn.enable")
        await devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        customer = Customer(seen, ada)
        await customer.store(session_of(ada))
        await customer.go("/settings", "Settings")
        await customer.type("Name of the device", "Laptop")
        await customer.click("Add a passkey")
        await customer.page.get_by_role("button", name="Remove: Laptop").wait_for()
        await customer.click("Sign out")
        await customer.click("Use a passkey")
        await customer.sees("No account yet.")
        await customer.go("/settings", "Settings")
        await customer.click("Remove: Laptop")
        await customer.page.get_by_role("button", name="Remove: Laptop").wait_for(state="detached")
        assert seen.problems == []


async def until_a_proof_is_required(server: Server, client: Client) -> None:
    """Let a user's last proof be of yesterday. The bank looks at it every two seconds."""
    async with EmbeddedPostgres(server.folder) as dsn:  # the running one
        connection = await asyncpg.connect(dsn)
        change = "UPDATE sessions SET verified_at = now() - interval '1 day' WHERE user_id = $1"
        await connection.execute(change, uuid_of(client.user_id, "User"))
        await connection.close()
    async with asyncio.timeout(20):
        while (await client.run("mutation { exportMyData { __typename } }"))["exportMyData"][
            "__typename"
        ] == "PersonalDataExport":
            await asyncio.sleep(0.1)


async def test_what_is_dangerous_requires_a_proof_and_goes_on(sit: Sit, ada: Client, server: Server) -> None:
    await until_a_proof_is_required(server, ada)
    async with sit(ada) as seen:
        proof = seen.page.get_by_role("dialog", name="Is it you?")
        for confirms in (False, True):
            await seen.go("/payees", "Payees")
            await seen.click("Add payee")
            await seen.type("Name of the payee", "Charles Babbage")
            await seen.type("Account number (IBAN)", ABROAD)
            await seen.click("Save")
            await proof.wait_for()
            if not confirms:
                await proof.get_by_role("button", name="Cancel").click()
                await seen.sees("It was not confirmed that it is you.")
                continue
            await proof.get_by_label("Password").fill("wrong")
            await proof.get_by_role("button", name="Confirm").click()
            await seen.sees("These details are not right.", proof)
            await proof.get_by_label("Password").fill(PASSWORD)
            await proof.get_by_role("button", name="Confirm").click()
            await seen.page.get_by_role("button", name="Rename: Charles Babbage").wait_for()
            assert await seen.page.get_by_role("dialog").count() == 0
        assert seen.seen.problems == []


async def test_two_tabs_renew_an_expired_token_once(sit: Sit, ada: Client) -> None:
    async with sit(ada) as seen:
        await seen.go("/", "Your accounts")
        other = await seen.second_tab()
        await other.get_by_text("€1,000.00").first.wait_for()
        renewals: list[str] = []

        async def watch(route: Route) -> None:
            if "refreshToken" in (route.request.post_data or ""):
                renewals.append(route.request.post_data or "")
            await route.fallback()

        await seen.page.context.route("**/graphql", watch)
        await seen.store(session_of(ada, "2000-01-01T00:00:00Z"))
        for page in (seen.page, other):  # both find it expired
            await page.get_by_role("link", name="Everyday").click()
        for page in (seen.page, other):
            await page.get_by_role("heading", name="Entries").wait_for()
            await page.get_by_text("+€1,000.00").wait_for()
        # A second one at most, by a tab to which the browser has not shown the first one's: the same, so with the same answer.
        assert len(renewals) <= 2
        assert len(set(renewals)) == 1
        stored = json.loads(await seen.page.evaluate("localStorage.getItem('bank.session')"))
        assert stored["refreshToken"] != ada.refresh_token
        assert json.loads(await other.evaluate("localStorage.getItem('bank.session')")) == stored
        assert seen.seen.problems == []


@pytest.mark.parametrize("days", [-10, 10])
async def test_a_clock_that_is_wrong_renews_no_more_often(sit: Sit, ada: Client, days: int) -> None:
    async with sit(ada) as seen:
        expires_at = (utc_now() + timedelta(minutes=15)).isoformat()
        await seen.store(session_of(ada, expires_at))
        renewals: list[str] = []
        seen.page.on("request", lambda sent: renewals.append(sent.url) if "refreshToken" in (sent.post_data or "") else None)
        await seen.page.clock.install(time=utc_now() + timedelta(days=days))
        for path, heading in (("/", "Your accounts"), ("/cards", "Cards"), ("/pay", "Pay"), ("/settings", "Settings")):
            await seen.go(path, heading)
        assert len(renewals) == (1 if days > 0 else 0)
        assert seen.seen.problems == []


async def test_a_token_that_expires_in_mid_use_is_renewed(sit: Sit, ada: Client) -> None:
    """The page believes that the token is good; the bank does not."""
    async with sit(ada) as seen:
        await seen.go("/", "Your accounts")
        bad = session_of(Client(ada.http, "nonsense", ada.user_id, ada.refresh_token))
        await seen.store(bad)
        await seen.page.get_by_role("link", name="Everyday").click()
        await seen.sees("+€1,000.00")
        await seen.is_live()
        assert await seen.unexpected() == []


async def test_a_session_that_was_ended_elsewhere_signs_out_all_tabs(sit: Sit, ada: Client) -> None:
    async with sit(ada) as seen:
        await seen.go("/", "Your accounts")
        other = await seen.second_tab()
        await other.get_by_text("€1,000.00").first.wait_for()
        await ada.run("mutation { logOut(everywhere: true) { __typename } }")
        await seen.sees("Your session has ended.")
        await other.get_by_text("Your session has ended.").wait_for()


async def test_nobody_sees_what_the_one_before_has_read(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        await seen.go("/", "Your accounts")
        await seen.sees("Ada Lovelace")
        await seen.store(session_of(grace))
        await seen.page.evaluate("dispatchEvent(new StorageEvent('storage', {key: 'bank.session'}))")
        await seen.sees("Grace Hopper")
        assert await seen.page.get_by_text("Ada Lovelace").count() == 0


async def test_a_shell_that_could_not_be_read_signs_nobody_out(sit: Sit, ada: Client) -> None:
    async with sit(ada) as seen:

        async def answer(route: Route) -> None:
            if operation_of(route) != "Shell":
                await route.fallback()
                return
            error = {"message": "Not now.", "path": ["me"], "extensions": {"code": "UNAVAILABLE"}}
            data = {
                "__typename": "Query",
                "me": None,
                "feedCursor": None,
                "clock": {"__typename": "Clock", "now": utc_now().isoformat(), "movable": True},
            }
            await route.fulfill(json={"data": data, "errors": [error]})

        await seen.page.route("**/graphql", answer)
        await seen.seen.open("/app/")
        await seen.sees("This could not be read. Check your connection.")
        await seen.page.unroute_all(behavior="wait")
        await seen.click("Try again")
        await seen.sees("€1,000.00")


async def test_a_page_whose_parts_are_gone_says_so(sit: Sit, ada: Client) -> None:
    async with sit(ada) as seen:
        await seen.go("/", "Your accounts")
        await seen.page.route("**/assets/cards-*.js", lambda route: route.fulfill(status=404))
        for _ in range(2):  # the first time, it is loaded anew by itself
            await seen.page.get_by_role("link", name="Cards").click()
            if await seen.page.evaluate("sessionStorage.getItem('bank.reloaded')"):
                await seen.sees("This page has failed.")
        await seen.page.unroute_all(behavior="wait")
        await seen.click("Load it again")
        await seen.page.get_by_role("heading", level=1, name="Cards").wait_for()
