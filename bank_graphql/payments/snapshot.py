"""Loads the state of a batch under its locks: accounts, stored outcomes, transactions, and the cards that decisions depend on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from bank_graphql.accounts.access import Delegate, ProgramTerms
from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy, MemberRole
from bank_graphql.cards import queries as card_queries
from bank_graphql.cards.enums import CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.cards.queries import LockedCardRow
from bank_graphql.cards.rules import CardPayment, CardPolicy, CardState, Merchant, Spending, Window, windows_at
from bank_graphql.clearing import queries as clearing_queries
from bank_graphql.clearing.queries import LockedPaymentRow
from bank_graphql.clearing.rules import ClearingPolicy, ExternalAccount, ExternalPayment, Received
from bank_graphql.identity.queries import closed_among
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.rules import AccountState, LedgerState, TransactionState, internal_account_id
from bank_graphql.payments import delegate_queries, queries
from bank_graphql.payments.card_state import CardsState
from bank_graphql.payments.clearing_state import ClearingState
from bank_graphql.payments.commands import Key
from bank_graphql.payments.delegate_state import DelegatesState
from bank_graphql.payments.fees import Fees
from bank_graphql.payments.idempotency import StoredOutcome, stored_outcome
from bank_graphql.payments.locks import Locked, read_transactions
from bank_graphql.payments.queries import LockedTransactionRow
from bank_graphql.payments.state import BatchState, CustomerAccount

FeesOf = Callable[[Connection, Sequence[UUID], datetime], Awaitable[Mapping[UUID, Fees]]]
"""Returns the fees of accounts at a time."""


async def load(
    connection: Connection,
    locked: Locked,
    *,
    clock: Clock,
    sandbox: bool,
    credit_limit: int,
    step_up_above: int | None,
    approval_lasts: timedelta,
    cards: CardPolicy,
    clearing: ClearingPolicy,
    fees: FeesOf,
) -> tuple[BatchState, dict[Key, StoredOutcome]]:
    """Return the state of a batch, and the outcomes that are stored under its keys.

    Args:
        connection: holds the locks.
        locked: what the commands name.
        clock: gives the time, which is read under the locks, unless the bank's clock was moved. `ledger.rules` books nothing
            before an account's last change.
        sandbox: whether owners may deposit and withdraw cash themselves, and play the card network.
        credit_limit: the overdraft limit of new CREDIT accounts, in whole units of the currency.
        step_up_above: above how much a payment is large, in whole units of its currency; None if none is.
        approval_lasts: how long a payment of a program waits for a decision.
        cards: how cards are issued and authorised.
        clearing: how payments to other banks are cleared.
        fees: returns the fees of accounts at a time.
    """
    accounts, customers, members, stored, moved_to = await _read_accounts_and_keys(connection, locked)
    received = await _read_received(connection, locked)
    transactions = await read_transactions(connection, [*locked.transaction_ids, *(row.transaction_id for row in received)])
    now = moved_to or clock()
    state = BatchState(
        now=now,
        sandbox=sandbox,
        ledger=LedgerState(accounts, map(_transaction_state, transactions.values())),
        cards=await _read_cards(connection, cards, locked, transactions, now),
        clearing=await _read_clearing(connection, clearing, transactions, received),
        delegates=await _read_delegates(connection, members, locked.grants, now, cards.calendar.zone),
        customers=customers,
        numbers=locked.numbers,
        payees=locked.payees,
        closed_users=await closed_among(connection, locked.owners),
        credit_limit=credit_limit,
        step_up_above=step_up_above,
        approval_lasts=approval_lasts,
        fees=await fees(connection, locked.charged, now) if locked.charged else {},
    )
    return state, stored


async def _read_accounts_and_keys(
    connection: Connection, locked: Locked
) -> tuple[
    list[AccountState],
    dict[UUID, CustomerAccount],
    dict[tuple[UUID, UUID], Delegate],
    dict[Key, StoredOutcome],
    datetime | None,
]:
    accounts: list[AccountState] = []
    customers: dict[UUID, CustomerAccount] = {}
    members: dict[tuple[UUID, UUID], Delegate] = {}
    stored: dict[Key, StoredOutcome] = {}
    moved_to: datetime | None = None
    if not locked.account_ids and not locked.keys:
        return accounts, customers, members, stored, moved_to
    rows = await connection.fetch(
        queries.ACCOUNTS_AND_KEYS,
        ids=locked.account_ids,
        users=[user for user, _ in locked.keys],
        keys=[key for _, key in locked.keys],
        actors=locked.actors,
    )
    for row in rows:
        account_id = row.account_id
        if account_id is None and row.moved_to is not None:
            moved_to = row.moved_to
            continue
        if account_id is None and row.member_id is not None:
            members[row.member_user_id, row.member_account_id] = Delegate(
                row.member_id,
                MemberRole(row.member_role),
                row.member_may_pay,
                row.member_may_manage_cards,
                row.member_daily_limit,
            )
            continue
        if account_id is None:
            stored[row.user_id, row.key] = stored_outcome(row.fingerprint, row.outcome, row.subject_id, row.refusal)
            continue
        accounts.append(AccountState(*row[:7]))
        owner_id, status, kind = row[7:10]
        if owner_id is not None:
            customers[account_id] = CustomerAccount(owner_id, AccountStatus(status), AccountKind(kind))
    return accounts, customers, members, stored, moved_to


async def _read_delegates(
    connection: Connection,
    members: Mapping[tuple[UUID, UUID], Delegate],
    grants: Sequence[UUID],
    now: datetime,
    zone: ZoneInfo,
) -> DelegatesState:
    """Return the members and programs that send commands, with what those who have a limit paid today."""
    found, today = dict(members), now.astimezone(zone).date()
    for row in await connection.fetch(delegate_queries.GRANTS, grants=grants) if grants else []:
        payees = None if row.payees is None else frozenset[str | UUID]((*row.payees, *row.payee_accounts))
        terms = ProgramTerms(row.user_id, payees, row.approval_above, row.waiting)
        may_pay = Scope.PAYMENTS_WRITE in row.scopes
        found[row.id, row.account_id] = Delegate(
            row.id, MemberRole.MEMBER, may_pay, may_manage_cards=False, daily_limit=row.daily_limit, program=terms
        )
    limited = {each.id for each in found.values() if each.daily_limit is not None}
    rows = await connection.fetch(delegate_queries.PAID_BY_DELEGATES, delegates=list(limited), day=today) if limited else []
    return DelegatesState(today, found, {row.delegate_id: row.paid for row in rows})


async def _read_received(connection: Connection, locked: Locked) -> list[LockedPaymentRow]:
    """Return the payments from other banks that commands name by their references."""
    if not locked.references:
        return []
    references = [reference for _, reference in locked.references]
    return [*await connection.fetch(clearing_queries.BY_REFERENCE, references=references)]


async def _read_clearing(
    connection: Connection,
    policy: ClearingPolicy,
    transactions: Mapping[UUID, LockedTransactionRow],
    received: Sequence[LockedPaymentRow],
) -> ClearingState:
    """Return the payments through the clearing that commands name, by their transactions or their references."""
    ids = [
        row.id
        for row in transactions.values()
        if internal_account_id(Purpose.CLEARING, row.currency) in {row.from_account_id, row.to_account_id}
    ]
    rows = await connection.fetch(clearing_queries.BY_TRANSACTION, ids=ids) if ids else []
    payments = [ExternalPayment(row.transaction_id, ExternalAccount(row.account_number, row.name), *row[3:11]) for row in rows]
    arrived = {row.transaction_id for row in received}
    by_reference = {
        (payment.account.bank, row.reference): Received(
            row.transaction_id, row.to_account_id, Money(row.amount, row.currency), payment.account
        )
        for row, payment in zip(rows, payments, strict=True)
        if row.reference is not None and row.transaction_id in arrived
    }
    return ClearingState(policy, payments, by_reference)


async def _read_cards(
    connection: Connection,
    policy: CardPolicy,
    locked: Locked,
    transactions: Mapping[UUID, LockedTransactionRow],
    now: datetime,
) -> CardsState:
    """Return the cards that commands name, by themselves or by their transactions, and their spending.

    Spending is read only for the windows that decisions may depend on: those of now for authorisations, for captures those of
    their authorisations.
    """
    paid = {row.id: row for row in transactions.values() if row.card_id is not None}
    ids = {card.id for card in locked.cards} | {row.card_id for row in paid.values() if row.card_id}
    if not ids:
        return CardsState(policy, {}, {}, {}, Spending(policy.calendar, {}))
    captured = [paid[key] for key in locked.capturing if key in paid]
    rows = await connection.fetch(card_queries.LOCKED_CARDS, ids=list(ids), series=[row.series_id for row in captured])
    wanted: dict[Window, datetime] = {}
    if locked.authorizing:
        for card in locked.cards:
            wanted |= dict.fromkeys(windows_at(policy.calendar, card.series_id, now), now)
    for row in captured:
        wanted |= dict.fromkeys(windows_at(policy.calendar, row.series_id, row.authorized_at), row.authorized_at)
    spent = await card_queries.spent(connection, policy.calendar, list(wanted.items()))
    return CardsState(
        policy,
        {row.id: _card_state(row) for row in rows},
        {card.number_hash: card.id for card in locked.cards},
        {key: _card_payment(row) for key, row in paid.items()},
        Spending(policy.calendar, spent),
    )


def _transaction_state(row: LockedTransactionRow) -> TransactionState:
    return TransactionState(
        row.id,
        TransactionKind(row.kind),
        TransactionStatus(row.status),
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


def _card_state(row: LockedCardRow) -> CardState:
    limits: Mapping[LimitWindow, int | None] = {window: getattr(row, f"{window.lower()}_limit") for window in LimitWindow}
    return CardState(
        id=row.id,
        account_id=row.account_id,
        series_id=row.series_id,
        kind=CardKind(row.kind),
        form=CardForm(row.form),
        status=CardStatus(row.status),
        frozen_by=None if row.frozen_by is None else FrozenBy(row.frozen_by),
        holder_name=row.holder_name,
        expires_at=row.expires_at,
        blocked_categories=row.blocked_categories,
        is_replaced=row.is_replaced,
        limits={window: limit for window, limit in limits.items() if limit is not None},
    )


def _card_payment(row: LockedTransactionRow) -> CardPayment:
    if row.card_id is None:
        raise TypeError("not a transaction of a card")
    merchant = Merchant(row.merchant_name, row.merchant_category, row.merchant_country)
    return CardPayment(row.id, row.card_id, row.series_id, row.authorized_at, row.counted, merchant)
