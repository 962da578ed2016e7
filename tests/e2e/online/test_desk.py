"""The staff desk: each role sees and does what the API lets it."""

import pytest

from tests.client import Client
from tests.e2e.browser import needs_browser
from tests.e2e.online.conftest import Sit, account_of, staff
from tests.e2e.processes import Server

pytestmark = [*needs_browser, pytest.mark.deep]


async def test_a_teller_finds_freezes_reverses_and_lends(sit: Sit, server: Server, ada: Client, grace: Client) -> None:
    mine, hers = await account_of(ada), await account_of(grace)
    await ada.transfer(mine["id"], hers["id"], "33", description="By mistake")
    email = (await ada.run("{ me { email } }"))["me"]["email"]
    async with sit(await staff(server, "TELLER")) as seen:
        await seen.go("/staff", "Customers")
        await seen.type("Name or e-mail", email)
        await seen.page.get_by_role("link", name=email).click()
        await seen.page.get_by_role("heading", level=1, name="Ada Lovelace").wait_for()
        assert await seen.page.get_by_role("button", name="Suspend").count() == 0
        await seen.page.get_by_role("link", name="Everyday").click()
        await seen.page.get_by_role("button", name="Grace Hopper").click()
        await seen.page.get_by_text("Reverse", exact=True).first.click()
        await seen.type("Reason", "Sent twice")
        await seen.page.get_by_role("dialog").get_by_role("button", name="Reverse").click()
        await seen.sees("Reversed.")
        await seen.click("Show the entries")
        await seen.page.locator(".mark", has_text="reversed").wait_for()
        await seen.page.locator(".large", has_text="€1,000.00").wait_for()
        await seen.click("Set overdraft limit")
        await seen.type("Amount (EUR)", "250")
        await seen.click("Save")
        await seen.sees("€1,250.00")
        await seen.click("Freeze")
        await seen.type("Reason", "Asked for by phone")
        await seen.page.get_by_role("dialog").get_by_role("button", name="Freeze").click()
        await seen.sees("Asked for by phone")
        await seen.click("Unfreeze")
        await seen.page.get_by_role("button", name="Freeze", exact=True).wait_for()
        assert await seen.page.get_by_role("link", name="Audit").count() == 0
        await seen.go("/staff", "Customers")
        await seen.type("Account number", "DE00 0000")
        await seen.click("Find")
        await seen.sees("There is no such thing here, or it is not yours to see.")
        await seen.type("Account number", mine["number"])
        await seen.click("Find")
        await seen.page.get_by_role("heading", level=1, name="Everyday").wait_for()
        assert seen.seen.problems == []


async def test_an_auditor_reads_the_audit_and_the_ledger_and_changes_nothing(sit: Sit, server: Server, ada: Client) -> None:
    assert (await ada.error("{ users { nodes { id } } }"))["extensions"]["code"] == "FORBIDDEN"
    async with sit(await staff(server, "AUDITOR")) as seen:
        await seen.go("/staff/audit", "Audit")
        await seen.type("Action", "users")
        await seen.type("Outcome", "Forbidden")
        await seen.page.get_by_role("cell", name="Ada Lovelace").first.wait_for()
        await seen.page.locator(".mark.refused", has_text="Forbidden").first.wait_for()
        await seen.type("Action", "signUp")
        await seen.type("Outcome", "DONE")
        await seen.page.locator(".mark.active", has_text="DONE").first.wait_for()
        await seen.go("/staff/ledger", "Ledger")
        await seen.page.get_by_role("row", name="Cash").first.wait_for()
        debits, credits_ = await seen.page.locator("tfoot tr").first.locator("td").all_inner_texts()
        assert debits == credits_
        assert debits.startswith("€")
        await seen.sees("The ledger was not verified yet: bank-graphql verify does.")
        account = await account_of(ada)
        await seen.go(f"/staff/accounts/{account['id']}", "Everyday")
        await seen.sees("+€1,000.00")
        assert await seen.page.get_by_role("button", name="Freeze").count() == 0
        assert seen.seen.problems == []


async def test_an_administrator_suspends_reinstates_and_sets_roles(sit: Sit, server: Server, ada: Client) -> None:
    async with sit(await staff(server, "ADMIN")) as seen:
        await seen.go(f"/staff/users/{ada.user_id}", "Ada Lovelace")
        await seen.click("Suspend")
        await seen.type("Reason", "Stolen laptop")
        await seen.page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
        await seen.sees("Stolen laptop")
        await seen.click("Reinstate")
        await seen.page.get_by_role("button", name="Suspend").wait_for()
        await seen.page.get_by_label("Role").select_option("TELLER")
        await seen.click("Set role")
        await seen.page.locator("dd", has_text="Teller").wait_for()
        await seen.go("/staff/approvals", "Approvals")
        await seen.sees("There are no proposals.")
        assert seen.seen.problems == []


async def test_customers_have_no_desk(sit: Sit, ada: Client) -> None:
    async with sit(ada) as seen:
        await seen.seen.open("/app/#/staff/ledger")
        await seen.page.get_by_role("heading", level=1, name="Your accounts").wait_for()
        assert await seen.page.get_by_role("link", name="Staff desk").count() == 0
