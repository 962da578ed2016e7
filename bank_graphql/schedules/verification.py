"""Verifies what became of the dates of standing orders against the books."""

from bank_graphql.kit.checks import Check

CHECKS = (
    Check(
        "scheduled runs",
        "SELECT count(*) FROM scheduled_runs",
        """
        SELECT 'run ' || r.id || ' does not agree with its transaction, or another run has the same' AS problem
        FROM scheduled_runs r JOIN scheduled_transfers s ON s.id = r.schedule_id
        LEFT JOIN transactions t ON t.id = r.transaction_id
        LEFT JOIN scheduled_runs o ON o.transaction_id = r.transaction_id AND o.id <> r.id
        WHERE (r.status = 'MOVED') <> (t.id IS NOT NULL)
            OR t.from_account_id <> s.from_account_id OR t.kind <> 'TRANSFER' OR o.id IS NOT NULL LIMIT 1
        """,
    ),
    Check(
        "dates paid once",
        "SELECT count(*) FROM idempotency_outcomes o JOIN scheduled_transfers s ON s.id = o.user_id",
        """
        SELECT 'a date of the standing order ' || o.user_id || ' was paid twice: ' || split_part(o.key, '/', 2) AS problem
        FROM idempotency_outcomes o JOIN scheduled_transfers s ON s.id = o.user_id WHERE o.outcome = 'MOVED'
        GROUP BY o.user_id, split_part(o.key, '/', 2) HAVING count(*) > 1 LIMIT 1
        """,
    ),
    Check(
        "paid dates noted",
        "SELECT count(*) FROM idempotency_outcomes o JOIN scheduled_transfers s ON s.id = o.user_id",
        """
        SELECT 'a date of the standing order ' || s.id || ' was paid, and its run does not say so: ' || split_part(o.key, '/', 2)
            AS problem
        FROM idempotency_outcomes o JOIN scheduled_transfers s ON s.id = o.user_id AND s.claimed_until IS NULL
        LEFT JOIN scheduled_runs r ON r.schedule_id = s.id AND r.planned_for = split_part(o.key, '/', 2)::date
        WHERE o.outcome = 'MOVED' AND r.transaction_id IS DISTINCT FROM o.subject_id LIMIT 1
        """,
    ),
)
