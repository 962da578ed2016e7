"""The pages, in a real browser without a network."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from passlib.totp import TOTP
from playwright.async_api import Browser, Locator, WebSocket

from bank_graphql.web.playground import Page
from tests.client import Client
from tests.e2e.browser import EXAMPLES, browser, needs_browser, window
from tests.e2e.processes import Server, accounts_of

pytestmark = needs_browser


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser, with a new profile for each window."""
    async with browser() as started:
        yield started


@pytest.mark.deep
async def test_the_landing_page_tells_how_the_bank_is(chromium: Browser, folder: Path) -> None:
    async with Server(folder) as server:
        for width in (1280, 390):
            async with window(chromium, server.url, viewport={"width": width, "height": 800}) as seen:
                await seen.open("/")
                await seen.until(seen.page.locator("main"), "Open: the bank and its database answer.")
                await seen.until(seen.page.locator("#version"), "Version 0.1.0")
                assert await seen.page.evaluate("document.documentElement.scrollWidth") <= width
                for link in await seen.page.locator("main a").all():
                    href = await link.get_attribute("href")
                    answer = await server.http.get(str(href), headers={"accept": "text/html"})
                    assert answer.status_code == 200, href
                await seen.page.get_by_text("Explore it in GraphiQL").click()
                await seen.page.locator(".graphiql-container").wait_for()
            assert seen.problems == []


@asynccontextmanager
async def proxied(url: str, path: str) -> AsyncIterator[str]:
    """A proxy that serves the bank under a path, as others serve it among other things; the address to open."""
    host, port = url.removeprefix("http://").split(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, rest = head.split(b" ", 2)
            assert target.startswith(path.encode()), target
            if b"upgrade: websocket" not in rest.lower():
                rest = re.sub(rb"(?i)connection: keep-alive", b"connection: close", rest)
            there, back = await asyncio.open_connection(host, int(port))
            back.write(b" ".join([method, target.removeprefix(path.encode()), rest]))
            await asyncio.gather(copy(reader, back), copy(there, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
        writer.close()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.mark.deep
async def test_the_pages_work_behind_a_proxys_path(chromium: Browser, folder: Path) -> None:
    async with Server(folder) as server, proxied(server.url, "/finance/bank") as address:
        async with window(chromium, address) as seen:
            await seen.open("/finance/bank/")
            await seen.until(seen.page.locator("main"), "Open: the bank and its database answer.")
            await seen.page.get_by_text("Explore it in GraphiQL").click()
            await seen.page.locator(".graphiql-query-editor .view-line").first.wait_for()
            await seen.sign_in("ada@example.com")
            await seen.until(seen.page.locator(".session"), "Signed in as Ada Lovelace")
            await seen.run("Me", '"fullName": "Ada Lovelace"')
            ada = await server.ada()
            account = (await accounts_of(ada))[0]["id"]
            for transport, amount in (("events", "7.77"), ("websocket", "8.88")):
                await seen.page.get_by_label("Subscriptions over").select_option(transport)
                await seen.tab("Feed")
                await seen.page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
                shown = seen.page.locator(".graphiql-response .view-lines")
                async with asyncio.timeout(20):
                    while f'"{amount}"' not in await shown.inner_text():
                        await ada.deposit(account, amount)
                await seen.page.get_by_role("button", name=re.compile("Stop query")).click()
        assert seen.problems == []


@pytest.mark.deep
async def test_a_user_with_a_second_factor_signs_in(chromium: Browser, folder: Path) -> None:
    async with Server(folder) as server, window(chromium, server.url) as seen:
        ada = await server.ada()
        enrol = 'mutation { enrolTotp(password: "demo bank 2026") { ... on TotpEnrolment { secret } } }'
        app = TOTP(key=(await ada.run(enrol))["enrolTotp"]["secret"])
        confirm = "mutation ($code: String!) { confirmTotp(code: $code) { ... on RecoveryCodes { codes } } }"
        codes = (await ada.run(confirm, code=app.generate().token))["confirmTotp"]["codes"]
        await seen.graphiql()
        await seen.sign_in("ada@example.com")
        await seen.page.get_by_label("Code of your app").fill("wrong")
        await seen.page.get_by_role("button", name="Sign in").click()
        await seen.until(seen.page.locator('.session [role="alert"]'), "These credentials are not valid.")
        await seen.page.get_by_label("Code of your app").fill(codes[0])
        await seen.page.get_by_role("button", name="Sign in").click()
        await seen.until(seen.page.locator(".session"), "Signed in as Ada Lovelace")
        assert seen.problems == []


async def test_all_text_says_its_charset(folder: Path) -> None:
    async with Server(folder, "--no-demo") as server:
        page = await server.http.get("/graphql", headers={"accept": "text/html"})
        assets = re.findall(r'(?:src|href)="[.](/assets/[^"]+[.](?:js|css))"', page.text)
        assert assets
        for path in ("/", "/graphql", "/schema.graphql", *assets):
            answer = await server.http.get(path, headers={"accept": "text/html,*/*"})
            assert answer.headers["content-type"].endswith("; charset=utf-8"), path


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.deep)])
async def test_every_example_runs_as_it_is(chromium: Browser, folder: Path, scheme: str) -> None:
    async with Server(folder) as server, window(chromium, server.url, color_scheme=scheme) as seen:
        await seen.graphiql()
        assert [await tab.inner_text() for tab in await seen.page.get_by_role("tab").all()][: len(EXAMPLES)] == EXAMPLES
        await seen.sign_in("ada@example.com", "not this one")
        await seen.until(seen.page.locator('.session [role="alert"]'), "These credentials are not valid.")
        await seen.sign_in("ada@example.com")
        await seen.until(seen.page.locator(".session"), "Signed in as Ada Lovelace")
        await seen.run("Me", '"fullName": "Ada Lovelace"')
        assert "There is no $hold yet" in await seen.run("Capture", "yet")
        email = re.search(r"visitor-\w+@example\.com", await seen.run("SignUp", "visitor-"))
        await seen.until(seen.page.locator(".session"), "Signed in as Vera Visitor")
        await seen.run("OpenAccount", '"amount": "500.00"')
        await seen.run("Deposit", '"amount": "25.00"')
        await seen.run("Transfer", '"name": "Grace Hopper"')
        await seen.run("Hold", '"status": "PENDING"')
        await seen.run("IssueCard", '"status": "ACTIVE"')
        await seen.run("Authorize", '"amount": "20.00"')  # remains of the day's limit
        await seen.run("Authorize", "LimitExceededRejection")
        await seen.run("Capture", "CARD_PAYMENT")
        await seen.run("Refund", "CARD_REFUND")
        assert email is not None
        vera = await Client(server.http).log_in(email[0], "a long walk by the sea")
        [account] = await accounts_of(vera)
        assert account["balance"]["booked"]["amount"] == "480.50"  # 500 + 25 - 12.50 - 42 + 10
        for transport, amount in (("websocket", "1.23"), ("events", "4.56")):
            await seen.page.get_by_label("Subscriptions over").select_option(transport)
            await seen.page.get_by_role("button", name="Live feed").click()
            await seen.until(seen.page.locator(".feed"), "Following.")
            await seen.run("Deposit", '"amount": "25.00"')
            await seen.until(seen.page.locator(".feed ol"), "25.00 EUR POSTED")
            await seen.page.get_by_role("button", name="Live feed").click()
            await seen.tab("Feed")
            await seen.page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
            await seen.page.get_by_role("button", name="Stop query (Ctrl-Enter)").wait_for()
            await _until_followed(vera, account["id"], seen.page.locator(".graphiql-response"), amount)
            await seen.page.get_by_role("button", name="Stop query (Ctrl-Enter)").click()
        await seen.page.get_by_role("button", name="Sign out").click()
        await seen.page.get_by_label("E-mail").wait_for()
        assert await seen.page.evaluate("Object.values({...localStorage, ...sessionStorage}).join().includes('eyJ')") is False
    assert seen.problems == []


@pytest.mark.deep
async def test_streams_end_on_request_and_show_nothing_of_another_user(chromium: Browser, folder: Path) -> None:
    async with Server(folder) as server, window(chromium, server.url, color_scheme="dark") as seen:
        open_sockets: set[WebSocket] = set()

        def opened(socket: WebSocket) -> None:
            open_sockets.add(socket)
            socket.on("close", lambda ended: open_sockets.discard(ended))  # noqa: PLW0108 - it must be a function of ours

        seen.page.on("websocket", opened)
        await seen.graphiql()
        await seen.run("Deposit", "There is no $account yet: sign in")
        await seen.sign_in("ada@example.com")
        await seen.until(seen.page.locator(".session"), "Ada Lovelace")
        for transport in ("websocket", "events"):
            await seen.page.get_by_label("Subscriptions over").select_option(transport)
            for _ in range(8):  # more than a browser has connections for
                await seen.page.get_by_role("button", name="Live feed").click()
        await seen.run("Me", '"fullName": "Ada Lovelace"')
        assert not open_sockets
        await seen.page.get_by_role("button", name="Live feed").click()
        await seen.run("SignUp", "kept by this page")
        await seen.until(seen.page.locator(".session"), "Signed in as Vera Visitor")
        ada = await server.ada()
        await ada.deposit((await accounts_of(ada))[0]["id"], "7.77")
        await seen.run("OpenAccount", '"amount": "500.00"')
        feed = ""
        while "25.00 EUR" not in feed:  # the stream begins by and by
            await seen.run("Deposit", '"amount": "25.00"')
            feed = await seen.page.locator(".feed ol").inner_text()
        assert "7.77" not in feed
        await seen.page.get_by_role("button", name="Sign out").click()
        await seen.page.get_by_label("E-mail").wait_for()
        await seen.page.locator(".graphiql-query-editor .view-line").first.wait_for()
        assert "Vera" not in await seen.page.locator("body").inner_text()
    assert seen.problems == []


async def _until_followed(vera: Client, account: str, where: Locator, amount: str) -> None:
    """Pay in until the subscription, which begins by and by, tells of it."""
    for _ in range(100):
        await vera.deposit(account, amount)
        for _ in range(8):
            if amount in await where.inner_text():
                return
            await where.page.wait_for_timeout(25)
    raise AssertionError("the subscription tells nothing")


@pytest.mark.deep
async def test_the_docs_tell_what_the_schema_says(chromium: Browser, folder: Path) -> None:
    async with Server(folder) as server, window(chromium, server.url) as seen:
        await seen.graphiql()
        await seen.page.get_by_role("button", name=re.compile("Documentation Explorer")).first.click()
        pane = seen.page.locator(".graphiql-plugin")
        await seen.until(pane, "Query")
        await pane.get_by_text("Mutation", exact=True).click()
        await seen.until(pane, "An expected refusal is no error")
        await seen.page.get_by_role("button", name=re.compile("GraphiQL Explorer")).first.click()
        await seen.until(pane, "accountByNumber")
    assert seen.problems == []


async def test_a_page_that_is_not_built_says_how_to_get_it(http: httpx.AsyncClient, tmp_path: Path) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Page("index.html", tmp_path)), base_url="http://bank") as client:
        assert "make playground" in (await client.get("/")).text


async def test_what_the_pages_load_is_kept_and_nothing_else(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    for asset in re.findall(r'(?:src|href)="[.](/assets/[^"]+)"', page):
        answer = await http.get(asset)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    for path in ("/assets/../../settings.py", "/assets/%2e%2e/index.html", "/playground/package.json"):
        assert (await http.get(path)).status_code == 404
