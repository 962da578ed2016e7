"""What a document shows: a heading, and the lines of its entries, oldest first, read part by part."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, DateTime, Uuid, bindparam, text

from bank_graphql.accounts.member_queries import HOLDERS
from bank_graphql.kit.ids import reference
from bank_graphql.kit.months import Months
from bank_graphql.kit.statements import Query, Reads, Row
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.statements.queries import COUNTERPARTIES
from bank_graphql.statements.service import LAYOUT, Issuer

PART = 1000
"""How many lines are read at a time."""


class Counterparty(NamedTuple):
    """The other side of an entry: a name, and an account number in full, masked, or None.

    The number of an account at another bank is in full: it came with the payment.
    """

    name: str
    number: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as documents show it; amounts in minor units, signed.

    Attributes:
        entry_id: the entry's id.
        booked_at: when it was booked, in the bank's time zone.
        kind: what kind of transaction it belongs to; for a reversal, the kind of what it reverses.
        is_reversal: whether it reverses another.
        is_external: whether the other side is an account at another bank.
        end_to_end_id: for a payment between banks, what the payer, or the payer's bank, named it.
        return_reason: for a payment that came back from another bank, the code of the reason.
        reference: the transaction's reference.
    """

    entry_id: int
    booked_at: datetime
    amount: int
    balance_after: int
    kind: TransactionKind
    is_reversal: bool
    reference: str
    description: str | None
    counterparty: Counterparty
    is_external: bool = False
    return_reason: str | None = None
    end_to_end_id: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a document shows; amounts in minor units.

    Attributes:
        id: what identifies it, 32 characters at most.
        number: the statement's number; None for an export.
        layout: the version of the layout and the wording.
        counterparties: the other sides of its entries, by the ids of their accounts.
        after_entry_id: the id before that of its first entry, or an earlier one.
        last_entry_id: the id of its last entry.
    """

    id: str
    number: int | None
    layout: int
    bank_name: str
    bic: str
    holder_name: str
    account_id: UUID
    account_name: str
    account_number: str
    currency: str
    from_date: date
    to_date: date
    opening_balance: int
    closing_balance: int
    total_credits: int
    total_debits: int
    entry_count: int
    issued_at: datetime
    zone: ZoneInfo
    counterparties: Mapping[UUID, Counterparty]
    after_entry_id: int
    last_entry_id: int

    async def lines(self, db: Reads) -> AsyncIterator[Sequence[Line]]:
        """Yield the lines of its entries, oldest first, in parts."""
        after = self.after_entry_id
        while rows := await db.fetch(_LINES, account=self.account_id, after=after, last=self.last_entry_id, maximum=PART):
            yield [self._line(row) for row in rows]
            after = rows[-1].entry_id

    def _line(self, row: "_LineRow") -> Line:
        kind = TransactionKind(row.reversed_kind or row.kind)
        if row.external_name is not None:
            known = Counterparty(row.external_name, row.external_number)
        else:
            known = Counterparty(row.merchant_name, None) if row.merchant_name else self.counterparties[row.other_id]
        return Line(
            row.entry_id,
            row.booked_at.astimezone(self.zone),
            row.amount,
            row.balance_after,
            kind,
            row.reversed_kind is not None,
            reference(row.transaction_id),
            row.description,
            known,
            row.external_name is not None,
            row.return_reason,
            row.end_to_end_id,
        )


class _LineRow(Row):
    entry_id: int
    booked_at: datetime
    amount: int
    balance_after: int
    kind: str
    reversed_kind: str | None
    transaction_id: UUID
    description: str | None
    merchant_name: str | None
    external_name: str | None
    external_number: str | None
    return_reason: str | None
    end_to_end_id: str | None
    other_id: UUID


class _StatementRow(Row):
    id: UUID
    number: int
    layout: int
    bank_name: str
    bic: str
    holder_name: str
    account_id: UUID
    account_name: str
    account_number: str
    currency: str
    from_date: date
    to_date: date
    opening_balance: int
    closing_balance: int
    total_credits: Decimal
    total_debits: Decimal
    entry_count: int
    issued_at: datetime
    time_zone: str
    counterparties: str
    after_entry_id: int
    last_entry_id: int


class _PeriodRow(Row):
    account_name: str
    account_number: str
    holder_name: str
    currency: str
    after_entry_id: int
    last_entry_id: int
    opening_balance: int
    closing_balance: int
    total_credits: Decimal
    total_debits: Decimal
    entry_count: int


_account = bindparam("account", type_=Uuid())
_LINES = Query(
    text(
        """
        SELECT e.id AS entry_id, e.booked_at, e.amount, e.balance_after, t.kind, r.kind AS reversed_kind,
            t.id AS transaction_id, n.description, coalesce(c.merchant_name, rc.merchant_name) AS merchant_name,
            x.name AS external_name, x.account_number AS external_number, x.return_reason,
            coalesce(x.end_to_end_id, x.reference) AS end_to_end_id,
            CASE WHEN e.amount < 0 THEN t.to_account_id ELSE t.from_account_id END AS other_id
        FROM entries e JOIN transactions t ON t.id = e.transaction_id
        LEFT JOIN transaction_notes n ON n.transaction_id = t.id
        LEFT JOIN card_transactions c ON c.transaction_id = t.id
        LEFT JOIN external_transactions x ON x.transaction_id = t.id
        LEFT JOIN transactions r ON r.id = t.reverses_id
        LEFT JOIN card_transactions rc ON rc.transaction_id = t.reverses_id
        WHERE e.account_id = :account AND e.id > :after AND e.id <= :last ORDER BY e.id LIMIT :maximum
        """
    ).bindparams(_account, *(bindparam(name, type_=BigInteger()) for name in ("after", "last", "maximum"))),
    _LineRow,
)
_STATEMENT = Query(
    text(
        """
        SELECT s.id, s.number, s.layout, s.bank_name, s.bic, s.holder_name, s.account_id, s.account_name,
            a.number AS account_number, b.currency, s.from_date, s.to_date, s.opening_balance, s.closing_balance,
            s.total_credits, s.total_debits, s.entry_count, s.issued_at, s.time_zone, s.counterparties, s.after_entry_id,
            s.last_entry_id
        FROM statements s JOIN accounts a ON a.id = s.account_id JOIN balances b ON b.account_id = s.account_id
        WHERE s.id = :id
        """
    ).bindparams(bindparam("id", type_=Uuid())),
    _StatementRow,
)
_PERIOD = Query(
    text(
        f"""
        SELECT a.name AS account_name, a.number AS account_number, array_to_string({HOLDERS}, ' and ') AS holder_name, b.currency,
            coalesce(f.id, 0) AS after_entry_id, coalesce(l.id, 0) AS last_entry_id,
            coalesce(f.balance_after, 0) AS opening_balance, coalesce(l.balance_after, 0) AS closing_balance,
            e.total_credits, e.total_debits, e.entry_count
        FROM accounts a JOIN balances b ON b.account_id = a.id
        LEFT JOIN LATERAL (
            SELECT id, balance_after FROM entries WHERE account_id = a.id AND booked_at < :since ORDER BY id DESC LIMIT 1
        ) f ON true
        LEFT JOIN LATERAL (
            SELECT id, balance_after FROM entries WHERE account_id = a.id AND booked_at < :until ORDER BY id DESC LIMIT 1
        ) l ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS total_credits,
                coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS total_debits, count(*) AS entry_count
            FROM entries WHERE account_id = a.id AND id > coalesce(f.id, 0) AND id <= coalesce(l.id, 0)
        ) e
        WHERE a.id = :account
        """  # noqa: S608 - no input
    ).bindparams(_account, bindparam("since", type_=DateTime(timezone=True)), bindparam("until", type_=DateTime(timezone=True))),
    _PeriodRow,
)


async def of_statement(db: Reads, statement_id: UUID) -> Content | None:
    """Return what the documents of a statement show, as it was frozen; None if there is no such statement."""
    row = await db.fetch_one(_STATEMENT, id=statement_id)
    if row is None:
        return None
    frozen = json.loads(row.counterparties)
    return Content(
        id=row.id.hex,
        number=row.number,
        layout=row.layout,
        bank_name=row.bank_name,
        bic=row.bic,
        holder_name=row.holder_name,
        account_id=row.account_id,
        account_name=row.account_name,
        account_number=row.account_number,
        currency=row.currency,
        from_date=row.from_date,
        to_date=row.to_date,
        opening_balance=row.opening_balance,
        closing_balance=row.closing_balance,
        total_credits=int(row.total_credits),
        total_debits=int(row.total_debits),
        entry_count=row.entry_count,
        issued_at=row.issued_at,
        zone=ZoneInfo(row.time_zone),
        counterparties={UUID(key): Counterparty(*both) for key, both in frozen.items()},
        after_entry_id=row.after_entry_id,
        last_entry_id=row.last_entry_id,
    )


async def of_period(db: Reads, issuer: Issuer, account_id: UUID, since: date, until: date) -> Content | None:
    """Return what a document about any period shows; None if there is no such account.

    Args:
        db: the database.
        issuer: the bank.
        account_id: the account.
        since: the first day.
        until: the last day.
    """
    months: Months = issuer.months
    bounds = {"since": months.start(since), "until": months.start(date.fromordinal(until.toordinal() + 1))}
    row = await db.fetch_one(_PERIOD, account=account_id, **bounds)
    if row is None:
        return None
    others = await db.fetch(COUNTERPARTIES, accounts=[account_id], afters=[row.after_entry_id], lasts=[row.last_entry_id])
    return Content(
        id=f"{account_id.hex[:16]}{since:%Y%m%d}{until:%Y%m%d}",
        number=None,
        layout=LAYOUT,
        bank_name=issuer.name,
        bic=issuer.bic,
        holder_name=row.holder_name,
        account_id=account_id,
        account_name=row.account_name,
        account_number=row.account_number,
        currency=row.currency,
        from_date=since,
        to_date=until,
        opening_balance=row.opening_balance,
        closing_balance=row.closing_balance,
        total_credits=int(row.total_credits),
        total_debits=int(row.total_debits),
        entry_count=row.entry_count,
        issued_at=issuer.clock(),
        zone=months.zone,
        counterparties={each.other_id: Counterparty(each.name, each.number) for each in others},
        after_entry_id=row.after_entry_id,
        last_entry_id=row.last_entry_id,
    )
