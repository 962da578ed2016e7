"""Verifies what is remembered of keys, and the feed's outbox, against the books."""

from bank_graphql.ledger.verification import Check

CHECKS = (
    Check(
        "idempotency outcomes",
        "SELECT count(*) FROM idempotency_outcomes",
        """
        SELECT 'key ' || md5(o.key) || ' (MD5) of user ' || o.user_id || ' names a ' || o.outcome || ' that is not there'
               AS problem
        FROM idempotency_outcomes o
        LEFT JOIN transactions t ON o.outcome = 'MOVED' AND t.id = o.subject_id
        LEFT JOIN accounts a ON o.outcome = 'OPENED' AND a.id = o.subject_id
        WHERE o.outcome <> 'REFUSED' AND t.id IS NULL AND a.id IS NULL LIMIT 1
        """,
    ),
    Check(
        "feed events",
        "SELECT count(*) FROM entries JOIN accounts ON accounts.id = entries.account_id",
        """
        SELECT 'entry ' || e.id || ' has no event' AS problem
        FROM entries e JOIN accounts a ON a.id = e.account_id
        LEFT JOIN transaction_events v
            ON v.account_id = e.account_id AND v.transaction_id = e.transaction_id AND v.kind = 'POSTED'
        WHERE v.sequence IS NULL LIMIT 1
        """,
    ),
)
