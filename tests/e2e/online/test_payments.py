"""Payments happen once, and what is not clear is never shown as a refusal."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from playwright.async_api import Route

from bank_graphql.kit.clock import utc_now
from tests.client import Client
from tests.e2e.browser import needs_browser
from tests.e2e.online.conftest import Sit, account_of
from tests.e2e.online.customer import Customer, operation_of, session_of

pytestmark = [*needs_browser, pytest.mark.deep]


async def booked(client: Client) -> str:
    return str((await account_of(client))["balance"]["booked"]["amount"])


async def on_transfer(customer: Customer, answer: Callable[[Route], Awaitable[None]]) -> list[dict[str, str]]:
    """Have transfers answered in another way. Return the inputs of all that are sent, as they come."""
    sent: list[dict[str, str]] = []

    async def handle(route: Route) -> None:
        if operation_of(route) != "Transfer":
            await route.fallback()
            return
        sent.append(json.loads(route.request.post_data or "{}")["variables"]["input"])
        await answer(route)

    await customer.page.route("**/graphql", handle)
    return sent


async def fail(route: Route, code: str, message: str = "Not now.") -> None:
    """Answer a request with an error."""
    errors = [{"message": message, "extensions": {"code": code, "retryAfter": 0}}]
    await route.fulfill(status=503, content_type="application/json", body=json.dumps({"data": None, "errors": errors}))


async def lose(route: Route) -> None:
    """Execute a request, and lose the answer."""
    await route.fetch()
    await route.abort()


async def test_a_payment_is_checked_previewed_and_made(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        await seen.plan((await account_of(grace))["number"], "Grace Hoper", "1,000.00", "Rent")
        await seen.sees("The name is a close match.")
        await seen.sees("The account belongs to “Grace Hopper”.")
        await seen.sees("Available afterwards")
        await seen.sees("€0.00")
        assert await booked(ada) == "1000.00"
        await seen.click("Pay")
        await seen.sees("Paid")
        await seen.click("To the account", "link")
        await seen.sees("-€1,000.00")
        assert (await booked(ada), await booked(grace)) == ("0.00", "2000.00")
        assert seen.seen.problems == []


async def test_after_a_lost_answer_the_same_key_is_sent_again(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:

        async def answer(route: Route) -> None:
            await (lose(route) if len(sent) < 3 else route.continue_())

        sent = await on_transfer(seen, answer)
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        await seen.sees("Paid")
        assert len(sent) == 3
        assert len({each["idempotencyKey"] for each in sent}) == 1
        assert await booked(ada) == "990.00"
        assert await seen.page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('bank.intent.'))") == []


@pytest.mark.parametrize("was_executed", [True, False])
async def test_a_payment_survives_a_reload(sit: Sit, ada: Client, grace: Client, *, was_executed: bool) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lose if was_executed else lambda route: route.abort())
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        seen.page.on("dialog", lambda dialog: asyncio.create_task(dialog.accept()))  # leave the page
        await seen.page.unroute_all(behavior="wait")
        again = await on_transfer(seen, lambda route: route.continue_())
        await seen.page.reload()
        await seen.sees("Payment €10.00: done.")
        assert {each["idempotencyKey"] for each in again} == {each["idempotencyKey"] for each in sent}
        assert await booked(ada) == "990.00"


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RATE_LIMITED", "INTERNAL", "A_LATER_ONE"])
async def test_an_error_that_leaves_it_open_is_no_refusal(sit: Sit, ada: Client, grace: Client, code: str) -> None:
    async def answer(route: Route) -> None:
        if len(sent) > 1:
            await route.continue_()
            return
        await fail(route, code)

    async with sit(ada) as seen:
        sent = await on_transfer(seen, answer)
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        await seen.sees("Paid")
        assert len({each["idempotencyKey"] for each in sent}) == 1


async def test_what_the_bank_cannot_execute_is_given_up(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lambda route: fail(route, "BAD_REQUEST", "Nobody can do that."))
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Nobody can do that.")
        assert len(sent) == 1
        await seen.go("/", "Your accounts")
        await seen.sees("€1,000.00")
        assert await seen.page.get_by_label("Not answered yet").count() == 0


async def test_offline_and_back(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        await seen.plan((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Check before you pay")
        await seen.page.context.set_offline(True)
        await seen.click("Pay")
        await seen.sees("The bank has not answered.")
        await seen.page.context.set_offline(False)
        await seen.sees("Paid")
        assert await booked(ada) == "990.00"


async def test_two_tabs_send_one_payment_once(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lambda route: route.abort())
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        other = await seen.second_tab()
        await seen.page.unroute_all(behavior="wait")
        await seen.sees("Paid")
        await other.get_by_text("€990.00").first.wait_for()
        assert await other.get_by_text("not done").count() == 0
        assert sent
        assert await booked(ada) == "990.00"


async def test_a_page_that_is_left_does_not_strand_its_payment(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lose)
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        await seen.click("Accounts", "link")
        await seen.sees("Payment €10.00: the bank has not answered yet.")
        await seen.page.unroute_all(behavior="wait")
        await seen.sees("Payment €10.00: done.")
        await seen.click("Close")
        await seen.page.reload()
        await seen.sees("€990.00")
        assert len({each["idempotencyKey"] for each in sent}) == 1
        assert await booked(ada) == "990.00"


async def test_a_dialog_that_is_closed_does_not_strand_its_deposit(sit: Sit, ada: Client) -> None:
    account = await account_of(ada)

    async def handle(route: Route) -> None:
        await (lose(route) if operation_of(route) == "Deposit" else route.fallback())

    async with sit(ada) as seen:
        await seen.page.route("**/graphql", handle)
        await seen.go(f"/accounts/{account['id']}", "Everyday")
        await seen.click("Deposit")
        dialog = seen.page.get_by_role("dialog")
        await dialog.get_by_label("Amount (EUR)").fill("5")
        await dialog.get_by_role("button", name="Deposit").click()
        await dialog.get_by_role("button", name="Close").click()  # and not "Cancel"
        await seen.sees("Deposit €5.00: the bank has not answered yet.")
        await seen.page.unroute_all(behavior="wait")
        await seen.sees("Deposit €5.00: done.")
        assert await booked(ada) == "1005.00"


@pytest.mark.parametrize("code", ["FORBIDDEN", "UNAUTHENTICATED"])
async def test_an_error_after_a_lost_answer_says_nothing_of_it(sit: Sit, ada: Client, grace: Client, code: str) -> None:
    async def answer(route: Route) -> None:
        if len(sent) == 1:
            await lose(route)
        elif len(sent) == 2:
            await fail(route, code)
        else:
            await route.continue_()

    async with sit(ada) as seen:
        sent = await on_transfer(seen, answer)
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Paid")
        assert len(sent) >= 3
        assert len({each["idempotencyKey"] for each in sent}) == 1
        assert await booked(ada) == "990.00"


async def test_an_answer_without_data_is_none(sit: Sit, ada: Client, grace: Client) -> None:
    answers = ['{"data": {"__typename": "Mutation", "transfer": null}}', '{"data": {}}', "[]", "<html>Bad gateway</html>"]

    async def answer(route: Route) -> None:
        if answers:
            await route.fulfill(content_type="application/json", body=answers.pop())
        else:
            await route.continue_()

    async with sit(ada) as seen:
        sent = await on_transfer(seen, answer)
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        await seen.sees("Paid")
        assert len(sent) == 5
        assert await booked(ada) == "990.00"


async def test_many_clicks_at_once_pay_once(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lambda route: route.continue_())
        await seen.plan((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Check before you pay")
        pay = seen.page.get_by_role("button", name="Pay", exact=True)
        await pay.evaluate("button => { for (let n = 0; n < 5; n++) button.click() }")
        await seen.sees("Paid")
        assert len(sent) == 1


async def test_an_address_chooses_nobody_who_is_not_offered(sit: Sit, ada: Client, grace: Client) -> None:
    hers = (await account_of(grace))["id"]
    async with sit(ada) as seen:
        await seen.seen.open(f"/app/#/pay/to/{hers}")
        await seen.page.get_by_label("Name of the payee").wait_for()
        await seen.type("Amount (EUR)", "10")
        await seen.click("Continue")
        assert await seen.page.get_by_text("Check before you pay").count() == 0
        assert await booked(ada) == "1000.00"


async def test_what_was_left_behind_long_ago_is_sent_if_its_user_wants(sit: Sit, ada: Client) -> None:
    account = (await account_of(ada))["id"]
    async with sit(ada) as seen:
        for number, days in enumerate((0.1, 2)):
            intent = {
                "key": f"left-{number}", "kind": "deposit", "userId": ada.user_id,
                "createdAt": (utc_now() - timedelta(days=days)).isoformat(), "wasSent": True,
                "input": {"accountId": account, "amount": {"amount": f"{number + 5}.00", "currency": "EUR"}},
            }  # fmt: skip
            stored = [f"bank.intent.left-{number}", json.dumps(intent)]
            await seen.page.evaluate("([name, value]) => localStorage.setItem(name, value)", stored)
        await seen.go("/", "Your accounts")
        await seen.sees("Deposit €5.00 of")
        assert await booked(ada) == "1000.00"
        await seen.page.locator("aside", has_text="€5.00").get_by_role("button", name="Send").click()
        await seen.sees("Deposit €5.00: done.")
        await seen.page.locator("aside", has_text="€6.00").get_by_role("button", name="Discard").click()
        await seen.page.reload()
        await seen.sees("€1,005.00")
        assert await seen.page.get_by_label("Not answered yet").count() == 0


@pytest.mark.parametrize("allowed", [0, 1])
async def test_nothing_is_sent_that_could_not_be_stored(sit: Sit, ada: Client, grace: Client, allowed: int) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lambda route: route.continue_())
        await seen.plan((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Check before you pay")
        fill = """allowed => {
            const { setItem } = Storage.prototype;
            Storage.prototype.setItem = function (name, value) {
                if (allowed-- <= 0) throw new DOMException("full", "QuotaExceededError");
                setItem.call(this, name, value);
            };
        }"""
        await seen.page.evaluate(fill, allowed)
        await seen.click("Pay")
        await seen.sees("Not sent: this browser stores nothing for this page")
        await seen.page.reload()
        await seen.page.get_by_role("heading", level=1).wait_for()
        assert await seen.page.get_by_label("Not answered yet").count() == 0
        assert sent == []


async def test_a_payment_is_never_sent_as_somebody_else(sit: Sit, ada: Client, grace: Client) -> None:
    async with sit(ada) as seen:
        sent = await on_transfer(seen, lambda route: route.abort())
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("The bank has not answered.")
        await seen.store(session_of(grace))
        await seen.page.evaluate("dispatchEvent(new StorageEvent('storage', {key: 'bank.session'}))")
        await seen.sees("Grace Hopper")
        before = len(sent)
        await seen.go("/", "Your accounts")
        await seen.sees("€1,000.00")
        assert len(sent) == before
        await seen.page.unroute_all(behavior="wait")
        await seen.store(session_of(ada))
        await seen.page.reload()
        await seen.sees("Payment €10.00: done.")
        assert (await booked(ada), await booked(grace)) == ("990.00", "1010.00")


async def test_a_payment_that_waits_for_a_token_is_not_sent_with_anothers(sit: Sit, ada: Client, grace: Client) -> None:
    renewing, gate, sent = asyncio.Event(), asyncio.Event(), []

    async def handle(route: Route) -> None:
        if "refreshToken" in (route.request.post_data or ""):
            renewing.set()
            await gate.wait()
        elif operation_of(route) == "Transfer":
            sent.append(route.request.headers.get("authorization"))
        await route.fallback()

    async with sit(ada) as seen:
        await seen.plan((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Check before you pay")
        await seen.page.route("**/graphql", handle)
        expired = session_of(ada, "2000-01-01T00:00:00Z")
        await seen.store(expired)
        await seen.click("Pay")
        await renewing.wait()
        await seen.store(session_of(grace))
        gate.set()
        await seen.sees("The bank has not answered.")
        assert set(sent) == {None}
        assert await booked(ada) == "1000.00"


async def test_what_is_stored_by_others_or_too_old_is_not_sent(sit: Sit, ada: Client) -> None:
    old = {"key": "old", "kind": "deposit", "userId": ada.user_id, "createdAt": "2020-01-01T00:00:00Z",
           "input": {"accountId": (await account_of(ada))["id"], "amount": {"amount": "5.00", "currency": "EUR"}}}  # fmt: skip
    strange = {**old, "key": "strange", "kind": "toString", "createdAt": "2999-01-01T00:00:00Z"}
    async with sit(ada) as seen:
        for name, value in (("old", json.dumps(old)), ("strange", json.dumps(strange)), ("broken", "{"), ("null", "null")):
            await seen.page.evaluate("([name, value]) => localStorage.setItem(`bank.intent.${name}`, value)", [name, value])
        await seen.go("/", "Your accounts")
        await seen.sees("€1,000.00")
        assert await seen.page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('bank.intent.'))") == []
        assert await booked(ada) == "1000.00"
        assert seen.seen.problems == []
        await seen.page.evaluate("localStorage.setItem('bank.session', '{')")
        await seen.page.reload()
        await seen.page.get_by_role("heading", level=1, name="Sign in").wait_for()
        assert seen.seen.problems == []


async def test_a_success_and_a_refusal_of_a_later_version_have_a_default(sit: Sit, ada: Client, grace: Client) -> None:
    async def answer(route: Route) -> None:
        data = {"__typename": "Mutation", "transfer": {"__typename": "MoonPhaseRejection", "message": "Wait for the full moon."}}
        await route.fulfill(content_type="application/json", body=json.dumps({"data": data}))

    async with sit(ada) as seen:
        await on_transfer(seen, answer)
        await seen.pay((await account_of(grace))["number"], "Grace Hopper", "10")
        await seen.sees("Wait for the full moon.")
        await seen.page.unroute_all(behavior="wait")

        async def later(route: Route) -> None:
            if operation_of(route) != "Account":
                await route.fallback()
                return
            body = (await (await route.fetch()).text()).replace('"CHECKING"', '"LOTTERY_TICKET"')
            await route.fulfill(content_type="application/json", body=body)

        await seen.page.route("**/graphql", later)
        await seen.go(f"/accounts/{(await account_of(ada))['id']}", "Everyday")
        await seen.sees("lottery ticket")


async def test_what_was_shown_before_the_bank_refused_is_rolled_back(sit: Sit, ada: Client) -> None:
    account = await account_of(ada)
    await ada.issue(account["id"])
    gate = asyncio.Event()

    async def answer(route: Route) -> None:
        if operation_of(route) != "FreezeCard":
            await route.fallback()
            return
        await gate.wait()
        data = {"__typename": "Mutation", "freezeCard": {"__typename": "ForbiddenRejection", "message": "No."}}
        await route.fulfill(content_type="application/json", body=json.dumps({"data": data}))

    async with sit(ada) as seen:
        await seen.page.route("**/graphql", answer)
        await seen.go("/cards", "Cards")
        await seen.click("Freeze")
        await seen.page.get_by_role("button", name="Unfreeze").wait_for()  # at once
        await seen.page.locator(".mark.frozen").wait_for()
        gate.set()
        await seen.sees("You may not do this.")
        await seen.page.get_by_role("button", name="Freeze", exact=True).wait_for()
        assert await seen.page.locator(".mark.frozen").count() == 0
