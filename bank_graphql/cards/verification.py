"""Verifies cards and what their transactions count toward limits, against the books."""

from bank_graphql.kit.checks import Check

CHECKS = (
    Check(
        "card endings",
        "SELECT count(*) FROM cards",
        """
        SELECT 'card ' || k.id || ' is ' || k.status || ', though it was replaced or its account is closed' AS problem
        FROM cards k JOIN accounts a ON a.id = k.account_id
        WHERE k.status NOT IN ('CANCELLED', 'EXPIRED')
            AND (a.status = 'CLOSED' OR EXISTS (SELECT FROM cards n WHERE n.replaces_id = k.id)) LIMIT 1
        """,
    ),
    Check(
        "card spending",
        "SELECT count(*) FROM card_transactions",
        """
        SELECT 'transaction ' || t.id || ' counts ' || c.counted || ' toward the limits of its card' AS problem
        FROM card_transactions c JOIN transactions t ON t.id = c.transaction_id
        JOIN cards k ON k.id = c.card_id
        WHERE k.series_id <> c.series_id OR k.account_id NOT IN (t.from_account_id, t.to_account_id)
            OR (t.status = 'DECLINED') <> (c.decline_reason IS NOT NULL)
            OR c.counted <> CASE
                WHEN t.status = 'PENDING' THEN t.amount - t.captured
                WHEN t.kind <> 'CARD_PAYMENT' OR EXISTS (SELECT FROM transactions r WHERE r.reverses_id = t.id) THEN 0
                ELSE t.amount - coalesce((
                    SELECT sum(r.amount) FROM transactions r
                    WHERE r.parent_id = t.id AND NOT EXISTS (SELECT FROM transactions v WHERE v.reverses_id = r.id)
                ), 0)
            END LIMIT 1
        """,
    ),
    Check(
        "card transactions",
        "SELECT count(*) FROM transactions t JOIN balances b ON b.account_id = t.to_account_id AND b.purpose = 'CARD_SETTLEMENT'",
        """
        SELECT 'transaction ' || t.id || ' belongs to no card' AS problem
        FROM transactions t LEFT JOIN card_transactions c ON c.transaction_id = t.id
        JOIN balances b ON b.account_id IN (t.from_account_id, t.to_account_id) AND b.purpose = 'CARD_SETTLEMENT'
        WHERE c.transaction_id IS NULL AND t.kind <> 'REVERSAL' LIMIT 1
        """,
    ),
)
