"""A real browser, which reaches this machine and nothing else."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright

from bank_graphql.web.playground import BUILT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it"),
    pytest.mark.skipif(not BUILT.exists(), reason="the pages are not built, for npm is not installed; .ci/run installs it"),
    pytest.mark.timeout(180),
]
EXAMPLES = [
    "Me", "SignUp", "OpenAccount", "Deposit", "Transfer", "Hold", "IssueCard", "Authorize", "Capture", "Refund", "Feed",
]  # fmt: skip


@dataclass
class Window:
    """A page, and what went wrong in it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Go to one of the bank's pages."""
        await self.page.goto(self.url + path)

    async def graphiql(self) -> None:
        """Go to GraphiQL, and wait until it knows the schema."""
        await self.open("/graphql")
        await self.page.locator(".graphiql-query-editor .view-line").first.wait_for()

    async def sign_in(self, email: str, password: str = "demo bank 2026") -> None:
        """Fill the form in."""
        await self.page.get_by_label("E-mail").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def tab(self, name: str) -> None:
        """Go to an example."""
        await self.page.get_by_role("tab").get_by_title(name, exact=True).click()

    async def run(self, tab: str, expected: str) -> str:
        """Run an example as it is, and wait for what its answer must contain."""
        await self.tab(tab)
        await self.page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
        return await self.until(self.page.locator(".graphiql-response .view-lines"), expected)

    async def until(self, where: Locator, expected: str) -> str:
        """Wait for a text."""
        for _ in range(400):
            text = (await where.inner_text()).replace("\u00a0", " ")
            if expected in text:
                return text
            await self.page.wait_for_timeout(25)
        raise AssertionError(f"no {expected!r} in {text}")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser, for any number of windows: starting one takes a second of a processor."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"],
        )
        yield chromium
        await chromium.close()


@asynccontextmanager
async def window(chromium: Browser, url: str, **options: Any) -> AsyncIterator[Window]:
    """A window of an empty profile. Whatever it asks of another host is a problem, and so is each error in its console."""
    async with await chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}) as profile:
        page = await profile.new_page()
        opened = Window(page, url)
        note = opened.problems.append
        page.on("console", lambda said: note(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.on(
            "request", lambda asked: None if asked.url.startswith((url, "data:", "blob:")) else note(f"requested {asked.url}")
        )
        page.on("response", lambda response: note(f"{response.status} of {response.url}") if response.status >= 400 else None)
        yield opened
        await page.unroute_all(behavior="ignoreErrors")  # for requests that are on their way
