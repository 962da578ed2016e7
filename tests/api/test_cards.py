"""Cards through the API: their lifecycle, authorisations, captures, refunds and spending limits."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.bank import Bank
from bank_graphql.cards.rules import check_digit
from bank_graphql.cards.service import expire
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.clock import utc_now
from bank_graphql.settings import Settings
from tests.api.accounts import CLOSE, FREEZE, UNFREEZE, balances
from tests.client import Client, money
from tests.serving import serving

CARD_TRANSACTION = "id kind status declineReason amount { amount } card { id } merchant { name categoryCode country } parent { id } to { name accountNumber } from { name }"


def limit(window: str, amount: Any, currency: str = "EUR") -> dict[str, Any]:
    return {"window": window, "amount": money(amount, currency)}


async def remaining(client: Client, card: str) -> dict[str, str]:
    """Return the remaining amounts of a card's limits, by window."""
    limits = (await client.card(card))["limits"]
    for each in limits:
        amount, spent = float(each["amount"]["amount"]), float(each["spent"]["amount"])
        assert float(each["remaining"]["amount"]) == max(0, round(amount - spent, 2))
    return {each["window"]: each["remaining"]["amount"] for each in limits}


def id_of(outcome: dict[str, Any]) -> str:
    """Return the id of the transaction in an outcome, which must not be a refusal."""
    assert outcome["__typename"] == "MoneyMoved", outcome
    return str(outcome["transaction"]["id"])


@pytest.fixture
async def account(ada: Client) -> str:
    """An account of Ada's with 100 euros."""
    return str((await ada.open(deposit="100"))["id"])


@pytest.fixture
async def card(ada: Client, account: str) -> str:
    """A card on that account."""
    return str((await ada.issue(account, limits=[limit("DAY", "80")]))["id"])


async def test_balances_and_limits_change_with_each_step_of_a_card_payment(ada: Client, account: str) -> None:
    card = await ada.issue(account, limits=[limit("MONTH", "90"), limit("TRANSACTION", "60"), limit("DAY", "80")])
    assert card["__typename"] == "Card"
    assert (card["kind"], card["form"], card["status"], card["holderName"]) == ("DEBIT", "VIRTUAL", "ACTIVE", "Ada Lovelace")
    assert [each["window"] for each in card["limits"]] == ["TRANSACTION", "DAY", "MONTH"]
    assert await remaining(ada, card["id"]) == {"TRANSACTION": "60.00", "DAY": "80.00", "MONTH": "90.00"}

    secrets = await ada.reveal(card["id"])
    number = secrets["number"]
    assert (len(number), number[:6], number[-4:]) == (16, "990055", card["last4"])
    assert check_digit(number[:-1]) == number[-1]
    assert len(secrets["securityCode"]) == 3
    assert secrets == {**await ada.reveal(card["id"]), "expiresAt": secrets["expiresAt"]}

    hold = await ada.authorize(f"{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}".replace(" ", ""), "50")
    held = id_of(hold)
    assert (hold["transaction"]["kind"], hold["transaction"]["status"]) == ("HOLD", "PENDING")
    expires = datetime.fromisoformat(hold["transaction"]["expiresAt"])
    assert timedelta(days=6, hours=23) < expires - datetime.now(UTC) <= timedelta(days=7)
    assert await balances(ada, account) == ("100.00", "50.00", "50.00")
    assert await remaining(ada, card["id"]) == {"TRANSACTION": "60.00", "DAY": "30.00", "MONTH": "40.00"}

    payment = await ada.capture_hold(held, "20", final=False)
    assert payment["transaction"]["kind"] == "CARD_PAYMENT"
    assert await balances(ada, account) == ("80.00", "30.00", "50.00")
    assert (await remaining(ada, card["id"]))["DAY"] == "30.00"

    tip = await ada.capture_hold(held, "33")  # 53 of 50 authorised: within the tolerance of restaurants
    assert await balances(ada, account) == ("47.00", "0.00", "47.00")
    assert await remaining(ada, card["id"]) == {"TRANSACTION": "60.00", "DAY": "27.00", "MONTH": "37.00"}

    refund = await ada.refund(id_of(tip), "13")
    assert (refund["transaction"]["kind"], refund["transaction"]["from"]["name"]) == ("CARD_REFUND", "Café Central")
    assert await balances(ada, account) == ("60.00", "0.00", "60.00")
    assert (await remaining(ada, card["id"]))["DAY"] == "40.00"
    await ada.refund(id_of(tip))
    assert await balances(ada, account) == ("80.00", "0.00", "80.00")
    assert (await remaining(ada, card["id"]))["DAY"] == "60.00"
    refused = await ada.refund(id_of(tip), "0.01")
    assert (refused["__typename"], refused["conflict"]) == ("StateConflictRejection", "OVER_REFUND")

    declined = await ada.authorize(card["id"], "70")
    assert declined["__typename"] == "LimitExceededRejection"
    assert declined["limit"]["window"] == "TRANSACTION"
    declined = await ada.authorize(card["id"], "60.01", merchant={"name": "Shop"})
    assert await balances(ada, account) == ("80.00", "0.00", "80.00")

    listed = (await ada.card(card["id"], f"transactions {{ nodes {{ {CARD_TRANSACTION} }} }}"))["transactions"]["nodes"]
    assert [(each["kind"], each["status"], each["declineReason"]) for each in listed] == [
        ("HOLD", "DECLINED", "LIMIT_EXCEEDED"),
        ("HOLD", "DECLINED", "LIMIT_EXCEEDED"),
        ("CARD_REFUND", "POSTED", None),
        ("CARD_REFUND", "POSTED", None),
        ("CARD_PAYMENT", "POSTED", None),
        ("CARD_PAYMENT", "POSTED", None),
        ("HOLD", "POSTED", None),
    ]
    assert {each["card"]["id"] for each in listed} == {card["id"]}
    assert listed[0]["merchant"] == {"name": "Shop", "categoryCode": "5812", "country": "AT"}
    assert listed[-1]["to"] == {"name": "Café Central", "accountNumber": None}
    assert [each["parent"] and each["parent"]["id"] for each in listed[2:]] == [id_of(tip), id_of(tip), held, held, None]
    entries = (await ada.account(account, "entries { nodes { counterparty { name } amount { amount } } }"))["entries"]["nodes"]
    assert [each["counterparty"]["name"] for each in entries] == [*["Café Central"] * 4, "Cash"]
    on_account = (await ada.account(account, "transactions { nodes { id } }"))["transactions"]["nodes"]
    assert {each["id"] for each in listed} < {each["id"] for each in on_account}


async def test_every_step_of_a_card_payment_is_in_the_feed_and_audited(
    ada: Client, account: str, card: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    released, spent = [id_of(await ada.authorize(card, "10")) for _ in range(2)]
    await ada.release_hold(released)
    payment = id_of(await ada.capture_hold(spent))
    await ada.refund(payment)
    await ada.authorize(card, "1000")
    rows = await raw.fetch(
        "SELECT e.kind, t.kind AS of, e.account_id FROM transaction_events e JOIN transactions t ON t.id = e.transaction_id ORDER BY sequence"
    )
    assert [(row["kind"], row["of"]) for row in rows[1:]] == [
        ("PENDING", "HOLD"), ("PENDING", "HOLD"), ("VOIDED", "HOLD"), ("POSTED", "CARD_PAYMENT"), ("CAPTURED", "HOLD"),
        ("POSTED", "CARD_REFUND"), ("DECLINED", "HOLD"),
    ]  # fmt: skip
    assert len({row["account_id"] for row in rows}) == 1
    audit = await raw.fetch("SELECT action, outcome, subject_id FROM audit_events ORDER BY id DESC LIMIT 6")
    assert [(row["action"], row["outcome"]) for row in audit] == [
        ("authorizeCard", "LimitExceeded"), ("refundCardPayment", "DONE"), ("captureHold", "DONE"), ("releaseHold", "DONE"),
        ("authorizeCard", "DONE"), ("authorizeCard", "DONE"),
    ]  # fmt: skip
    declined = await raw.fetchrow("SELECT id, status FROM transactions WHERE status = 'DECLINED'")
    assert declined is not None
    assert audit[0]["subject_id"] == declined["id"]


async def test_a_cards_status_changes_only_as_its_lifecycle_allows(ada: Client, account: str) -> None:
    physical = (await ada.issue(account, form="PHYSICAL"))["id"]
    assert (await ada.card(physical))["status"] == "INACTIVE"
    steps = {
        "INACTIVE": {"freezeCard": None, "unfreezeCard": None, "activateCard": "ACTIVE"},
        "ACTIVE": {"activateCard": None, "unfreezeCard": None, "freezeCard": "FROZEN"},
        "FROZEN": {"activateCard": None, "freezeCard": None, "unfreezeCard": "ACTIVE"},
    }
    for state, tried in steps.items():
        for mutation, becomes in tried.items():
            outcome = await ada.change_card(mutation, physical)
            if becomes is None:
                assert outcome["__typename"] == "StateConflictRejection", (state, mutation)
                assert outcome["state"] == state
            else:
                assert outcome["status"] == becomes
    assert (await ada.change_card("cancelCard", physical))["status"] == "CANCELLED"
    for mutation, more in {
        "activateCard": "", "freezeCard": "", "unfreezeCard": "", "cancelCard": "", "replaceCard": ', idempotencyKey: "again"',
        "setCardLimits": ", limits: []",
    }.items():  # fmt: skip
        outcome = await ada.change_card(mutation, physical, more)
        assert (outcome["__typename"], outcome["state"]) == ("StateConflictRejection", "CANCELLED"), mutation
    assert (await ada.reveal(physical))["state"] == "CANCELLED"


async def test_a_card_that_does_not_fit_its_account_is_not_issued(ada: Client, grace: Client, account: str) -> None:
    credit = (await ada.open(kind="CREDIT"))["id"]
    savings = (await ada.open(kind="SAVINGS"))["id"]
    assert (await ada.issue(savings, kind="DEBIT"))["kind"] == "DEBIT"
    issued = await ada.issue(credit, kind="CREDIT", holderName=" A. Lovelace ")
    assert (issued["kind"], issued["holderName"]) == ("CREDIT", "A. Lovelace")
    for wrong, kind in ((credit, "DEBIT"), (account, "CREDIT")):
        outcome = await ada.issue(wrong, kind=kind)
        assert (outcome["__typename"], outcome["fields"][0]["path"]) == ("ValidationRejection", ["kind"])
    assert id_of(await ada.authorize(issued["id"], "1000"))
    assert (await ada.authorize(issued["id"], "0.01"))["__typename"] == "InsufficientFundsRejection"
    assert (await grace.issue(account))["__typename"] == "NotFoundRejection"
    assert (await ada.issue(account, limits=[limit("DAY", "1", "USD")]))["__typename"] == "CurrencyMismatchRejection"
    for limits in ([limit("DAY", "1"), limit("DAY", "2")], [limit("DAY", "-1")], [limit("DAY", "0.001")]):
        assert (await ada.issue(account, limits=limits))["__typename"] == "ValidationRejection"
    await ada.run(FREEZE, id=savings)
    assert (await ada.issue(savings))["__typename"] == "AccountStatusRejection"


async def test_a_card_can_be_issued_with_blocked_categories(ada: Client, account: str) -> None:
    card = await ada.issue(account, blockedCategories=["7995", "5812", "7995"])
    assert card["blockedCategories"] == ["5812", "7995"]
    assert (await ada.authorize(card["id"], "1"))["conflict"] == "MERCHANT_BLOCKED"
    assert (await ada.issue(account, blockedCategories=["x"]))["fields"][0]["path"] == ["blockedCategories", "0"]


async def test_repeating_a_card_mutation_with_its_key_has_no_further_effect(ada: Client, account: str) -> None:
    first = await ada.issue(account, idempotencyKey="card")
    assert (await ada.issue(account, idempotencyKey="card"))["id"] == first["id"]
    assert (await ada.issue(account, idempotencyKey="card", form="PHYSICAL"))["__typename"] == "IdempotencyConflictRejection"
    replaced = await ada.change_card("replaceCard", first["id"], ', idempotencyKey: "new"')
    assert (await ada.change_card("replaceCard", first["id"], ', idempotencyKey: "new"'))["id"] == replaced["id"]
    number = (await ada.reveal(replaced["id"]))["number"]
    paid = await ada.authorize(number, "5", idempotencyKey="pay")
    again = await ada.authorize(number, "5", idempotencyKey="pay")
    assert (id_of(again), again["replayed"]) == (id_of(paid), True)
    assert (await ada.authorize(replaced["id"], "5", idempotencyKey="pay"))["__typename"] == "IdempotencyConflictRejection"
    declined = await ada.authorize(number, "500", idempotencyKey="much")
    await ada.deposit(account, "1000")
    assert await ada.authorize(number, "500", idempotencyKey="much") == declined
    listed = (await ada.card(replaced["id"], "transactions { nodes { status } }"))["transactions"]["nodes"]
    assert [each["status"] for each in listed] == ["DECLINED", "PENDING"]


async def test_a_replacement_keeps_limits_and_spending(ada: Client, account: str, card: str) -> None:
    await ada.change_card(
        "setCardLimits",
        card,
        ', limits: [{window: WEEK, amount: {amount: "50", currency: EUR}}], blockedCategories: ["7995", "5933", "7995"]',
    )
    held = id_of(await ada.authorize(card, "30"))
    old = (await ada.reveal(card))["number"]
    new = await ada.change_card("replaceCard", card, ', idempotencyKey: "lost"')
    assert (new["status"], new["blockedCategories"]) == ("ACTIVE", ["5933", "7995"])
    assert (await ada.card(card))["status"] == "CANCELLED"
    assert await remaining(ada, new["id"]) == {"WEEK": "20.00"}
    assert (await ada.card(new["id"], "replaces { id }"))["replaces"] == {"id": card}
    assert (await ada.reveal(new["id"]))["number"] != old
    refused = await ada.authorize(old, "1")
    assert (refused["conflict"], refused["state"]) == ("CARD_NOT_ACTIVE", "CANCELLED")
    assert (await ada.authorize(new["id"], "20.01"))["__typename"] == "LimitExceededRejection"
    await ada.change_card("setCardLimits", new["id"], ', limits: [{window: WEEK, amount: {amount: "32", currency: EUR}}]')
    assert (await ada.capture_hold(held, "33"))["__typename"] == "LimitExceededRejection"  # the new card's limits apply
    await ada.change_card("setCardLimits", new["id"], ', limits: [{window: WEEK, amount: {amount: "50", currency: EUR}}]')
    await ada.run(FREEZE, id=account)
    assert (await ada.capture_hold(held, "33"))["__typename"] == "AccountStatusRejection"
    id_of(await ada.capture_hold(held, "10"))  # an authorisation of the old card is still captured
    assert await remaining(ada, new["id"]) == {"WEEK": "40.00"}


async def test_a_declined_authorisation_has_its_reason(
    ada: Client, account: str, card: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ada.change_card("setCardLimits", card, ', limits: [], blockedCategories: ["7995"]')
    reasons = [
        await ada.authorize(card, "1", merchant={"categoryCode": "7995"}),
        await ada.authorize(card, "100.01"),
    ]
    await ada.change_card("freezeCard", card)
    reasons.append(await ada.authorize(card, "1"))
    await ada.change_card("unfreezeCard", card)
    await ada.run(FREEZE, id=account)
    reasons.append(await ada.authorize(card, "1"))
    await ada.run(UNFREEZE, id=account)
    await raw.execute("UPDATE cards SET expires_at = now()")
    reasons.append(await ada.authorize(card, "1"))
    assert [(each["__typename"], each.get("conflict")) for each in reasons] == [
        ("StateConflictRejection", "MERCHANT_BLOCKED"),
        ("InsufficientFundsRejection", None),
        ("StateConflictRejection", "CARD_NOT_ACTIVE"),
        ("AccountStatusRejection", None),
        ("StateConflictRejection", "CARD_EXPIRED"),
    ]
    listed = (await ada.card(card, "transactions { nodes { status declineReason } }"))["transactions"]["nodes"]
    assert [each["declineReason"] for each in reversed(listed)] == [
        "MERCHANT_BLOCKED", "INSUFFICIENT_FUNDS", "CARD_NOT_ACTIVE", "ACCOUNT_NOT_ACTIVE", "CARD_EXPIRED",
    ]  # fmt: skip
    assert {each["status"] for each in listed} == {"DECLINED"}
    assert await balances(ada, account) == ("100.00", "0.00", "100.00")
    refused = await ada.capture_hold((await ada.card(card, "transactions { nodes { id } }"))["transactions"]["nodes"][0]["id"])
    assert (refused["conflict"], refused["state"]) == ("WRONG_STATUS", "DECLINED")


async def test_an_authorisation_with_invalid_input_is_refused_and_not_declined(ada: Client, grace: Client, card: str) -> None:
    assert (await ada.authorize(card, "1", "USD"))["__typename"] == "CurrencyMismatchRejection"
    number = (await ada.reveal(card))["number"]
    other = number[:-2] + str((int(number[-2]) + 1) % 10)
    other += check_digit(other)
    unknown = await ada.authorize(other, "1")
    assert (unknown["__typename"], unknown["subjectId"]) == ("NotFoundRejection", None)
    assert (await grace.authorize(number, "1")) == unknown
    for bad in ("1234", number[:-1] + str((int(number[-1]) + 1) % 10), "9" * 400):
        refused = await ada.authorize(bad, "1")
        assert (refused["__typename"], refused["fields"][0]["path"]) == ("ValidationRejection", ["cardNumber"])
        assert bad not in str(refused)
    for merchant in ({"name": ""}, {"name": "x" * 101}, {"categoryCode": "58"}, {"country": "Austria"}):
        assert (await ada.authorize(card, "1", merchant=merchant))["__typename"] == "ValidationRejection"
    taken_for_id = await ada._move(
        "authorizeCard", "AuthorizeCardInput", cardId=number, amount=money("1"),
        merchant={"name": "A", "categoryCode": "5812", "country": "AT"},
    )  # fmt: skip
    assert (taken_for_id["__typename"], taken_for_id["subjectId"]) == ("NotFoundRejection", None)
    both = await ada._move(
        "authorizeCard", "AuthorizeCardInput", cardId=card, cardNumber=number, amount=money("1"),
        merchant={"name": "A", "categoryCode": "5812", "country": "AT"},
    )  # fmt: skip
    assert both["__typename"] == "ValidationRejection"
    assert (await ada.card(card, "transactions { nodes { id } }"))["transactions"]["nodes"] == []


async def test_concurrent_authorisations_spend_exactly_the_limit(ada: Client, account: str) -> None:
    card = (await ada.issue(account, limits=[limit("DAY", "20")]))["id"]
    outcomes = await asyncio.gather(*(ada.authorize(card, "1") for _ in range(100)))
    assert Counter(each["__typename"] for each in outcomes) == {"MoneyMoved": 20, "LimitExceededRejection": 80}
    assert await balances(ada, account) == ("100.00", "20.00", "80.00")
    assert await remaining(ada, card) == {"DAY": "0.00"}


async def test_a_capture_exceeds_its_authorisation_only_within_the_tolerance(ada: Client, account: str) -> None:
    card = (await ada.issue(account))["id"]
    shop, table = [id_of(await ada.authorize(card, "10", merchant={"categoryCode": each})) for each in ("5411", "5812")]
    assert (await ada.capture_hold(shop, "10.01"))["conflict"] == "OVER_CAPTURE"
    assert (await ada.capture_hold(table, "12.01"))["conflict"] == "OVER_CAPTURE"
    await ada.change_card("setCardLimits", card, ', limits: [{window: TRANSACTION, amount: {amount: "11", currency: EUR}}]')
    refused = await ada.capture_hold(table, "11.01")
    assert (refused["__typename"], refused["limit"]["remaining"]["amount"]) == ("LimitExceededRejection", "1.00")
    await ada.change_card("setCardLimits", card, ", limits: []")
    await ada.withdraw(account, "79")
    short = await ada.capture_hold(table, "12")
    assert (short["__typename"], short["available"]["amount"], short["required"]["amount"]) == (
        "InsufficientFundsRejection",
        "1.00",
        "2.00",
    )
    assert id_of(await ada.capture_hold(table, "11"))
    assert await balances(ada, account) == ("10.00", "10.00", "0.00")
    assert (await ada.capture_hold(table))["conflict"] == "ALREADY_CAPTURED"


async def test_a_card_payment_is_reversed_or_refunded_but_never_both(
    ada: Client, account: str, card: str, teller: Client
) -> None:
    first, second = [id_of(await ada.capture_hold(id_of(await ada.authorize(card, "10")))) for _ in range(2)]
    await ada.refund(first, "4")
    assert (await teller.reverse(first))["conflict"] == "OVER_REFUND"
    reversal = id_of(await teller.reverse(second))
    assert await remaining(ada, card) == {"DAY": "74.00"}
    assert (await ada.refund(second))["conflict"] == "ALREADY_REVERSED"
    assert (await ada.refund(reversal))["conflict"] == "NOT_REVERSIBLE"
    [refund] = [
        each["id"]
        for each in (await ada.card(card, "transactions { nodes { id kind } }"))["transactions"]["nodes"]
        if each["kind"] == "CARD_REFUND"
    ]
    id_of(await teller.reverse(refund))
    assert await remaining(ada, card) == {"DAY": "70.00"}
    id_of(await teller.reverse(first))
    assert await remaining(ada, card) == {"DAY": "80.00"}
    assert await balances(ada, account) == ("100.00", "0.00", "100.00")


async def test_an_expired_authorisation_releases_the_balance_and_the_limit(
    ada: Client, account: str, card: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    held = id_of(await ada.authorize(card, "30"))
    await raw.execute("ALTER TABLE transactions DISABLE TRIGGER USER")
    await raw.execute("UPDATE transactions SET expires_at = now() WHERE status = 'PENDING'")
    refused = await ada.capture_hold(held)
    assert refused["conflict"] == "EXPIRED"
    assert await balances(ada, account) == ("100.00", "0.00", "100.00")
    assert await remaining(ada, card) == {"DAY": "80.00"}


@pytest.mark.parametrize("end", ["cancelCard", "replaceCard", "closeAccount"])
async def test_a_cancelled_card_stays_cancelled(ada: Client, teller: Client, account: str, card: str, end: str) -> None:
    await ada.change_card("freezeCard", card)
    if end == "closeAccount":
        await ada.withdraw(account, "100")
        await ada.run(CLOSE, id=account)
    else:
        await ada.change_card(end, card, ', idempotencyKey: "x"' if end == "replaceCard" else "")
    for client in (teller, ada):
        for mutation in ("freezeCard", "unfreezeCard", "activateCard"):
            assert (await client.change_card(mutation, card))["__typename"] in {"StateConflictRejection", "ForbiddenRejection"}
    assert (await ada.card(card))["status"] == "CANCELLED"
    assert (await ada.authorize(card, "1"))["conflict"] == "CARD_NOT_ACTIVE"


async def test_an_owner_neither_unfreezes_nor_replaces_a_card_frozen_by_staff(
    ada: Client, bank: Bank, card: str, teller: Client, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ada.change_card("freezeCard", card)
    assert (await teller.change_card("freezeCard", card))["status"] == "FROZEN"
    assert (await ada.change_card("unfreezeCard", card))["__typename"] == "ForbiddenRejection"
    assert (await ada.change_card("replaceCard", card, ', idempotencyKey: "x"'))["__typename"] == "ForbiddenRejection"
    assert (await ada.card(card, "frozenBy"))["frozenBy"] == "STAFF"
    assert (await teller.change_card("unfreezeCard", card))["status"] == "ACTIVE"
    assert (await ada.card(card, "frozenBy"))["frozenBy"] is None
    await teller.change_card("freezeCard", card)
    await raw.execute("UPDATE cards SET expires_at = now()")
    for expired in (0, 1):  # before the job has expired it, and afterwards
        assert (await ada.card(card))["status"] == "EXPIRED"
        assert (await ada.change_card("replaceCard", card, ', idempotencyKey: "x"'))["__typename"] == "ForbiddenRejection"
        assert await expire(bank.db, utc_now) == 1 - expired


async def test_only_the_owner_reveals_a_card_and_only_with_the_password(
    ada: Client, grace: Client, teller: Client, card: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    assert (await ada.reveal(card, "not the password"))["__typename"] == "CredentialsRejection"
    assert (await grace.reveal(card))["__typename"] == "NotFoundRejection"
    assert (await teller.reveal(card))["__typename"] == "NotFoundRejection"
    assert (await ada.reveal(card))["__typename"] == "CardSecrets"
    rows = await raw.fetch("SELECT outcome FROM audit_events WHERE action = 'revealCard' ORDER BY id")
    assert [row["outcome"] for row in rows] == ["CredentialsRefused", "NotFound", "NotFound", "DONE"]


async def test_reveals_are_rate_limited(app: Starlette, settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"log_in_rate_limit": 30}))) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada")
        card = (await ada.issue((await ada.open())["id"]))["id"]
        document = f'mutation {{ {" ".join(f"""a{n}: revealCard(id: "{card}", password: "guess{n}") {{ __typename }}""" for n in range(6))} }}'
        answer = await ada.post(document)
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"RATE_LIMITED"}


async def test_outside_a_sandbox_only_processors_authorise_capture_and_refund(
    plain: Client, settings: Settings, staff: Callable[[UserRole], Awaitable[Client]], app: Starlette
) -> None:
    ada = await plain.sign_up("ada@example.com", "Ada Lovelace")
    grace = await plain.sign_up("grace@example.com", "Grace Hopper")
    for role in (UserRole.TELLER, UserRole.PROCESSOR):
        await staff(role)
    tessa, nora = await plain.log_in("teller@bank.test"), await plain.log_in("processor@bank.test")
    account = (await ada.open())["id"]
    await tessa.deposit(account, "100")
    card = (await ada.issue(account))["id"]
    number = (await ada.reveal(card))["number"]
    assert (await ada.authorize(number, "1"))["__typename"] == "ForbiddenRejection"
    assert (await tessa.authorize(card, "1"))["__typename"] == "ForbiddenRejection"
    assert (await grace.authorize(card, "1"))["__typename"] == "NotFoundRejection"
    paid = await nora.authorize(number, "10", idempotencyKey="k")
    assert (await nora.authorize(number, "10", idempotencyKey="k"))["replayed"] is True
    held = id_of(paid)
    assert (await ada.capture_hold(held))["__typename"] == "ForbiddenRejection"
    assert (await tessa.release_hold(held))["__typename"] == "ForbiddenRejection"
    payment = id_of(await nora.capture_hold(held))
    assert (await ada.refund(payment))["__typename"] == "ForbiddenRejection"
    assert id_of(await nora.refund(payment, "1"))
    seen = (await nora.run(f"query ($id: ID!) {{ transaction(id: $id) {{ {CARD_TRANSACTION} entries {{ id }} }} }}", id=payment))[
        "transaction"
    ]
    assert (seen["merchant"]["name"], seen["card"], seen["entries"]) == ("Café Central", None, [])
    assert seen["from"]["name"] == "Ada Lovelace"
    other = id_of(await ada.transfer(account, (await grace.open())["id"], "1"))
    assert (await nora.run("query ($id: ID!) { transaction(id: $id) { id } }", id=other))["transaction"] is None
    assert (await nora.run("query ($id: ID!) { card(id: $id) { id } }", id=card))["card"] is None
    await ada.run(FREEZE, id=account)
    refused = await nora.authorize(card, "1")
    assert (refused["__typename"], refused["state"]) == ("StateConflictRejection", "FROZEN")


async def test_closing_an_account_cancels_its_cards(ada: Client, card: str, account: str) -> None:
    await ada.withdraw(account, "100")
    await ada.run(CLOSE, id=account)
    assert (await ada.card(card))["status"] == "CANCELLED"


async def test_cards_are_visible_to_their_owner_and_to_staff(
    ada: Client, grace: Client, teller: Client, account: str, card: str
) -> None:
    second = (await ada.issue((await ada.open())["id"]))["id"]
    mine = await ada.run("{ me { cards { nodes { id account { id } } } } }")
    assert [each["id"] for each in mine["me"]["cards"]["nodes"]] == [card, second]
    page = (await ada.account(account, "cards(first: 1) { nodes { id } pageInfo { hasNextPage } }"))["cards"]
    assert page == {"nodes": [{"id": card}], "pageInfo": {"hasNextPage": False}}
    for viewer, is_visible in ((ada, True), (teller, True), (grace, False)):
        data = await viewer.run("query ($id: ID!) { card(id: $id) { id } node(id: $id) { id __typename } }", id=card)
        assert (data["card"] is not None) is is_visible
        assert (data["node"] is not None) is is_visible


async def test_limits_apply_to_calendar_windows_in_the_banks_time_zone(settings: Settings) -> None:
    now = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # Saturday, 23:30 in Berlin
    async with serving(create_app(settings.model_copy(update={"time_zone": "Europe/Berlin"}), clock=lambda: now)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada")
        account = (await ada.open(deposit="1000"))["id"]
        card = (await ada.issue(account, limits=[limit(each, "100") for each in ("DAY", "WEEK", "MONTH")]))["id"]
        first = id_of(await ada.authorize(card, "10"))

        async def remaining_at(month: int, day: int, hour: int = 0, minute: int = 0) -> dict[str, str]:
            nonlocal now
            now = datetime(2026, month, day, hour, minute, tzinfo=UTC)
            ada.token = (await Client(http).log_in("ada@bank.test")).token
            return await remaining(ada, card)

        assert await remaining_at(3, 28, 22, 59) == {"DAY": "90.00", "WEEK": "90.00", "MONTH": "90.00"}
        assert await remaining_at(3, 28, 23, 0) == {"DAY": "100.00", "WEEK": "90.00", "MONTH": "90.00"}
        assert await remaining_at(3, 29, 22, 0) == {"DAY": "100.00", "WEEK": "100.00", "MONTH": "90.00"}  # summer time began
        await ada.authorize(card, "20")
        assert await remaining_at(3, 31, 21, 59) == {"DAY": "100.00", "WEEK": "80.00", "MONTH": "70.00"}
        await ada.release_hold(first)  # a release reduces the spending of the authorisation's own day, week and month
        assert await remaining_at(3, 31, 21, 59) == {"DAY": "100.00", "WEEK": "80.00", "MONTH": "80.00"}
        assert await remaining_at(3, 31, 22, 0) == {"DAY": "100.00", "WEEK": "80.00", "MONTH": "100.00"}


async def test_a_tip_counts_toward_the_limits_of_its_authorisations_windows(settings: Settings) -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    async with serving(create_app(settings, clock=lambda: now)) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada")
        card = (await ada.issue((await ada.open(deposit="100"))["id"], limits=[limit("DAY", "12")]))["id"]
        dinner = id_of(await ada.authorize(card, "10"))
        now += timedelta(days=1)
        ada = await Client(http).log_in("ada@bank.test")
        id_of(await ada.authorize(card, "11"))
        lowered = await ada.card_mutation(
            "setCardLimits(id: $id, limits: $l)", "$id: ID!, $l: [SpendingLimitInput!]!", id=card, l=[limit("DAY", "11.50")]
        )
        assert lowered["limits"][0]["remaining"]["amount"] == "0.50"
        refused = await ada.capture_hold(dinner, "11.51")
        assert (refused["__typename"], refused["limit"]["spent"]["amount"]) == ("LimitExceededRejection", "10.00")
        id_of(await ada.capture_hold(dinner, "11.50"))
        assert await remaining(ada, card) == {"DAY": "0.50"}


async def test_a_card_expires_once_its_last_month_has_ended(
    ada: Client, bank: Bank, card: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ada.change_card("freezeCard", card)
    assert await expire(bank.db, utc_now) == 0
    now = datetime.now(UTC)
    issued = await ada.card(card)
    assert (issued["expiryMonth"], issued["expiryYear"]) == (now.month, now.year + 4)
    assert await expire(bank.db, lambda: datetime(now.year + 4, now.month, 28, tzinfo=UTC)) == 0
    assert await expire(bank.db, lambda: datetime(now.year + 4, now.month, 1, tzinfo=UTC) + timedelta(days=31)) == 1
    assert (await ada.card(card))["status"] == "EXPIRED"
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE action = 'expireCard' AND actor_id IS NULL") == 1
    replaced = await ada.change_card("replaceCard", card, ', idempotencyKey: "new"')
    assert (replaced["status"], (await ada.card(card))["status"]) == ("ACTIVE", "EXPIRED")
    again = await ada.change_card("replaceCard", card, ', idempotencyKey: "newer"')
    assert (again["__typename"], again["state"]) == ("StateConflictRejection", "EXPIRED")


@pytest.mark.parametrize("at", [0, 1, 3])
async def test_an_invalid_limit_among_several_is_named_by_its_index(ada: Client, at: int) -> None:
    account = (await ada.open())["id"]
    limits = [{"window": window, "amount": money("5")} for window in ("TRANSACTION", "DAY", "WEEK", "MONTH")]
    limits[at]["amount"] = money("5.001")
    path = ["limits", str(at), "amount", "amount"]
    issued = await ada.issue(account, limits=limits)
    assert issued["fields"] == [{"path": path, "code": "TOO_PRECISE"}]
    card = (await ada.issue(account))["id"]
    changed = await ada.card_mutation(
        "setCardLimits(id: $id, limits: $limits)", "$id: ID!, $limits: [SpendingLimitInput!]!", id=card, limits=limits
    )
    assert changed["fields"] == [{"path": path, "code": "TOO_PRECISE"}]
    blocked = await ada.issue(account, blockedCategories=["5812", "x"][:: -1 if at else 1])
    assert blocked["fields"][0]["path"] == ["blockedCategories", "0" if at else "1"]
