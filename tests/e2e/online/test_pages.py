"""Every page: accessible, at home on a phone, in light and dark, in both languages, and without a mouse."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from bank_graphql.api.errors import rejection_of
from bank_graphql.api.schema import build_schema
from bank_graphql.engine.executor import Executor
from bank_graphql.web.playground import ONLINE_BANK_DOCUMENTS
from bank_graphql.web.trusted import read_manifest
from tests.client import ABROAD, PASSWORD, Client
from tests.e2e.browser import needs_browser, window
from tests.e2e.online.conftest import Sit, account_of, staff
from tests.e2e.online.customer import Customer
from tests.e2e.processes import Server

AXE = Path(__file__).parents[3] / "examples" / "web" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS: list[dict[str, Any]] = [
    {"viewport": {"width": 360, "height": 780}, "color_scheme": "light", "locale": "de-DE"},
    {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark", "locale": "en-GB", "reduced_motion": "reduce"},
]

TOO_WIDE = """document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > innerWidth).map((each) => each.outerHTML.slice(0, 200))"""

pytestmark = needs_browser


async def check(page: Page, where: str) -> None:
    """Have axe look at a page, and measure whether it fits the window."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        f"{where}: {each['id']} {[node['target'] for node in each['nodes']][:3]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    assert await page.evaluate(TOO_WIDE) == [], where


@pytest.mark.parametrize("look", [LOOKS[0], pytest.param(LOOKS[1], marks=pytest.mark.deep)], ids=["phone", "desktop"])
async def test_pages_of_customers(sit: Sit, ada: Client, grace: Client, look: dict[str, Any]) -> None:
    mine, hers = await account_of(ada), await account_of(grace)
    long = "W" * 90  # nothing that people write makes a page wider than its window
    await ada.transfer(mine["id"], hers["id"], "12.34", description=long)
    await ada.transfer(mine["id"], {"external": {"accountNumber": ABROAD, "name": long}}, "1.00", description=long)
    rename = "mutation ($id: ID!, $name: String!) { updateProfile(fullName: $name) { __typename } renameAccount(id: $id, name: $name) { __typename } }"
    await ada.run(rename, id=mine["id"], name=long)
    await ada.run('mutation ($n: String!) { addPayee(name: "Charles Babbage", accountNumber: $n) { __typename } }', n=ABROAD)
    await ada.issue(mine["id"], limits=[{"window": "DAY", "amount": {"amount": "50", "currency": "EUR"}}])
    async with sit(ada, **look) as seen:
        await grace.transfer(hers["id"], mine["id"], "1.00", description=long)
        for path in ("/", f"/accounts/{mine['id']}", "/pay", "/orders", "/payees", "/cards", "/settings"):
            await seen.go(path)
            await seen.page.locator(".loading").first.wait_for(state="detached")
            await seen.is_live()
            await check(seen.page, path)
        await seen.go("/cards")
        for name in ("Limits", "Nummer zeigen" if look["locale"] == "de-DE" else "Show number"):
            await seen.click(name)
            await check(seen.page, name)
            await seen.page.keyboard.press("Escape")
            await seen.page.get_by_role("dialog").wait_for(state="detached")
        assert seen.seen.problems == []


@pytest.mark.deep
@pytest.mark.parametrize("look", LOOKS[:2], ids=["phone", "desktop"])
async def test_pages_of_staff_and_of_nobody(
    sit: Sit, chromium: Browser, server: Server, ada: Client, look: dict[str, Any]
) -> None:
    account = await account_of(ada)
    async with sit(await staff(server, "ADMIN"), **look) as seen:
        pages = ("", f"/users/{ada.user_id}", f"/accounts/{account['id']}", "/approvals", "/audit", "/ledger")
        for path in pages:
            await seen.go(f"/staff{path}")
            await seen.page.locator(".loading").first.wait_for(state="detached")
            await check(seen.page, path)
        assert seen.seen.problems == []
    async with window(chromium, server.url, **look) as nobody:
        await nobody.open("/app/")
        await nobody.page.get_by_role("heading", level=1).wait_for()
        await check(nobody.page, "sign in")
        await nobody.page.locator("button.link").first.click()
        await nobody.page.get_by_role("heading", level=1).wait_for()
        await check(nobody.page, "sign up")
        assert nobody.problems == []


async def test_a_payment_with_the_keyboard_alone(chromium: Browser, server: Server, ada: Client, grace: Client) -> None:
    email = (await ada.run("{ me { email } }"))["me"]["email"]
    async with window(chromium, server.url, locale="en-GB") as seen:
        customer, keyboard = Customer(seen, ada), seen.page.keyboard

        async def tab_to(name: str) -> None:
            for _ in range(60):
                await keyboard.press("Tab")
                focused = seen.page.locator(":focus")
                labels = await focused.evaluate(
                    "element => [...element.labels ?? [], element].map(each => each.textContent.trim())"
                )
                if name in labels:
                    return
            raise AssertionError(f"{name!r} cannot be reached")

        await seen.open("/app/")
        await seen.page.get_by_role("heading", level=1).wait_for()
        for label, text in (("E-mail", email), ("Password", PASSWORD)):
            await tab_to(label)
            await keyboard.type(text)
        await keyboard.press("Enter")
        await seen.page.get_by_role("heading", level=1, name="Your accounts").wait_for()
        await tab_to("Pay")
        await keyboard.press("Enter")
        await seen.page.get_by_role("heading", level=1, name="Pay").wait_for()
        assert await seen.page.locator(":focus").inner_text() == "Pay"  # the heading, so that screen readers say it
        given = {
            "Name of the payee": "Grace Hopper",
            "Account number (IBAN)": (await account_of(grace))["number"],
            "Amount (EUR)": "3",
        }
        await seen.page.get_by_label("Name of the payee").wait_for()
        for label, text in given.items():
            await tab_to(label)
            await keyboard.type(text)
        await keyboard.press("Enter")
        await customer.sees("Check before you pay")
        await tab_to("Pay")
        await keyboard.press("Enter")
        await customer.sees("Paid")
        assert seen.problems == []


async def test_statements_and_exports_are_downloaded(sit: Sit, ada: Client) -> None:
    account = await account_of(ada)
    async with sit(ada) as seen:
        await seen.go(f"/accounts/{account['id']}", "Everyday")
        await seen.page.get_by_text("Entries of a period").click()
        await seen.page.get_by_label("Format").select_option("CSV")
        # The links are of the bank's public address, which is another one in this test.
        await seen.page.route(
            "http://bank.test/**",
            lambda route: route.fulfill(body="id,amount\n", headers={"content-disposition": "attachment; filename=entries.csv"}),
        )
        async with seen.page.expect_download() as download:
            await seen.click("Download")
        assert (await download.value).url.startswith("http://bank.test/exports/")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None), ("", None)],
)
async def test_files_come_compressed_and_for_good(server: Server, accepted: str, encoding: str | None) -> None:
    page = (await server.http.get("/app/")).text
    [script] = re.findall(r'src="[.]/(assets/index-[^"]+[.]js)"', page)
    plain = await server.http.get(f"/app/{script}", headers={"accept-encoding": "identity"})
    file = await server.http.get(f"/app/{script}", headers={"accept-encoding": accepted})
    assert file.headers.get("content-encoding") == encoding
    assert file.headers["content-type"] == plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "accept-encoding" in file.headers["vary"].lower()
    if encoding != "br":  # which the client here cannot read
        assert file.text == plain.text
    part = await server.http.get(f"/app/{script}", headers={"accept-encoding": accepted, "range": "bytes=0-9"})
    assert (part.status_code, part.text, part.headers.get("content-encoding")) == (206, plain.text[:10], None)


def test_all_documents_of_the_build_fit_the_schema() -> None:
    documents = read_manifest(ONLINE_BANK_DOCUMENTS, Executor(build_schema(), to_result=rejection_of).mistakes_in)
    assert len(documents) > 60
    assert all(key == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for key, text in documents.items())


async def test_the_page_its_policy_and_its_documents(server: Server) -> None:
    moved = await server.http.get("/app")
    assert (moved.status_code, moved.headers["location"]) == (308, "app/")
    page = await server.http.get("/app/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    assert "<style" not in page.text
    assert ONLINE_BANK_DOCUMENTS.exists()
    assert (await server.http.get("/app/documents.json")).status_code == 404
