"""Verifies interest: what accrued against what was posted."""

from bank_graphql.kit.checks import Check
from bank_graphql.kit.money import MAX_AMOUNT
from bank_graphql.products.rules import UNIT

CHECKS = (
    Check(
        "interest accruals",
        "SELECT count(*) FROM interest_accruals",
        """
        SELECT 'interest of account ' || account_id || ' accrued twice for ' || first_day AS problem
        FROM (
            SELECT account_id, first_day, lag(last_day) OVER (PARTITION BY account_id ORDER BY first_day) AS before
            FROM interest_accruals
        ) a WHERE before >= first_day LIMIT 1
        """,
    ),
    Check(
        "interest postings",
        "SELECT count(*) FROM interest_postings",
        f"""
        SELECT 'interest of account ' || p.account_id || ' through ' || p.last_day || ' is not what accrued, rounded' AS problem
        FROM (
            SELECT p.*, lag(carried + accrued - posted * {UNIT}::numeric, 1, 0)
                OVER (PARTITION BY account_id, side ORDER BY last_day) AS brought, (
                    SELECT coalesce(sum(abs(a.amount)), 0) FROM interest_accruals a
                    WHERE a.account_id = p.account_id AND (a.amount > 0) = (p.side = 'CREDIT')
                        AND a.first_day >= p.first_day AND a.last_day <= p.last_day
                ) AS total
            FROM interest_postings p
        ) p LEFT JOIN due_postings d ON d.id = p.due_posting_id
        WHERE p.carried <> p.brought OR p.accrued <> p.total
            OR (p.posted < {MAX_AMOUNT} AND abs(2 * (p.carried + p.accrued - p.posted * {UNIT}::numeric)) > {UNIT})
            OR (p.posted > 0) <> (d.id IS NOT NULL) OR d.account_id <> p.account_id OR d.kind <> 'INTEREST'
            OR d.amount <> CASE p.side WHEN 'CREDIT' THEN p.posted ELSE -p.posted END
        LIMIT 1
        """,  # noqa: S608 - made of constants
    ),
)
