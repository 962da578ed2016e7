"""Verifies payments through the clearing against the books."""

from bank_graphql.kit.checks import Check

CHECKS = (
    Check(
        "payments through the clearing",
        "SELECT count(*) FROM external_transactions",
        """
        SELECT 'transaction ' || t.id || ' and what the clearing knows of it do not agree' AS problem
        FROM transactions t
        LEFT JOIN balances f ON f.account_id = t.from_account_id AND f.purpose = 'CLEARING'
        LEFT JOIN balances g ON g.account_id = t.to_account_id AND g.purpose = 'CLEARING'
        LEFT JOIN external_transactions x ON x.transaction_id = t.id
        WHERE (x.transaction_id IS NOT NULL) <> (f.account_id IS NOT NULL OR g.account_id IS NOT NULL)
            OR (x.transaction_id IS NOT NULL AND t.kind <> 'TRANSFER')
            OR (x.settles_on IS NOT NULL) <> (g.account_id IS NOT NULL)
            OR (x.settles_on IS NOT NULL AND (t.status = 'VOIDED') <> (x.return_reason IS NOT NULL))
            OR (t.kind = 'TRANSFER' AND t.status IN ('PENDING', 'VOIDED') AND x.settles_on IS NULL) LIMIT 1
        """,
    ),
    Check(
        "returned payments",
        "SELECT count(*) FROM external_transactions WHERE returned_id IS NOT NULL",
        """
        SELECT 'transaction ' || t.id || ' is not the return of ' || x.returned_id AS problem
        FROM external_transactions x JOIN transactions t ON t.id = x.transaction_id
        JOIN transactions p ON p.id = x.returned_id
        LEFT JOIN external_transactions o ON o.transaction_id = p.id
        JOIN balances b ON b.account_id = t.to_account_id
        WHERE t.parent_id IS DISTINCT FROM p.id OR o.settles_on IS NULL OR p.status <> 'POSTED'
            OR (t.amount, t.currency, t.from_account_id) IS DISTINCT FROM (p.amount, p.currency, p.to_account_id)
            OR (t.to_account_id <> p.from_account_id AND b.purpose IS DISTINCT FROM 'SUSPENSE')
            OR (x.account_number, x.name) IS DISTINCT FROM (o.account_number, o.name) LIMIT 1
        """,
    ),
)
