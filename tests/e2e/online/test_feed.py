"""What happens shows within a second, also after the connection broke, the laptop slept, or events were deleted."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Route, WebSocketRoute

from tests.client import Client
from tests.e2e.browser import needs_browser
from tests.e2e.online.conftest import Sit, account_of
from tests.e2e.online.customer import operation_of

pytestmark = needs_browser


async def test_two_users_pay_each_other_live(sit: Sit, ada: Client, grace: Client) -> None:
    mine, hers = await account_of(ada), await account_of(grace)
    async with sit(ada) as left, sit(grace) as right:
        for each, account in ((left, mine), (right, hers)):
            await each.go(f"/accounts/{account['id']}", "Everyday")
            await each.sees("+€1,000.00")
            await each.is_live()
        await ada.transfer(mine["id"], hers["id"], "12.50")
        await right.page.get_by_text("+€12.50").wait_for(timeout=1000)
        await right.page.locator(".large", has_text="€1,012.50").wait_for(timeout=1000)
        await left.page.get_by_text("-€12.50").wait_for(timeout=1000)
        await grace.transfer(hers["id"], mine["id"], "2.50")
        await left.page.locator(".large", has_text="€990.00").wait_for(timeout=1000)
        await left.sees("Posted: €2.50 from Grace Hopper to Ada Lovelace (Everyday)", left.page.locator(".feed"))
        assert left.seen.problems == right.seen.problems == []


async def test_what_happened_offline_shows_once_back(sit: Sit, ada: Client, grace: Client) -> None:
    mine, hers = await account_of(ada), await account_of(grace)
    async with sit(ada) as seen:
        await seen.go(f"/accounts/{mine['id']}", "Everyday")
        await seen.is_live()
        await seen.page.context.set_offline(True)
        await seen.page.locator(".live.offline").wait_for()
        for amount in ("1", "2", "3"):
            await grace.transfer(hers["id"], mine["id"], amount)
        await seen.page.context.set_offline(False)
        await seen.is_live()
        for amount in ("+€1.00", "+€2.00", "+€3.00"):
            await seen.page.get_by_text(amount).wait_for()
        await seen.page.locator(".large", has_text="€1,006.00").wait_for()


@pytest.mark.deep
async def test_a_connection_that_died_while_the_laptop_slept_is_replaced(sit: Sit, ada: Client, grace: Client) -> None:
    """Nothing says that it died: the page pings it when somebody comes back, and gives it up when no pong comes."""
    mine, hers = await account_of(ada), await account_of(grace)
    async with sit(ada) as seen:
        dead: list[bool] = []
        cursors: list[str] = []
        opened: list[WebSocketRoute] = []

        def connect(route: WebSocketRoute) -> None:
            server = route.connect_to_server()
            number = len(opened)
            opened.append(route)

            def on_message(message: str | bytes) -> None:
                given = json.loads(message)
                if given["type"] == "subscribe":
                    cursors.append(given["payload"]["variables"]["after"])
                if not (dead and number == 0):
                    server.send(message)

            route.on_message(on_message)
            server.on_message(lambda message: None if dead and number == 0 else route.send(message))

        await seen.page.route_web_socket("**/graphql", connect)
        await seen.go(f"/accounts/{mine['id']}", "Everyday")
        await seen.is_live()
        await grace.transfer(hers["id"], mine["id"], "6")
        await seen.page.get_by_text("+€6.00").wait_for()
        dead.append(True)
        await grace.transfer(hers["id"], mine["id"], "7")
        await seen.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await seen.page.get_by_text("+€7.00").wait_for()
        assert len(opened) == 2
        assert cursors[0] != cursors[1]  # it goes on after the last event


async def test_events_that_were_deleted_mean_reading_anew(sit: Sit, ada: Client, grace: Client) -> None:
    mine, hers = await account_of(ada), await account_of(grace)
    async with sit(ada) as seen:
        subscribed: list[dict[str, Any]] = []

        def connect(route: WebSocketRoute) -> None:
            server = route.connect_to_server()

            def on_message(message: str | bytes) -> None:
                given = json.loads(message)
                if given["type"] == "subscribe":
                    subscribed.append(given["payload"]["variables"])
                    if len(subscribed) == 2:
                        error = {"message": "They are gone.", "extensions": {"code": "CURSOR_EXPIRED"}}
                        route.send(json.dumps({"id": given["id"], "type": "next", "payload": {"data": None, "errors": [error]}}))
                        route.send(json.dumps({"id": given["id"], "type": "complete"}))
                        return
                server.send(message)

            route.on_message(on_message)

        await seen.page.route_web_socket("**/graphql", connect)
        await seen.go(f"/accounts/{mine['id']}", "Everyday")
        await seen.is_live()
        await seen.page.context.set_offline(True)
        await seen.page.locator(".live.offline").wait_for()
        await grace.transfer(hers["id"], mine["id"], "8")
        await seen.page.context.set_offline(False)
        await seen.page.get_by_text("+€8.00").wait_for()
        await seen.page.locator(".large", has_text="€1,008.00").wait_for()
        async with asyncio.timeout(40):
            while len(subscribed) < 3:
                await asyncio.sleep(0.05)
        assert subscribed[1]["after"] not in {None, subscribed[2]["after"]}
        await seen.is_live()
        await grace.transfer(hers["id"], mine["id"], "9")
        await seen.page.get_by_text("+€9.00").wait_for()


@pytest.mark.deep
async def test_a_long_list_scrolls_and_stays_whole_while_more_happens(sit: Sit, ada: Client, grace: Client) -> None:
    mine, hers = await account_of(ada), await account_of(grace)
    for number in range(1, 61):
        await grace.transfer(hers["id"], mine["id"], f"0.{number:02}", description=f"No. {number}")
    async with sit(ada) as seen:
        await seen.go(f"/accounts/{mine['id']}", "Everyday")
        await seen.is_live()
        await seen.page.get_by_text("+€0.60").wait_for()
        await grace.transfer(hers["id"], mine["id"], "5")
        await seen.page.get_by_text("+€5.00").wait_for()
        rows = seen.page.get_by_role("button", name="Grace Hopper")
        async with asyncio.timeout(20):
            while await rows.count() < 61:
                await rows.last.scroll_into_view_if_needed()
                await asyncio.sleep(0.05)
        shown = await seen.page.locator(".row .figures > .amount").all_inner_texts()
        assert shown == ["+€5.00", *(f"+€0.{number:02}" for number in range(60, 0, -1)), "+€1,000.00"]
        await seen.type("Search", "No. 17")
        await seen.page.get_by_role("button", name="No. 17").wait_for()
        await seen.page.get_by_role("button", name="No. 17").click()
        await seen.page.get_by_role("dialog").get_by_text("Reference").wait_for()
        assert seen.seen.problems == []


@pytest.mark.deep
async def test_what_happens_while_a_list_is_read_is_not_missed(sit: Sit, ada: Client, grace: Client) -> None:
    """Each answer is late: it was made before the next event, and comes after it."""
    mine, hers = await account_of(ada), await account_of(grace)

    async def late(route: Route) -> None:
        answer = await route.fetch()
        if operation_of(route) in {"Entries", "Accounts"}:
            await asyncio.sleep(0.7)
        await route.fulfill(response=answer)

    async with sit(ada) as lists, sit(ada) as overview:
        for each, path, heading in ((lists, f"/accounts/{mine['id']}", "Everyday"), (overview, "/", "Your accounts")):
            await each.go(path, heading)
            await each.is_live()
            await each.page.route("**/graphql", late)
        await lists.sees("+€1,000.00")
        for amount in ("1", "2", "3"):
            await grace.transfer(hers["id"], mine["id"], amount)
            await lists.page.locator(".feed", has_text=f"€{amount}.00").wait_for()
        for amount in ("+€1.00", "+€2.00", "+€3.00"):
            await lists.page.get_by_text(amount).wait_for()
        await overview.page.locator(".figures > .amount", has_text="€1,006.00").wait_for()
