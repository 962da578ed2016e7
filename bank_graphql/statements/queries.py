"""Reads of statements, each as far as it is visible to the actor; and what is read, under locks, to issue them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Date, DateTime, Uuid, bindparam, select, text
from sqlmodel import col

from bank_graphql.accounts.member_queries import HOLDERS
from bank_graphql.accounts.models import Account
from bank_graphql.accounts.visibility import account_is_visible, of_visible_account
from bank_graphql.identity.queries import fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.paging import Listing, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row
from bank_graphql.ledger.models import Balance
from bank_graphql.statements.models import Statement


class StatementRow(Row):
    """A statement as people see it."""

    id: UUID
    account_id: UUID
    number: int
    currency: str
    from_date: date
    to_date: date
    opening_balance: int
    closing_balance: int
    total_credits: Decimal
    total_debits: Decimal
    entry_count: int
    issued_at: datetime


class DraftRow(Row):
    """An account without a statement for a month: its state, its previous statement if there is one, and its new entries."""

    account_id: UUID
    account_name: str
    holder_name: str
    opened_at: datetime
    closed_at: datetime | None
    previous_number: int | None
    opening_balance: int
    after_entry_id: int
    total_credits: Decimal
    total_debits: Decimal
    entry_count: int
    last_entry_id: int
    closing_balance: int


class CounterpartyRow(Row):
    """The other side of entries of an account, as its holder sees it."""

    account_id: UUID
    other_id: UUID
    name: str
    number: str | None


class AccountIdRow(Row):
    """The id of an account."""

    id: UUID


class MonthRow(Row):
    """The last month of which all statements were issued; None before the first."""

    month: date | None


class CountRow(Row):
    """A number of rows."""

    count: int


class FirstOpenedRow(Row):
    """When the first account was opened."""

    opened_at: datetime


_COLUMNS = (
    col(Statement.id),
    col(Statement.account_id),
    col(Statement.number),
    col(Balance.currency),
    *(
        getattr(Statement, name)
        for name in (
            *("from_date", "to_date", "opening_balance", "closing_balance", "total_credits", "total_debits"),
            *("entry_count", "issued_at"),
        )
    ),
)
STATEMENTS_OF_ACCOUNTS = Listing(
    select(*_COLUMNS).join(Balance, col(Balance.account_id) == Statement.account_id),
    parents=[col(Statement.account_id)],
    by=col(Statement.id),
    key=uuid_key("Statement"),
    visible=of_visible_account,
    newest_first=True,
    record=StatementRow,
)
"""The statements of accounts, newest first."""
_ids = requested_keys(Uuid())
_STATEMENTS = Query(
    select(_ids.c.position, *_COLUMNS)
    .select_from(_ids)
    .join(Statement, col(Statement.id) == _ids.c.key)
    .join(Balance, col(Balance.account_id) == Statement.account_id)
    .join(Account, col(Account.id) == Statement.account_id)
    .where(account_is_visible(Account, _ids)),
    StatementRow,
)

FIRST_OPENED = Query(select(col(Account.opened_at)).order_by(col(Account.id)).limit(1), FirstOpenedRow)
LAST_MONTH = Query(text("SELECT max(month) AS month FROM statement_months"), MonthRow)
_NEEDS_STATEMENT = """
    a.opened_at < :until AND NOT EXISTS (SELECT FROM statements s WHERE s.account_id = a.id AND s.month = :month)
    AND (a.closed_at IS NULL OR a.closed_at >= :since OR EXISTS (
        SELECT FROM entries e WHERE e.account_id = a.id AND e.booked_at < :until
            AND e.id > coalesce((SELECT max(s.last_entry_id) FROM statements s WHERE s.account_id = a.id), 0)
    ))
"""
"""An account existed in a month and has no statement for it; or it was closed before, and was booked on after its last one."""
_bounds = (bindparam("until", type_=DateTime(timezone=True)), bindparam("since", type_=DateTime(timezone=True)))
_month = bindparam("month", type_=Date())
_accounts = bindparam("accounts", type_=ARRAY(Uuid()))
WITHOUT_STATEMENT = Query(
    text(f"SELECT a.id FROM accounts a WHERE a.id > :after AND {_NEEDS_STATEMENT} ORDER BY a.id LIMIT :maximum").bindparams(  # noqa: S608
        bindparam("after", type_=Uuid()), bindparam("maximum", type_=BigInteger()), _month, *_bounds
    ),
    AccountIdRow,
)
"""Accounts that need a statement for a month, with ids greater than `after`, in the order of their ids."""
COUNT_WITHOUT_STATEMENT = Query(
    text(f"SELECT count(*) AS count FROM accounts a WHERE {_NEEDS_STATEMENT}").bindparams(_month, *_bounds),  # noqa: S608
    CountRow,
)
DRAFTS = Query(
    text(
        f"""
        SELECT a.id AS account_id, a.name AS account_name, array_to_string({HOLDERS}, ' and ') AS holder_name,
            a.opened_at, a.closed_at,
            s.number AS previous_number, coalesce(s.closing_balance, 0) AS opening_balance,
            coalesce(s.last_entry_id, 0) AS after_entry_id, e.total_credits, e.total_debits, e.entry_count,
            coalesce(e.last_entry_id, s.last_entry_id, 0) AS last_entry_id,
            coalesce(l.balance_after, s.closing_balance, 0) AS closing_balance
        FROM unnest(:accounts) AS given (id) JOIN accounts a ON a.id = given.id
        LEFT JOIN LATERAL (
            SELECT number, closing_balance, last_entry_id FROM statements WHERE account_id = a.id ORDER BY number DESC LIMIT 1
        ) s ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS total_credits,
                coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS total_debits,
                count(*) AS entry_count, max(id) AS last_entry_id
            FROM entries WHERE account_id = a.id AND id > coalesce(s.last_entry_id, 0) AND booked_at < :until
        ) e
        LEFT JOIN entries l ON l.id = e.last_entry_id
        WHERE {_NEEDS_STATEMENT}
        """  # noqa: S608 - no input
    ).bindparams(_accounts, _month, *_bounds),
    DraftRow,
)
"""The figures of a month's statements: of the entries after each account's previous statement and before the end of the month.
The accounts' locks must be held."""
COUNTERPARTIES = Query(
    text(
        """
        SELECT DISTINCT e.account_id, o.id AS other_id,
            coalesce(u.full_name, initcap(replace(b.purpose, '_', ' '))) AS name,
            CASE WHEN a.owner_id = mine.owner_id THEN a.number WHEN a.id IS NOT NULL THEN '••••' || right(a.number, 4) END
                AS number
        FROM unnest(:accounts, :afters, :lasts) AS given (account_id, after, last)
        JOIN accounts mine ON mine.id = given.account_id
        JOIN entries e ON e.account_id = given.account_id AND e.id > given.after AND e.id <= given.last
        JOIN transactions t ON t.id = e.transaction_id
        CROSS JOIN LATERAL (SELECT CASE WHEN e.amount < 0 THEN t.to_account_id ELSE t.from_account_id END AS id) o
        JOIN balances b ON b.account_id = o.id LEFT JOIN accounts a ON a.id = o.id LEFT JOIN users u ON u.id = a.owner_id
        """
    ).bindparams(_accounts, bindparam("afters", type_=ARRAY(BigInteger())), bindparam("lasts", type_=ARRAY(BigInteger()))),
    CounterpartyRow,
)
"""The other sides of the entries of accounts, with ids above `afters`, up to `lasts`."""


async def statements(db: Reads, requested: Sequence[Requested[UUID]]) -> list[StatementRow | None]:
    """Return statements by id; None for one that is not visible to the actor."""
    return await fetch_rows(db, _STATEMENTS, requested, Scope.TRANSACTIONS_READ)
