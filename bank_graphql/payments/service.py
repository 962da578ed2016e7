"""Executes commands: lock, load, decide, write, in one transaction.

`locks`, `snapshot` and `decisions` do the first three; this module writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import BigInteger, DateTime, Uuid, bindparam, delete, select, text, tuple_, update
from sqlmodel import col

from bank_graphql.accounts import service as accounts
from bank_graphql.accounts.rules import Numbering
from bank_graphql.audit import service as audit
from bank_graphql.cards import service as cards
from bank_graphql.cards.rules import CardPolicy
from bank_graphql.cards.vault import Vault
from bank_graphql.clearing import queries as clearing_queries
from bank_graphql.clearing import service as clearing
from bank_graphql.clearing.rules import ClearingPolicy
from bank_graphql.events import service as events
from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.identity.models import AccessGrant
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.kit.statements import Insert, Query, Row, Update, Writes, any_of
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.payees import service as payees
from bank_graphql.payments import queries
from bank_graphql.payments.commands import ClearTransfer, Command, ExpireHold, PostDue
from bank_graphql.payments.decisions import Decisions
from bank_graphql.payments.delegate_state import DecidedRequest, NewDelegatedPayment, NewPaymentRequest
from bank_graphql.payments.fees import NewDue
from bank_graphql.payments.groups import Group
from bank_graphql.payments.locks import lock
from bank_graphql.payments.metrics import PaymentMetrics
from bank_graphql.payments.models import DelegatedPayment, DuePosting, IdempotencyOutcome, PaymentRequest
from bank_graphql.payments.outcomes import Moved, Outcome
from bank_graphql.payments.snapshot import FeesOf, load
from bank_graphql.payments.state import BatchState

_INSERT_OUTCOMES = Insert(
    IdempotencyOutcome,
    *("user_id", "key", "fingerprint", "outcome", "subject_id", "refusal", "created_at"),
    shared=["created_at"],
)
_INSERT_DUE = Insert(
    DuePosting,
    *("id", "account_id", "kind", "amount", "description", "reason", "created_at"),
    shared=["created_at"],
    skip_existing=True,
)
_INSERT_REQUESTS = Insert(PaymentRequest, *NewPaymentRequest._fields)
_UPDATE_REQUESTS = Update(PaymentRequest, *DecidedRequest._fields)
_INSERT_DELEGATED_PAYMENTS = Insert(DelegatedPayment, *NewDelegatedPayment._fields, shared=["day"])
_UPDATE_DUE = Update(DuePosting, "id", "transaction_id")
_DELETE_OUTCOMES = Query(
    delete(IdempotencyOutcome)
    .where(
        tuple_(col(IdempotencyOutcome.user_id), col(IdempotencyOutcome.key)).in_(
            select(col(IdempotencyOutcome.user_id), col(IdempotencyOutcome.key))
            .where(
                col(IdempotencyOutcome.created_at) < bindparam("before", type_=DateTime(timezone=True)),
                text("NOT EXISTS (SELECT FROM scheduled_transfers s WHERE s.id = idempotency_outcomes.user_id)"),
            )
            .limit(bindparam("maximum", type_=BigInteger()))
        )
    )
    .returning(col(IdempotencyOutcome.user_id)),
    Row,
)
_of_user = select(col(AccessGrant.id)).where(col(AccessGrant.user_id) == bindparam("user", type_=Uuid()))
_ERASE_OUTCOMES = Query(
    delete(IdempotencyOutcome).where(
        any_of(col(IdempotencyOutcome.user_id), select(bindparam("user", type_=Uuid()).label("id")), _of_user)
    ),
    Row,
)
_ERASE_REQUESTS = Query(
    update(PaymentRequest)
    .where(col(PaymentRequest.user_id) == bindparam("user", type_=Uuid()))
    .values(description=None, to_name=None, end_to_end_id=None, reason=""),
    Row,
)
_log = structlog.get_logger(__name__)
BANK = Actor(UUID(int=0), None, frozenset())
"""The bank itself, which lets holds expire, and plays the clearing of a sandbox."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How this bank is set up.

    Attributes:
        sandbox: whether owners may deposit and withdraw cash themselves, and play the card network.
        credit_limit: the overdraft limit of new CREDIT accounts, in whole units of the currency.
        step_up_above: above how much a payment is large, in whole units of its currency; None if none is.
        approval_lasts: how long a payment of a program waits for a decision.
        numbering: makes account numbers.
        cards: how cards are issued and authorised.
        clearing: how payments to other banks are cleared.
        vault: makes and keeps card numbers.
        clock: gives the time.
        metrics: counts what is posted and reserved.
        fees: returns the fees of accounts at a time.
    """

    sandbox: bool
    credit_limit: int
    step_up_above: int | None
    approval_lasts: timedelta
    numbering: Numbering
    cards: CardPolicy
    clearing: ClearingPolicy
    vault: Vault
    clock: Clock
    metrics: PaymentMetrics
    fees: FeesOf


async def execute(db: Database, policy: Policy, commands: Sequence[Command]) -> list[Outcome]:
    """Execute the commands in their order, and return the outcome of each; refusals are outcomes.

    Raises:
        Unavailable: the database cannot be reached. Commands with a key may then be sent again.
    """
    outcomes = await execute_groups(db, policy, [Group((command,)) for command in commands])
    return [outcome for group in outcomes if not isinstance(group, Refusal) for outcome in group]


async def execute_groups(db: Database, policy: Policy, groups: Sequence[Group]) -> list[list[Outcome] | Refusal]:
    """Execute groups of commands in their order; return the outcomes of each group, or why a whole group was refused.

    Raises:
        Unavailable: as `execute`.
    """
    fingerprints = [group.fingerprints() for group in groups]  # before the locks: others wait while these are held

    async def work(connection: Connection) -> tuple[list[list[Outcome] | Refusal], BatchState]:
        locked = await lock(connection, [each for group in groups for each in group.commands if isinstance(each, Command)])
        state, stored = await load(
            connection,
            locked,
            clock=policy.clock,
            sandbox=policy.sandbox,
            credit_limit=policy.credit_limit,
            step_up_above=policy.step_up_above,
            approval_lasts=policy.approval_lasts,
            cards=policy.cards,
            clearing=policy.clearing,
            fees=policy.fees,
        )
        decisions = Decisions(state, stored)
        outcomes = [decisions.decide(group, prints) for group, prints in zip(groups, fingerprints, strict=True)]
        await _write(connection, policy, state, decisions)
        return outcomes, state

    try:
        outcomes, state = await db.transact(work)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "uq_card_secrets_number_hash":
            raise
        outcomes, state = await db.transact(work)  # two batches drew the same card number, which may happen once in a bank's life
    policy.metrics.record(state.ledger.changes)
    return outcomes


async def _write(connection: Connection, policy: Policy, state: BatchState, decisions: Decisions) -> None:
    """Write all that the batch changed, as one statement. Before it, new accounts and cards read their numbers."""
    writes = Writes()
    ledger.write(writes, state.ledger)
    await accounts.open_accounts(connection, writes, policy.numbering, state.new_accounts, state.now)
    await cards.issue(connection, writes, policy.vault, state.cards.new_cards, state.now)
    payees.record(writes, state.verified)
    writes.insert(_INSERT_DELEGATED_PAYMENTS, state.delegates.new_payments)
    writes.insert(_INSERT_REQUESTS, state.delegates.new_requests)
    writes.update(_UPDATE_REQUESTS, state.delegates.decided)
    add_due(writes, state.new_due, state.now)
    writes.update(_UPDATE_DUE, state.posted_due)
    clearing.record(writes, state.clearing.new_payments, state.clearing.changed.values())
    cards.record(writes, state.cards.new_payments, state.cards.adjusted.values())
    stored = decisions.new_outcomes.items()
    writes.insert(_INSERT_OUTCOMES, [(*key, *outcome.columns(), state.now) for key, outcome in stored])
    events.record(
        writes,
        [
            (TransactionEventKind(change.kind), account_id, change.transaction.id, change.at)
            for change in state.ledger.changes
            for account_id in (change.transaction.from_account_id, change.transaction.to_account_id)
            if account_id in state.customers
        ],
    )
    audit.record(
        writes,
        [
            audit.Record.of(
                each.command.actor,
                each.command.action,
                each.command.audited[0] or each.subject_id,
                each.outcome if isinstance(each.outcome, Refusal) else None,
                each.command.audited[1],
            )
            for each in decisions.audited
        ],
    )
    await connection.write(writes)


def add_due(writes: Writes, due: Sequence[NewDue], now: datetime) -> list[UUID]:
    """Add fees and interest that are to be posted to the writes; return their ids.

    One whose reason the account has already is not added again. Interest always has a new one.
    """
    ids = [new_id() for _ in due]
    rows = [(key, d.account_id, d.kind, d.amount, d.description, d.reason, now) for key, d in zip(ids, due, strict=True)]
    writes.insert(_INSERT_DUE, rows)
    return ids


async def require_nothing_due(connection: Connection, account_id: UUID) -> None:
    """Require that no fee or interest of an account is due. Its lock must be held.

    Raises:
        StateConflict: `MONEY_REMAINS`.
    """
    if await queries.has_due(connection, account_id):
        message = "Fees or interest are due, and there was no money for them: pay in what amountDue says first."
        raise StateConflict(StateConflictCode.MONEY_REMAINS, "DUE", message)


async def post_due(db: Database, policy: Policy, account_id: UUID | None = None, batch_size: int = 500) -> int:
    """Post all fees and interest that are due and that their accounts allow; return how many were posted.

    Args:
        db: the database.
        policy: how the bank is set up.
        account_id: only those of this account.
        batch_size: how many are posted in one transaction.
    """
    query = queries.DUE if account_id is None else queries.DUE_OF_ACCOUNT
    done, after = 0, (account_id or UUID(int=0), UUID(int=0))
    while found := await db.fetch(query, account=after[0], after=after[1], maximum=batch_size):
        commands = [
            PostDue(
                actor=BANK,
                key=None,
                due_id=row.id,
                account_id=row.account_id,
                kind=TransactionKind(row.kind),
                amount=Money(row.amount, row.currency),
                description=row.description,
            )
            for row in found
            if row.is_allowed
        ]
        outcomes = await _execute_together_or_singly(db, policy, commands)
        done += sum(isinstance(outcome, Moved) and not outcome.replayed for outcome in outcomes)
        after = max((row.account_id, row.id) for row in found)
    return done


async def expire_holds(db: Database, policy: Policy) -> int:
    """Expire all holds that are due, and return how many expired. Several processes may do so at once."""
    return await _execute_due(db, policy, queries.DUE_HOLDS, ExpireHold)


async def clear_transfers(db: Database, policy: Policy) -> int:
    """Do what the clearing of a sandbox does, as far as it is due; return how many transfers were settled or returned."""
    return await _execute_due(db, policy, clearing_queries.DUE, ClearTransfer)


async def _execute_due(
    db: Database, policy: Policy, due: Query[Any], kind: type[ExpireHold] | type[ClearTransfer], batch_size: int = 500
) -> int:
    """Execute a command of the bank on each transaction that is due; return how many took effect."""
    done = 0
    while True:
        found = await db.fetch(due, now=policy.clock(), maximum=batch_size)
        if not found:
            return done
        commands = [kind(actor=BANK, key=None, transaction_id=row.id) for row in found]
        moved = sum(isinstance(outcome, Moved) for outcome in await _execute_together_or_singly(db, policy, commands))
        done += moved
        if len(commands) < batch_size or not moved:
            return done


async def _execute_together_or_singly(db: Database, policy: Policy, commands: Sequence[Command]) -> list[Outcome]:
    """Execute commands in one transaction; if it fails, each in its own, so that one that fails stops no other."""
    try:
        return await execute(db, policy, commands)
    except asyncpg.PostgresError:
        outcomes = []
        for command in commands:
            try:
                outcomes += await execute(db, policy, [command])
            except asyncpg.PostgresError as error:
                _log.error("what is due cannot be done", command=command.action, exc_info=error)
        return outcomes


async def delete_old_keys(db: Database, policy: Policy, keep: timedelta, batch_size: int = 5000) -> int:
    """Delete all stored outcomes that are older than `keep`, in batches; return how many there were."""
    before, deleted = policy.clock() - keep, 0
    while True:
        rows = await db.transact(lambda connection: connection.fetch(_DELETE_OUTCOMES, before=before, maximum=batch_size))
        deleted += len(rows)
        if len(rows) < batch_size:
            return deleted


async def erase(connection: Connection, user_id: UUID) -> None:
    """Delete the idempotency keys of a user who is closed and sends no request again, and what programs wrote for the user."""
    await connection.execute(_ERASE_OUTCOMES, user=user_id)
    await connection.execute(_ERASE_REQUESTS, user=user_id)
