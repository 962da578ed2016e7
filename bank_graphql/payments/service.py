"""Carries commands out: takes the locks, reads, has `rules` decide in memory, and writes, all in one transaction.

The answers are those of carrying the commands out one after another in their order. A refused command changes nothing and
does not disturb its neighbours.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard
from uuid import UUID

from bank_graphql.accounts import service as accounts
from bank_graphql.accounts.rules import Numbering
from bank_graphql.audit import service as audit
from bank_graphql.events import service as events
from bank_graphql.events.models import TransactionEventKind
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database, Insert
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.ids import lock_key
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.rules import AccountState, Book, internal_account_id
from bank_graphql.payments import queries
from bank_graphql.payments.commands import (
    Command,
    Deposit,
    Moved,
    OpenAccount,
    Opened,
    Outcome,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.errors import IdempotencyConflict
from bank_graphql.payments.models import IdempotencyOutcome, OutcomeKind
from bank_graphql.payments.queries import OutcomeRow
from bank_graphql.payments.rules import CASH, STICKY, Customer, Facts, decide, recall, remember

_REMEMBER = Insert(IdempotencyOutcome, "user_id", "key", "fingerprint", "outcome", "subject_id", "refusal", "created_at")
_Key = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a key."""

    fingerprint: bytes
    outcome: Moved | Opened | Refusal


@dataclass(frozen=True, slots=True)
class Policy:
    """How this bank is set up.

    Attributes:
        sandbox: whether owners may pay cash in and out themselves.
        credit_limit: the overdraft limit of new CREDIT accounts, in whole units of the currency.
        numbering: makes account numbers.
        clock: gives the time.
    """

    sandbox: bool
    credit_limit: int
    numbering: Numbering
    clock: Clock


async def execute(db: Database, policy: Policy, commands: Sequence[Command]) -> list[Outcome]:
    """Carry the commands out, in their order, and give the outcome of each; refusals are outcomes.

    Raises:
        Unavailable: the database is out of reach. Commands with a key may then be given again.
    """

    async def work(connection: Connection) -> list[Outcome]:
        return await _Batch(connection, policy, commands).run()

    return await db.transact(work)


class _Batch:
    """One attempt at a batch, inside its transaction."""

    def __init__(self, connection: Connection, policy: Policy, commands: Sequence[Command]) -> None:
        self._connection = connection
        self._policy = policy
        self._commands = commands
        self._known: dict[_Key, Remembered] = {}
        self._new: dict[_Key, Remembered] = {}
        self._records: list[audit.Record] = []

    async def run(self) -> list[Outcome]:
        numbers = await self._resolve_numbers()
        ids = {i for command in self._commands for i in _accounts_of(command, numbers)}
        keys = {_key_of(command) for command in self._commands} - {None}
        await ledger.lock(
            self._connection,
            [*(lock_key("key", *key) for key in keys if key), *(ledger.account_lock(i) for i in ids)],
        )
        await self._recall([key for key in keys if key])
        facts, book = await self._read(numbers, ids)
        outcomes = [self._outcome(command, facts, book) for command in self._commands]
        await self._write(facts, book)
        return outcomes

    async def _resolve_numbers(self) -> dict[str, UUID]:
        # Before the locks, for the locks are on ids. A number is never given to another account.
        asked = [c.to.account_number for c in self._commands if isinstance(c, Transfer) and c.to.account_number]
        if not asked:
            return {}
        rows = await self._connection.fetch(queries.RESOLVE_NUMBERS, numbers=asked)
        return {row.number: row.id for row in rows}

    async def _recall(self, keys: Sequence[_Key]) -> None:
        if not keys:
            return
        rows = await self._connection.fetch(queries.OUTCOMES, users=[user for user, _ in keys], keys=[key for _, key in keys])
        self._known = {(row.user_id, row.key): _remembered(row) for row in rows}

    async def _read(self, numbers: dict[str, UUID], ids: set[UUID]) -> tuple[Facts, Book]:
        rows = await self._connection.fetch(queries.FACTS, ids=list(ids)) if ids else []
        book = Book(
            AccountState(row.account_id, row.currency, row.purpose, row.booked, row.held, row.overdraft_limit, row.updated_at)
            for row in rows
        )
        customers = {row.account_id: Customer(row.owner_id, row.status) for row in rows if row.owner_id and row.status}
        # The clock is read while the accounts are locked.
        return Facts(self._policy.clock(), self._policy.sandbox, customers, numbers, self._policy.credit_limit), book

    def _outcome(self, command: Command, facts: Facts, book: Book) -> Outcome:
        key = _key_of(command)
        fingerprint = command.fingerprint() if key else b""
        if key is not None:
            before = self._known.get(key) or self._new.get(key)
            if before is not None and before.fingerprint == fingerprint:
                return _replay(before)
            if before is not None:
                return self._audited(command, _conflict(before), facts)
        try:
            outcome = decide(command, facts, book)
        except Refusal as refusal:
            outcome = refusal
        if key is not None and _is_remembered(outcome):
            self._new[key] = Remembered(fingerprint, outcome)
        return self._audited(command, outcome, facts)

    def _audited(self, command: Command, outcome: Outcome, facts: Facts) -> Outcome:
        """Note for the audit what a command came to; repetitions and dry runs leave no trace."""
        if not command.dry_run:
            refusal = outcome if isinstance(outcome, Refusal) else None
            subject = outcome.transaction_id if isinstance(outcome, Moved) else None
            if isinstance(outcome, Opened):
                subject = outcome.account_id
            self._records.append(audit.Record.by(command.actor, facts.now, command.action, subject, refusal))
        return outcome

    async def _write(self, facts: Facts, book: Book) -> None:
        await ledger.write(self._connection, book)
        await accounts.open_accounts(self._connection, self._policy.numbering, facts.opened, facts.now)
        await self._connection.insert(
            _REMEMBER,
            [(*key, *_stored(new), facts.now) for key, new in self._new.items()],
        )
        posted = TransactionEventKind.POSTED
        await events.record(
            self._connection,
            [
                (posted, entry.account_id, entry.transaction_id, entry.booked_at)
                for entry in book.entries
                if entry.account_id in facts.customers
            ],
        )
        await audit.write(self._connection, self._records)


def _accounts_of(command: Command, numbers: dict[str, UUID]) -> Iterator[UUID]:
    """The accounts whose locks a command needs, the bank's own among them."""
    match command:
        case Deposit() | Withdraw():
            yield command.account_id
            yield internal_account_id(CASH, command.amount.currency)
        case Transfer():
            yield command.from_account_id
            to = command.to.account_id or numbers.get(command.to.account_number or "")
            if to is not None:
                yield to
        case OpenAccount() if command.opening_deposit:
            yield internal_account_id(CASH, command.currency)


def _key_of(command: Command) -> _Key | None:
    return None if command.key is None or command.dry_run else (command.actor.user_id, command.key)


def _is_remembered(outcome: Outcome) -> TypeGuard[Moved | Opened | Refusal]:
    return isinstance(outcome, Moved | Opened) or type(outcome).__name__ in STICKY


def _replay(before: Remembered) -> Outcome:
    return before.outcome if isinstance(before.outcome, Refusal) else replace(before.outcome, replayed=True)


def _conflict(before: Remembered) -> Refusal:
    return IdempotencyConflict(before.outcome.transaction_id if isinstance(before.outcome, Moved) else None)


def _remembered(row: OutcomeRow) -> Remembered:
    if row.outcome == OutcomeKind.REFUSED:
        return Remembered(row.fingerprint, recall(json.loads(row.refusal or "{}")))
    if row.subject_id is None:
        raise TypeError("an outcome without its subject")
    kind = Moved if row.outcome == OutcomeKind.MOVED else Opened
    return Remembered(row.fingerprint, kind(row.subject_id))


def _stored(remembered: Remembered) -> tuple[bytes, str, UUID | None, str | None]:
    match remembered.outcome:
        case Moved(transaction_id):
            return remembered.fingerprint, OutcomeKind.MOVED, transaction_id, None
        case Opened(account_id):
            return remembered.fingerprint, OutcomeKind.OPENED, account_id, None
        case refusal:
            return remembered.fingerprint, OutcomeKind.REFUSED, None, json.dumps(remember(refusal), default=str)
