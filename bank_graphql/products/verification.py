"""Verifies interest: each accrual against its terms, and what was posted against what accrued."""

from bank_graphql.kit.checks import Check, Finding
from bank_graphql.kit.db import Connection
from bank_graphql.kit.money import MAX_AMOUNT
from bank_graphql.products import interest_queries, queries
from bank_graphql.products.rules import UNIT, Segment

_PAGE = 5000


class InterestAccruals:
    """Recomputes what accrued, of the balance, the terms and the days of each accrual; no day may have accrued twice."""

    async def examine(self, connection: Connection) -> Finding:
        """Read all accruals, page by page, by account and day."""
        catalog = await queries.catalog(connection)
        examined, last = 0, None
        arguments = interest_queries.FIRST_ACCRUAL
        while page := await connection.fetch(interest_queries.ACCRUALS, **arguments, maximum=_PAGE):
            for row in page:
                product = catalog.products[row.product_id]
                terms = next((each for each in product.terms if each.since == row.terms_since), None)
                accrual = None if terms is None else Segment(row.first_day, row.last_day, row.balance, product, terms)
                where = f"interest of account {row.account_id} from {row.first_day}"
                if accrual is None or accrual.amount != int(row.amount):
                    return Finding(self.name, examined, f"{where} is not what its balance and terms give")
                if last is not None and last.account_id == row.account_id and last.last_day >= row.first_day:
                    return Finding(self.name, examined, f"{where} accrued twice")
                examined, last = examined + 1, row
            arguments = {"account": page[-1].account_id, "day": page[-1].first_day}
        return Finding(self.name, examined, None)

    name = "interest accruals"


CHECKS = (
    InterestAccruals(),
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
    Check(
        "interest that is due",
        "SELECT count(*) FROM due_postings WHERE kind = 'INTEREST'",
        """
        SELECT 'interest that is due as ' || d.id || ' has not accrued' AS problem
        FROM due_postings d LEFT JOIN interest_postings p ON p.due_posting_id = d.id
        WHERE d.kind = 'INTEREST' AND p.account_id IS NULL LIMIT 1
        """,
    ),
)
