"""Every statement reads by index, a row at a time, whatever the planner's statistics of the tables are.

The statistics may be wrong (a few busy accounts among a million) or old, for a plan is kept as long as its connection. A plan that
reads a whole table would otherwise be noticed only in production.
"""

import gc
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest

import bank_graphql
from bank_graphql.audit import sealing
from bank_graphql.identity.attempts import PostgresBuckets
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Query
from tests.client import Client

for _module in pkgutil.walk_packages(bank_graphql.__path__, "bank_graphql."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)

FIGURES = {
    query.sql
    for name, module in list(sys.modules.items())
    if name.startswith("bank_graphql.") and name.endswith("metrics")
    for query in vars(module).values()
    if isinstance(query, Query)
}
"""Statements for metrics, which read whole tables, on a snapshot with plans of their own, and not at every request."""
STATEMENTS = sorted({query.sql for query in gc.get_objects() if isinstance(query, Query)} - FIGURES)
SMALL = {"feed_start", "feed_epochs", "vault_keys", "backups", "bank_time", "products", "product_terms"}
"""Tables that never have more than a few rows."""
WHOLE = (
    "SELECT users.email_key \nFROM users \n LIMIT",
    "SELECT verification_runs",
    "SELECT count(*) AS count FROM accounts a",
    "UPDATE sessions SET ended_at=$1::TIMESTAMP WITH TIME ZONE WHERE sessions.ended_at IS NULL",
    "SELECT c.last4",
    "SELECT anon_1.purpose",
)
"""Beginnings of statements about a whole table: whether it is empty, its last row, how many accounts are to get a statement of
account, all sessions after a restore, the cards of a user who exports all data, and the trial balance."""
SORTED = ("FROM accounts JOIN cards",)
"""Parts of statements that sort their rows: all cards of a user, which belong to several accounts."""
COLUMNS = {
    "accounts": ["owner_id"],
    "cards": ["account_id", "series_id"],
    "card_transactions": ["card_id", "series_id"],
    "entries": ["account_id", "transaction_id"],
    "transactions": ["from_account_id", "to_account_id"],
    "transaction_events": ["account_id"],
    "sessions": ["user_id"],
}
"""The columns that select a number of rows without a bound."""
Plan = dict[str, Any]


def nodes(plan: Plan, ancestors: tuple[str, ...] = ()) -> Iterator[tuple[Plan, tuple[str, ...]]]:
    """Yield the nodes of a plan, each with the kinds of its ancestors."""
    yield plan, ancestors
    for part in plan.get("Plans", []):
        yield from nodes(part, (*ancestors, plan["Node Type"]))


def problems(plan: Plan) -> Iterator[str]:
    """Yield descriptions of the nodes that would take long if there were more rows than expected."""
    for node, ancestors in nodes(plan):
        kind, table = node["Node Type"], node.get("Relation Name")
        reads = table is not None and kind not in {"ModifyTable", "LockRows"} and table not in SMALL
        by_index = {"Index Cond", "TID Cond"} & set(node) or (kind.startswith("Index") and ancestors[-1:] == ("Limit",))
        if reads and not by_index:
            yield f"{table} is read as a whole"
        if kind in {"Hash Join", "Merge Join", "Materialize"}:
            yield f"there is a {kind}"
        # The input of a sort below a limit must have a limit of its own, or it may be any number of rows.
        if (
            kind in {"Sort", "Incremental Sort"}
            and "Limit" in ancestors
            and not any(n["Node Type"] == "Limit" for n, _ in nodes(node))
        ):
            yield f"there is a {kind} of what has no limit"


async def plan_of(connection: Connection, sql: str) -> Plan:
    """Return the plan of a statement for any arguments."""
    nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", sql))))
    await connection.raw.execute(f"PREPARE statement AS {sql}")
    explained = await connection.raw.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE statement {f'({nulls})' if nulls else ''}")
    await connection.raw.execute("DEALLOCATE statement")
    plan: Plan = orjson.loads(explained)[0]["Plan"]
    return plan


@pytest.fixture
async def filled(ada: Client, db: Database) -> Database:
    """A bank with rows in each table: of empty tables the planner has no statistics."""
    opened = await ada.open(deposit="100")
    account = opened["id"]
    await ada.receive(opened["number"], "1")
    await ada.transfer(account, (await ada.open())["id"], "1", description="Lunch")
    card = await ada.issue(account, limits=[{"window": "DAY", "amount": {"amount": "50", "currency": "EUR"}}])
    await ada.card_mutation('setCardLimits(id: $card, limits: [], blockedCategories: ["7995"])', "$card: ID!", card=card["id"])
    await ada.authorize(card["id"], "5")
    await ada.run('mutation { addPayee(name: "Me", accountNumber: "DE02120300000000202051") { __typename } }')
    for _ in range(2):
        sent = (await ada.send(account, "1"))["transaction"]["id"]
        await ada.settle(sent)
    await ada.return_transfer(sent)
    written = "INSERT INTO clearing_messages VALUES (gen_random_uuid(), 'EUR', now(), now(), now())"
    await db.transact(lambda connection: connection.raw.execute(written))
    verified = "INSERT INTO verified_payments SELECT id, 'MATCH', 'Ada' FROM transactions LIMIT 1"
    await db.transact(lambda connection: connection.raw.execute(verified))
    factor = "WITH f AS (INSERT INTO totp_factors SELECT id, '', now(), now(), 1 FROM users) INSERT INTO recovery_codes SELECT id, '' FROM users"
    await db.transact(lambda connection: connection.raw.execute(factor))
    passkeys = "WITH c AS (INSERT INTO answered_challenges SELECT '', now()) INSERT INTO passkeys SELECT id, id, id::text::bytea, '', 0, '', true, now() FROM users"
    await db.transact(lambda connection: connection.raw.execute(passkeys))
    approvals = "INSERT INTO approvals (id, kind, status, subject_id, proposed_by, is_finished, created_at, expires_at) SELECT id, 'SET_USER_ROLE', 'PENDING', id, id, false, now(), now() + interval '1 year' FROM users"
    await db.transact(lambda connection: connection.raw.execute(approvals))
    mails = "WITH c AS (INSERT INTO email_codes SELECT '', '', 0, now(), now()) INSERT INTO outgoing_mails SELECT id, '', true, 0, now(), now() FROM users"
    await db.transact(lambda connection: connection.raw.execute(mails))
    schedules = "WITH s AS (INSERT INTO scheduled_transfers SELECT t.id, a.owner_id, a.id, NULL, NULL, '', NULL, 1, 'EUR', NULL, 'ONCE', 'AS_IS', 'ALL', NULL, now(), 'ACTIVE', now(), now() + interval '1 year', 0, NULL, t.id::text, '', now(), now() FROM transactions t JOIN accounts a ON a.id = t.from_account_id RETURNING id) INSERT INTO scheduled_runs SELECT id, id, now(), now(), 'RETRYING', 1, NULL, NULL FROM s"
    await db.transact(lambda connection: connection.raw.execute(schedules))
    for members in (
        "INSERT INTO users (id, email, email_key, password_hash, full_name, role, status, created_at, updated_at, email_verified_at) "
        "SELECT gen_random_uuid(), n::text, n::text, '', '', 'CUSTOMER', 'ACTIVE', now(), now(), now() FROM generate_series(1, 300) n",
        "INSERT INTO memberships SELECT gen_random_uuid(), a.id, u.id, 'MEMBER', true, NULL, true, 'ACTIVE', u.email, u.email_key, a.owner_id, "
        "now(), now(), now(), NULL FROM accounts a, users u WHERE u.full_name = ''",
        "INSERT INTO memberships SELECT gen_random_uuid(), a.id, NULL, 'MEMBER', true, NULL, true, 'INVITED', u.email, u.email_key, a.owner_id, "
        "now(), now(), NULL, NULL FROM accounts a, users u WHERE u.full_name = ''",
        "INSERT INTO access_grants SELECT gen_random_uuid(), 'AGENT', u.id, '', '{}', NULL, NULL, NULL, NULL, now(), now() + interval '1 year', NULL, now() FROM users u",
        "INSERT INTO oauth_clients SELECT id, '', NULL, '{}', '{}', now(), NULL FROM users",
        "INSERT INTO oauth_consents SELECT id, user_id, user_id FROM access_grants",
        "INSERT INTO oauth_codes SELECT id::text::bytea, id, id, user_id, '', '', NULL, NULL, '{}', now(), now(), NULL FROM access_grants",
        "INSERT INTO oauth_refresh_tokens SELECT id::text::bytea, id, id, user_id, NULL, '{}', now(), NULL FROM access_grants",
        "INSERT INTO granted_accounts SELECT g.id, a.id FROM access_grants g, accounts a",
        "INSERT INTO grant_tokens SELECT g.id, g.id::text::bytea, g.id, now(), NULL FROM access_grants g",
        "INSERT INTO payment_requests SELECT gen_random_uuid(), g.id, g.user_id, a.id, t.id, a.id, NULL, NULL, 1, 'EUR', NULL, NULL, '', 'PENDING', now(), "
        "now(), NULL, NULL, NULL FROM access_grants g, (SELECT id FROM accounts LIMIT 1) a, (SELECT id FROM transactions LIMIT 1) t",
        "INSERT INTO delegated_payments SELECT t.id, (SELECT id FROM memberships WHERE status = 'ACTIVE' LIMIT 1), now(), 1 FROM transactions t",
    ):
        await db.transact(lambda connection, sql=members: connection.raw.execute(sql))  # type: ignore[misc]
    for products in (
        "INSERT INTO products SELECT a.id, a.id::text, 'CHECKING', 'EUR', 'ACT_360', NULL, now() FROM accounts a LIMIT 1",
        "INSERT INTO product_terms SELECT id, now(), '[[0, 1]]', '[]', 0, NULL, 0, 0, now() FROM products",
        "INSERT INTO account_products SELECT a.id, now() + interval '1 year', p.id, now() FROM accounts a, products p",
        "INSERT INTO due_postings SELECT id, from_account_id, 'FEE', -1, '', id::text, now(), id FROM transactions "
        "WHERE from_account_id IN (SELECT id FROM accounts)",
        "INSERT INTO due_postings SELECT gen_random_uuid(), a.id, 'FEE', -1, '', n::text, now(), NULL FROM accounts a, "
        "generate_series(1, 300) n",
        "INSERT INTO interest_accruals SELECT gen_random_uuid(), a.id, d, d, 1, p.id, d, 1 FROM accounts a, products p, "
        "generate_series(timestamp '1990-01-01', '1990-01-05', interval '1 day') d",
        "INSERT INTO interest_postings SELECT account_id, 'CREDIT', last_day, first_day, 0, 1, 0, NULL FROM interest_accruals",
        "INSERT INTO accrual_days SELECT d, now() FROM generate_series(timestamp '2000-01-01', '2003-01-01', interval '1 day') d",
        "INSERT INTO closed_months SELECT day, completed_at FROM accrual_days",
    ):
        await db.transact(lambda connection, sql=products: connection.raw.execute(sql))  # type: ignore[misc]
    await sealing.seal_events(db)
    await PostgresBuckets(db, bytes(32)).spend("a", 10)
    await ada.advance(await ada.clock() + timedelta(days=70))
    return db


@pytest.mark.parametrize("distinct", [2, -1])
@pytest.mark.parametrize("rows", [500, 10_000_000])
async def test_every_statement_reads_by_index_whatever_the_statistics(
    filled: Database, raw: "asyncpg.Connection[asyncpg.Record]", distinct: float, rows: int
) -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            await raw.execute(f"ALTER TABLE {table} ALTER {column} SET (n_distinct = {distinct})")
    await raw.execute("ANALYZE")
    await raw.execute(
        "UPDATE pg_class SET reltuples = $1 WHERE relkind = 'r' AND reltuples >= 0 AND relnamespace = 'public'::regnamespace",
        rows,
    )
    found = {}
    async with filled.connection() as connection:
        for sql in STATEMENTS:
            if not sql.startswith(WHOLE) and not any(part in sql for part in SORTED):
                found[sql] = list(problems(await plan_of(connection, sql)))
    assert len(found) > 50
    assert {sql: each for sql, each in found.items() if each} == {}
