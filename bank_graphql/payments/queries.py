"""Reads for the state of a batch, and the holds that are due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    null,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import AccountKind, AccountStatus, MemberRole
from bank_graphql.accounts.models import Account, Membership
from bank_graphql.accounts.visibility import account_is_visible, is_active
from bank_graphql.cards.models import CardTransaction
from bank_graphql.identity.queries import fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.jobs import DueRow
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.statements import Query, Reads, Row, array_of
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.models import Balance, Transaction, TransactionNote
from bank_graphql.payments.enums import OutcomeKind
from bank_graphql.payments.models import BankTime, DuePosting, IdempotencyOutcome


class AccountNumberRow(Row):
    """An account and its number."""

    id: UUID
    number: str


class AccountOrKeyRow(Row):
    """A locked account, the bank's internal ones too; without an `account_id`, a member of one, or what is stored under a key.

    The first seven columns are the fields of an `AccountState`, the next three those of a `CustomerAccount`. One row has only
    `moved_to`, where the bank's clock stands, if it was moved.
    """

    account_id: UUID | None
    currency: str
    purpose: Purpose | None
    booked: int
    held: int
    overdraft_limit: int
    updated_at: datetime
    owner_id: UUID | None
    status: AccountStatus | None
    kind: AccountKind | None
    moved_to: datetime | None
    user_id: UUID
    key: str
    fingerprint: bytes
    outcome: OutcomeKind
    subject_id: UUID | None
    refusal: str | None
    member_id: UUID | None
    member_account_id: UUID
    member_user_id: UUID
    member_role: MemberRole
    member_may_pay: bool
    member_may_manage_cards: bool
    member_daily_limit: int | None


class _KeyRow(Row):
    key: str


class LockedTransactionRow(Row):
    """A transaction. If it was made by card, it has a `card_id` and values in the columns after that."""

    id: UUID
    kind: TransactionKind
    status: TransactionStatus
    from_account_id: UUID
    to_account_id: UUID
    amount: int
    currency: str
    description: str | None
    captured: int
    created_at: datetime
    posted_at: datetime | None
    expires_at: datetime | None
    parent_id: UUID | None
    reverses_id: UUID | None
    is_reversed: bool
    card_id: UUID | None
    series_id: UUID
    authorized_at: datetime
    counted: int
    merchant_name: str
    merchant_category: str
    merchant_country: str


ACCOUNT_NUMBERS = Query(
    select(col(Account.id), col(Account.number)).where(col(Account.number) == any_(array_of("numbers", Text()))),
    AccountNumberRow,
)

_account: tuple[Any, ...] = (
    col(Balance.account_id),
    col(Balance.currency),
    col(Balance.purpose),
    col(Balance.booked),
    col(Balance.held),
    col(Balance.overdraft_limit),
    col(Balance.updated_at),
    col(Account.owner_id),
    col(Account.status),
    col(Account.kind),
)
_key: tuple[Any, ...] = (
    col(IdempotencyOutcome.user_id),
    col(IdempotencyOutcome.key),
    col(IdempotencyOutcome.fingerprint),
    col(IdempotencyOutcome.outcome),
    col(IdempotencyOutcome.subject_id),
    col(IdempotencyOutcome.refusal),
)
_MEMBER_COLUMNS = ("id", "account_id", "user_id", "role", "may_pay", "may_manage_cards", "daily_limit")
_member: tuple[Any, ...] = tuple(getattr(Membership, name).label(f"member_{name}") for name in _MEMBER_COLUMNS)
_NOT_MOVED = cast(null(), DateTime(timezone=True)).label("moved_to")


def _nulls(columns: tuple[Any, ...]) -> list[Any]:
    return [cast(null(), each.type).label(each.key) for each in columns]


_requested = (
    func.unnest(array_of("users", Uuid()), array_of("keys", Text()))
    .table_valued(column("user_id", Uuid()), column("key", Text()), name="requested")
    .render_derived()
)
ACCOUNTS_AND_KEYS = Query(
    union_all(
        select(*_account, _NOT_MOVED, *_nulls(_key), *_nulls(_member))
        .outerjoin(Account, col(Account.id) == Balance.account_id)
        .where(col(Balance.account_id) == any_(array_of("ids", Uuid()))),
        select(*_nulls(_account), _NOT_MOVED, *_key, *_nulls(_member)).join(
            _requested,
            and_(
                col(IdempotencyOutcome.user_id) == _requested.c.user_id,
                col(IdempotencyOutcome.key) == _requested.c.key,
            ),
        ),
        select(*_nulls(_account), col(BankTime.moved_to), *_nulls(_key), *_nulls(_member)),
        select(*_nulls(_account), _NOT_MOVED, *_nulls(_key), *_member).where(
            col(Membership.user_id) == any_(array_of("actors", Uuid())),
            col(Membership.account_id) == any_(array_of("ids", Uuid())),
            is_active(Membership),
        ),
    ),
    AccountOrKeyRow,
)
"""The accounts of a batch, their members who send commands, the outcomes under its keys, and the bank's clock: one round trip."""


_reversal = aliased(Transaction)
_reversal_id = (
    select(col(_reversal.id)).where(col(_reversal.reverses_id) == Transaction.id).correlate(Transaction).scalar_subquery()
)
_CARD_COLUMNS = ("card_id", "series_id", "authorized_at", "counted", "merchant_name", "merchant_category", "merchant_country")
TRANSACTIONS = Query(
    select(
        col(Transaction.id),
        col(Transaction.kind),
        col(Transaction.status),
        col(Transaction.from_account_id),
        col(Transaction.to_account_id),
        col(Transaction.amount),
        col(Transaction.currency),
        col(TransactionNote.description),
        col(Transaction.captured),
        col(Transaction.created_at),
        col(Transaction.posted_at),
        col(Transaction.expires_at),
        col(Transaction.parent_id),
        col(Transaction.reverses_id),
        _reversal_id.is_not(None).label("is_reversed"),  # for an EXISTS, the planner may read the whole table
        *(col(getattr(CardTransaction, name)) for name in _CARD_COLUMNS),
    )
    .outerjoin(TransactionNote, col(TransactionNote.transaction_id) == Transaction.id)
    .outerjoin(CardTransaction, col(CardTransaction.transaction_id) == Transaction.id)
    .where(col(Transaction.id) == any_(array_of("ids", Uuid()))),
    LockedTransactionRow,
)


class DueHoldRow(Row):
    """A hold that is due to expire."""

    id: UUID


DUE_HOLDS = Query(
    select(col(Transaction.id))
    .where(
        text("transactions.status = 'PENDING'"),  # as the partial index on expires_at is defined
        col(Transaction.expires_at) <= bindparam("now", type_=DateTime(timezone=True)),
    )
    .order_by(col(Transaction.expires_at))
    .limit(bindparam("maximum", type_=BigInteger())),
    DueHoldRow,
)
_NEXT_EXPIRY = Query(
    select(func.min(col(Transaction.expires_at)).label("due_at")).where(
        text("transactions.status = 'PENDING'"), col(Transaction.expires_at) > bindparam("after", type_=DateTime(timezone=True))
    ),
    DueRow,
)


class DuePostingRow(Row):
    """A fee or interest that is due, and whether its account allows it now."""

    id: UUID
    account_id: UUID
    kind: TransactionKind
    amount: int
    description: str
    currency: str
    is_allowed: bool


_account_of_due, _after = (bindparam(name, type_=Uuid()) for name in ("account", "after"))


def _due(*conditions: ColumnElement[bool]) -> Query[DuePostingRow]:
    """Return a query for a page of what is due and meets the conditions: by account, the oldest first."""
    page = (
        select(*(col(getattr(DuePosting, name)) for name in ("id", "account_id", "kind", "amount", "description")))
        .where(text("due_postings.transaction_id IS NULL"), *conditions)  # as the partial index is defined
        .order_by(col(DuePosting.account_id), col(DuePosting.id))
        .limit(bindparam("maximum", type_=BigInteger()))
        .subquery("page")
    )
    is_allowed = or_(
        and_(page.c.amount > 0, col(Account.status) != AccountStatus.CLOSED),
        and_(
            col(Account.status) == AccountStatus.ACTIVE,
            col(Balance.booked) - col(Balance.held) + col(Balance.overdraft_limit) + page.c.amount >= 0,
        ),
    )
    return Query(
        select(*page.c, col(Balance.currency), is_allowed.label("is_allowed"))
        .join(Balance, col(Balance.account_id) == page.c.account_id)
        .join(Account, col(Account.id) == page.c.account_id),
        DuePostingRow,
    )


DUE = _due(tuple_(col(DuePosting.account_id), col(DuePosting.id)) > tuple_(_account_of_due, _after))
DUE_OF_ACCOUNT = _due(col(DuePosting.account_id) == _account_of_due, col(DuePosting.id) > _after)


class AmountDueRow(Row):
    """What an account is to pay as soon as there is money, in minor units."""

    position: int
    amount: int


_ids = requested_keys(Uuid())
_owed = (
    select(func.sum(DuePosting.amount))
    .where(text("due_postings.transaction_id IS NULL"), col(DuePosting.account_id) == Account.id, col(DuePosting.amount) < 0)
    .correlate(Account)
    .scalar_subquery()
)
_AMOUNTS_DUE = Query(
    select(_ids.c.position, cast(-func.coalesce(_owed, 0), BigInteger()).label("amount"))
    .select_from(_ids)
    .join(Account, col(Account.id) == _ids.c.key)
    .where(account_is_visible(Account, _ids)),
    AmountDueRow,
)
_ANY_DUE = Query(
    select(col(DuePosting.id)).where(
        text("transaction_id IS NULL"), col(DuePosting.account_id) == bindparam("account", type_=Uuid())
    ),
    DueHoldRow,
)

_USED = Query(
    select(col(IdempotencyOutcome.key)).where(
        col(IdempotencyOutcome.user_id) == bindparam("user", type_=Uuid()),
        col(IdempotencyOutcome.key) == bindparam("key", type_=Text()),
    ),
    _KeyRow,
)


async def next_expiry(db: Database, after: datetime) -> datetime | None:
    """Return when the next hold expires after a time; None if none does."""
    [row] = await db.fetch(_NEXT_EXPIRY, after=after)
    return row.due_at


async def amounts_due(db: Reads, requested: Sequence[Requested[UUID]]) -> list[AmountDueRow | None]:
    """Return what accounts are to pay as soon as there is money; None for an account that is not visible to the actor."""
    return await fetch_rows(db, _AMOUNTS_DUE, requested, Scope.ACCOUNTS_READ)


async def has_due(connection: Connection, account_id: UUID) -> bool:
    """Return whether fees or interest of an account are due and not posted."""
    return bool(await connection.fetch(_ANY_DUE, account=account_id))


async def is_used(db: Database, user_id: UUID, key: str) -> bool:
    """Return whether an outcome is stored under a key of a user, or of a proposal."""
    return bool(await db.fetch(_USED, user=user_id, key=key))
