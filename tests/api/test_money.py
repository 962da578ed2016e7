"""Deposits, withdrawals and transfers through the API, and their idempotency keys."""

import asyncio
from collections import Counter

import pytest

from tests.api.accounts import CLOSE, FREEZE, UNFREEZE
from tests.client import MOVED, Client, key, money


async def test_deposits_transfers_and_withdrawals_change_balances(ada: Client, grace: Client) -> None:
    payer, payee = await ada.open(deposit="100.00"), await grace.open()
    assert (await ada.deposit(payer["id"], "50.25"))["transaction"]["kind"] == "DEPOSIT"
    moved = await ada.transfer(payer["id"], payee["id"], "30.20", description="Dinner")
    assert moved["__typename"] == "MoneyMoved"
    assert moved["replayed"] is False
    transaction = moved["transaction"]
    assert transaction["status"] == "POSTED"
    assert transaction["amount"] == money("30.20")
    assert transaction["description"] == "Dinner"
    assert transaction["from"] == {"name": "Ada Lovelace", "accountNumber": payer["number"]}
    assert transaction["to"] == {"name": "Grace Hopper", "accountNumber": f"••••{payee['number'][-4:]}"}
    assert (await grace.withdraw(payee["id"], "0.20"))["transaction"]["to"] == {"name": "Cash", "accountNumber": None}
    assert await ada.booked(payer["id"]) == "120.05"
    assert await grace.booked(payee["id"]) == "30.00"


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "7"), ("EUR", "7.01"), ("KWD", "7.001"), ("CLF", "7.0001")])
async def test_an_amount_has_the_digits_of_its_currency(ada: Client, currency: str, amount: str) -> None:
    one, two = await ada.open(currency, "10"), await ada.open(currency)
    assert (await ada.transfer(one["id"], two["id"], amount, currency))["transaction"]["amount"]["amount"] == amount
    assert await ada.booked(two["id"]) == amount


async def test_an_account_number_may_have_spaces_and_lower_case_letters(ada: Client, grace: Client) -> None:
    payer, payee = await ada.open(deposit="10"), await grace.open()
    number = " ".join(payee["number"][i : i + 4] for i in range(0, 30, 4)).lower()
    moved = await ada.transfer(payer["id"], {"accountNumber": number}, "1")
    assert moved["__typename"] == "MoneyMoved"
    assert await grace.booked(payee["id"]) == "1.00"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "NOT_POSITIVE"),
        ("0.00", "NOT_POSITIVE"),
        ("-1", "NOT_POSITIVE"),
        (-1, "NOT_POSITIVE"),
        ("0.001", "TOO_PRECISE"),
        ("1e5", "INVALID"),
        ("NaN", "INVALID"),
        ("Infinity", "INVALID"),
        ("9223372036854775808", "TOO_LARGE"),
        (9223372036854775807, "TOO_LARGE"),
        ("10000000000000.01", "TOO_LARGE"),
        ("9" * 5000, "INVALID"),
        ("١٠", "INVALID"),
        ("1,00", "INVALID"),
        (" 1", "INVALID"),
        ("+1", "INVALID"),
        ("", "INVALID"),
        (0.5, "INVALID"),
        (True, "INVALID"),
        ([], "INVALID"),
        ({"amount": "1"}, "INVALID"),
    ],
)
async def test_invalid_amounts_are_refused(ada: Client, amount: object, code: str) -> None:
    account, other = await ada.open(deposit="10"), await ada.open()
    for outcome in (
        await ada.deposit(account["id"], amount),
        await ada.withdraw(account["id"], amount),
        await ada.transfer(account["id"], other["id"], amount),
    ):
        assert outcome["__typename"] == "ValidationRejection"
        assert outcome["fields"] == [{"path": ["amount", "amount"], "code": code}]
    assert await ada.booked(account["id"]) == "10.00"


@pytest.mark.parametrize("literal", ["1.5", "1e2", "-0.5", "true", "[1]", "{a: 1}", "EUR"])
async def test_invalid_amount_literals_are_refused(ada: Client, literal: str) -> None:
    account = await ada.open()
    data = await ada.run(
        f'mutation {{ deposit(input: {{accountId: "{account["id"]}", amount: {{amount: {literal}, currency: EUR}}, '
        f'idempotencyKey: "k"}}) {{ {MOVED} }} }}'
    )
    assert data["deposit"]["__typename"] == "ValidationRejection"


async def test_unsuitable_or_unknown_accounts_are_refused(ada: Client, grace: Client) -> None:
    payer, payee = await ada.open(deposit="10"), await grace.open(deposit="10")
    yen = await ada.open("JPY", "10")
    same = await ada.transfer(payer["id"], payer["id"], "1")
    assert same["fields"] == [{"path": ["to"], "code": "SAME_ACCOUNT"}]
    by_number = await ada.transfer(payer["id"], {"accountNumber": payer["number"]}, "1")
    assert by_number["fields"] == [{"path": ["to"], "code": "SAME_ACCOUNT"}]
    mismatch = await ada.transfer(payer["id"], payee["id"], "1", "JPY")
    assert (mismatch["__typename"], mismatch["expected"], mismatch["given"]) == ("CurrencyMismatchRejection", "EUR", "JPY")
    mismatch = await ada.transfer(payer["id"], yen["id"], "1")
    assert (mismatch["__typename"], mismatch["expected"], mismatch["given"]) == ("CurrencyMismatchRejection", "JPY", "EUR")
    assert (await ada.deposit(payer["id"], "1", "USD"))["__typename"] == "CurrencyMismatchRejection"
    for foreign in (payee["id"], "QWNjb3VudDo", "", "nonsense", ada.user_id):
        for outcome in (
            await ada.transfer(foreign, payer["id"], "1"),
            await ada.withdraw(foreign, "1"),
            await ada.deposit(foreign, "1"),
        ):
            assert outcome["__typename"] == "NotFoundRejection"
            assert outcome["subjectId"] == foreign
    for unknown in ("nonsense", ada.user_id, {"accountNumber": "DE00"}, {"accountNumber": ""}):
        assert (await ada.transfer(payer["id"], unknown, "1"))["__typename"] == "NotFoundRejection"
    assert await ada.booked(payer["id"]) == "10.00"
    assert await grace.booked(payee["id"]) == "10.00"


async def test_frozen_accounts_only_receive_and_closed_ones_neither_send_nor_receive(ada: Client, grace: Client) -> None:
    frozen, other, payee = await ada.open(deposit="10"), await ada.open(deposit="10"), await grace.open()
    await ada.run(FREEZE, id=frozen["id"])
    await grace.run(FREEZE, id=payee["id"])
    for outcome in (await ada.withdraw(frozen["id"], "1"), await ada.transfer(frozen["id"], other["id"], "1")):
        assert outcome["__typename"] == "AccountStatusRejection"
        assert (outcome["accountId"], outcome["accountStatus"]) == (frozen["id"], "FROZEN")
    assert (await ada.deposit(frozen["id"], "1"))["__typename"] == "MoneyMoved"
    assert (await ada.transfer(other["id"], frozen["id"], "1"))["__typename"] == "MoneyMoved"
    assert (await ada.transfer(other["id"], payee["id"], "1"))["__typename"] == "MoneyMoved"
    await grace.run(UNFREEZE, id=payee["id"])
    await grace.withdraw(payee["id"], "1")
    assert (await grace.run(CLOSE, id=payee["id"]))["closeAccount"]["__typename"] == "Account"
    assert (await ada.transfer(other["id"], payee["id"], "1"))["__typename"] == "NotFoundRejection"
    closed = await ada.open()
    await ada.run(CLOSE, id=closed["id"])
    for outcome in (await ada.transfer(other["id"], closed["id"], "1"), await ada.deposit(closed["id"], "1")):
        assert (outcome["__typename"], outcome["accountStatus"]) == ("AccountStatusRejection", "CLOSED")


async def test_a_dry_run_previews_and_writes_nothing(ada: Client, grace: Client) -> None:
    payer, payee = await ada.open(deposit="10"), await grace.open()
    same = key()
    preview = await ada.transfer(payer["id"], payee["id"], "4", dryRun=True, idempotencyKey=same)
    assert preview == {
        "__typename": "MoneyPreview",
        "amount": money("4.00"),
        "fromAvailableAfter": {"amount": "6.00"},
        "toBookedAfter": None,
    }
    preview = await ada.withdraw(payer["id"], "4", dryRun=True)
    assert (preview["fromAvailableAfter"], preview["toBookedAfter"]) == ({"amount": "6.00"}, None)
    short = await ada.transfer(payer["id"], payee["id"], "11", dryRun=True, idempotencyKey=same)
    assert short["__typename"] == "InsufficientFundsRejection"
    assert await ada.booked(payer["id"]) == "10.00"
    moved = await ada.transfer(payer["id"], payee["id"], "4", idempotencyKey=same)
    assert moved["replayed"] is False


async def test_fifty_calls_with_one_key_have_one_effect(ada: Client) -> None:
    source, target = await ada.open(deposit="100"), await ada.open()
    same = key()
    answers = await asyncio.gather(*(ada.transfer(source["id"], target["id"], "1", idempotencyKey=same) for _ in range(50)))
    assert Counter(answer.pop("replayed") for answer in answers) == {False: 1, True: 49}
    assert all(answer == answers[0] for answer in answers)
    assert await ada.booked(target["id"]) == "1.00"


async def test_concurrent_transfers_spend_a_balance_once(ada: Client) -> None:
    source, target = await ada.open(deposit="100"), await ada.open()
    answers = await asyncio.gather(*(ada.transfer(source["id"], target["id"], "100") for _ in range(100)))
    kinds = Counter(answer["__typename"] for answer in answers)
    assert kinds == {"MoneyMoved": 1, "InsufficientFundsRejection": 99}
    for answer in answers:
        if answer["__typename"] != "MoneyMoved":
            assert (answer["available"], answer["required"]) == (money("0.00"), money("100.00"))
    assert await ada.booked(source["id"]) == "0.00"
    assert await ada.booked(target["id"]) == "100.00"


async def test_a_key_used_for_something_else_is_a_conflict(ada: Client, grace: Client) -> None:
    payer, payee = await ada.open(deposit="10"), await grace.open()
    same = key()
    first = await ada.transfer(payer["id"], payee["id"], "1", idempotencyKey=same)
    for other in (
        await ada.transfer(payer["id"], payee["id"], "2", idempotencyKey=same),
        await ada.transfer(payer["id"], payee["id"], "1", idempotencyKey=same, description="x"),
        await ada.transfer(payer["id"], {"accountNumber": payee["number"]}, "1", idempotencyKey=same),
        await ada.withdraw(payer["id"], "1", idempotencyKey=same),
    ):
        assert other["__typename"] == "IdempotencyConflictRejection"
        assert other["original"] == {"id": first["transaction"]["id"]}
    assert (await ada.open(idempotencyKey=same))["__typename"] == "IdempotencyConflictRejection"
    equal = await ada.transfer(payer["id"], payee["id"], "1.00", idempotencyKey=same)
    assert equal["replayed"] is True  # the same amount, written differently
    assert (await grace.deposit(payee["id"], "1", idempotencyKey=same))["replayed"] is False  # keys are each user's own


async def test_a_replayable_refusal_is_replayed_for_its_key(ada: Client) -> None:
    source, target = await ada.open(deposit="1"), await ada.open()
    same = key()
    refused = await ada.transfer(source["id"], target["id"], "5", idempotencyKey=same)
    assert refused["__typename"] == "InsufficientFundsRejection"
    await ada.deposit(source["id"], "10")
    assert await ada.transfer(source["id"], target["id"], "5", idempotencyKey=same) == refused
    assert (await ada.transfer(source["id"], target["id"], "5"))["__typename"] == "MoneyMoved"


async def test_other_refusals_are_not_stored_with_their_key(ada: Client) -> None:
    source = await ada.open(deposit="10")
    same = key()
    assert (await ada.transfer(source["id"], "nonsense", "1", idempotencyKey=same))["__typename"] == "NotFoundRejection"
    target = await ada.open()
    assert (await ada.transfer(source["id"], target["id"], "1", idempotencyKey=same))["__typename"] == "MoneyMoved"


@pytest.mark.parametrize(("length", "accepted"), [(0, False), (1, True), (255, True), (256, False)])
async def test_a_key_has_1_to_255_characters(ada: Client, length: int, accepted: bool) -> None:
    account = await ada.open()
    outcome = await ada.deposit(account["id"], "1", idempotencyKey="k" * length)
    assert (outcome["__typename"] == "MoneyMoved") is accepted


async def test_an_account_is_opened_once_for_a_key(ada: Client) -> None:
    same = key()
    answers = await asyncio.gather(*(ada.open(deposit="5", idempotencyKey=same) for _ in range(10)))
    assert len({answer["id"] for answer in answers}) == 1
    assert await ada.booked(answers[0]["id"]) == "5.00"


async def test_two_mutations_in_one_document_show_fresh_balances(ada: Client) -> None:
    account = await ada.open()
    fields = "... on MoneyMoved { transaction { entries { balanceAfter { amount } account { balance { booked { amount } } } } } }"
    data = await ada.run(
        f"mutation ($one: DepositInput!, $two: DepositInput!) {{ a: deposit(input: $one) {{ {fields} }} "
        f"b: deposit(input: $two) {{ {fields} }} }}",
        one={"accountId": account["id"], "amount": money("1"), "idempotencyKey": key()},
        two={"accountId": account["id"], "amount": money("2"), "idempotencyKey": key()},
    )
    seen = [data[name]["transaction"]["entries"][0] for name in "ab"]
    assert [entry["balanceAfter"]["amount"] for entry in seen] == ["1.00", "3.00"]
    assert [entry["account"]["balance"]["booked"]["amount"] for entry in seen] == ["1.00", "3.00"]


async def test_overlong_descriptions_are_refused(ada: Client) -> None:
    account = await ada.open()
    outcome = await ada.deposit(account["id"], "1", description="x" * 501)
    assert outcome["fields"] == [{"path": ["description"], "code": "TOO_LONG"}]


@pytest.mark.parametrize("to", [{}, {"accountId": None}, {"accountId": "a", "accountNumber": "b"}, {"accountId": []}])
async def test_a_destination_must_name_exactly_one_account(ada: Client, to: dict[str, object]) -> None:
    query = "mutation ($input: TransferInput!) { transfer(input: $input) { __typename } }"
    amount = {"amount": "1", "currency": "EUR"}
    for _ in range(2):  # the second time, from the cache of documents
        given = {"idempotencyKey": "k", "fromAccountId": "x", "to": to, "amount": amount}
        answer = await ada.post(query, input=given)
        assert "data" not in answer
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_REQUEST"}
