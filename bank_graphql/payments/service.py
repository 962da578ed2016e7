"""Carries commands out: takes the locks, reads, has `rules` decide in memory, and writes, all in one transaction.

The answers are those of carrying the commands out one after another in their order. A refused command changes nothing and
does not disturb its neighbours.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeGuard
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import BigInteger, DateTime, bindparam, delete, select, tuple_
from sqlmodel import col

from bank_graphql.accounts import service as accounts
from bank_graphql.accounts.rules import Numbering
from bank_graphql.audit import service as audit
from bank_graphql.events import service as events
from bank_graphql.events.models import TransactionEventKind
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import FieldProblem, Refusal, ValidationFailed
from bank_graphql.kit.ids import lock_key
from bank_graphql.kit.statements import Insert, Query, Row, Writes
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.rules import AccountState, Book, TransactionState, internal_account_id
from bank_graphql.payments import queries
from bank_graphql.payments.commands import (
    CaptureHold,
    Command,
    Deposit,
    ExpireHold,
    Group,
    Moved,
    OpenAccount,
    Opened,
    Outcome,
    PlaceHold,
    ReleaseHold,
    ReverseTransaction,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.errors import BatchAborted, IdempotencyConflict
from bank_graphql.payments.models import IdempotencyOutcome, OutcomeKind
from bank_graphql.payments.queries import FactsRow, TransactionFactsRow
from bank_graphql.payments.rules import CASH, STICKY, Customer, Facts, decide, preview, recall, remember

_REMEMBER = Insert(IdempotencyOutcome, "user_id", "key", "fingerprint", "outcome", "subject_id", "refusal", "created_at")
_FORGET = Query(
    delete(IdempotencyOutcome)
    .where(
        tuple_(col(IdempotencyOutcome.user_id), col(IdempotencyOutcome.key)).in_(
            select(col(IdempotencyOutcome.user_id), col(IdempotencyOutcome.key))
            .where(col(IdempotencyOutcome.created_at) < bindparam("before", type_=DateTime(timezone=True)))
            .limit(bindparam("most", type_=BigInteger()))
        )
    )
    .returning(col(IdempotencyOutcome.user_id)),
    Row,
)
_log = structlog.get_logger(__name__)
_NAMES_A_TRANSACTION = CaptureHold | ReleaseHold | ExpireHold | ReverseTransaction
_Key = tuple[UUID, str]
BANK = Actor(UUID(int=0), None, frozenset())
"""The bank itself, which lets holds expire."""


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
    outcomes = await execute_groups(db, policy, [Group((command,)) for command in commands])
    return [outcome for group in outcomes if not isinstance(group, Refusal) for outcome in group]


async def execute_groups(db: Database, policy: Policy, groups: Sequence[Group]) -> list[list[Outcome] | Refusal]:
    """Carry groups of commands out, in their order, and give the outcomes of each; or why a whole group was refused.

    Raises:
        Unavailable: as `execute`.
    """

    async def work(connection: Connection) -> list[list[Outcome] | Refusal]:
        return await _Batch(connection, policy, groups).run()

    return await db.transact(work)


async def expire_holds(db: Database, policy: Policy, most: int = 500) -> int:
    """Let all holds whose time has come expire, and tell how many did. Several processes may do so at once."""
    expired = 0
    while True:
        found = await db.fetch(queries.DUE_HOLDS, now=policy.clock(), most=most)
        if not found:
            return expired
        due = [ExpireHold(actor=BANK, key=None, transaction_id=row.id) for row in found]
        moved = sum(isinstance(outcome, Moved) for outcome in await _all_or_each(db, policy, due))
        expired += moved
        if len(due) < most or not moved:
            return expired


async def _all_or_each(db: Database, policy: Policy, commands: Sequence[Command]) -> list[Outcome]:
    """Carry commands out together; if that fails, each for itself, so that one that fails stops no other."""
    try:
        return await execute(db, policy, commands)
    except asyncpg.PostgresError:
        outcomes = []
        for command in commands:
            try:
                outcomes += await execute(db, policy, [command])
            except asyncpg.PostgresError as error:
                _log.error("a hold cannot expire", exc_info=error)
        return outcomes


async def forget_old_keys(db: Database, policy: Policy, keep: timedelta, most: int = 5000) -> int:
    """Forget all outcomes older than `keep`, so many at a time; tell how many there were."""
    before, forgotten = policy.clock() - keep, 0
    while True:
        gone = len(await db.transact(lambda connection: connection.fetch(_FORGET, before=before, most=most)))
        forgotten += gone
        if gone < most:
            return forgotten


class _Batch:
    """One attempt at a batch, inside its transaction."""

    def __init__(self, connection: Connection, policy: Policy, groups: Sequence[Group]) -> None:
        self._connection = connection
        self._policy = policy
        self._groups = groups
        self._commands = [each for group in groups for each in group.commands if isinstance(each, Command)]
        # Made before the locks are taken, for others wait while these are held.
        self._fingerprints = {id(each): each.fingerprint() for each in self._commands if _key_of(each)}
        self._known: dict[_Key, Remembered] = {}
        self._new: dict[_Key, Remembered] = {}
        self._records: list[audit.Record] = []

    async def run(self) -> list[list[Outcome] | Refusal]:
        numbers = await self._resolve_numbers()
        named = [c.transaction_id for c in self._commands if isinstance(c, _NAMES_A_TRANSACTION)]
        before = {row.id: row for row in await self._transactions(named)}
        ids = {i for command in self._commands for i in _accounts_of(command, numbers, before)}
        keys = {_key_of(command) for command in self._commands} - {None}
        await ledger.lock(
            self._connection,
            [*(lock_key("key", *key) for key in keys if key), *(ledger.account_lock(i) for i in ids)],
        )
        facts, book = await self._read(numbers, ids, [key for key in keys if key], list(before))
        outcomes = [self._group(group, facts, book) for group in self._groups]
        await self._write(facts, book)
        return outcomes

    async def _resolve_numbers(self) -> dict[str, UUID]:
        # Before the locks, for the locks are on ids. A number is never given to another account.
        pays = [c.to.account_number for c in self._commands if isinstance(c, Transfer | PlaceHold)]
        asked = [number for number in pays if number]
        if not asked:
            return {}
        rows = await self._connection.fetch(queries.RESOLVE_NUMBERS, numbers=asked)
        return {row.number: row.id for row in rows}

    async def _transactions(self, ids: Sequence[UUID]) -> list[TransactionFactsRow]:
        return await self._connection.fetch(queries.TRANSACTIONS, ids=ids) if ids else []

    async def _read(
        self, numbers: dict[str, UUID], ids: set[UUID], keys: Sequence[_Key], transactions: Sequence[UUID]
    ) -> tuple[Facts, Book]:
        users, names = [user for user, _ in keys], [key for _, key in keys]
        rows = await self._connection.fetch(queries.FACTS, ids=list(ids), users=users, keys=names) if ids or keys else []
        accounts, customers = [], {}
        for row in rows:
            account_id = row.account_id
            if account_id is None:
                self._known[row.user_id, row.key] = _remembered(row)
                continue
            purpose, owner_id = row.purpose, row.owner_id
            state = (account_id, row.currency, purpose, row.booked, row.held, row.overdraft_limit, row.updated_at)
            accounts.append(AccountState(*state))
            if owner_id and row.status:
                customers[account_id] = Customer(owner_id, row.status)
        book = Book(accounts, [_state(row) for row in await self._transactions(transactions)])
        # The clock is read while the accounts are locked.
        return Facts(self._policy.clock(), self._policy.sandbox, customers, numbers, self._policy.credit_limit), book

    def _group(self, group: Group, facts: Facts, book: Book) -> list[Outcome] | Refusal:
        if not group.atomic and not group.dry_run:
            return [c if isinstance(c, Refusal) else self._outcome(c, facts, book) for c in group.commands]
        if not group.dry_run and (problems := self._used_keys(group)):
            return ValidationFailed(problems)
        mark = book.mark()
        outcomes = [_tried(command, facts, book) for command in group.commands]
        refused = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
        if group.dry_run or refused:
            book.go_back(mark)
        for command, outcome in zip(group.commands, outcomes, strict=True):
            if isinstance(command, Refusal):
                continue
            if not refused or isinstance(outcome, Refusal):
                self._audited(command, outcome, facts)
            if not refused and (key := _key_of(command)) and isinstance(outcome, Moved | Opened):
                self._new[key] = Remembered(self._fingerprints[id(command)], outcome)
        if group.atomic and refused:
            return [each if isinstance(each, Refusal) else BatchAborted(refused[0]) for each in outcomes]
        return outcomes

    def _used_keys(self, group: Group) -> list[FieldProblem]:
        """What is wrong with the keys of an atomic group: each must be new."""
        seen: set[_Key] = set()
        problems = []
        for index, command in enumerate(group.commands):
            key = None if isinstance(command, Refusal) else _key_of(command)
            if key is not None and (key in seen or key in self._known or key in self._new):
                path = ("transfers", str(index), "idempotencyKey")
                problems.append(FieldProblem(path, "USED", "Each key of an atomic batch is new."))
            if key is not None:
                seen.add(key)
        return problems

    def _outcome(self, command: Command, facts: Facts, book: Book) -> Outcome:
        key = _key_of(command)
        fingerprint = self._fingerprints.get(id(command), b"")
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
        lost_race = isinstance(command, ExpireHold) and isinstance(outcome, Refusal)  # another process was first
        if not command.dry_run and not lost_race:
            refusal = outcome if isinstance(outcome, Refusal) else None
            subject = outcome.transaction_id if isinstance(outcome, Moved) else None
            if isinstance(outcome, Opened):
                subject = outcome.account_id
            self._records.append(audit.Record.by(command.actor, facts.now, command.action, subject, refusal))
        return outcome

    async def _write(self, facts: Facts, book: Book) -> None:
        writes = Writes()
        ledger.write(writes, book)
        await accounts.open_accounts(self._connection, writes, self._policy.numbering, facts.opened, facts.now)
        writes.insert(_REMEMBER, [(*key, *_stored(new), facts.now) for key, new in self._new.items()])
        events.record(
            writes,
            [
                (TransactionEventKind(change.kind), account_id, change.transaction.id, change.at)
                for change in book.changes
                for account_id in (change.transaction.from_account_id, change.transaction.to_account_id)
                if account_id in facts.customers
            ],
        )
        audit.record(writes, self._records)
        await self._connection.write(writes)


def _accounts_of(
    command: Command, numbers: Mapping[str, UUID], transactions: Mapping[UUID, TransactionFactsRow]
) -> Iterator[UUID]:
    """The accounts whose locks a command needs, the bank's own among them."""
    match command:
        case Deposit() | Withdraw():
            yield command.account_id
            yield internal_account_id(CASH, command.amount.currency)
        case Transfer() | PlaceHold():
            yield command.from_account_id if isinstance(command, Transfer) else command.account_id
            to = command.to.account_id or numbers.get(command.to.account_number or "")
            if to is not None:
                yield to
        case CaptureHold() | ReleaseHold() | ExpireHold() | ReverseTransaction():
            if (named := transactions.get(command.transaction_id)) is not None:
                yield named.from_account_id
                yield named.to_account_id
        case OpenAccount() if command.opening_deposit:
            yield internal_account_id(CASH, command.currency)


def _tried(command: Command | Refusal, facts: Facts, book: Book) -> Outcome:
    """What becomes of a command in the book, which may go back to before it; a dry run's as a preview."""
    if isinstance(command, Refusal):
        return command
    try:
        outcome = decide(command, facts, book)
    except Refusal as refusal:
        return refusal
    return preview(command, outcome, facts, book) if command.dry_run and isinstance(outcome, Moved) else outcome


def _state(row: TransactionFactsRow) -> TransactionState:
    return TransactionState(
        row.id,
        row.kind,
        row.status,
        row.from_account_id,
        row.to_account_id,
        row.amount,
        row.currency,
        row.description,
        row.created_at,
        row.posted_at,
        row.captured,
        row.expires_at,
        row.parent_id,
        row.reverses_id,
        is_reversed=row.is_reversed,
    )


def _key_of(command: Command) -> _Key | None:
    return None if command.key is None or command.dry_run else (command.actor.user_id, command.key)


def _is_remembered(outcome: Outcome) -> TypeGuard[Moved | Opened | Refusal]:
    return isinstance(outcome, Moved | Opened) or type(outcome).__name__ in STICKY


def _replay(before: Remembered) -> Outcome:
    return before.outcome if isinstance(before.outcome, Refusal) else replace(before.outcome, replayed=True)


def _conflict(before: Remembered) -> Refusal:
    return IdempotencyConflict(before.outcome.transaction_id if isinstance(before.outcome, Moved) else None)


def _remembered(row: FactsRow) -> Remembered:
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
