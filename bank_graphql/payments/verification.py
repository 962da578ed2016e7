"""Verifies stored outcomes, and the feed's events, against the books."""

from bank_graphql.kit.checks import Check

CHECKS = (
    Check(
        "idempotency outcomes",
        "SELECT count(*) FROM idempotency_outcomes",
        """
        SELECT 'key ' || md5(o.key) || ' (MD5) of user ' || o.user_id || ' names a ' || o.outcome
               || ' that is not there, or not this user''s' AS problem
        FROM idempotency_outcomes o
        LEFT JOIN users u ON u.id = o.user_id
        LEFT JOIN approvals p ON p.id = o.user_id
        LEFT JOIN scheduled_transfers s ON s.id = o.user_id
        LEFT JOIN due_postings q ON q.id = o.user_id
        LEFT JOIN access_grants x ON x.id = o.user_id
        LEFT JOIN transactions t ON o.outcome = 'MOVED' AND t.id = o.subject_id
        LEFT JOIN accounts f ON f.id = t.from_account_id
        LEFT JOIN accounts g ON g.id = t.to_account_id
        LEFT JOIN accounts a ON o.outcome = 'OPENED' AND a.id = o.subject_id
        LEFT JOIN cards c JOIN accounts d ON d.id = c.account_id ON o.outcome = 'ISSUED' AND c.id = o.subject_id
        WHERE (u.id IS NULL AND p.id IS NULL AND s.id IS NULL AND q.id IS NULL AND x.id IS NULL AND o.key NOT LIKE 'schedule/%')
            OR (s.id IS NOT NULL AND o.outcome = 'MOVED' AND t.from_account_id IS DISTINCT FROM s.from_account_id)
            OR (o.outcome = 'MOVED' AND (t.id IS NULL OR (u.role = 'CUSTOMER' AND o.user_id NOT IN (
                coalesce(f.owner_id, g.owner_id), coalesce(g.owner_id, f.owner_id)) AND NOT EXISTS (
                SELECT FROM memberships m WHERE m.user_id = o.user_id AND m.account_id IN (f.id, g.id)))))
            OR (o.outcome = 'OPENED' AND a.owner_id IS DISTINCT FROM o.user_id)
            OR (o.outcome = 'ISSUED' AND d.owner_id IS DISTINCT FROM o.user_id AND NOT EXISTS (
                SELECT FROM memberships m WHERE m.user_id = o.user_id AND m.account_id = d.id)) LIMIT 1
        """,
    ),
    Check(
        "payment requests",
        "SELECT count(*) FROM payment_requests",
        """
        SELECT 'the payment request ' || r.id || ' does not agree with its hold or its payment' AS problem
        FROM payment_requests r JOIN transactions h ON h.id = r.hold_id LEFT JOIN transactions t ON t.id = r.transaction_id
        WHERE h.kind <> 'HOLD' OR h.from_account_id <> r.account_id OR h.amount < r.amount
            OR (r.status = 'PENDING' AND h.status NOT IN ('PENDING', 'EXPIRED'))
            OR (r.status <> 'PENDING' AND h.status <> 'VOIDED')
            OR (r.status = 'APPROVED' AND (t.from_account_id, t.amount, t.kind) IS DISTINCT FROM
                (r.account_id, r.amount, 'TRANSFER'))
        LIMIT 1
        """,
    ),
    Check(
        "due postings",
        "SELECT count(*) FROM due_postings",
        """
        SELECT 'what was due as ' || d.id || ' does not agree with its transaction' AS problem
        FROM due_postings d JOIN transactions t ON t.id = d.transaction_id
        WHERE t.status <> 'POSTED' OR (t.kind, t.amount) IS DISTINCT FROM (d.kind, abs(d.amount))
            OR d.account_id IS DISTINCT FROM CASE WHEN d.amount < 0 THEN t.from_account_id ELSE t.to_account_id END LIMIT 1
        """,
    ),
    Check(
        "due postings noted",
        "SELECT count(*) FROM idempotency_outcomes o JOIN due_postings d ON d.id = o.user_id",
        """
        SELECT 'what was due as ' || d.id || ' was posted, and does not say so' AS problem
        FROM idempotency_outcomes o JOIN due_postings d ON d.id = o.user_id
        WHERE o.outcome = 'MOVED' AND d.transaction_id IS DISTINCT FROM o.subject_id LIMIT 1
        """,
    ),
    Check(
        "fees and interest",
        "SELECT count(*) FROM transactions WHERE kind IN ('FEE', 'INTEREST')",
        """
        SELECT 'transaction ' || t.id || ' is not between a customer and the bank''s account for its kind, or was never due'
               AS problem
        FROM transactions t
        LEFT JOIN balances f ON f.account_id = t.from_account_id
        LEFT JOIN balances g ON g.account_id = t.to_account_id
        LEFT JOIN due_postings d ON d.transaction_id = t.id
        WHERE t.kind IN ('FEE', 'INTEREST') AND (
            CASE t.kind WHEN 'FEE' THEN 'FEES' ELSE 'INTEREST' END IS DISTINCT FROM coalesce(f.purpose, g.purpose)
            OR (t.kind = 'FEE' AND f.purpose IS NOT NULL) OR (t.kind = 'INTEREST' AND d.id IS NULL)
        ) LIMIT 1
        """,
    ),
    Check(
        "feed events",
        """
        SELECT count(*) FROM entries JOIN accounts ON accounts.id = entries.account_id
        WHERE entries.booked_at >= coalesce((SELECT deleted_until FROM feed_start), '-infinity')
        """,
        """
        SELECT 'entry ' || e.id || ' has no event' AS problem
        FROM entries e JOIN accounts a ON a.id = e.account_id
        LEFT JOIN transaction_events v
            ON v.account_id = e.account_id AND v.transaction_id = e.transaction_id AND v.kind = 'POSTED'
        WHERE v.sequence IS NULL AND e.booked_at >= coalesce((SELECT deleted_until FROM feed_start), '-infinity') LIMIT 1
        """,
    ),
)
