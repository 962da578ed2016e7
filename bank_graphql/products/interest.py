"""Accrues interest day by day, and makes the interest and fees of a month due. `payments` then posts what is due.

All of it may run in several processes at once, be killed at any point, and run again: what was done for an account and a day or
month is found and not done twice. The work is under the accounts' locks, as the balance at the end of a day is final only once
nothing is being booked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.months import Months, next_month
from bank_graphql.kit.statements import Insert, Update, Writes
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.payments import service as payments
from bank_graphql.payments.fees import NewDue
from bank_graphql.products import interest_queries as reads
from bank_graphql.products import queries
from bank_graphql.products.enums import InterestSide
from bank_graphql.products.interest_queries import UnpostedRow
from bank_graphql.products.models import AccrualDay, ClosedMonth, InterestAccrual, InterestPosting
from bank_graphql.products.queries import InterestAccountRow
from bank_graphql.products.rules import Catalog, DatedProduct, Segment, Terms, rounded, segments
from bank_graphql.products.service import LOCK

BATCH = 200
"""How many accounts are locked at a time."""
_ONE_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_INSERT = Insert(InterestAccrual, "id", "account_id", "first_day", "last_day", "balance", "product_id", "terms_since", "amount")
_UPDATE = Update(InterestAccrual, "id", "last_day", "amount")
_INSERT_POSTING = Insert(
    InterestPosting, "account_id", "side", "last_day", "first_day", "carried", "accrued", "posted", "due_posting_id"
)
_INSERT_DAY = Insert(AccrualDay, "day", "completed_at", skip_existing=True)
_INSERT_MONTH = Insert(ClosedMonth, "month", "completed_at", skip_existing=True)


@dataclass(frozen=True, slots=True)
class _Locked:
    """An account whose lock is held, and the products that were assigned to it."""

    row: InterestAccountRow
    assigned: Sequence[tuple[date, UUID]]


class Interest:
    """Accrues interest and closes months.

    Args:
        db: the database.
        months: the days and months of the bank's time zone.
        clock: gives the bank's time.
        post_due: posts what is due of an account, or without one of all.
    """

    def __init__(self, db: Database, months: Months, clock: Clock, post_due: Callable[..., Awaitable[int]]) -> None:
        self._db = db
        self._months = months
        self._clock = clock
        self.post_due = post_due

    async def accrue(self) -> int:
        """Accrue interest through yesterday; return how many accruals were added or extended."""
        done = 0
        while (days := await self._missing_days()) is not None:
            first = days[0] - _ONE_DAY  # again: what was committed just after midnight may have been too late for that day
            async for accounts in self._accounts(first):
                done += await self._db.transact(
                    lambda connection, ids=accounts, of=(first, days[1]): self._accrue(connection, ids, *of)  # type: ignore[misc]
                )
            completed = (days[1], self._clock())
            await self._db.transact(lambda connection, row=completed: connection.insert(_INSERT_DAY, [row]))  # type: ignore[misc]
        return done

    async def close_months(self) -> int:
        """Make due the interest and monthly fees of all months that have ended, and post them; return how many were posted."""
        for month in await self.missing_months():
            await self.accrue()
            async for accounts in self._accounts(month):
                await self._db.transact(lambda connection, ids=accounts, of=month: self._make_month_due(connection, ids, of))  # type: ignore[misc]
            completed = (month, self._clock())
            await self._db.transact(lambda connection, row=completed: connection.insert(_INSERT_MONTH, [row]))  # type: ignore[misc]
        return await self.post_due()

    async def missing_months(self) -> list[date]:
        """Return the months that have ended and are not closed, in order."""
        [first] = await self._db.fetch(reads.FIRST_TERMS)
        if first.date is None:
            return []
        [last] = await self._db.fetch(reads.LAST_CLOSED_MONTH)
        ended = self._months.ended(first.date.replace(day=1), self._clock())
        return [month for month in ended if last.date is None or month > last.date]

    async def settle(self, account_id: UUID) -> int:
        """Make due what an account earns and costs through yesterday, and post it, before the account is closed.

        Returns:
            How many transactions were posted.
        """
        months, begin = await self.missing_months(), await self._first_missing_day()
        if begin is None:
            return 0
        yesterday = self._months.day(self._clock()) - _ONE_DAY

        async def work(connection: Connection) -> None:
            await self._accrue(connection, [account_id], begin, yesterday)
            fees = [fee for month in months for fee in await self._monthly_fees(connection, [account_id], month)]
            await self._make_due(connection, [account_id], yesterday, fees)

        await self._db.transact(work)
        return await self.post_due(account_id)

    async def count_missing_days(self) -> int:
        """Return how many days have ended through which no interest has accrued."""
        begin = await self._first_missing_day()
        return 0 if begin is None else max(0, (self._months.day(self._clock()) - begin).days)

    async def _first_missing_day(self) -> date | None:
        [first], [last] = await self._db.fetch(reads.FIRST_TERMS), await self._db.fetch(reads.LAST_ACCRUAL_DAY)
        return first.date if last.date is None else last.date + _ONE_DAY

    async def _missing_days(self) -> tuple[date, date] | None:
        """Return the first days without interest, at most to the end of their month; None if there are none."""
        begin = await self._first_missing_day()
        if begin is None:
            return None
        end = min(self._months.day(self._clock()) - _ONE_DAY, next_month(begin) - _ONE_DAY)
        return (begin, end) if begin <= end else None

    async def _accounts(self, since: date) -> AsyncIterator[list[UUID]]:
        """Yield the accounts that have products and were still open on a day, some at a time."""
        after = UUID(int=0)
        while found := await self._db.fetch(reads.WITH_PRODUCT, after=after, since=self._months.start(since), maximum=BATCH):
            yield [row.id for row in found]
            after = found[-1].id

    async def _accrue(self, connection: Connection, accounts: Sequence[UUID], first: date, last: date) -> int:
        """Accrue interest of some accounts for days; return how many accruals were added or extended."""
        await connection.lock([LOCK, *map(ledger.account_lock, accounts)])
        catalog = await queries.catalog(connection)
        found = [_Locked(*each) for each in await queries.with_assignments(connection, accounts)]
        wanted = [
            (locked.row.id, day, product)
            for locked in found
            for day, product in self._bearing_days(catalog, locked, first, last)
        ]  # fmt: skip
        balances = await self._balances(connection, [(account_id, day) for account_id, day, _ in wanted])
        days: dict[UUID, list[tuple[date, int, DatedProduct]]] = {}
        for (account_id, day, product), balance in zip(wanted, balances, strict=True):
            days.setdefault(account_id, []).append((day, balance, product))
        writes = Writes()
        new: list[tuple[object, ...]] = []
        extended: list[tuple[object, ...]] = []
        for locked in found:
            found_segments = segments(days.get(locked.row.id, []))
            latest = _latest_accrual(locked.row, catalog)
            longer = latest.joined(found_segments[0]) if latest is not None and found_segments else None
            if longer is not None:
                extended.append((locked.row.accrual_id, longer.last_day, Decimal(longer.amount)))
                del found_segments[0]
            new += [
                (new_id(), locked.row.id, s.first_day, s.last_day, s.balance, s.product.id, s.terms.since, Decimal(s.amount))
                for s in found_segments
            ]
        writes.update(_UPDATE, extended)
        writes.insert(_INSERT, new)
        await connection.write(writes)
        return len(new) + len(extended)

    def _bearing_days(self, catalog: Catalog, locked: _Locked, first: date, last: date) -> Iterator[tuple[date, DatedProduct]]:
        """Yield the days on which an account may bear interest, of those that were not accrued yet."""
        row = locked.row
        begin = max(first, self._months.day(row.opened_at))
        for done in (row.last_day, row.posted_through):
            begin = begin if done is None else max(begin, done + _ONE_DAY)
        for day in _days(begin, last):
            product = catalog.product_on(day, row.kind, row.currency, locked.assigned)
            terms = None if product is None else product.terms_on(day)
            if product is not None and terms is not None and (terms.credit or terms.debit):
                yield day, product

    async def _balances(self, connection: Connection, wanted: Sequence[tuple[UUID, date]]) -> list[int]:
        """Return the balances of accounts at the ends of days."""
        if not wanted:
            return []
        ends = [self._months.start(day + _ONE_DAY) - _MICROSECOND for _, day in wanted]
        rows = await connection.fetch(reads.BALANCES, accounts=[each for each, _ in wanted], ends=ends)
        return [row.balance for row in rows]

    async def _make_month_due(self, connection: Connection, accounts: Sequence[UUID], month: date) -> None:
        """Make due the interest and fees of some accounts for a month."""
        await connection.lock(map(ledger.account_lock, accounts))
        fees = await self._monthly_fees(connection, accounts, month)
        await self._make_due(connection, accounts, next_month(month) - _ONE_DAY, fees)

    async def _monthly_fees(self, connection: Connection, accounts: Sequence[UUID], month: date) -> list[NewDue]:
        """Return the fees of some accounts for a month, by the terms of its last day. Their locks are held."""
        last = next_month(month) - _ONE_DAY
        catalog = await queries.catalog(connection)
        charged: dict[UUID, Terms] = {}
        for row, assigned in await queries.with_assignments(connection, accounts):
            product = catalog.product_on(last, row.kind, row.currency, assigned)
            terms = None if product is None else product.terms_on(last)
            was_open = row.closed_at is None or row.closed_at >= self._months.end(month)
            if terms is not None and terms.monthly_fee and was_open and row.opened_at < self._months.start(month):
                charged[row.id] = terms
        waivable = [(key, day) for key, terms in charged.items() if terms.waived_above is not None for day in _days(month, last)]
        lowest: dict[UUID, int] = {}
        for (key, _), balance in zip(waivable, await self._balances(connection, waivable), strict=True):
            lowest[key] = min(balance, lowest.get(key, balance))
        description, reason = f"Monthly fee, {month:%B %Y}", f"fee/{month:%Y-%m}"
        return [
            NewDue(key, TransactionKind.FEE, -terms.monthly_fee, description, reason)
            for key, terms in charged.items()
            if terms.waived_above is None or lowest[key] < terms.waived_above
        ]

    async def _make_due(self, connection: Connection, accounts: Sequence[UUID], last: date, fees: Sequence[NewDue]) -> None:
        """Round the interest that accrued through a day, and make it and the fees due. The locks are held."""
        writes, now = Writes(), self._clock()
        payments.add_due(writes, fees, now)
        unposted = await connection.fetch(reads.UNPOSTED, accounts=list(accounts), through=last)
        amounts = [rounded(int(row.carried) + int(row.accrued)) for row in unposted]
        due = [_interest_due(row, amount, last) for row, amount in zip(unposted, amounts, strict=True) if amount]
        ids = iter(payments.add_due(writes, due, now))
        writes.insert(
            _INSERT_POSTING,
            [
                (
                    row.account_id, row.side, last, row.first_day, row.carried, row.accrued, amount,
                    next(ids) if amount else None,
                )
                for row, amount in zip(unposted, amounts, strict=True)
            ],
        )  # fmt: skip
        await connection.write(writes)


def _interest_due(row: UnpostedRow, amount: int, last: date) -> NewDue:
    """Return interest as it is to be posted: the customer gets it, or pays it."""
    earned = row.side == InterestSide.CREDIT
    text = f"{'Interest' if earned else 'Overdraft interest'}, {row.first_day} to {last}"
    return NewDue(
        row.account_id, TransactionKind.INTEREST, amount if earned else -amount, text, f"interest/{row.side.lower()}/{last}"
    )


def _latest_accrual(row: InterestAccountRow, catalog: Catalog) -> Segment | None:
    """Return the latest accrual of an account, if a day may continue it: what was posted is not continued."""
    if row.first_day is None or row.last_day is None or (row.posted_through is not None and row.posted_through >= row.first_day):
        return None
    product = catalog.products[row.product_id]
    terms = next(each for each in product.terms if each.since == row.terms_since)
    return Segment(row.first_day, row.last_day, row.balance, product, terms)


def _days(first: date, last: date) -> Iterator[date]:
    """Yield the days from one to another, which is among them."""
    while first <= last:
        yield first
        first += _ONE_DAY
