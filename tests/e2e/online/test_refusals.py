"""Every rejection that a customer can cause, in words with its figures, in both languages."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser

from bank_graphql.kit.clock import utc_now
from tests.client import ABROAD, Client
from tests.e2e.browser import needs_browser
from tests.e2e.online.conftest import Sit, account_of, staff
from tests.e2e.online.customer import Customer, customer
from tests.e2e.processes import Server

pytestmark = [*needs_browser, pytest.mark.deep]


@pytest.fixture
async def seen(sit: Sit, ada: Client) -> AsyncIterator[Customer]:
    """Ada, in front of the online bank."""
    async with sit(ada) as customer:
        yield customer
        assert customer.seen.problems == []


async def test_too_little_money(seen: Customer, grace: Client) -> None:
    number = (await account_of(grace))["number"]
    await seen.plan(number, "Grace Hopper", "1000.01")
    await seen.sees("Not enough money: €1,000.00 available, €1,000.01 needed.")
    await seen.page.get_by_label("Language").select_option("de")
    await seen.sees("Nicht genug Geld: 1.000,00\u00a0€ verfügbar, 1.000,01\u00a0€ nötig.")
    assert await seen.page.locator("html").get_attribute("lang") == "de"


async def test_money_that_goes_between_check_and_payment(seen: Customer, ada: Client, grace: Client) -> None:
    hers = await account_of(grace)
    await seen.plan(hers["number"], "Grace Hopper", "900")
    await seen.sees("Check before you pay")
    await ada.transfer((await account_of(ada))["id"], hers["id"], "500")
    await seen.click("Pay")
    await seen.sees("Not enough money: €500.00 available, €900.00 needed.")
    await seen.click("Change")
    await seen.type("Amount (EUR)", "400")
    await seen.click("Continue")
    await seen.click("Pay")
    await seen.sees("Paid")


async def test_an_account_in_another_currency(seen: Customer, grace: Client) -> None:
    await seen.plan((await grace.open(currency="JPY"))["number"], "Grace Hopper", "1")
    await seen.sees("The account is in JPY, the amount in EUR.")


async def test_wrong_numbers_names_and_amounts(seen: Customer, ada: Client) -> None:
    await seen.plan("DE00 1234", "Nobody", "1")
    await seen.page.locator(".mistake").wait_for()
    await seen.plan((await account_of(ada))["number"], "Ada Lovelace", "1")
    await seen.page.get_by_role("alert").wait_for()
    await seen.go("/pay", "Pay")
    await seen.type("Amount (EUR)", "1.234")
    await seen.sees("This is not an amount in EUR.")


async def test_a_name_that_does_not_fit_and_another_bank(seen: Customer, grace: Client) -> None:
    await seen.plan((await account_of(grace))["number"], "Mallory Mean", "1")
    await seen.sees("The account belongs to somebody else. Check it before you pay.")
    await seen.page.get_by_role("button", name="Pay anyway").wait_for()
    await seen.plan(ABROAD, "Charles Babbage", "1")
    await seen.sees("The name cannot be checked at this bank.")
    await seen.sees("Settles on")
    await seen.click("Pay")
    await seen.sees("Accepted")
    await seen.page.locator(".mark.pending").wait_for()


async def test_frozen_and_closed_accounts(seen: Customer, ada: Client, server: Server) -> None:
    account = await account_of(ada)
    await seen.go(f"/accounts/{account['id']}", "Everyday")
    await seen.click("Close account")
    await seen.page.get_by_role("dialog").get_by_role("button", name="Close account").click()
    await seen.sees("There is money or a debt on it: settle that first.")
    await seen.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    teller = await staff(server, "TELLER")
    await teller.run('mutation ($id: ID!) { freezeAccount(id: $id, reason: "A check") { __typename } }', id=account["id"])
    await seen.go(f"/accounts/{account['id']}", "Everyday")
    await seen.sees("Frozen: A check")
    await seen.click("Unfreeze")
    await seen.sees("You may not do this.")
    await seen.go("/pay", "Pay")
    await seen.sees("You need an active account first.")


async def test_passwords_and_payees(seen: Customer, ada: Client) -> None:
    await ada.issue((await account_of(ada))["id"])
    await seen.go("/cards", "Cards")
    await seen.click("Show number")
    dialog = seen.page.get_by_role("dialog")
    await dialog.get_by_label("Password").fill("wrong")
    await dialog.get_by_role("button", name="Show number").click()
    await seen.sees("These details are not right.")
    await dialog.get_by_label("Password").fill("a fine long passphrase")
    await dialog.get_by_role("button", name="Show number").click()
    await seen.sees("Security code")
    await dialog.get_by_role("button", name="Close").click()
    for again in (False, True):
        await seen.go("/payees", "Payees")
        await seen.click("Add payee")
        await seen.type("Name of the payee", "Charles Babbage")
        await seen.type("Account number (IBAN)", ABROAD)
        await seen.click("Save")
        if again:
            await seen.sees("Account number is taken already")
        else:
            await seen.page.get_by_role("button", name="Rename: Charles Babbage").wait_for()
    await seen.go("/payees", "Payees")
    await seen.click("Rename: Charles Babbage")
    await seen.type("Name of the payee", "C. Babbage")
    await seen.click("Save")
    await seen.click("Remove: C. Babbage")
    await seen.sees("No payees yet.")


async def test_cards_of_every_kind(seen: Customer, ada: Client) -> None:
    await seen.go("/cards", "Cards")
    await seen.click("Issue a card")
    await seen.page.get_by_label("Form").select_option("PHYSICAL")
    await seen.page.get_by_role("dialog").get_by_role("button", name="Issue a card").click()
    await seen.sees("Your card ends in")
    await seen.click("Close")
    await seen.click("Activate")
    await seen.click("Limits")
    dialog = seen.page.get_by_role("dialog")
    await dialog.get_by_label("per day (EUR)").fill("50")
    await dialog.get_by_role("button", name="Save").click()
    await seen.sees("€50.00")
    await seen.click("Freeze")
    await seen.click("Unfreeze")
    await seen.page.get_by_role("button", name="Freeze", exact=True).wait_for()
    card = (await ada.run("{ me { cards { nodes { id status limits { amount { amount } } } } } }"))["me"]["cards"]["nodes"][0]
    assert card["limits"] == [{"amount": {"amount": "50.00"}}]
    await seen.click("Cancel card")
    await seen.page.get_by_role("dialog").get_by_role("button", name="Cancel card").click()
    await seen.sees("No cards yet.")


async def test_standing_orders_from_begin_to_end(chromium: Browser, folder: Path) -> None:
    async with Server(folder, "--no-demo") as server:  # whose clock is moved
        ada = await Client(server.http).sign_up("ada@bank.test", "Ada Lovelace")
        grace = await Client(server.http).sign_up("grace@bank.test", "Grace Hopper")
        for each in (ada, grace):
            await each.open(deposit="1000", name="Everyday")
        async with customer(chromium, server.url, ada) as seen:
            await seen.go("/orders", "Standing orders")
            await seen.click("New standing order")
            dialog = seen.page.get_by_role("dialog")
            await dialog.get_by_label("Name of the payee").fill("Grace Hopper")
            await dialog.get_by_label("Account number (IBAN)").fill((await account_of(grace))["number"])
            await dialog.get_by_label("Amount (EUR)").fill("2000")
            await dialog.get_by_label("Message").fill("Rent")
            await dialog.get_by_role("button", name="Create order").click()
            await seen.sees("The first transfer is on")
            await seen.click("Close")
            await seen.page.get_by_role("heading", name="Rent").wait_for()
            later = (utc_now() + timedelta(days=3)).isoformat()
            await ada.run("mutation ($to: DateTime!) { advanceClock(to: $to) { ... on Rejection { message } } }", to=later)
            await seen.go("/orders", "Standing orders")
            await seen.page.get_by_text("Past payments").click()
            await seen.sees("Not enough money: €1,000.00 available, €2,000.00 needed.")
            await seen.click("Pause")
            await seen.click("Resume")
            await seen.click("End")
            await seen.page.get_by_role("dialog").get_by_role("button", name="End").click()
            await seen.page.locator(".mark.cancelled").wait_for()
            assert seen.seen.problems == []
