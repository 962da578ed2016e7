"""Payments leave the bank, are settled or come back, and arrive."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from bank_graphql.bank import CHECKS, Bank
from bank_graphql.clearing.enums import SandboxNumber
from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit import schema
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.money import Money
from bank_graphql.ledger import verification
from bank_graphql.payments import service
from bank_graphql.payments.commands import ReceiveTransfer
from tests.client import ABROAD, Client, key, transfer_of

THURSDAY = datetime(2030, 1, 17, 12, tzinfo=UTC)
DETAILS = (
    "status kind createdAt postedAt settlesOn returnReason externalReference returnedBy { id } parent { id } reference "
    "from { name accountNumber } to { name accountNumber } entries { amount { amount } counterparty { name accountNumber } }"
)


async def details(client: Client, transaction: str) -> Any:
    """What a client sees of a transaction."""
    return (await client.run(f"query ($id: ID!) {{ transaction(id: $id) {{ {DETAILS} }} }}", id=transaction))["transaction"]


async def balance(client: Client, account: str) -> tuple[str, str, str]:
    """What is booked, held and available on an account."""
    shown = (await client.account(account))["balance"]
    return tuple(shown[each]["amount"] for each in ("booked", "held", "available"))


async def conflict(outcome: Awaitable[dict[str, Any]]) -> tuple[str, str]:
    """The rule and state of a state conflict."""
    found = await outcome
    assert found["__typename"] == "StateConflictRejection", found
    return found["conflict"], found["state"]


async def require_right(bank: Bank) -> None:
    """Check that the books are right."""
    assert [each for each in await verification.verify(bank.db, CHECKS) if not each.ok] == []


async def test_a_payment_is_held_until_it_is_settled(
    ada: Client, bank: Bank, wait_until_idle: Callable[[], Awaitable[None]]
) -> None:
    await ada.advance(THURSDAY)
    payer = (await ada.open(deposit="100"))["id"]
    await wait_until_idle()
    cursor = (await ada.run("{ feedCursor }"))["feedCursor"]
    sent = (await ada.send(payer, "30", description="Rent"))["transaction"]
    assert (sent["kind"], sent["status"], sent["to"]) == (
        "TRANSFER", "PENDING", {"name": "Jane Abroad", "accountNumber": f"••••{ABROAD[-4:]}"},
    )  # fmt: skip
    assert await balance(ada, payer) == ("100.00", "30.00", "70.00")
    assert (await ada.send(payer, "70.01"))["__typename"] == "InsufficientFundsRejection"
    await ada.advance(THURSDAY.replace(hour=13))
    settled = await ada.settle(sent["id"])
    assert (settled["transaction"]["id"], settled["transaction"]["status"]) == (sent["id"], "POSTED")
    assert await balance(ada, payer) == ("70.00", "0.00", "70.00")
    shown = await details(ada, sent["id"])
    assert (shown["createdAt"], shown["postedAt"], shown["settlesOn"]) == (
        "2030-01-17T12:00:00Z", "2030-01-17T13:00:00Z", "2030-01-17",
    )  # fmt: skip
    assert shown["entries"] == [{"amount": {"amount": "-30.00"}, "counterparty": sent["to"]}]
    [entry, _] = (await ada.account(payer, "entries { nodes { transaction { createdAt postedAt to { name } } } }"))["entries"][
        "nodes"
    ]
    assert entry["transaction"] == {**{name: shown[name] for name in ("createdAt", "postedAt")}, "to": {"name": "Jane Abroad"}}
    await wait_until_idle()
    events = await ada.run(
        "query ($after: String) { transactionEvents(after: $after) { nodes { kind transaction { id } } } }", after=cursor
    )
    assert [each["kind"] for each in events["transactionEvents"]["nodes"]] == ["PENDING", "POSTED"]
    assert await conflict(ada.settle(sent["id"])) == ("ALREADY_SETTLED", "POSTED")
    await require_right(bank)


async def test_a_payment_comes_back_before_it_is_settled(ada: Client, bank: Bank) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    sent = (await ada.send(payer, "30"))["transaction"]["id"]
    unknown = await ada.return_transfer(sent, "XX99")
    assert [(each["path"], each["code"]) for each in unknown["fields"]] == [(["reason"], "UNKNOWN")]
    again = key()
    for replayed in (False, True):
        returned = await ada.return_transfer(sent, "AC01", idempotencyKey=again)
        assert (returned["replayed"], returned["transaction"]["id"], returned["transaction"]["status"]) == (
            replayed,
            sent,
            "VOIDED",
        )
    assert await balance(ada, payer) == ("100.00", "0.00", "100.00")
    assert (await details(ada, sent))["returnReason"] == "AC01"
    assert await conflict(ada.return_transfer(sent)) == ("ALREADY_RETURNED", "VOIDED")
    assert await conflict(ada.settle(sent)) == ("ALREADY_RETURNED", "VOIDED")
    await require_right(bank)


async def test_a_settled_payment_comes_back_as_a_new_transaction(ada: Client, teller: Client, bank: Bank) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    sent = (await ada.send(payer, "30", description="Rent"))["transaction"]["id"]
    await ada.settle(sent)
    assert await conflict(teller.reverse(sent)) == ("NOT_REVERSIBLE", "POSTED")
    returned = (await ada.return_transfer(sent, "MD07"))["transaction"]
    assert (returned["kind"], returned["status"], returned["description"], returned["from"]["name"]) == (
        "TRANSFER", "POSTED", "Rent", "Jane Abroad",
    )  # fmt: skip
    shown, original = await details(ada, returned["id"]), await details(ada, sent)
    assert (shown["parent"], shown["returnReason"], shown["returnedBy"]) == ({"id": sent}, "MD07", None)
    assert (original["status"], original["returnedBy"], original["returnReason"]) == ("POSTED", {"id": returned["id"]}, None)
    assert await balance(ada, payer) == ("100.00", "0.00", "100.00")
    for again in (sent, returned["id"]):
        code, _ = await conflict(ada.return_transfer(again))
        assert code == ("ALREADY_RETURNED" if again == sent else "NOT_EXTERNAL")
    assert await conflict(ada.settle(sent)) == ("ALREADY_RETURNED", "POSTED")
    await require_right(bank)


async def test_a_payment_that_comes_back_for_a_closed_account_is_shown_to_staff(
    ada: Client, grace: Client, teller: Client, staff: Callable[..., Awaitable[Client]], bank: Bank
) -> None:
    payer = (await ada.open(deposit="30"))["id"]
    sent = (await ada.send(payer, "30"))["transaction"]["id"]
    await ada.settle(sent)
    await ada.run("mutation ($id: ID!) { closeAccount(id: $id) { ... on Account { id } } }", id=payer)
    processor = await staff(UserRole.PROCESSOR)
    returned = (await processor.return_transfer(sent))["transaction"]
    assert (returned["from"]["name"], returned["to"]["name"], returned["status"]) == ("Jane Abroad", "Suspense", "POSTED")
    query = "{ suspense(currency: EUR) { nodes { id amount { amount } parent { id from { name } } } } }"
    found = (await teller.run(query))["suspense"]["nodes"]
    assert [(each["id"], each["amount"]["amount"], each["parent"]["id"]) for each in found] == [(returned["id"], "30.00", sent)]
    assert (await ada.error(query))["extensions"]["code"] == (await grace.error(query))["extensions"]["code"] == "FORBIDDEN"
    assert (await details(ada, sent))["returnedBy"] == {"id": returned["id"]}
    assert await details(grace, returned["id"]) is None
    assert await conflict(teller.reverse(returned["id"])) == ("NOT_REVERSIBLE", "POSTED")
    assert await conflict(ada.settle(returned["id"])) == ("NOT_EXTERNAL", "POSTED")
    assert (await ada.account(payer))["balance"]["booked"]["amount"] == "0.00"
    await require_right(bank)


async def test_a_payment_arrives_once_for_each_reference(ada: Client, grace: Client, bank: Bank) -> None:
    account, other = await ada.open(), await ada.open()
    assert (await grace.receive(account["number"], "5"))["__typename"] == "ForbiddenRejection"
    given = {"reference": "E2E-7", "description": "Salary"}
    outcomes = await asyncio.gather(*(ada.receive(account["number"], "50", **given) for _ in range(4)))
    assert len({each["transaction"]["id"] for each in outcomes}) == 1
    assert sorted(each["replayed"] for each in outcomes) == [False, True, True, True]
    assert await ada.booked(account["id"]) == "50.00"
    shown = await details(ada, outcomes[0]["transaction"]["id"])
    assert (shown["externalReference"], shown["from"]["name"], shown["status"]) == ("E2E-7", "Jane Abroad", "POSTED")
    for number, amount, more in (
        (account["number"], "51", {}), (other["number"], "50", {}), (account["number"], "50", {"fromName": "Somebody"}),
    ):  # fmt: skip
        assert await conflict(ada.receive(number, amount, **{**given, **more})) == ("ALREADY_RECEIVED", "POSTED")
    assert (await ada.receive(account["number"], "50", **given, dryRun=True))["amount"]["amount"] == "50.00"
    elsewhere = await ada.receive(account["number"], "50", **given, fromAccountNumber=SandboxNumber.LATE.value)
    assert elsewhere["replayed"] is False  # another bank has references of its own
    own = await ada.receive(account["number"], "1", fromAccountNumber=other["number"])
    assert [(each["path"], each["code"]) for each in own["fields"]] == [(["fromAccountNumber"], "OWN_BANK")]
    assert (await ada.receive(account["number"], "1", currency="USD"))["__typename"] == "CurrencyMismatchRejection"
    await require_right(bank)


async def test_one_reference_is_credited_once_in_two_currencies_at_the_same_time(ada: Client, bank: Bank) -> None:
    accounts = {currency: (await ada.open(currency))["number"] for currency in ("EUR", "USD")}
    actor, sender = Actor(UUID(int=7), None, PERMISSIONS[UserRole.PROCESSOR]), ExternalAccount(ABROAD, "Jane")
    for n in range(10):
        commands = [
            ReceiveTransfer(
                actor=actor, key=None, account_number=number, amount=Money(100, currency), sender=sender, reference=f"E2E-{n}"
            )
            for currency, number in accounts.items()
        ]
        outcomes = await asyncio.gather(*(service.execute(bank.db, bank.policy, [command]) for command in commands))
        assert sorted(type(outcome).__name__ for [outcome] in outcomes) == ["Moved", "StateConflict"]


async def test_who_may_play_the_clearing(
    ada: Client, grace: Client, teller: Client, staff: Callable[..., Awaitable[Client]]
) -> None:
    account = await ada.open(deposit="100")
    sent = (await ada.send(account["id"], "1"))["transaction"]["id"]
    assert (await grace.settle(sent))["__typename"] == "NotFoundRejection"
    assert (await teller.settle(sent))["__typename"] == "ForbiddenRejection"
    assert (await teller.return_transfer(sent))["__typename"] == "ForbiddenRejection"
    processor = await staff(UserRole.PROCESSOR)
    assert (await details(processor, sent))["to"]["name"] == "Jane Abroad"
    assert (await processor.settle(sent))["__typename"] == "MoneyMoved"
    again = (await ada.send(account["id"], "1"))["transaction"]
    by_reference = await processor.settle(again["reference"])
    assert by_reference["transaction"]["id"] == again["id"]
    received = (await processor.receive(account["number"], "5"))["transaction"]["id"]
    assert (await details(processor, received))["from"]["name"] == "Jane Abroad"
    assert (await processor.receive("DE89370400440532013000", "5"))["__typename"] == "NotFoundRejection"
    inside = (await ada.transfer(account["id"], (await ada.open())["id"], "1"))["transaction"]["id"]
    assert await conflict(ada.settle(inside)) == ("NOT_EXTERNAL", "POSTED")
    assert await details(processor, inside) is None


async def test_what_a_payment_to_another_bank_needs(ada: Client) -> None:
    payer, own = (await ada.open(deposit="100"))["id"], await ada.open()
    for given, path, code in (
        ({"number": "GB33BUKB20201555555556"}, ["to", "external", "accountNumber"], "INVALID"),
        ({"name": " "}, ["to", "external", "name"], "REQUIRED"),
        ({"description": "x" * 141}, ["description"], "TOO_LONG"),
    ):  # fmt: skip
        refused = await ada.send(payer, "1", **given)
        assert [(each["path"], each["code"]) for each in refused["fields"]] == [(path, code)]
    assert (await ada.send(payer, "1", own["number"]))["transaction"]["status"] == "POSTED"
    unknown = own["number"][:-1]
    assert (await ada.transfer(payer, {"accountNumber": unknown}, "1"))["__typename"] == "NotFoundRejection"
    token = (
        await ada.run(
            'mutation ($number: String!) { verifyPayee(accountNumber: $number, name: "Jane") '
            "{ ... on PayeeVerification { match token } } }",
            number=ABROAD,
        )
    )["verifyPayee"]
    verified = await ada.send(payer, "1", payeeVerification=token["token"])
    assert token["match"] == "NOT_POSSIBLE"
    assert verified["__typename"] == "MoneyMoved"
    other = await ada.send(payer, "1", SandboxNumber.LATE.value, payeeVerification=token["token"])
    assert [each["code"] for each in other["fields"]] == ["OTHER_ACCOUNT"]


async def test_a_batch_pays_inside_and_outside(ada: Client, bank: Bank) -> None:
    payer, inside = (await ada.open(deposit="10"))["id"], (await ada.open())["id"]
    items = [transfer_of(payer, inside, "1") for _ in range(3)]
    items[1]["to"] = {"external": {"accountNumber": ABROAD, "name": "Jane"}}
    outcome = await ada.batch(*items)
    assert [each["transaction"]["status"] for each in outcome["results"]] == ["POSTED", "PENDING", "POSTED"]
    too_much = [transfer_of(payer, inside, "1"), transfer_of(payer, inside, "90")]
    too_much[0]["to"] = items[1]["to"]
    aborted = await ada.batch(*too_much, atomic=True)
    assert [each["__typename"] for each in aborted["results"]] == ["BatchAbortedRejection", "InsufficientFundsRejection"]
    assert await balance(ada, payer) == ("8.00", "1.00", "7.00")
    await require_right(bank)


async def test_a_preview_says_when_a_payment_would_be_settled(ada: Client) -> None:
    await ada.advance(THURSDAY)
    payer, inside = (await ada.open(deposit="100"))["id"], (await ada.open())["id"]
    query = "mutation ($input: TransferInput!) { transfer(input: $input) { ... on MoneyPreview { settlesOn } } }"
    to = {"external": {"accountNumber": ABROAD, "name": "Jane"}}
    for given, day in ((to, "2030-01-17"), ({"accountId": inside}, None)):
        preview = await ada.run(query, input={**transfer_of(payer, inside, "1"), "to": given, "dryRun": True})
        assert preview == {"transfer": {"settlesOn": day}}


async def test_the_clearing_of_a_sandbox_acts_by_itself(ada: Client, bank: Bank) -> None:
    friday = datetime(2030, 4, 18, 16, tzinfo=UTC)  # after the cut-off of the Thursday before Easter
    await ada.advance(friday)
    payer = (await ada.open(deposit="100"))["id"]
    sent = {
        name: (await ada.send(payer, "1", number))["transaction"]["id"]
        for name, number in {"plain": ABROAD, **{each.name: each.value for each in SandboxNumber}}.items()
    }
    assert {(await details(ada, each))["settlesOn"] for each in sent.values()} == {"2030-04-23"}

    async def statuses() -> dict[str, Any]:
        found = {name: await details(ada, each) for name, each in sent.items()}
        return {name: (each["status"], each["returnReason"], each["returnedBy"] is not None) for name, each in found.items()}

    await ada.advance(datetime(2030, 4, 23, 15, 29, tzinfo=UTC))
    assert set((await statuses()).values()) == {("PENDING", None, False)}
    moved = await ada.advance(datetime(2030, 4, 23, 15, 30, tzinfo=UTC))
    assert moved["details"] == [{"what": "clear transfers", "count": 3}]
    expected = {
        "plain": ("POSTED", None, False),
        "FAILS": ("VOIDED", "AC04", False),
        "RETURNS": ("POSTED", None, False),
        "LATE": ("PENDING", None, False),
    }
    assert await statuses() == expected
    moved = await ada.advance(datetime(2030, 4, 25, 15, 30, tzinfo=UTC))
    assert moved["details"] == [{"what": "clear transfers", "count": 2}]
    assert await statuses() == {**expected, "RETURNS": ("POSTED", None, True), "LATE": ("POSTED", None, False)}
    assert await balance(ada, payer) == ("98.00", "0.00", "98.00")
    await require_right(bank)


async def test_a_frozen_account_pays_nothing_new_and_what_is_under_way_goes_on(ada: Client, bank: Bank) -> None:
    account = await ada.open(deposit="100")
    payer = account["id"]
    settled, returned, voided = [(await ada.send(payer, "10"))["transaction"]["id"] for _ in range(3)]
    await ada.settle(returned)
    await ada.run("mutation ($id: ID!) { freezeAccount(id: $id) { ... on Account { id } } }", id=payer)
    assert (await ada.send(payer, "1"))["__typename"] == "AccountStatusRejection"
    for outcome in (
        await ada.settle(settled),
        await ada.return_transfer(returned),
        await ada.return_transfer(voided),
        await ada.receive(account["number"], "5"),
    ):
        assert outcome["__typename"] == "MoneyMoved"
    assert await balance(ada, payer) == ("95.00", "0.00", "95.00")
    await require_right(bank)


async def test_one_settlement_or_return_wins(ada: Client, bank: Bank) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    for _ in range(5):
        sent = (await ada.send(payer, "10"))["transaction"]["id"]
        outcomes = await asyncio.gather(
            *(each(sent) for each in (ada.settle, ada.return_transfer, ada.settle, ada.return_transfer))
        )
        moved = [each for each in outcomes if each["__typename"] == "MoneyMoved"]
        assert 1 <= len(moved) <= 2
    shown = await ada.account(payer)
    assert shown["balance"]["held"]["amount"] == "0.00"
    assert shown["balance"]["booked"]["amount"] == "100.00"
    await require_right(bank)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (
            "UPDATE external_transactions SET settles_on = NULL, reference = 'x' WHERE returned_id IS NULL",
            "payments through the clearing",
        ),
        ("DELETE FROM external_transactions WHERE returned_id IS NULL", "payments through the clearing"),
        ("UPDATE external_transactions SET name = 'Somebody' WHERE returned_id IS NOT NULL", "returned payments"),
        ("UPDATE transactions SET parent_id = NULL WHERE parent_id IS NOT NULL", "returned payments"),
    ],
)
async def test_verify_finds_what_does_not_agree(
    ada: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]", change: str, check: str
) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    sent = (await ada.send(payer, "10"))["transaction"]["id"]
    await ada.settle(sent)
    await ada.return_transfer(sent)
    await raw.execute("SET session_replication_role = replica")
    await raw.execute(change)
    wrong = [each.name for each in await verification.verify(bank.db, CHECKS) if not each.ok]
    assert check in wrong


async def test_the_database_keeps_what_is_known_of_payments(ada: Client, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    payer = (await ada.open(deposit="100"))["id"]
    await ada.send(payer, "10")
    for change in ("DELETE FROM external_transactions", "UPDATE external_transactions SET name = 'Somebody'"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await raw.execute(change)


async def test_a_bank_with_such_payments_is_not_downgraded(
    ada: Client, dsn: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    await ada.send(payer, "10")
    with pytest.raises(IntegrityError):
        await schema.downgrade(dsn, "0014")
    assert await raw.fetchval("SELECT count(*) FROM external_transactions") == 1
