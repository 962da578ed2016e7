"""The rule of visibility, checked on every reader without the parent object that a query would reach it through."""

from collections.abc import Hashable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql import demo
from bank_graphql.api.loaders import PaidByCard, Readers, TransactionFilters
from bank_graphql.bank import Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.identity.visibility import sees
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.loaders import Loader
from bank_graphql.kit.paging import Page, Slice
from bank_graphql.statements.enums import ExportFormat
from bank_graphql.statements.service import issue
from tests.policy import UTC as CALENDAR

PAGE = Page(20, False, None, None)
FILTERS = TransactionFilters()


def _is_empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, Slice) and not value.items)


async def test_no_reader_returns_anything_to_a_stranger(bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    await demo.fill(bank.db, bank.people.identity, bank.products, bank.execute)
    ada = await raw.fetchval("SELECT id FROM users WHERE email_key = 'ada@example.com'")
    account = await raw.fetchval("SELECT id FROM accounts WHERE owner_id = $1 AND kind = 'CHECKING' ORDER BY id LIMIT 1", ada)
    entry = await raw.fetchrow("SELECT id, transaction_id FROM entries WHERE account_id = $1 ORDER BY id DESC LIMIT 1", account)
    paid = await raw.fetchrow("SELECT transaction_id, card_id FROM card_transactions LIMIT 1")
    today = utc_now().date()
    await issue(bank.db, replace(bank.issuer, clock=lambda: utc_now() + timedelta(days=32)))
    payee = await bank.payees.add(Actor(ada, None, PERMISSIONS[UserRole.CUSTOMER]), "Me", "DE02120300000000202051")
    statement = await raw.fetchval("SELECT id FROM statements WHERE account_id = $1", account)
    assert entry is not None
    made = await raw.fetchval("SELECT id FROM transactions WHERE from_account_id = $1 LIMIT 1", account)
    await raw.execute("INSERT INTO verified_payments VALUES ($1, 'MATCH', 'Ada')", made)
    await raw.execute(
        "INSERT INTO external_transactions (transaction_id, account_number, name, bank, settles_on) VALUES ($1, 'GB33', 'Jane', 'GB', now())",
        made,
    )
    assert paid is not None
    schedule = new_id()
    await raw.execute(
        "INSERT INTO scheduled_transfers SELECT $1, $2, $3, NULL, NULL, 'DE02', NULL, 1, 'EUR', NULL, 'ONCE', 'AS_IS', 'ALL', NULL, "
        "now(), 'ACTIVE', now(), NULL, 0, NULL, 'key', '', now(), now()",
        schedule, ada, account,
    )  # fmt: skip
    await raw.execute("INSERT INTO scheduled_runs VALUES ($1, $1, now(), now(), 'REFUSED', 1, NULL, NULL)", schedule)
    number = await raw.fetchval("SELECT number FROM accounts WHERE id = $1", account)
    product, posting = new_id(), new_id()
    for insert in (
        "INSERT INTO products VALUES ($1, 'Plain', 'CHECKING', 'EUR', 'ACT_360', '2000-01-01', now())",
        "INSERT INTO product_terms VALUES ($1, '2000-01-01', '[[0, 1]]', '[]', 0, NULL, 0, 0, now())",
    ):
        await raw.execute(insert, product)
    for insert in (
        "INSERT INTO due_postings VALUES ($1, $2, 'INTEREST', 1, '', '', now(), $3)",
        "INSERT INTO interest_accruals SELECT $1, $2, now(), now(), 1, id, '2000-01-01', 1 FROM products WHERE name = 'Plain' AND $3::uuid IS NOT NULL",
        "INSERT INTO interest_postings SELECT $2, 'CREDIT', now(), now(), 0, 1, 1, $1 WHERE $3::uuid IS NOT NULL",
    ):
        await raw.execute(insert, posting, account, entry["transaction_id"])
    member = await raw.fetchval("SELECT id FROM users WHERE email_key = 'grace@example.com'")
    membership = new_id()
    await raw.execute(
        "INSERT INTO memberships VALUES ($1, $2, $3, 'MEMBER', true, NULL, true, 'ACTIVE', '', '', $4, now(), now(), now(), NULL)",
        *(membership, account, member, ada),
    )
    keys: dict[str, Hashable] = {
        "user": ada,
        "membership": membership,
        "memberships_of_account": account,
        "owner": account,
        "holders": account,
        "account": account,
        "account_by_number": number,
        "transaction": entry["transaction_id"],
        "entry": entry["id"],
        "counterparty": PaidByCard(paid["transaction_id"]),
        "card": paid["card_id"],
        "card_of_transaction": paid["transaction_id"],
        "merchant": paid["transaction_id"],
        "limits_of_card": paid["card_id"],
        "entries_of_transaction": entry["transaction_id"],
        "balance_at": (account, datetime.now(UTC)),
        "payee": payee.id,
        "payee_match": made,
        "external": made,
        "product_of_account": account,
        "accrued": account,
        "amount_due": account,
        "explanation": entry["transaction_id"],
        "schedule": schedule,
        "runs_of_schedule": (schedule, PAGE, None),
        "balance_history": (account, today, today),
        "statement": statement,
        "statement_link": (statement, ExportFormat.PDF),
        "statements_of_account": (account, PAGE, None),
        "accounts_of_user": (ada, PAGE, None),
        "cards_of_user": (ada, PAGE, None),
        "cards_of_account": (account, PAGE, None),
        "transactions_of_card": (paid["card_id"], PAGE, None),
        "entries_of_account": (account, PAGE, None),
        "transactions_of_account": (account, PAGE, FILTERS),
    }
    readers = Readers(bank.db, CALENDAR, utc_now, bank.links, bank.issuer.months)
    # These read like `transaction`, and nothing is reversed or returned or costs a fee here.
    like_transactions = {"reversal", "returned_by", "fee"}
    for_everyone = {"product", "terms_of_product", "current_terms"}
    for_members = {"own_membership"}
    assert set(vars(readers)) == set(keys) | like_transactions | for_everyone | for_members
    of_the_owner = {"user", "payee", "schedule", "runs_of_schedule", "accounts_of_user", "cards_of_user"}
    grace = Actor(member, None, PERMISSIONS[UserRole.CUSTOMER])
    for name, key in keys.items():
        value = await Loader(getattr(readers, name), grace).load(key)
        assert _is_empty(value) is (name in of_the_owner), name
    own = await Loader(readers.own_membership, grace).load(account)
    assert own is not None
    assert own.id == membership
    await raw.execute("UPDATE memberships SET status = 'ENDED', ended_at = now()")
    for name, key in keys.items():
        value = await Loader(getattr(readers, name), grace).load(key)
        is_between = name in {"transaction", "entries_of_transaction", "explanation", "entry", "payee_match", "external"}
        assert _is_empty(value) or is_between, name
    await raw.execute("UPDATE memberships SET status = 'ACTIVE', ended_at = NULL")
    for name, key in keys.items():
        for actor, is_visible in (
            (Actor(ada, None, PERMISSIONS[UserRole.CUSTOMER]), True),
            (Actor(new_id(), None, PERMISSIONS[UserRole.AUDITOR]), True),
            (Actor(new_id(), None, PERMISSIONS[UserRole.CUSTOMER]), False),
        ):
            value = await Loader(getattr(readers, name), actor).load(key)
            assert _is_empty(value) is not is_visible, (name, actor)
    stranger = Actor(new_id(), None, PERMISSIONS[UserRole.CUSTOMER])
    named = await Loader(readers.counterparty, stranger).load(account)
    assert named is not None
    assert (named.name, named.account_number) == ("Ada Lovelace", f"••••{number[-4:]}")


@pytest.mark.parametrize("role", UserRole)
def test_the_banks_own_accounts_are_invisible_to_every_role(role: UserRole) -> None:
    assert not sees(Actor(new_id(), None, PERMISSIONS[role]), None)
