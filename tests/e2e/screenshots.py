"""Takes the README's pictures anew: `make screenshots`."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Browser

from bank_graphql.kit.clock import utc_now
from tests.client import Client
from tests.e2e.browser import browser, window
from tests.e2e.online.customer import customer
from tests.e2e.processes import Server, accounts_of

PICTURES = Path(__file__).parents[2] / "docs" / "images"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}


async def take() -> None:
    """Each page at both widths."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bank-pictures-", dir="/tmp") as made:
        Path(made).chmod(0o755)
        async with Server(Path(made)) as server, browser() as chromium:
            for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
                async with window(chromium, server.url, viewport=size, device_scale_factor=1.5) as seen:
                    await seen.open("/")
                    await seen.until(seen.page.locator("main"), "Version")
                    await seen.page.screenshot(path=PICTURES / f"landing-{name}.png")
                    await seen.graphiql()
                    await seen.sign_in("ada@example.com")
                    await seen.until(seen.page.locator(".session"), "Ada Lovelace")
                    if name == "desktop":
                        await seen.page.get_by_role("button", name="Live feed").click()
                        await seen.until(seen.page.locator(".feed"), "Following.")
                    await seen.run("Deposit", "MoneyMoved")
                    await seen.run("Transfer", "MoneyMoved")
                    if name == "desktop":
                        await seen.until(seen.page.locator(".feed ol"), "12.50 EUR")
                    await seen.page.wait_for_timeout(300)
                    await seen.page.screenshot(path=PICTURES / f"graphiql-{name}.png")
            await take_online_bank(server, chromium)


async def take_online_bank(server: Server, chromium: Browser) -> None:
    """An account after two months, on a desktop in the light and on a phone in the dark; and the staff desk."""
    ada = await server.ada()
    mine = (await accounts_of(ada))[0]
    grace = await Client(server.http).log_in("grace@example.com", "demo bank 2026")
    hers = (await accounts_of(grace))[0]
    for week, (amount, text) in enumerate(
        ((-310, "Flight"), (480, "Translation"), (-95, "Theatre"), (-640, "Rent"), (720, "Lecture"))
    ):
        later = (utc_now() + timedelta(days=9 * (week + 1))).isoformat()
        await ada.run("mutation ($to: DateTime!) { advanceClock(to: $to) { ... on Rejection { message } } }", to=later)
        if amount < 0:
            await ada.transfer(mine["id"], hers["id"], str(-amount), description=text)
        else:
            await grace.transfer(hers["id"], mine["id"], str(amount), description=text)
    phone = {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark", "locale": "de-DE"}
    for name, look in (("desktop", {"viewport": {"width": 1440, "height": 1000}}), ("phone", phone)):
        async with customer(chromium, server.url, ada, device_scale_factor=1.5, **look) as seen:
            await seen.go(f"/accounts/{mine['id']}")
            await seen.is_live()
            await grace.transfer(hers["id"], mine["id"], "12.50", description="Coffee and cake")
            await seen.page.locator(".row .positive").first.wait_for()
            await seen.page.wait_for_timeout(300)
            await seen.page.screenshot(path=PICTURES / f"online-{name}.png")


if __name__ == "__main__":
    asyncio.run(take())
