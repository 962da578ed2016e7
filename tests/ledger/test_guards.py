"""The database itself refuses what would falsify the ledger: these tests attack it with SQL."""

from pathlib import Path

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.bank import Bank
from bank_graphql.database import open_server
from bank_graphql.kit import schema
from bank_graphql.kit.db_session import can_set_role
from bank_graphql.settings import Settings
from tests.client import Client
from tests.conftest import History

Raw = asyncpg.Connection


async def create_activity(app: Starlette, visitor: Client) -> None:
    """Make two accounts with some history."""
    ada = await visitor.sign_up("ada@bank.test", "Ada Lovelace")
    one, two = await ada.open(deposit="100"), await ada.open()
    await ada.transfer(one["id"], two["id"], "30", description="Rent")


@pytest.fixture(scope="module")
def history() -> History:
    return create_activity


@pytest.fixture
async def ada(visitor: Client) -> Client:
    return await visitor.log_in("ada@bank.test")


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE entries SET amount = amount + 1",
        "UPDATE entries SET balance_after = NULL",
        "UPDATE entries SET booked_at = now() WHERE false",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE transactions SET amount = 1",
        "UPDATE transactions SET posted_at = NULL",
        "UPDATE transactions SET status = NULL",
        "DELETE FROM transactions",
        "TRUNCATE transactions CASCADE",
        "DELETE FROM balances",
        "TRUNCATE balances CASCADE",
        "DELETE FROM users",
        "TRUNCATE users CASCADE",
        "UPDATE balances SET currency = 'USD'",
        "UPDATE balances SET purpose = 'CASH' WHERE purpose IS NULL",
        "UPDATE balances SET account_id = gen_random_uuid()",
        "UPDATE audit_events SET outcome = 'DONE'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE statements SET holder_name = 'Else'",
        "DELETE FROM statements",
        "TRUNCATE statements",
        "UPDATE audit_seals SET head = ''",
        "DELETE FROM audit_seals",
        "TRUNCATE audit_seals",
        "UPDATE idempotency_outcomes SET fingerprint = ''",
        "UPDATE transaction_events SET kind = 'POSTED'",
    ],
)
async def test_written_rows_cannot_be_changed_or_deleted(raw: Raw, attack: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError):
        await raw.execute(attack)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE balances SET booked = -1 WHERE purpose IS NULL",
        "UPDATE balances SET held = booked + 1 WHERE purpose IS NULL",
        "UPDATE balances SET held = -1",
        "UPDATE balances SET overdraft_limit = -1",
        "UPDATE balances SET overdraft_limit = NULL",
        "UPDATE balances SET booked = NULL",
        "UPDATE balances SET held = NULL",
        "UPDATE accounts SET status = 'GONE'",
        "UPDATE accounts SET status = 'FROZEN'",
        "UPDATE accounts SET status = 'CLOSED'",
        "UPDATE users SET role = 'ROOT'",
    ],
)
async def test_balances_and_statuses_stay_within_their_constraints(raw: Raw, attack: str) -> None:
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.NotNullViolationError)):
        await raw.execute(attack)


ENTRIES = "INSERT INTO entries (transaction_id, account_id, amount, balance_after, booked_at) SELECT id, {}, {}, 0, now() FROM t"
TRANSACTION = (
    "WITH t AS (INSERT INTO transactions (id, kind, status, amount, currency, from_account_id, to_account_id, created_at, posted_at, captured) "
    "SELECT gen_random_uuid(), 'TRANSFER', 'POSTED', 5, 'EUR', a[1], a[2], now(), now(), 0 "
    "FROM (SELECT array_agg(account_id) a FROM balances WHERE purpose IS NULL) x RETURNING *) "
)


async def test_the_entries_of_a_transaction_must_sum_to_zero(raw: Raw) -> None:
    lonely = TRANSACTION + ENTRIES.format("to_account_id", "5")
    unequal = TRANSACTION + ENTRIES.format("to_account_id", "5") + " UNION ALL SELECT id, from_account_id, -4, 0, now() FROM t"
    for attack in (lonely, unequal):
        with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
            await raw.execute(attack)
    balanced = TRANSACTION + ENTRIES.format("to_account_id", "5") + " UNION ALL SELECT id, from_account_id, -5, 0, now() FROM t"
    await raw.execute(balanced)


@pytest.mark.parametrize(
    "attack",
    [
        TRANSACTION + ENTRIES.format("gen_random_uuid()", "5") + " UNION ALL SELECT id, from_account_id, -5, 0, now() FROM t",
        TRANSACTION + ENTRIES.format("(SELECT account_id FROM balances WHERE purpose = 'CASH')", "5")
        + " UNION ALL SELECT id, from_account_id, -5, 0, now() FROM t",
        "WITH t AS (SELECT gen_random_uuid() AS id, * FROM (SELECT array_agg(account_id) a FROM balances WHERE purpose IS NULL) x) "
        + ENTRIES.format("a[1]", "5") + " UNION ALL SELECT id, a[2], -5, 0, now() FROM t",
    ],
)  # fmt: skip
async def test_entries_must_be_on_the_accounts_of_their_transaction(raw: Raw, attack: str) -> None:
    with pytest.raises((asyncpg.ForeignKeyViolationError, asyncpg.CheckViolationError)):
        await raw.execute(attack)


async def test_entries_must_sum_to_zero_in_each_currency(raw: Raw, ada: Client) -> None:
    await ada.open("JPY")
    yen = "(SELECT account_id FROM balances WHERE currency = 'JPY' AND purpose IS NULL)"
    between = TRANSACTION.replace("a[2]", yen)
    mixed = between + ENTRIES.format("to_account_id", "5") + " UNION ALL SELECT id, from_account_id, -5, 0, now() FROM t"
    with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
        await raw.execute(mixed)


async def test_an_entry_must_have_an_amount_other_than_zero(raw: Raw) -> None:
    for amount in ("NULL", "0"):
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.NotNullViolationError)):
            await raw.execute(TRANSACTION + ENTRIES.format("to_account_id", amount))


@pytest.mark.parametrize(
    "attack",
    [
        "ALTER TABLE entries DISABLE TRIGGER ALL",
        "ALTER TABLE balances DROP CONSTRAINT ck_balances_available_is_not_negative",
        "DROP TRIGGER zero_sum ON entries",
        "CREATE OR REPLACE FUNCTION check_zero_sum() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "TRUNCATE entries",
        "DELETE FROM entries",
        "UPDATE entries SET amount = 1",
        "UPDATE transactions SET amount = 1",
        "DELETE FROM transactions",
        "DELETE FROM audit_events",
        "UPDATE idempotency_outcomes SET outcome = 'MOVED'",
        "UPDATE alembic_version SET version_num = 'x'",
        "DROP TABLE entries",
        "CREATE TABLE elsewhere (n int)",
        "INSERT INTO entries (id, transaction_id) OVERRIDING SYSTEM VALUE VALUES (-1, gen_random_uuid())",
        "UPDATE users SET email_key = 'another'",
        "UPDATE audit_events SET outcome = 'DONE'",
        "UPDATE audit_seals SET head = ''",
        "DELETE FROM audit_seals",
        "UPDATE accounts SET owner_id = gen_random_uuid()",
        "UPDATE balances SET currency = 'USD'",
    ],
)
async def test_the_application_may_not_circumvent_the_guards(bank: Bank, attack: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await bank.db.transact(lambda connection: connection.raw.execute(attack))


async def test_a_temporary_table_cannot_stand_in_for_one_of_the_banks(raw: Raw) -> None:
    await raw.execute("CREATE TEMP TABLE balances (account_id uuid, currency text)")
    lonely = TRANSACTION.replace("FROM balances", "FROM public.balances") + ENTRIES.format("to_account_id", "5")
    with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
        await raw.execute(lonely)


async def test_the_application_cannot_become_the_owner_of_the_embedded_server(folder: Path) -> None:
    async with open_server(Settings(data_dir=folder, _env_file=None)) as owner:  # type: ignore[call-arg]
        await schema.migrate(owner)
        connection = await asyncpg.connect(owner.replace("//bank@", "//bank_app@"))
        for attack in (
            "SET ROLE bank",
            "SET SESSION AUTHORIZATION bank",
            "SET ROLE NONE; DROP TRIGGER zero_sum ON entries",
            "CREATE TEMP TABLE balances (n int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(attack)
        await connection.close()


async def test_every_migration_restores_the_grants(dsn: str, raw: Raw) -> None:
    await raw.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM bank_app")
    assert not await can_set_role(dsn, "bank_app", insert_into="entries")
    assert not await can_set_role(dsn, "no_such_role", insert_into="entries")
    await schema.migrate(dsn)
    assert await can_set_role(dsn, "bank_app", insert_into="entries")


async def test_the_application_runs_in_its_role(bank: Bank) -> None:
    async with bank.db.connection() as connection:
        assert await connection.raw.fetchval("SELECT current_user") == "bank_app"


async def test_a_hold_changes_only_its_status_and_captured_amount_and_only_while_pending(
    ada: Client, grace: Client, raw: Raw
) -> None:
    one, two = await ada.open(deposit="100"), await grace.open()
    for _ in range(2):
        await ada.place_hold(one["id"], two["id"], "5")
    for attack in (
        "SET amount = 1", "SET currency = 'USD'", "SET from_account_id = to_account_id", "SET kind = 'TRANSFER'", "SET expires_at = now()",
        "SET parent_id = id", "SET created_at = now()", "SET captured = -1", "SET status = NULL", "SET captured = NULL", "SET id = gen_random_uuid()",
    ):  # fmt: skip
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.CheckViolationError, asyncpg.NotNullViolationError)):
            await raw.execute(f"UPDATE transactions {attack} WHERE kind = 'HOLD'")
    await raw.execute("UPDATE transactions SET status = 'VOIDED' WHERE kind = 'HOLD'")
    for attack in ("SET status = 'PENDING'", "SET status = 'POSTED', posted_at = now()", "SET captured = 1"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await raw.execute(f"UPDATE transactions {attack} WHERE kind = 'HOLD'")


async def test_the_ids_of_an_accounts_entries_rise_in_booking_order(ada: Client, raw: Raw) -> None:
    account = await ada.open(deposit="1")
    for _ in range(5):
        await ada.deposit(account["id"], "1")
    rows = await raw.fetch(
        "SELECT e.balance_after FROM entries e JOIN accounts a ON a.id = e.account_id WHERE a.number = $1 ORDER BY e.id",
        account["number"],
    )
    assert [row["balance_after"] for row in rows] == [100, 200, 300, 400, 500, 600]
