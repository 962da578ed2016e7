"""Somebody in front of the online bank."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, Route

from tests.client import Client
from tests.e2e.browser import Window, window

EXPECTED = ("net::ERR_", "status of 4", "status of 5", "WebSocket connection", "401 of")
"""Beginnings of what browsers say about requests that fail, as some tests make them."""


class Customer:
    """A user with a window.

    Args:
        seen: the window.
        client: the same user's API.
    """

    def __init__(self, seen: Window, client: Client) -> None:
        self.seen = seen
        self.page: Page = seen.page
        self.client = client

    async def go(self, path: str, heading: str | None = None) -> None:
        """Go to a page, and wait for its heading."""
        await self.seen.open(f"/app/#{path}")
        await self.page.reload()
        await self.page.get_by_role("heading", level=1, name=heading).wait_for()

    async def sees(self, text: str, where: Locator | None = None) -> None:
        """Wait for a text."""
        await (where or self.page.locator("body")).get_by_text(text).first.wait_for()

    async def click(self, name: str, role: Any = "button", *, exact: bool = True) -> None:
        """Click on a button, a link, …"""
        await self.page.get_by_role(role, name=name, exact=exact).first.click()

    async def type(self, label: str, text: str) -> None:
        """Fill in a field."""
        await self.page.get_by_label(label, exact=True).fill(text)

    async def second_tab(self) -> Page:
        """Open another tab of the same profile."""
        other = await self.page.context.new_page()
        await other.goto(self.seen.url + "/app/")
        await other.get_by_role("heading", level=1).wait_for()
        return other

    async def store(self, session: str) -> None:
        """Sign in with a session, as another tab would."""
        await self.page.evaluate("session => localStorage.setItem('bank.session', session)", session)

    async def is_live(self) -> None:
        """Wait until the feed is followed."""
        await self.page.locator(".live.live").wait_for()

    async def plan(self, number: str, name: str, amount: str, description: str = "") -> None:
        """Fill in a payment to somebody new, and go on to its check."""
        await self.go("/pay", "Pay")
        await self.type("Name of the payee", name)
        await self.type("Account number (IBAN)", number)
        await self.type("Amount (EUR)", amount)
        await self.type("Message", description)
        await self.click("Continue")

    async def pay(self, number: str, name: str, amount: str, description: str = "") -> None:
        """Pay somebody new, up to the last click."""
        await self.plan(number, name, amount, description)
        await self.sees("Check before you pay")
        await self.click("Pay")

    async def unexpected(self) -> list[str]:
        """What went wrong in the window, other than requests that failed."""
        return [each for each in self.seen.problems if not any(part in each for part in EXPECTED)]


@asynccontextmanager
async def customer(chromium: Browser, url: str, client: Client, **options: Any) -> AsyncIterator[Customer]:
    """A user who is signed in already, in a window of an empty profile."""
    async with window(chromium, url, **{"locale": "en-GB", **options}) as seen:
        await seen.open("/version")
        customer = Customer(seen, client)
        await customer.store(session_of(client))
        yield customer


def session_of(client: Client, expires_at: str = "2999-01-01T00:00:00Z") -> str:
    """A session as the online bank stores it."""
    return json.dumps(
        {
            "accessToken": client.token,
            "refreshToken": client.refresh_token,
            "expiresAt": expires_at,
            "user": {"id": client.user_id},
        }
    )


def operation_of(route: Route) -> str:
    """The name of the operation that a request runs; empty for one without a name."""
    return str(json.loads(route.request.post_data or "{}").get("operationName") or "")
