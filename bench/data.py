"""Fills a bank with any number of accounts and entries, by COPY, in minutes; the result passes `bank-graphql verify`.

Every account is opened with a deposit from the bank's cash, before the transfers. A few accounts are busy, so that they have several
pages of entries, and one may have very many. Ids are made of numbers, so that load scripts need no list of them.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.kit import schema
from bank_graphql.kit.clock import utc_now
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.rules import internal_account_id

USERS = 32
PASSWORD = "a bench for the bank"  # noqa: S105 - of a bank that is made for measuring
CURRENCY = "EUR"
OPENING = 100_000_000
BUSY = USERS * 5
DEEP = BUSY
_CHUNK = 50_000
_CASH = internal_account_id(Purpose.CASH, CURRENCY).hex
_TABLES = {
    "transactions": [
        "id",
        "kind",
        "status",
        "amount",
        "currency",
        "from_account_id",
        "to_account_id",
        "created_at",
        "posted_at",
        "captured",
    ],
    "entries": ["transaction_id", "account_id", "amount", "balance_after", "booked_at"],
    "transaction_events": ["kind", "account_id", "transaction_id", "occurred_at"],
}


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a bank.

    Attributes:
        accounts: the number of customers' accounts; the n-th belongs to user n % `USERS`.
        entries: the number of all entries, two for each transaction, at least two for each account.
        deep: the number of entries of the account `DEEP` in addition to its share.
    """

    accounts: int
    entries: int
    deep: int = 0


def user_id(number: int) -> str:
    """Return the id of a user, in hexadecimal."""
    return f"0190000000007000a000{number:012x}"


def account_id(number: int) -> str:
    """Return the id of an account, in hexadecimal."""
    return f"01900000000070008000{number:012x}"


async def fill(dsn: str, size: Size, seed: int = 1) -> None:
    """Migrate an empty database, and fill it."""
    await schema.migrate(dsn)
    pool = await asyncpg.create_pool(
        dsn, min_size=3, max_size=3, server_settings={"session_replication_role": "replica", "synchronous_commit": "off"}
    )
    async with pool:
        indexes = await pool.fetch(
            "SELECT indexname, indexdef FROM pg_indexes JOIN pg_class c ON c.relname = indexname "
            "LEFT JOIN pg_constraint k ON k.conindid = c.oid WHERE schemaname = 'public' AND k.oid IS NULL"
        )
        for index in indexes:
            await pool.execute(f"DROP INDEX {index['indexname']}")
        history = _History(size, random.Random(seed))
        await _customers(pool, size, history)
        for index in indexes:
            await pool.execute(index["indexdef"])
        # Not the tables that are still empty: the planner would plan for empty tables from then on.
        await pool.execute(f"VACUUM ANALYZE users, balances, accounts, {', '.join(_TABLES)}")
        await pool.execute("CHECKPOINT")


async def _customers(pool: "asyncpg.Pool[asyncpg.Record]", size: Size, history: "_History") -> None:
    hasher = PasswordHasher()
    hashed = await hasher.hash(PASSWORD)
    hasher.close()
    opened = utc_now() - timedelta(days=1)
    users = [(user_id(n), f"user{n}@bank.test", hashed, f"User {n}", opened) for n in range(USERS)]
    await pool.executemany(
        "INSERT INTO users (id, email, email_key, password_hash, full_name, role, status, created_at, updated_at) "
        "VALUES ($1, $2, $2, $3, $4, 'CUSTOMER', 'ACTIVE', $5, $5)",
        users,
    )
    for start in range(0, size.accounts + size.accounts % 2, _CHUNK * 2):
        await _copy_history(pool, history.deposits(start, min(start + _CHUNK * 2, size.accounts)))
    transfers = max(0, size.entries // 2 - size.accounts)
    for start in range(0, transfers, _CHUNK):
        await _copy_history(pool, history.transfers(min(_CHUNK, transfers - start)))
    opened_at = opened.isoformat()
    await _copy(
        pool,
        "balances",
        ["account_id", "currency", "purpose", "booked", "held", "overdraft_limit", "updated_at"],
        (
            f"{each},{CURRENCY},{'CASH' if each == _CASH else ''},{booked},0,0,{history.now}\n"
            for each, booked in history.balances()
        ),
    )
    await _copy(
        pool,
        "accounts",
        ["id", "owner_id", "number", "name", "kind", "status", "opened_at", "updated_at"],
        (
            f"{account_id(n)},{user_id(n % USERS)},BENCH{n:017d},Account {n},CHECKING,ACTIVE,{opened_at},{opened_at}\n"
            for n in range(size.accounts)
        ),
    )
    await pool.execute("SELECT setval('account_serials', $1)", size.accounts)


class _History:
    """The transactions of a bank in their order, as lines of CSV for each table, and the resulting balances."""

    def __init__(self, size: Size, chance: random.Random) -> None:
        self._size = size
        self._chance = chance
        self._booked = [0] * size.accounts
        self._cash = 0
        self._count = 0
        self._deep_remaining = size.deep
        self._start = datetime.now(UTC) - timedelta(days=1)
        self._step = 86_000_000_000 / max(1, size.entries // 2)
        # Enough for some pages of entries of each busy account, even in a small bank.
        self._busy = min(0.9, max(0.02, BUSY * 60 / max(1, size.entries)))

    @property
    def now(self) -> str:
        """The time of the latest transaction."""
        return (self._start + timedelta(microseconds=self._count * self._step)).isoformat()

    def balances(self) -> Iterator[tuple[str, int]]:
        """Yield the id and the booked balance of each account."""
        yield _CASH, self._cash
        for number, booked in enumerate(self._booked):
            yield account_id(number), booked

    def deposits(self, start: int, end: int) -> dict[str, list[str]]:
        """Return the lines of the opening deposits of the accounts from `start` to `end`."""
        lines: dict[str, list[str]] = {table: [] for table in _TABLES}
        for number in range(start, end):
            self._cash -= OPENING
            self._booked[number] += OPENING
            self._post(lines, TransactionKind.DEPOSIT, OPENING, (_CASH, self._cash), (account_id(number), self._booked[number]))
        return lines

    def transfers(self, count: int) -> dict[str, list[str]]:
        """Return the lines of this many transfers between accounts."""
        lines: dict[str, list[str]] = {table: [] for table in _TABLES}
        for _ in range(count):
            source, target = self._pair()
            amount = 1 + int(self._chance.random() * 99)
            self._booked[source] -= amount
            self._booked[target] += amount
            sides = ((account_id(each), self._booked[each]) for each in (source, target))
            self._post(lines, TransactionKind.TRANSFER, amount, *sides)
        return lines

    def _pair(self) -> tuple[int, int]:
        chance, accounts = self._chance.random, self._size.accounts
        if self._deep_remaining > 0:
            self._deep_remaining -= 1
            other = int(chance() * (accounts - 1))
            other += other >= DEEP
            return (DEEP, other) if other % 2 else (other, DEEP)
        source = int(chance() * (BUSY if chance() < self._busy else accounts))
        target = int(chance() * (accounts - 1))
        return source, target + (target >= source)

    def _post(
        self, lines: dict[str, list[str]], kind: TransactionKind, amount: int, source: tuple[str, int], target: tuple[str, int]
    ) -> None:
        number = self._count
        self._count += 1
        at = self._start + timedelta(microseconds=number * self._step)
        time = at.isoformat()
        key = f"{int(at.timestamp() * 1000):012x}7{number >> 40 & 0xFFF:03x}8{number & 0xFFFFFFFFFF:015x}"
        (payer, payer_balance), (payee, payee_balance) = source, target
        lines["transactions"].append(f"{key},{kind},POSTED,{amount},{CURRENCY},{payer},{payee},{time},{time},0\n")
        lines["entries"].append(
            f"{key},{payer},{-amount},{payer_balance},{time}\n{key},{payee},{amount},{payee_balance},{time}\n"
        )
        events = "" if payer == _CASH else f"POSTED,{payer},{key},{time}\n"
        lines["transaction_events"].append(f"{events}POSTED,{payee},{key},{time}\n")


async def _copy_history(pool: "asyncpg.Pool[asyncpg.Record]", lines: dict[str, list[str]]) -> None:
    await asyncio.gather(*(_copy(pool, table, columns, lines[table]) for table, columns in _TABLES.items()))


async def _copy(
    pool: "asyncpg.Pool[asyncpg.Record]", table: str, columns: Sequence[str], lines: "Iterator[str] | list[str]"
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        waiting = []
        for line in lines:
            waiting.append(line)
            if len(waiting) >= 5000:
                yield "".join(waiting).encode()
                waiting.clear()
        yield "".join(waiting).encode()

    await pool.copy_to_table(table, source=chunks(), columns=columns, format="csv")
