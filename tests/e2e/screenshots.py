"""Takes the README's pictures anew: `make screenshots`."""

import asyncio
import tempfile
from pathlib import Path

from tests.e2e.browser import browser, window
from tests.e2e.processes import Server

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


if __name__ == "__main__":
    asyncio.run(take())
