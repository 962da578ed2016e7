"""Recomputes the books from scratch and compares.

All checks read one snapshot, and the database does the work, so memory stays bounded however large the bank is.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from bank_graphql.kit.checks import Check, Examination, Finding
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.statements import Insert, Query, Row
from bank_graphql.ledger.models import VerificationRun


class _RunRow(Row):
    checked_at: datetime
    checks: str


_RECORD = Insert(VerificationRun, "checked_at", "checks")
_LATEST = Query(
    select(col(VerificationRun.checked_at), col(VerificationRun.checks)).order_by(col(VerificationRun.id).desc()).limit(1),
    _RunRow,
)

CHECKS = (
    Check(
        "zero sums",
        "SELECT count(*) FROM transactions WHERE status = 'POSTED' AND kind <> 'HOLD'",
        """
        SELECT 'transaction ' || t.id || ' has entries that sum to ' || coalesce(sum(e.amount), 0)
               || ' and count ' || count(e.id) AS problem
        FROM transactions t LEFT JOIN entries e ON e.transaction_id = t.id
        WHERE t.status = 'POSTED' AND t.kind <> 'HOLD'
        GROUP BY t.id, t.amount, t.from_account_id, t.to_account_id
        HAVING sum(e.amount) IS DISTINCT FROM 0 OR count(e.id) <> 2
            OR count(*) FILTER (WHERE e.account_id = t.from_account_id AND e.amount = -t.amount) <> 1
            OR count(*) FILTER (WHERE e.account_id = t.to_account_id AND e.amount = t.amount) <> 1
        LIMIT 1
        """,
    ),
    Check(
        "currencies",
        "SELECT count(*) FROM transactions",
        """
        SELECT 'transaction ' || t.id || ' is in ' || t.currency || ', its accounts in ' || f.currency || ' and ' || g.currency
               AS problem
        FROM transactions t JOIN balances f ON f.account_id = t.from_account_id JOIN balances g ON g.account_id = t.to_account_id
        WHERE t.currency <> f.currency OR t.currency <> g.currency LIMIT 1
        """,
    ),
    Check(
        "booked balances",
        "SELECT count(*) FROM balances",
        """
        SELECT 'account ' || b.account_id || ' has booked ' || b.booked || ', its entries sum to '
               || coalesce(e.total, 0) AS problem
        FROM balances b LEFT JOIN (SELECT account_id, sum(amount) AS total FROM entries GROUP BY account_id) e
            USING (account_id)
        WHERE b.booked IS DISTINCT FROM coalesce(e.total, 0) LIMIT 1
        """,
    ),
    Check(
        "held balances",
        "SELECT count(*) FROM balances",
        """
        SELECT 'account ' || b.account_id || ' has held ' || b.held || ', its pending transactions reserve '
               || coalesce(h.total, 0) AS problem
        FROM balances b LEFT JOIN (
            SELECT from_account_id AS account_id, sum(amount - captured) AS total
            FROM transactions WHERE status = 'PENDING' GROUP BY from_account_id
        ) h USING (account_id)
        WHERE b.held IS DISTINCT FROM coalesce(h.total, 0) LIMIT 1
        """,
    ),
    Check(
        "captures",
        "SELECT count(*) FROM transactions WHERE kind = 'HOLD'",
        """
        SELECT 'hold ' || h.id || ' has captured ' || h.captured || ', its captures come to ' || coalesce(c.total, 0) AS problem
        FROM transactions h LEFT JOIN (
            SELECT c.parent_id, sum(c.amount) AS total, bool_and(
                p.kind = 'HOLD' AND c.kind IN ('TRANSFER', 'CARD_PAYMENT') AND c.status = 'POSTED'
                AND (c.from_account_id, c.to_account_id, c.currency) = (p.from_account_id, p.to_account_id, p.currency)
            ) AS fits
            FROM transactions c JOIN transactions p ON p.id = c.parent_id
            WHERE c.kind NOT IN ('CARD_REFUND', 'FEE') AND p.kind <> 'TRANSFER' GROUP BY c.parent_id
        ) c ON c.parent_id = h.id
        LEFT JOIN balances b ON b.account_id = h.to_account_id
        WHERE NOT coalesce(c.fits, true) OR (h.kind = 'HOLD' AND (
            h.captured IS DISTINCT FROM coalesce(c.total, 0)
            OR h.captured > h.amount * CASE b.purpose WHEN 'CARD_SETTLEMENT' THEN 2 ELSE 1 END -- a tolerance is at most 100 %
            OR (h.status = 'POSTED' AND h.captured = 0)
        )) LIMIT 1
        """,
    ),
    Check(
        "refunds",
        "SELECT count(*) FROM transactions WHERE kind = 'CARD_REFUND'",
        """
        SELECT 'payment ' || p.id || ' of ' || p.amount || ' has refunds that come to ' || sum(r.amount) AS problem
        FROM transactions r JOIN transactions p ON p.id = r.parent_id
        WHERE r.kind = 'CARD_REFUND' AND NOT EXISTS (SELECT FROM transactions v WHERE v.reverses_id = r.id)
        GROUP BY p.id, p.amount, p.kind
        HAVING sum(r.amount) > p.amount OR p.kind <> 'CARD_PAYMENT' OR NOT bool_and(
            (r.from_account_id, r.to_account_id, r.currency) = (p.to_account_id, p.from_account_id, p.currency)
        ) LIMIT 1
        """,
    ),
    Check(
        "reversals",
        "SELECT count(*) FROM transactions WHERE kind = 'REVERSAL'",
        """
        SELECT 'reversal ' || r.id || ' is not the opposite of ' || o.id AS problem
        FROM transactions r JOIN transactions o ON o.id = r.reverses_id
        WHERE (r.amount, r.currency, r.from_account_id, r.to_account_id)
            IS DISTINCT FROM (o.amount, o.currency, o.to_account_id, o.from_account_id)
            OR o.kind IN ('HOLD', 'REVERSAL') OR o.status <> 'POSTED' LIMIT 1
        """,
    ),
    Check(
        "strayed entries",
        "SELECT count(*) FROM entries",
        """
        SELECT 'entry ' || e.id || ' belongs to no posted movement' AS problem
        FROM entries e LEFT JOIN transactions t ON t.id = e.transaction_id AND t.status = 'POSTED' AND t.kind <> 'HOLD'
        WHERE t.id IS NULL LIMIT 1
        """,
    ),
    Check(
        "balance chains",
        "SELECT count(*) FROM entries",
        """
        SELECT 'entry ' || id || ' has balance_after ' || balance_after || ', expected ' || before + amount AS problem
        FROM (
            SELECT id, amount, balance_after,
                   coalesce(lag(balance_after) OVER (PARTITION BY account_id ORDER BY id), 0) AS before
            FROM entries
        ) chain
        WHERE balance_after IS DISTINCT FROM before + amount LIMIT 1
        """,
    ),
    Check(
        "booking times",
        "SELECT count(*) FROM entries",
        """
        SELECT 'entry ' || id || ' is not booked when its transaction is made and posted, or before the one before it' AS problem
        FROM (
            SELECT e.id, e.booked_at, t.created_at, t.posted_at, b.purpose,
                   lag(e.booked_at) OVER (PARTITION BY e.account_id ORDER BY e.id) AS before
            FROM entries e LEFT JOIN transactions t ON t.id = e.transaction_id
            LEFT JOIN balances b ON b.account_id = t.to_account_id AND b.purpose = 'CLEARING'
        ) chain
        WHERE booked_at < before OR booked_at <> posted_at OR booked_at < created_at
            OR (booked_at <> created_at AND purpose IS NULL) LIMIT 1 -- what leaves the bank is made first, and settled later
        """,
    ),
    Check(
        "floors",
        "SELECT count(*) FROM balances WHERE purpose IS NULL",
        """
        SELECT 'account ' || account_id || ' has ' || booked - held + overdraft_limit || ' available' AS problem
        FROM balances WHERE purpose IS NULL AND booked - held + overdraft_limit < 0 LIMIT 1
        """,
    ),
)


def _nothing(_: Finding) -> None:
    return None


async def verify(
    db: Database, checks: Sequence[Examination] = CHECKS, report: Callable[[Finding], None] = _nothing
) -> list[Finding]:
    """Run the checks, all on one snapshot of a live bank; `report` is called with each finding as soon as its check ends."""

    async def work(connection: Connection) -> list[Finding]:
        findings = []
        for check in checks:
            findings.append(await check.examine(connection))
            report(findings[-1])
        return findings

    return await db.snapshot(work)


async def record(db: Database, findings: Sequence[Finding], now: datetime) -> None:
    """Store the findings of a verification."""
    checks = json.dumps([[each.name, each.examined, each.first_problem] for each in findings])
    await db.transact(lambda connection: connection.insert(_RECORD, [(now, checks)]))


async def latest(db: Database) -> tuple[datetime, list[Finding]] | None:
    """Return the time and the findings of the latest verification; None if there was none."""
    row = await db.fetch_one(_LATEST)
    return None if row is None else (row.checked_at, [Finding(*check) for check in json.loads(row.checks)])
