"""The trial balance, as auditors read it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from bank_graphql.identity.enums import UserRole
from tests.client import Client

QUERY = "query ($at: DateTime) { trialBalance(at: $at) { at lines { purpose currency debits { amount } credits { amount currency } } } }"


@pytest.fixture
async def auditor(staff: Callable[[UserRole], Awaitable[Client]]) -> Client:
    return await staff(UserRole.AUDITOR)


async def lines(auditor: Client, at: str | None = None) -> dict[tuple[str, str], tuple[str, str]]:
    """The debits and credits of each line, once its sums were checked."""
    found = (await auditor.run(QUERY, at=at))["trialBalance"]["lines"]
    for currency in {line["currency"] for line in found}:
        debits, credits_ = (
            sum(Decimal(line[side]["amount"]) for line in found if line["currency"] == currency) for side in ("debits", "credits")
        )
        assert debits == credits_
    return {(line["purpose"], line["currency"]): (line["debits"]["amount"], line["credits"]["amount"]) for line in found}


async def test_debits_and_credits_are_equal_now_and_at_any_time(
    ada: Client, grace: Client, auditor: Client, raw: "asyncpg.Connection[Any]"
) -> None:
    assert await lines(auditor) == {}
    mine, hers = await ada.open(deposit="100"), await grace.open(kind="CREDIT")
    before = (await auditor.run(QUERY))["trialBalance"]["at"]
    await ada.open(deposit="5000", currency="JPY")
    await grace.transfer(hers["id"], mine["id"], "30.50")
    expected = {
        ("CASH", "EUR"): ("100.00", "0.00"),
        ("CUSTOMERS", "EUR"): ("30.50", "130.50"),
        ("CASH", "JPY"): ("5000", "0"),
        ("CUSTOMERS", "JPY"): ("0", "5000"),
    }
    assert await lines(auditor) == expected
    assert list(expected) == list(await lines(auditor))
    assert await lines(auditor, before) == {("CASH", "EUR"): ("100.00", "0.00"), ("CUSTOMERS", "EUR"): ("0.00", "100.00")}
    assert await lines(auditor, "2001-01-01T00:00:00Z") == {}
    assert await lines(auditor, "2999-01-01T00:00:00Z") == expected
    total = await raw.fetchval("SELECT sum(amount) FROM entries WHERE amount > 0")
    assert total == 10_000 + 5_000 + 3_050
