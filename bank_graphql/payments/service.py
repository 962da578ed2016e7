"""Carries commands out: takes the locks, reads, has `rules` decide in memory, and writes, all in one transaction.

The answers are those of carrying the commands out one after another in their order. A refused command changes nothing and
does not disturb its neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import BigInteger, DateTime, bindparam, delete, select, tuple_
from sqlmodel import col

from bank_graphql.accounts import service as accounts
from bank_graphql.accounts.rules import Numbering
from bank_graphql.audit import service as audit
from bank_graphql.cards import queries as card_queries
from bank_graphql.cards import service as cards
from bank_graphql.cards.queries import PlaceRow
from bank_graphql.cards.rules import CardPolicy
from bank_graphql.cards.vault import Vault
from bank_graphql.events import service as events
from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import FieldProblem, Refusal, ValidationFailed
from bank_graphql.kit.ids import lock_key
from bank_graphql.kit.statements import Insert, Query, Row, Writes
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.ledger.rules import AccountState, Book, internal_account_id
from bank_graphql.payments import queries
from bank_graphql.payments.card_rules import SETTLEMENT
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    ExpireHold,
    Group,
    IssueCard,
    Moved,
    OpenAccount,
    Outcome,
    PlaceHold,
    RefundCardPayment,
    ReleaseHold,
    ReplaceCard,
    ReverseTransaction,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.errors import BatchAborted
from bank_graphql.payments.idempotency import Done, Key, Remembered, is_remembered, key_of, recalled, subject_of
from bank_graphql.payments.models import IdempotencyOutcome
from bank_graphql.payments.queries import TransactionFactsRow
from bank_graphql.payments.rules import CASH, decide, preview
from bank_graphql.payments.snapshot import read_cards, state_of
from bank_graphql.payments.state import Customer, Facts

_REMEMBER = Insert(
    IdempotencyOutcome, "user_id", "key", "fingerprint", "outcome", "subject_id", "refusal", "created_at", shared=["created_at"]
)
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
_NAMES_A_TRANSACTION = CaptureHold | ReleaseHold | ExpireHold | ReverseTransaction | RefundCardPayment
BANK = Actor(UUID(int=0), None, frozenset())
"""The bank itself, which lets holds expire."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How this bank is set up.

    Attributes:
        sandbox: whether owners may pay cash in and out themselves.
        credit_limit: the overdraft limit of new CREDIT accounts, in whole units of the currency.
        numbering: makes account numbers.
        cards: how cards are issued and authorised.
        vault: makes and keeps card numbers.
        clock: gives the time.
    """

    sandbox: bool
    credit_limit: int
    numbering: Numbering
    cards: CardPolicy
    vault: Vault
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

    try:
        return await db.transact(work)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "uq_card_secrets_number_hash":
            raise
        return await db.transact(work)  # two batches have drawn the same card number, which happens once in a bank's life


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
        self._fingerprints = {id(command): digest for group in groups for command, digest in group.fingerprints()}
        self._known: dict[Key, Remembered] = {}
        self._new: dict[Key, Remembered] = {}
        self._records: list[audit.Record] = []

    async def run(self) -> list[list[Outcome] | Refusal]:
        numbers = await self._resolve_numbers()
        named = [c.transaction_id for c in self._commands if isinstance(c, _NAMES_A_TRANSACTION)]
        before = {row.id: row for row in await self._transactions(named)}
        places = await self._places()
        ids = {i for command in self._commands for i in _accounts_of(command, numbers, before, places)}
        keys = {key_of(command) for command in self._commands} - {None}
        await ledger.lock(
            self._connection,
            [*(lock_key("key", *key) for key in keys if key), *(ledger.account_lock(i) for i in ids)],
        )
        facts, book = await self._read(numbers, ids, [key for key in keys if key], before, places)
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

    async def _places(self) -> Sequence[PlaceRow]:
        # Before the locks as well: a card's account never changes.
        named = [c for c in self._commands if isinstance(c, AuthorizeCard | ReplaceCard)]
        ids = [c.card_id for c in named if c.card_id]
        hashes = [c.number_hash for c in named if isinstance(c, AuthorizeCard) and c.number_hash]
        return await self._connection.fetch(card_queries.PLACES, ids=ids, hashes=hashes) if named else []

    async def _read(
        self,
        numbers: dict[str, UUID],
        ids: set[UUID],
        keys: Sequence[Key],
        named: Mapping[UUID, TransactionFactsRow],
        places: Sequence[PlaceRow],
    ) -> tuple[Facts, Book]:
        users, names = [user for user, _ in keys], [key for _, key in keys]
        rows = await self._connection.fetch(queries.FACTS, ids=list(ids), users=users, keys=names) if ids or keys else []
        accounts, customers = [], {}
        for row in rows:
            account_id = row.account_id
            if account_id is None:
                self._known[row.user_id, row.key] = recalled(row.fingerprint, row.outcome, row.subject_id, row.refusal)
                continue
            accounts.append(AccountState(*row[:7]))
            if row.owner_id is not None:
                customers[account_id] = Customer(*row[7:10])
        # A refund that is taken back counts for its payment again.
        parents = [row.parent_id for row in named.values() if row.kind == TransactionKind.CARD_REFUND and row.parent_id]
        transactions = await self._transactions([*named, *parents])
        now = self._policy.clock()  # read while the accounts are locked
        policy = self._policy
        card_facts = await read_cards(self._connection, policy.cards, self._commands, transactions, places, now)
        facts = Facts(now, policy.sandbox, customers, numbers, card_facts, policy.credit_limit)
        return facts, Book(accounts, map(state_of, transactions))

    def _group(self, group: Group, facts: Facts, book: Book) -> list[Outcome] | Refusal:
        if not group.atomic and not group.dry_run:
            return [c if isinstance(c, Refusal) else self._outcome(c, facts, book) for c in group.commands]
        if not group.dry_run and (replayed := self._replayed(group)) is not None:
            return replayed
        if not group.dry_run and (problems := self._used_keys(group)):
            return ValidationFailed(problems)
        mark, savepoint = book.mark(), facts.savepoint()
        outcomes = [_tried(command, facts, book) for command in group.commands]
        refused = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
        if group.dry_run or refused:
            book.go_back(mark)
            facts.roll_back(savepoint)
        for command, outcome in zip(group.commands, outcomes, strict=True):
            if isinstance(command, Refusal):
                continue
            if not refused or isinstance(outcome, Refusal):
                self._audited(command, outcome, facts)
            if not refused and (key := key_of(command)) and isinstance(outcome, Done):
                self._new[key] = Remembered(self._fingerprints[id(command)], outcome)
        if group.atomic and refused:
            return [each if isinstance(each, Refusal) else BatchAborted(refused[0]) for each in outcomes]
        return outcomes

    def _replayed(self, group: Group) -> list[Outcome] | None:
        """The outcomes of an atomic group that was carried out before, just as it is; None if it was not."""
        outcomes: list[Outcome] = []
        for command in group.commands:
            key = None if isinstance(command, Refusal) else key_of(command)
            known = None if key is None else self._known.get(key) or self._new.get(key)
            if known is None or known.fingerprint != self._fingerprints[id(command)]:
                return None
            outcomes.append(known.replay())
        return outcomes

    def _used_keys(self, group: Group) -> list[FieldProblem]:
        """What is wrong with the keys of an atomic group that is new: each must be so, too, and there once."""
        seen: set[Key] = set()
        problems = []
        for index, command in enumerate(group.commands):
            key = None if isinstance(command, Refusal) else key_of(command)
            if key is None:
                continue
            path = ("transfers", str(index), "idempotencyKey")
            if key in seen:
                problems.append(FieldProblem(path, "USED", "Two items of the batch have the same key."))
            elif key in self._known or key in self._new:
                message = "Each key of an atomic batch is new, or all of the batch is as it was sent before."
                problems.append(FieldProblem(path, "USED", message))
            seen.add(key)
        return problems

    def _outcome(self, command: Command, facts: Facts, book: Book) -> Outcome:
        key = key_of(command)
        fingerprint = self._fingerprints.get(id(command), b"")
        if key is not None:
            before = self._known.get(key) or self._new.get(key)
            if before is not None and before.fingerprint == fingerprint:
                return before.replay()
            if before is not None:
                return self._audited(command, before.conflict(), facts)
        try:
            outcome = decide(command, facts, book)
        except Refusal as refusal:
            outcome = refusal
        if key is not None and is_remembered(outcome):
            self._new[key] = Remembered(fingerprint, outcome)
        return self._audited(command, outcome, facts)

    def _audited(self, command: Command, outcome: Outcome, facts: Facts) -> Outcome:
        """Note for the audit what a command came to; repetitions and dry runs leave no trace."""
        lost_race = isinstance(command, ExpireHold) and isinstance(outcome, Refusal)  # another process was first
        if not command.dry_run and not lost_race:
            refusal = outcome if isinstance(outcome, Refusal) else None
            subject = facts.cards.declined.get(id(command)) or subject_of(outcome)
            self._records.append(audit.Record.by(command.actor, facts.now, command.action, subject, refusal))
        return outcome

    async def _write(self, facts: Facts, book: Book) -> None:
        writes = Writes()
        ledger.write(writes, book)
        await accounts.open_accounts(self._connection, writes, self._policy.numbering, facts.opened, facts.now)
        await cards.issue(self._connection, writes, self._policy.vault, facts.cards.issued, facts.now)
        cards.record(writes, facts.cards.made, facts.cards.recounted.values())
        writes.insert(_REMEMBER, [(*key, *new.stored(), facts.now) for key, new in self._new.items()])
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
    command: Command,
    numbers: Mapping[str, UUID],
    transactions: Mapping[UUID, TransactionFactsRow],
    places: Sequence[PlaceRow],
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
        case CaptureHold() | ReleaseHold() | ExpireHold() | ReverseTransaction() | RefundCardPayment():
            if (named := transactions.get(command.transaction_id)) is not None:
                yield named.from_account_id
                yield named.to_account_id
        case OpenAccount() if command.opening_deposit:
            yield internal_account_id(CASH, command.currency)
        case IssueCard():
            yield command.account_id
        case ReplaceCard():
            yield from (card.account_id for card in places if card.id == command.card_id)
        case AuthorizeCard():
            yield from (
                card.account_id for card in places if command.card_id == card.id or command.number_hash == card.number_hash
            )
            yield internal_account_id(SETTLEMENT, command.amount.currency)


def _tried(command: Command | Refusal, facts: Facts, book: Book) -> Outcome:
    """What becomes of a command in the book, which may go back to before it; a dry run's as a preview."""
    if isinstance(command, Refusal):
        return command
    try:
        outcome = decide(command, facts, book)
    except Refusal as refusal:
        return refusal
    return preview(command, outcome, facts, book) if command.dry_run and isinstance(outcome, Moved) else outcome
