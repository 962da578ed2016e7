"""Statements against entries, for `verify`."""

from bank_graphql.kit.checks import Check

CHECKS = (
    Check(
        "statements",
        "SELECT count(*) FROM statements",
        """
        SELECT 'statement ' || s.id || ' has opening ' || s.opening_balance || ', credits ' || s.total_credits || ', debits '
               || s.total_debits || ', closing ' || s.closing_balance || ' and ' || s.entry_count || ' entries; its entries have '
               || coalesce(e.credits, 0) || ', ' || coalesce(e.debits, 0) || ' and ' || coalesce(e.count, 0) AS problem
        FROM statements s
        LEFT JOIN LATERAL (
            SELECT sum(amount) FILTER (WHERE amount > 0) AS credits, -sum(amount) FILTER (WHERE amount < 0) AS debits,
                   count(*) AS count, max(id) AS last
            FROM entries e WHERE e.account_id = s.account_id AND e.id > s.after_entry_id AND e.id <= s.last_entry_id
        ) e ON true
        LEFT JOIN entries l ON l.id = s.last_entry_id
        WHERE (s.total_credits, s.total_debits, s.entry_count)
              IS DISTINCT FROM (coalesce(e.credits, 0), coalesce(e.debits, 0), coalesce(e.count, 0))
            OR s.opening_balance + s.total_credits - s.total_debits <> s.closing_balance
            OR s.closing_balance <> coalesce(l.balance_after, 0)
            OR (s.last_entry_id > 0 AND l.account_id IS DISTINCT FROM s.account_id)
        LIMIT 1
        """,
    ),
    Check(
        "chains of statements",
        "SELECT count(*) FROM statements",
        """
        SELECT 'statement ' || id || ', number ' || number || ' of its account, does not follow on the one before it' AS problem
        FROM (
            SELECT s.*, lag(number) OVER w AS last_number, lag(closing_balance) OVER w AS last_closing,
                   lag(last_entry_id) OVER w AS last_entry, lag(month) OVER w AS last_month, lag(to_date) OVER w AS last_date
            FROM statements s WINDOW w AS (PARTITION BY account_id ORDER BY number)
        ) chain
        WHERE number <> coalesce(last_number, 0) + 1 OR opening_balance <> coalesce(last_closing, 0)
            OR after_entry_id <> coalesce(last_entry, 0) OR month <> coalesce(last_month + interval '1 month', month)
            OR from_date <> coalesce(last_date + 1, from_date)
        LIMIT 1
        """,
    ),
    Check(
        "statements of closed accounts",
        "SELECT count(*) FROM accounts WHERE status = 'CLOSED'",
        """
        SELECT 'account ' || a.id || ' was closed, and has entries after its last statement' AS problem FROM accounts a
        WHERE a.closed_at < (SELECT completed_at FROM statement_months ORDER BY month DESC OFFSET 1 LIMIT 1) AND EXISTS (
            SELECT FROM entries e WHERE e.account_id = a.id
                AND e.id > coalesce((SELECT max(s.last_entry_id) FROM statements s WHERE s.account_id = a.id), 0)
        ) LIMIT 1
        """,
    ),
)
