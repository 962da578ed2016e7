"""Everything that the bank holds about a user, section by section. Secrets, and what only protects them, are left out.

Each statement takes the user's id as `:user`. Sections that may be long are read page by page.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, bindparam, text

from bank_graphql.audit import queries as audit
from bank_graphql.audit.queries import AuditFilters
from bank_graphql.kit.money import format_amount
from bank_graphql.kit.paging import MAX_SIZE, Page
from bank_graphql.kit.statements import Query, Reads, Row

_user = bindparam("user", type_=Uuid())


def _section(sql: str) -> Query[Row]:
    return Query(text(sql).bindparams(_user), Row)


SECTIONS: Mapping[str, Query[Row]] = {
    "profile": _section(
        "SELECT email, email_verified_at, full_name, phone_number, role, status, suspension_reason, created_at, updated_at, "
        "closed_at, erased_at FROM users WHERE id = :user"
    ),
    "second_factor": _section("SELECT created_at, confirmed_at FROM totp_factors WHERE user_id = :user"),
    "passkeys": _section("SELECT name, is_synced, created_at, last_used_at FROM passkeys WHERE user_id = :user"),
    "recovery_codes": _section("SELECT used_at FROM recovery_codes WHERE user_id = :user"),
    "sessions": _section(
        "SELECT created_at, last_used_at, verified_at, expires_at, ended_at, user_agent, ip_address FROM sessions "
        "WHERE user_id = :user"
    ),
    "accounts": _section(
        "SELECT a.number, a.name, a.kind, a.status, a.frozen_by, a.freeze_reason, a.opened_at, a.closed_at, b.currency, "
        "b.booked, b.held, b.overdraft_limit FROM accounts a JOIN balances b ON b.account_id = a.id WHERE a.owner_id = :user"
    ),
    "cards": _section(
        "SELECT c.last4, c.kind, c.form, c.status, c.frozen_by, c.holder_name, c.expiry_month, c.expiry_year, c.created_at, "
        "a.number AS account_number FROM accounts a JOIN cards c ON c.account_id = a.id WHERE a.owner_id = :user"
    ),
    "card_limits": _section(
        "SELECT c.last4, l.time_window, l.amount, b.currency FROM accounts a JOIN balances b ON b.account_id = a.id "
        "JOIN cards c ON c.account_id = a.id JOIN card_limits l ON l.card_id = c.id WHERE a.owner_id = :user"
    ),
    "card_blocks": _section(
        "SELECT c.last4, k.category FROM accounts a JOIN cards c ON c.account_id = a.id JOIN card_blocks k ON k.card_id = c.id "
        "WHERE a.owner_id = :user"
    ),
    "memberships": _section(
        "SELECT a.number AS account_number, m.role, m.may_pay, m.daily_limit, b.currency, m.may_manage_cards, m.status, m.email, "
        "m.created_at, m.accepted_at, m.ended_at FROM memberships m JOIN accounts a ON a.id = m.account_id "
        "JOIN balances b ON b.account_id = a.id WHERE m.user_id = :user"
    ),
    "invitations": _section(
        "SELECT a.number AS account_number, m.role, m.may_pay, m.daily_limit, b.currency, m.may_manage_cards, m.email, "
        "m.created_at, m.expires_at FROM users u JOIN memberships m ON m.email_key = u.email_key AND m.status = 'INVITED' "
        "JOIN accounts a ON a.id = m.account_id JOIN balances b ON b.account_id = a.id WHERE u.id = :user"
    ),
    "members_of_accounts": _section(
        "SELECT a.number AS account_number, m.role, m.may_pay, m.daily_limit, b.currency, m.may_manage_cards, m.status, m.email, "
        "u.full_name AS member_name, m.created_at, m.accepted_at, m.ended_at FROM accounts a "
        "JOIN balances b ON b.account_id = a.id JOIN memberships m ON m.account_id = a.id LEFT JOIN users u ON u.id = m.user_id "
        "WHERE a.owner_id = :user"
    ),
    "payments_as_member": _section(
        "SELECT p.transaction_id, p.day, p.amount, b.currency FROM memberships m JOIN balances b ON b.account_id = m.account_id "
        "JOIN delegated_payments p ON p.delegate_id = m.id WHERE m.user_id = :user"
    ),
    "access_grants": _section(
        "SELECT id, kind, name, scopes, payees, currency, daily_limit, approval_above, created_at, expires_at, revoked_at, "
        "last_used_at FROM access_grants WHERE user_id = :user"
    ),
    "granted_accounts": _section(
        "SELECT d.grant_id, a.number AS account_number FROM access_grants g JOIN granted_accounts d ON d.grant_id = g.id "
        "JOIN accounts a ON a.id = d.account_id WHERE g.user_id = :user"
    ),
    "oauth_consents": _section(
        "SELECT c.grant_id, o.name AS application FROM oauth_consents c JOIN oauth_clients o ON o.id = c.client_id "
        "WHERE c.user_id = :user"
    ),
    "payment_requests": _section(
        "SELECT r.id, r.grant_id, a.number AS account_number, r.to_number, r.to_name, r.amount, r.currency, r.description, "
        "r.end_to_end_id, r.reason, r.status, r.created_at, r.expires_at, r.decided_at, r.transaction_id "
        "FROM payment_requests r JOIN accounts a ON a.id = r.account_id WHERE r.user_id = :user"
    ),
    "payments_of_programs": _section(
        "SELECT p.transaction_id, p.day, p.amount, g.currency FROM access_grants g "
        "JOIN delegated_payments p ON p.delegate_id = g.id WHERE g.user_id = :user"
    ),
    "payees": _section("SELECT name, account_number, created_at, removed_at FROM payees WHERE owner_id = :user"),
    "standing_orders": _section(
        "SELECT s.id, s.to_number, s.to_name, s.amount, s.currency, s.description, s.recurrence, s.day_rule, s.missed_runs, "
        "s.sweep, s.starts_on, s.status, s.planned_for, s.created_at, a.number AS account_number "
        "FROM scheduled_transfers s JOIN accounts a ON a.id = s.from_account_id WHERE s.owner_id = :user"
    ),
    "standing_order_runs": _section(
        "SELECT r.schedule_id, r.planned_for, r.ran_at, r.status, r.attempts, r.transaction_id, r.refusal "
        "FROM scheduled_transfers s JOIN scheduled_runs r ON r.schedule_id = s.id WHERE s.owner_id = :user"
    ),
    "products": _section(
        "SELECT a.number AS account_number, p.since, q.name FROM accounts a JOIN account_products p ON p.account_id = a.id "
        "JOIN products q ON q.id = p.product_id WHERE a.owner_id = :user"
    ),
    "fees_and_interest": _section(
        "SELECT a.number AS account_number, d.kind, d.amount, b.currency, d.description, d.created_at, d.transaction_id "
        "FROM accounts a JOIN balances b ON b.account_id = a.id JOIN due_postings d ON d.account_id = a.id "
        "WHERE a.owner_id = :user"
    ),
    "interest_accruals": _section(
        "SELECT a.number AS account_number, i.first_day, i.last_day, i.balance, b.currency, i.amount::text AS units "
        "FROM accounts a JOIN balances b ON b.account_id = a.id JOIN interest_accruals i ON i.account_id = a.id "
        "WHERE a.owner_id = :user"
    ),
    "interest_postings": _section(
        "SELECT a.number AS account_number, i.side, i.first_day, i.last_day, i.posted, b.currency, "
        "i.carried::text AS carried_units, i.accrued::text AS accrued_units "
        "FROM accounts a JOIN balances b ON b.account_id = a.id JOIN interest_postings i ON i.account_id = a.id "
        "WHERE a.owner_id = :user"
    ),
    "statements": _section(
        "SELECT a.number AS account_number, s.number, s.from_date, s.to_date, s.opening_balance, s.closing_balance, "
        "s.total_credits, s.total_debits, b.currency, s.entry_count, s.issued_at, s.holder_name, s.account_name "
        "FROM accounts a JOIN balances b ON b.account_id = a.id JOIN statements s ON s.account_id = a.id WHERE a.owner_id = :user"
    ),
    "requests": _section("SELECT key, outcome, created_at FROM idempotency_outcomes WHERE user_id = :user"),
    "requests_of_programs": _section(
        "SELECT o.user_id AS grant_id, o.key, o.outcome, o.created_at FROM access_grants g "
        "JOIN idempotency_outcomes o ON o.user_id = g.id WHERE g.user_id = :user"
    ),
}
"""The sections that are read at once."""
_MONEY = {
    *(
        "booked",
        "held",
        "overdraft_limit",
        "amount",
        "captured",
        "daily_limit",
        "approval_above",
        "opening_balance",
        "closing_balance",
    ),
    *("total_credits", "total_debits", "balance", "posted"),
}


class _AccountRow(Row):
    id: UUID


class _TransactionRow(Row):
    id: UUID


_ACCOUNTS = Query(text("SELECT id FROM accounts WHERE owner_id = :user").bindparams(_user), _AccountRow)
_SIDE = """(
            SELECT * FROM transactions WHERE ({0}, id) > (:account, :after) AND ({0}, id) <= (:account, :last)
            ORDER BY {0}, id LIMIT :maximum
        )"""
_MASKED = "CASE WHEN {0}.owner_id = :user THEN {0}.number ELSE '••••' || right({0}.number, 4) END"
"""The number of an account, as others than its owner see it."""
_TRANSACTIONS = Query(
    text(
        f"""
        SELECT t.id, t.kind, t.status, t.amount, t.captured, t.currency, t.created_at, t.posted_at, t.expires_at,
               {_MASKED.format("f")} AS from_number, {_MASKED.format("g")} AS to_number, n.description,
               x.account_number AS external_number,
               x.name AS external_name, x.end_to_end_id, x.settles_on, x.return_reason, v.match AS payee_match,
               v.name AS payee_name, c.merchant_name, c.merchant_category, c.merchant_country, c.decline_reason
        FROM ({_SIDE.format("from_account_id")} UNION ALL {_SIDE.format("to_account_id")}) t
        LEFT JOIN accounts f ON f.id = t.from_account_id LEFT JOIN accounts g ON g.id = t.to_account_id
        LEFT JOIN transaction_notes n ON n.transaction_id = t.id LEFT JOIN external_transactions x ON x.transaction_id = t.id
        LEFT JOIN verified_payments v ON v.transaction_id = t.id AND f.owner_id = :user
        LEFT JOIN card_transactions c ON c.transaction_id = t.id
        ORDER BY t.id LIMIT :maximum
        """  # noqa: S608 - made of constants
    ).bindparams(
        _user,
        bindparam("account", type_=Uuid()),
        bindparam("after", type_=Uuid()),
        bindparam("last", type_=Uuid()),
        bindparam("maximum", type_=BigInteger()),
    ),
    _TransactionRow,
)
_PAGE = 500
_LAST = UUID(int=2**128 - 1)


async def transactions(db: Reads, user_id: UUID) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the transactions of a user's accounts, account by account, oldest first."""
    given = {"user": user_id, "last": _LAST, "maximum": _PAGE}
    for account in await db.fetch(_ACCOUNTS, user=user_id):
        after = UUID(int=0)
        while page := await db.fetch(_TRANSACTIONS, **given, account=account.id, after=after):
            yield [as_json(row) for row in page]
            after = page[-1].id


async def audit_events(db: Reads, user_id: UUID) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield what a user did, newest first."""
    page = Page(MAX_SIZE)
    while True:
        found = await audit.events(db, page, AuditFilters(actor_id=user_id))
        yield [as_json(row) for row in found.items]
        if not found.has_next:
            return
        page = Page(MAX_SIZE, after=found.items[-1].id)


def as_json(row: Row) -> dict[str, Any]:
    """Return a row with values that JSON has. Amounts are decimals with their currency's digits."""
    currency = row.get("currency")
    return {
        name: format_amount(value, currency) if name in _MONEY and value is not None and currency else _plain(value)
        for name, value in row.items()
    }


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
