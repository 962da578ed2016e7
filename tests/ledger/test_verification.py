"""Verification names the check that each kind of tampering fails, and finds nothing in an untouched bank."""

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.bank import CHECKS
from bank_graphql.identity.enums import UserRole
from bank_graphql.kit.db import Database
from bank_graphql.ledger import verification
from tests.client import Client
from tests.conftest import History
from tests.serving import sign_in_staff

UNGUARDED = "SET session_replication_role = replica; "  # a superuser's way around triggers and foreign keys
LAST = "(SELECT max(id) FROM entries)"


async def create_activity(app: Starlette, visitor: Client) -> None:
    """Do a bit of everything."""
    ada = await visitor.sign_up("ada@bank.test", "Ada Lovelace")
    grace = await visitor.sign_up("grace@bank.test", "Grace Hopper")
    teller = await sign_in_staff(app, visitor, UserRole.TELLER)
    one, two = await ada.open(deposit="100"), await grace.open(deposit="50")
    await ada.transfer(one["id"], two["id"], "30")
    await grace.transfer(two["id"], one["id"], "7.25")
    await ada.withdraw(one["id"], "1")
    await ada.transfer(one["id"], two["id"], "10000")
    held = [(await ada.place_hold(one["id"], two["id"], "5"))["transaction"]["id"] for _ in range(2)]
    await grace.capture_hold(held[0], "2", final=False)
    await teller.reverse((await ada.transfer(one["id"], two["id"], "3"))["transaction"]["id"])
    yen = await ada.open("JPY", "500")
    await ada.withdraw(yen["id"], "5", "JPY")


@pytest.fixture(scope="module")
def history() -> History:
    return create_activity


async def test_an_untouched_bank_passes_every_check(db: Database) -> None:
    findings = await verification.verify(db, CHECKS)
    assert [finding.name for finding in findings if not finding.ok] == []
    examined = {finding.name: finding.examined for finding in findings}
    assert examined["zero sums"] == 10
    assert examined["balance chains"] == 20
    assert (examined["captures"], examined["reversals"]) == (2, 1)
    assert examined["idempotency outcomes"] == 13
    assert examined["floors"] == 3


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (f"UPDATE entries SET amount = amount + 1 WHERE id = {LAST}", {"zero sums", "booked balances", "balance chains"}),
        (f"UPDATE entries SET balance_after = 0 WHERE id = {LAST}", {"balance chains"}),
        (f"DELETE FROM entries WHERE id = {LAST}", {"zero sums", "booked balances"}),
        ("UPDATE balances SET booked = booked + 1 WHERE currency = 'JPY'", {"booked balances"}),
        ("UPDATE balances SET held = 1 WHERE currency = 'JPY'", {"held balances"}),
        (f"UPDATE entries SET booked_at = '2020-01-01' WHERE id = {LAST}", {"booking times"}),
        ("UPDATE transactions SET created_at = '2020-01-01' WHERE kind = 'TRANSFER'", {"booking times"}),
        ("UPDATE transactions SET amount = amount + 1 WHERE kind = 'DEPOSIT'", {"zero sums"}),
        ("UPDATE transactions SET captured = captured + 1 WHERE kind = 'HOLD'", {"captures", "held balances"}),
        ("UPDATE transactions SET status = 'VOIDED' WHERE kind = 'HOLD'", {"held balances"}),
        ("UPDATE transactions SET parent_id = NULL", {"captures"}),
        (
            "UPDATE transactions SET parent_id = (SELECT id FROM transactions WHERE kind = 'DEPOSIT' LIMIT 1) WHERE parent_id IS NOT NULL",
            {"captures"},
        ),
        (
            "UPDATE transactions SET to_account_id = (SELECT account_id FROM balances WHERE currency = 'JPY' LIMIT 1) WHERE status = 'PENDING'",
            {"currencies", "captures"},
        ),
        ("UPDATE transactions SET posted_at = '2020-01-01' WHERE kind = 'REVERSAL'", {"booking times"}),
        (
            "UPDATE idempotency_outcomes SET subject_id = (SELECT t.id FROM transactions t JOIN accounts a ON a.id = t.to_account_id "
            "WHERE t.kind = 'DEPOSIT' AND a.owner_id <> user_id LIMIT 1) WHERE outcome = 'MOVED'",
            {"idempotency outcomes"},
        ),
        ("DELETE FROM transactions WHERE parent_id IS NOT NULL", {"captures", "strayed entries", "idempotency outcomes"}),
        (
            "UPDATE transactions SET reverses_id = (SELECT id FROM transactions WHERE kind = 'DEPOSIT' LIMIT 1) WHERE kind = 'REVERSAL'",
            {"reversals"},
        ),
        (
            f"UPDATE entries SET transaction_id = (SELECT id FROM transactions WHERE kind = 'HOLD' LIMIT 1) WHERE id = {LAST}",
            {"zero sums", "strayed entries", "booking times"},
        ),
        ("UPDATE transactions SET currency = 'EUR' WHERE currency = 'JPY'", {"currencies"}),
        ("DELETE FROM transaction_events", {"feed events"}),
        (
            "INSERT INTO idempotency_outcomes SELECT user_id, 'forged', fingerprint, 'MOVED', gen_random_uuid(), NULL, now() "
            "FROM idempotency_outcomes LIMIT 1",
            {"idempotency outcomes"},
        ),
        ("UPDATE idempotency_outcomes SET user_id = gen_random_uuid() WHERE outcome = 'REFUSED'", {"idempotency outcomes"}),
        (
            "ALTER TABLE balances DROP CONSTRAINT ck_balances_available_is_not_negative; "
            "UPDATE balances SET booked = -1 WHERE currency = 'EUR' AND purpose IS NULL",
            {"floors", "booked balances"},
        ),
    ],
)
async def test_tampering_fails_the_checks_that_cover_it(
    raw: asyncpg.Connection, db: Database, tampering: str, found: set[str]
) -> None:
    await raw.execute(UNGUARDED + tampering)
    findings = await verification.verify(db, CHECKS)
    assert {finding.name for finding in findings if not finding.ok} == found
    assert all(finding.first_problem for finding in findings if not finding.ok)
