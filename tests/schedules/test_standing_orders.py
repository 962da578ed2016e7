"""Standing orders by the API, on the movable clock: each date once, in order, whatever has become of accounts and people."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.bank import CHECKS, Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.ledger import verification
from bank_graphql.payments import service as payments
from bank_graphql.payments import verification as payments_verification
from bank_graphql.schedules import service
from bank_graphql.schedules import verification as schedules_verification
from bank_graphql.settings import Settings
from tests.client import ABROAD, Client, key
from tests.schedules.orders import START, act, day, order, read, statuses
from tests.serving import serving, sign_in_staff
from tests.verification import found_wrong


@pytest.fixture
async def payer(ada: Client) -> str:
    """An account with 100 euros."""
    await ada.advance(START)
    account: str = (await ada.open(deposit="100"))["id"]
    return account


@pytest.fixture
async def payee(ada: Client, payer: str) -> str:
    """An empty account of the same customer."""
    account: str = (await ada.open())["id"]
    return account


async def test_transfers_are_made_once_on_each_date(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee}, recurrence="FREQ=DAILY;COUNT=3", description="Rent")
    assert (made["status"], made["nextRunOn"], made["nextRuns"]) == (
        "ACTIVE", "2030-01-16", ["2030-01-16", "2030-01-17", "2030-01-18"],
    )  # fmt: skip
    assert made["toAccountNumber"] == (await ada.account(payee, "number"))["number"]
    await ada.advance(day(1, 5))
    assert statuses(await read(ada, made["id"])) == []
    await ada.advance(day(2, 7))
    found = await read(ada, made["id"])
    assert statuses(found) == [("16", "MOVED"), ("17", "MOVED")]
    assert [run["ranAt"][:16] for run in found["runs"]] == ["2030-01-16T06:00", "2030-01-17T06:00"]
    assert {run["transaction"]["description"] for run in found["runs"]} == {"Rent"}
    assert await ada.booked(payee) == "10.00"
    await ada.advance(day(30))
    found = await read(ada, made["id"])
    assert (found["status"], found["nextRunOn"], found["nextRuns"], len(found["runs"])) == ("COMPLETED", None, [], 3)
    assert await ada.booked(payee) == "15.00"
    listed = (await ada.run("{ scheduledTransfers(first: 5) { nodes { id } } }"))["scheduledTransfers"]["nodes"]
    assert listed == [{"id": made["id"]}]


async def test_a_single_transfer_is_made_today_if_its_hour_has_come(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee}, recurrence="ONCE", startsOn="2030-01-15")
    await ada.advance(START + timedelta(seconds=1))
    found = await read(ada, made["id"])
    assert (statuses(found), found["status"]) == ([("15", "MOVED")], "COMPLETED")


async def test_missing_money_is_waited_for_within_the_day(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee}, "150", recurrence="FREQ=DAILY;COUNT=2")
    await ada.advance(day(1, 11))
    [run] = (await read(ada, made["id"]))["runs"]
    assert (run["status"], run["attempts"], run["transaction"]) == ("RETRYING", 2, None)
    rejection = run["rejection"]
    assert (rejection["__typename"], rejection["available"], rejection["required"]) == (
        "InsufficientFundsRejection", {"amount": "100.00"}, {"amount": "150.00"},
    )  # fmt: skip
    await ada.deposit(payer, "60")
    await ada.advance(day(1, 15))
    [run] = (await read(ada, made["id"]))["runs"]
    assert (run["status"], run["attempts"], run["ranAt"][11:16], run["rejection"]) == ("MOVED", 3, "14:00", None)
    await ada.advance(day(3))
    found = await read(ada, made["id"])
    assert statuses(found) == [("16", "MOVED"), ("17", "REFUSED")]
    assert (found["runs"][1]["attempts"], found["runs"][1]["rejection"]["available"]) == (4, {"amount": "10.00"})
    assert found["status"] == "COMPLETED"
    assert await ada.booked(payee) == "150.00"


async def test_a_pause_leaves_dates_out_and_changes_hold_from_the_next_date_on(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee})
    await ada.advance(day(1))
    paused = await act(ada, "pause", made["id"])
    assert (paused["status"], paused["nextRunOn"]) == ("PAUSED", None)
    assert (await act(ada, "pause", made["id"]))["status"] == "PAUSED"
    await ada.advance(day(4))
    resumed = await act(ada, "resume", made["id"])
    assert (resumed["status"], resumed["nextRunOn"]) == ("ACTIVE", "2030-01-19"), "today's hour has passed, and it is made now"
    await ada.advance(day(4) + timedelta(seconds=1))
    changed = await act(ada, "change", made["id"], {"amount": {"amount": "7", "currency": "EUR"}, "description": "More"})
    assert (changed["amount"]["amount"], changed["description"]) == ("7.00", "More")
    await ada.advance(day(5))
    weekly = await act(ada, "change", made["id"], {"recurrence": "FREQ=WEEKLY", "description": ""})
    assert (weekly["recurrence"], weekly["description"], weekly["nextRunOn"]) == ("FREQ=WEEKLY", None, "2030-01-21")
    cancelled = await act(ada, "cancel", made["id"])
    assert (cancelled["status"], cancelled["nextRuns"]) == ("CANCELLED", [])
    assert (await act(ada, "cancel", made["id"]))["status"] == "CANCELLED"
    assert (await act(ada, "resume", made["id"]))["conflict"] == "WRONG_STATUS"
    await ada.advance(day(40))
    found = await read(ada, made["id"])
    assert [(run["plannedFor"][8:], run["transaction"]["amount"]["amount"]) for run in found["runs"]] == [
        ("16", "5.00"), ("19", "5.00"), ("20", "7.00"),
    ]  # fmt: skip


async def test_business_days(ada: Client, payer: str, payee: str) -> None:
    weekend = {"recurrence": "ONCE", "startsOn": "2030-01-19"}
    expected = {"AS_IS": "2030-01-19", "NEXT": "2030-01-21", "PREVIOUS": "2030-01-18"}
    made = {rule: await order(ada, payer, {"accountId": payee}, "1", dayRule=rule, **weekend) for rule in expected}
    assert {rule: each["nextRunOn"] for rule, each in made.items()} == expected
    await ada.advance(day(10))
    for rule, each in made.items():
        [run] = (await read(ada, each["id"]))["runs"]
        assert (run["plannedFor"], run["ranAt"][:10]) == ("2030-01-19", expected[rule])


async def test_what_has_become_impossible_ends_an_order_and_what_may_pass_does_not(
    ada: Client, visitor: Client, app: Starlette, payer: str, payee: str
) -> None:
    grace = await Client(ada.http).sign_up("grace@bank.test", "Grace Hopper")
    other = (await grace.open())["id"]
    saved = await ada.run(f'mutation {{ addPayee(name: "Jane", accountNumber: "{ABROAD}") {{ ... on Payee {{ id }} }} }}')
    to_closed = await order(ada, payer, {"accountId": other}, "1")
    to_payee = await order(ada, payer, {"payeeId": saved["addPayee"]["id"]}, "1")
    to_payee_paid = await order(ada, payer, {"external": {"accountNumber": ABROAD, "name": "Jane Abroad"}}, "1")
    frozen = await order(ada, payer, {"accountId": payee}, "1")
    await ada.advance(day(1))
    for each in (to_closed, to_payee, to_payee_paid, frozen):
        assert statuses(await read(ada, each["id"])) == [("16", "MOVED")]
    await grace.transfer(other, payee, "1")
    assert "errors" not in await grace.post('mutation { closeUser(password: "a fine long passphrase") { __typename } }')
    await ada.run("mutation ($id: ID!) { removePayee(id: $id) { __typename } }", id=saved["addPayee"]["id"])
    teller = await sign_in_staff(app, visitor, UserRole.TELLER)
    freeze = 'mutation ($id: ID!) { freezeAccount(id: $id, reason: "A check") { __typename } }'
    await teller.run(freeze, id=payer)
    await ada.advance(day(2))
    [_, run] = (await read(ada, frozen["id"]))["runs"]
    assert (run["status"], run["rejection"]["__typename"]) == ("REFUSED", "AccountStatusRejection")
    await teller.run("mutation ($id: ID!) { unfreezeAccount(id: $id) { __typename } }", id=payer)
    await ada.advance(day(3))
    ended = [await read(ada, each["id"]) for each in (to_closed, to_payee)]
    assert [each["status"] for each in ended] == ["CANCELLED", "CANCELLED"]
    assert [each["runs"][-1]["rejection"]["__typename"] for each in ended] == ["NotFoundRejection", "NotFoundRejection"]
    going_on = [await read(ada, each["id"]) for each in (frozen, to_payee_paid)]
    assert {each["status"] for each in going_on} == {"ACTIVE"}
    assert statuses(going_on[0]) == [("16", "MOVED"), ("17", "REFUSED"), ("18", "MOVED")]


async def test_nothing_is_paid_for_who_is_suspended_and_orders_end_with_their_account(
    ada: Client, visitor: Client, app: Starlette, payer: str, payee: str
) -> None:
    made = await order(ada, payer, {"accountId": payee}, "1")
    admin = await sign_in_staff(app, visitor, UserRole.ADMIN)
    me = (await ada.run("{ me { id } }"))["me"]["id"]
    await admin.run('mutation ($id: ID!) { suspendUser(userId: $id, reason: "A check") { __typename } }', id=me)
    await admin.advance(day(1))
    await admin.run("mutation ($id: ID!) { reinstateUser(userId: $id) { __typename } }", id=me)
    ada = await Client(ada.http).log_in("ada@bank.test")
    await ada.advance(day(2))
    found = await read(ada, made["id"])
    assert statuses(found) == [("16", "REFUSED"), ("17", "MOVED")]
    assert found["runs"][0]["rejection"]["__typename"] == "ForbiddenRejection"
    await ada.withdraw(payer, "99")
    closed = await ada.run("mutation ($id: ID!) { closeAccount(id: $id) { __typename } }", id=payer)
    assert closed["closeAccount"]["__typename"] == "Account"
    assert (await read(ada, made["id"]))["status"] == "CANCELLED"


async def test_an_order_is_checked_when_it_is_made(ada: Client, payer: str, payee: str) -> None:
    grace = await Client(ada.http).sign_up("grace@bank.test", "Grace Hopper")
    hers, dollars = (await grace.open())["id"], (await ada.open(currency="USD"))["id"]
    here = {"accountId": payee}
    for source, to, amount, currency, more, expected in (
        (hers, here, "1", "EUR", {}, "NotFoundRejection"),
        (payer, {"accountId": payer}, "1", "EUR", {}, "ValidationRejection"),
        (payer, {"accountId": dollars}, "1", "EUR", {}, "CurrencyMismatchRejection"),
        (payer, {"accountId": "QWNjb3VudDow"}, "1", "EUR", {}, "NotFoundRejection"),
        (payer, here, "0", "EUR", {}, "ValidationRejection"),
        (payer, here, "1", "EUR", {"startsOn": "2030-01-14"}, "ValidationRejection"),
        (payer, here, "1", "EUR", {"recurrence": "FREQ=HOURLY"}, "ValidationRejection"),
        (payer, here, "1", "EUR", {"idempotencyKey": ""}, "ValidationRejection"),
    ):
        refused = await order(ada, source, to, amount, currency, **more)
        assert refused["__typename"] == expected, (source, to, more)
    assert (await order(ada, payer, here, "1000000"))["__typename"] == "ScheduledTransfer", "money matters on the day"


async def test_a_customer_has_so_many_orders_at_most(
    ada: Client, payer: str, payee: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ORDERS", 2)
    made = [await order(ada, payer, {"accountId": payee}) for _ in range(2)]
    refused = await order(ada, payer, {"accountId": payee})
    assert refused["fields"] == [{"path": ["fromAccountId"], "code": "TOO_MANY"}]
    for each in made:
        await act(ada, "cancel", each["id"])
    racing = await asyncio.gather(*(order(ada, payer, {"accountId": payee}) for _ in range(10)))
    assert Counter(each["__typename"] for each in racing) == {"ScheduledTransfer": 2, "ValidationRejection": 8}


async def test_a_key_makes_one_order(ada: Client, raw: Any, payer: str, payee: str) -> None:
    same = key()
    first, again = [await order(ada, payer, {"accountId": payee}, idempotencyKey=same) for _ in range(2)]
    assert first == again
    racing = key()
    raced = await asyncio.gather(*(order(ada, payer, {"accountId": payee}, idempotencyKey=racing) for _ in range(10)))
    assert len({each["id"] for each in raced}) == 1
    recorded = await raw.fetch("SELECT outcome FROM audit_events WHERE action = 'scheduleTransfer'")
    assert len(recorded) == 2, "each order is recorded once"
    for to, amount in (({"external": {"accountNumber": ABROAD, "name": "Jane"}}, "5"), ({"accountId": payee}, "6")):
        other = await order(ada, payer, to, amount, idempotencyKey=same)
        assert other["__typename"] == "IdempotencyConflictRejection"


async def test_nobody_else_sees_or_changes_an_order(ada: Client, visitor: Client, app: Starlette, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee})
    grace = await Client(ada.http).sign_up("grace@bank.test", "Grace Hopper")
    assert await read(grace, made["id"]) is None
    teller = await sign_in_staff(app, visitor, UserRole.TELLER)
    assert (await read(teller, made["id"]))["id"] == made["id"]
    for what, change in (("pause", None), ("resume", None), ("cancel", None), ("change", {"description": "Mine"})):
        for stranger in (grace, teller):
            assert (await act(stranger, what, made["id"], change))["__typename"] == "NotFoundRejection"
    assert (await read(ada, made["id"]))["status"] == "ACTIVE"


async def _die(raw: Any, before: Any) -> None:
    """As if the process had died after the payment, before it noted that."""
    await raw.execute("DELETE FROM scheduled_runs")
    await raw.execute(
        "UPDATE scheduled_transfers SET status = 'ACTIVE', planned_for = $1, due_at = $2, claimed_until = now() + interval '1 minute'",
        *before,
    )


PLANNED = "SELECT planned_for, due_at FROM scheduled_transfers"


@pytest.mark.parametrize("what", ["change", "pause", "cancel"])
async def test_a_change_does_not_lose_what_a_dead_process_has_paid(
    ada: Client, bank: Bank, raw: Any, payer: str, payee: str, what: str
) -> None:
    made = await order(ada, payer, {"accountId": payee}, recurrence="ONCE")
    before = await raw.fetchrow(PLANNED)
    await ada.advance(day(1))
    await _die(raw, before)
    changed = await act(ada, what, made["id"], {"startsOn": "2030-01-25"} if what == "change" else None)
    assert changed.get("conflict") == ("WRONG_STATUS"), "it has been paid, so it is completed"
    await ada.advance(day(20))
    assert statuses(await read(ada, made["id"])) == [("16", "MOVED")]
    assert await ada.booked(payee) == "5.00"
    assert all(each.ok for each in await verification.verify(bank.db, CHECKS))


async def test_an_account_that_closes_while_its_order_is_tried_loses_no_run(
    ada: Client, bank: Bank, raw: Any, payer: str, payee: str
) -> None:
    made = await order(ada, payer, {"accountId": payee}, "100")
    before = await raw.fetchrow(PLANNED)
    await ada.advance(day(1))
    await _die(raw, before)
    closed = await ada.run("mutation ($id: ID!) { closeAccount(id: $id) { __typename } }", id=payer)
    assert closed["closeAccount"]["__typename"] == "Account"
    found = await read(ada, made["id"])
    assert (found["status"], found["nextRunOn"], found["nextRuns"], found["runs"]) == ("CANCELLED", None, [], [])
    await raw.execute("UPDATE scheduled_transfers SET claimed_until = now()")
    await ada.advance(day(2))
    found = await read(ada, made["id"])
    assert (found["status"], statuses(found)) == ("CANCELLED", [("16", "MOVED")])
    assert (await act(ada, "cancel", made["id"]))["status"] == "CANCELLED"
    assert (
        await raw.fetchval("SELECT count(*) FROM scheduled_transfers WHERE due_at IS NOT NULL OR claimed_until IS NOT NULL") == 0
    )
    assert all(each.ok for each in await verification.verify(bank.db, CHECKS))


async def test_a_stranger_settles_nothing(ada: Client, raw: Any, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee}, recurrence="ONCE")
    before = await raw.fetchrow(PLANNED)
    await ada.advance(day(1))
    await _die(raw, before)
    grace = await Client(ada.http).sign_up("grace@bank.test", "Grace Hopper")
    assert (await act(grace, "pause", made["id"]))["__typename"] == "NotFoundRejection"
    assert statuses(await read(ada, made["id"])) == []


async def test_a_date_that_is_settled_does_not_come_again(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee})
    await ada.advance(day(1))
    again = await act(ada, "change", made["id"], {"startsOn": "2030-01-16"})
    assert again["nextRunOn"] == "2030-01-16"
    await ada.advance(day(2))
    assert statuses(await read(ada, made["id"])) == [("16", "MOVED"), ("17", "MOVED")]
    assert await ada.booked(payee) == "10.00"


async def test_a_pause_within_a_day_does_not_repeat_old_refusals(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee}, "150", recurrence="ONCE")
    await ada.advance(day(1, 15))
    await act(ada, "pause", made["id"])
    assert (await act(ada, "resume", made["id"]))["status"] == "ACTIVE"
    await ada.deposit(payer, "500")
    await ada.advance(day(1, 19))
    [run] = (await read(ada, made["id"]))["runs"]
    assert (run["status"], run["attempts"] > 3) == ("MOVED", True)


async def test_a_pause_over_a_weekend_loses_no_date(ada: Client, payer: str, payee: str) -> None:
    made = await order(ada, payer, {"accountId": payee}, recurrence="FREQ=MONTHLY", startsOn="2030-01-19", dayRule="NEXT")
    await ada.advance(day(5))
    for what in ("pause", "resume"):
        found = await act(ada, what, made["id"])
    assert found["nextRunOn"] == "2030-01-21"


async def test_the_number_of_a_strangers_account_is_not_shown(ada: Client, payer: str) -> None:
    grace = await Client(ada.http).sign_up("grace@bank.test", "Grace Hopper")
    hers = await grace.open()
    made = await order(ada, payer, {"accountId": hers["id"]})
    assert made["toAccountNumber"] == f"••••{hers['number'][-4:]}"
    given = await order(ada, payer, {"accountNumber": hers["number"]})
    assert given["toAccountNumber"] == hers["number"], "the customer knows it"


async def test_keys_of_customers_are_no_keys_of_orders(ada: Client, bank: Bank, payer: str, payee: str) -> None:
    for number in (1, 2):
        await ada.transfer(payer, payee, "1", idempotencyKey=f"schedule/2030-01-16/{number}")
    assert all(each.ok for each in await verification.verify(bank.db, CHECKS))
    assert await payments.delete_old_keys(bank.db, bank.policy, timedelta(days=-3000)) > 0
    assert not [
        key for [key] in await bank.db.snapshot(lambda connection: connection.raw.fetch("SELECT key FROM idempotency_outcomes"))
    ]


@pytest.mark.parametrize(("policy", "dates"), [("ALL", ["16", "17", "18", "19"]), ("LAST", ["19"])])
async def test_missed_dates_are_caught_up_by_the_orders_policy(settings: Settings, policy: str, dates: list[str]) -> None:
    asleep, awake = create_app(settings.model_copy(update={"run_schedules": False})), create_app(settings)
    async with serving(asleep) as http:
        ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
        await ada.advance(START)
        payer, payee = (await ada.open(deposit="100"))["id"], (await ada.open())["id"]
        made = await order(ada, payer, {"accountId": payee}, missedRuns=policy)
        await ada.advance(day(4))
        assert statuses(await read(ada, made["id"])) == []
    async with serving(awake) as http:
        ada = await Client(http).log_in("ada@bank.test")
        await ada.advance(day(4) + timedelta(seconds=1))
        found = await read(ada, made["id"])
        assert statuses(found) == [(each, "MOVED") for each in dates]
        assert found["nextRunOn"] == "2030-01-20"
        assert await ada.booked(payee) == f"{5 * len(dates)}.00"


async def test_a_date_is_paid_once_however_often_it_is_tried(ada: Client, bank: Bank, raw: Any, payer: str, payee: str) -> None:
    """As if each try had died before it could note what became of it, and the keys of old requests were deleted."""
    made = await order(ada, payer, {"accountId": payee})
    before = await raw.fetchrow("SELECT planned_for, due_at FROM scheduled_transfers")
    await ada.advance(day(1))
    for _ in range(3):
        await raw.execute("DELETE FROM scheduled_runs")
        await raw.execute("UPDATE scheduled_transfers SET planned_for = $1, due_at = $2, claimed_until = NULL", *before)
        await payments.delete_old_keys(bank.db, bank.policy, timedelta(0))
        await ada.advance(day(1))
    assert statuses(await read(ada, made["id"])) == [("16", "MOVED")]
    assert await ada.booked(payee) == "5.00"


WRONG = (
    ("UPDATE scheduled_runs SET status = 'REFUSED'", "scheduled runs"),
    ("UPDATE scheduled_runs SET transaction_id = NULL", "scheduled runs"),
    (
        "UPDATE scheduled_runs SET transaction_id = (SELECT max(transaction_id::text)::uuid FROM scheduled_runs)",
        "scheduled runs",
    ),
    (
        "UPDATE scheduled_transfers SET from_account_id = (SELECT id FROM accounts WHERE id <> from_account_id)",
        "idempotency outcomes",
    ),
    (
        "INSERT INTO idempotency_outcomes SELECT user_id, replace(key, '/1', '/2'), fingerprint, outcome, subject_id, refusal, "
        "created_at FROM idempotency_outcomes WHERE key LIKE 'schedule/%/1'",
        "dates paid once",
    ),
)
"""What may go wrong with the runs of standing orders, and the check that finds it."""


async def test_verify_finds_what_is_wrong(ada: Client, raw: Any, payer: str, payee: str) -> None:
    await order(ada, payer, {"accountId": payee})
    await ada.advance(day(2))
    checks = (*payments_verification.CHECKS, *schedules_verification.CHECKS)
    await raw.execute("SET session_replication_role = replica")
    assert await found_wrong(raw, checks, "SELECT 1") == set()
    for change, check in WRONG:
        assert check in await found_wrong(raw, checks, change), change
