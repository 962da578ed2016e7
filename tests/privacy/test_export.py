"""What a user gets of the data that the bank holds about them: all of it, and nothing of anybody else's."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from bank_graphql.privacy import queries
from tests.client import Client
from tests.sync import ROOT

EXPORT = "mutation { exportMyData { __typename ... on PersonalDataExport { url expiresAt } } }"
ELSEWHERE = {
    "refresh_tokens": "secrets of sessions",
    "card_secrets": "secrets of cards",
    "grant_tokens": "secrets of programs",
    "oauth_codes": "secrets of programs",
    "oauth_refresh_tokens": "secrets of programs",
    "entries": "transactions say the same",
    "transaction_events": "transactions say the same",
    "approvals": "what staff propose: its effects are elsewhere",
    "answered_challenges": "random bytes",
    "email_codes": "hashes that are deleted after minutes",
    "outgoing_mails": "on their way to the user",
    "attempt_buckets": "hashes that are deleted after minutes",
    "audit_seals": "hashes of everything",
    "oauth_clients": "", "products": "", "product_terms": "", "accrual_days": "", "closed_months": "", "alembic_version": "", "backups": "", "bank_time": "", "clearing_messages": "", "feed_epochs": "", "feed_start": "",
    "statement_months": "", "vault_keys": "", "verification_runs": "",
}  # fmt: skip
"""Tables that are not exported, and why: those without a reason are about no user."""


@pytest.fixture
async def ada(ada: Client, grace: Client) -> Client:
    """A user with something in each table."""
    account, other = await ada.open(deposit="100"), await grace.open(deposit="7")
    await ada.transfer(account["id"], other["id"], "1.50", description="Lunch with Grace")
    await grace.transfer(other["id"], account["id"], "2", description="Thanks")
    await ada.send(account["id"], "3")
    card = await ada.issue(account["id"], limits=[{"window": "DAY", "amount": {"amount": "50", "currency": "EUR"}}])
    await ada.authorize(card["id"], "4")
    await ada.run('mutation { addPayee(name: "Landlord", accountNumber: "DE02120300000000202051") { __typename } }')
    return ada


async def exported(client: Client) -> dict[str, Any]:
    url = urlsplit((await client.run(EXPORT))["exportMyData"]["url"])
    answer = await client.http.get(f"{url.path}?{url.query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"
    found: dict[str, Any] = answer.json()
    return found


async def test_everything_is_in_it(ada: Client, raw: asyncpg.Connection) -> None:
    found = await exported(ada)
    assert found["profile"][0]["email"] == "ada@bank.test"
    assert found["sessions"][0]["ip_address"] == "127.0.0.1"
    [account] = found["accounts"]
    assert (account["booked"], account["held"], account["currency"]) == ("100.50", "7.00", "EUR")
    assert found["cards"][0]["holder_name"] == "Ada Lovelace"
    assert found["card_limits"] == [
        {"last4": found["cards"][0]["last4"], "time_window": "DAY", "amount": "50.00", "currency": "EUR"}
    ]
    assert found["payees"][0]["name"] == "Landlord"
    assert [(each["kind"], each["amount"], each["description"]) for each in found["transactions"]] == [
        ("DEPOSIT", "100.00", "Opening deposit"),
        ("TRANSFER", "1.50", "Lunch with Grace"),
        ("TRANSFER", "2.00", "Thanks"),
        ("TRANSFER", "3.00", None),
        ("HOLD", "4.00", None),
    ]
    assert found["transactions"][3]["external_name"] == "Jane Abroad"
    assert found["transactions"][4]["merchant_name"] == "Café Central"
    assert {each["action"] for each in found["audit_events"]} >= {"signUp", "openAccount", "transfer", "exportMyData"}
    assert len(found["requests"]) == await raw.fetchval(
        "SELECT count(*) FROM idempotency_outcomes o JOIN users u ON u.id = o.user_id WHERE email_key = 'ada@bank.test'"
    )


async def test_nothing_of_anybody_else_and_no_secret_is_in_it(ada: Client, grace: Client, raw: asyncpg.Connection) -> None:
    text = str(await exported(ada))
    hashes = await raw.fetchval("SELECT array_agg(password_hash) FROM users")
    grace_text = str(await exported(grace))
    assert "grace@bank.test" not in text
    assert "Landlord" not in grace_text
    numbers = {each["to_number"] for each in (await exported(ada))["transactions"]}
    own = await raw.fetchval("SELECT number FROM accounts a JOIN users u ON u.id = owner_id WHERE email_key = 'ada@bank.test'")
    assert {each for each in numbers if each and not each.startswith("••••")} == {own}
    assert "ada@bank.test" not in grace_text
    assert not any(each in text for each in hashes)
    assert "sealed" not in text


def test_every_table_is_exported_or_has_a_reason() -> None:
    """A new table is new data about somebody, or not: somebody has to say."""
    schema = Path(ROOT / "migrations" / "schema.sql").read_text(encoding="utf-8")
    tables = {
        line.split("public.")[1].split(" ")[0]
        for line in schema.splitlines()
        if line.startswith(("CREATE TABLE", "CREATE UNLOGGED TABLE"))
    }
    source = Path(str(queries.__file__)).read_text(encoding="utf-8")
    named = {table for table in tables if f" {table} " in source or f" {table}\n" in source or f"FROM {table}" in source}
    assert tables == named | set(ELSEWHERE) | {"audit_events"}


async def test_a_link_is_for_one_user_and_not_to_be_forged(ada: Client, grace: Client) -> None:
    own, other = [urlsplit((await each.run(EXPORT))["exportMyData"]["url"]) for each in (ada, grace)]
    for forged in (f"{own.path}?{other.query}", own.path, f"{own.path}?expires=9&signature=x", f"{own.path}x?{own.query}"):
        assert (await ada.http.get(forged)).status_code == 404
