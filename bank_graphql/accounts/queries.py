"""Batched reads of accounts and transactions, each as far as it is visible to the actor who requests it.

`identity.visibility` has the rule. What is not visible is not returned, exactly as if it did not exist.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    column,
    func,
    or_,
    select,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy
from bank_graphql.accounts.models import Account, GrantedAccount, Membership
from bank_graphql.accounts.visibility import account_is_visible, is_active, of_visible_account
from bank_graphql.identity.queries import fetch_rows, requested_keys, visible_to_viewer
from bank_graphql.identity.scopes import Scope, viewer_of
from bank_graphql.identity.visibility import sees_all
from bank_graphql.kit.db import Connection
from bank_graphql.kit.loaders import Requested
from bank_graphql.kit.paging import Listing, RootListing, uuid_key
from bank_graphql.kit.statements import Query, Reads, Row, any_of, array_of
from bank_graphql.ledger.enums import Purpose, TransactionKind, TransactionStatus
from bank_graphql.ledger.models import Balance, Transaction, TransactionNote


class AccountRow(Row):
    """An account with its balance: one consistent reading."""

    id: UUID
    owner_id: UUID
    number: str
    name: str
    kind: AccountKind
    status: AccountStatus
    frozen_by: FrozenBy | None
    freeze_reason: str | None
    currency: str
    booked: int
    held: int
    overdraft_limit: int
    opened_at: datetime
    closed_at: datetime | None


class TransactionRow(Row):
    """A transaction with what was written about it."""

    id: UUID
    kind: TransactionKind
    status: TransactionStatus
    amount: int
    currency: str
    from_account_id: UUID
    to_account_id: UUID
    description: str | None
    captured: int
    parent_id: UUID | None
    reverses_id: UUID | None
    created_at: datetime
    posted_at: datetime | None
    expires_at: datetime | None


ACCOUNT_COLUMNS = (
    col(Account.id),
    col(Account.owner_id),
    col(Account.number),
    col(Account.name),
    col(Account.kind),
    col(Account.status),
    col(Account.frozen_by),
    col(Account.freeze_reason),
    col(Account.opened_at),
    col(Account.closed_at),
    col(Balance.currency),
    col(Balance.booked),
    col(Balance.held),
    col(Balance.overdraft_limit),
)
_accounts = select(*ACCOUNT_COLUMNS).join(Balance, col(Balance.account_id) == Account.id)


_ids, _numbers = requested_keys(Uuid()), requested_keys(Text())
_known = requested_keys(Uuid(), sees_processed=True)
_ACCOUNTS = Query(
    select(_ids.c.position, *ACCOUNT_COLUMNS)
    .select_from(_ids)
    .join(Account, col(Account.id) == _ids.c.key)
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(account_is_visible(Account, _ids)),
    AccountRow,
)
_ACCOUNTS_BY_NUMBER = Query(
    select(_numbers.c.position, *ACCOUNT_COLUMNS)
    .select_from(_numbers)
    .join(Account, col(Account.number) == _numbers.c.key)
    .join(Balance, col(Balance.account_id) == Account.id)
    .where(account_is_visible(Account, _numbers)),
    AccountRow,
)


class _BalanceAtRow(Row):
    position: int
    balance: int


_at = (
    func.unnest(
        array_of("accounts", Uuid()),
        array_of("times", DateTime(timezone=True)),
        array_of("viewers", Uuid()),
        array_of("sees_all", Boolean()),
    )
    .table_valued(
        column("account_id", Uuid()),
        column("time", DateTime(timezone=True)),
        column("viewer", Uuid()),
        column("sees_all", Boolean()),
        with_ordinality="position",
        name="requested",
    )
    .render_derived()
)
_BALANCES_AT = Query(
    select(_at.c.position, func.balance_at(_at.c.account_id, _at.c.time).label("balance"))
    .select_from(_at)
    .join(Account, col(Account.id) == _at.c.account_id)
    .where(account_is_visible(Account, _at)),
    _BalanceAtRow,
)


def of_visible_user(listed: TableValuedAlias) -> ColumnElement[bool]:
    """Return the condition that a requested list belongs to a user who is visible to its viewer."""
    return visible_to_viewer(listed.c.listed_parent, listed)


ACCOUNTS_OF_USERS = Listing(
    _accounts,
    parents=[col(Account.owner_id)],
    by=col(Account.id),
    key=uuid_key("Account"),
    visible=of_visible_user,
    newest_first=False,
    record=AccountRow,
)
"""The accounts of users, in the order in which they were opened."""

_viewer, _mine = bindparam("viewer", type_=Uuid()), aliased(Account)
USABLE_ACCOUNTS = RootListing(
    _accounts.where(
        any_of(
            col(Account.id),
            select(col(_mine.id)).where(col(_mine.owner_id) == _viewer),
            select(col(Membership.account_id)).where(col(Membership.user_id) == _viewer, is_active(Membership)),
            select(col(GrantedAccount.account_id)).where(col(GrantedAccount.grant_id) == _viewer),
        )
    ),
    by=col(Account.id),
    key=uuid_key("Account"),
    record=AccountRow,
)
"""The accounts that a viewer owns, shares as a member, or may use as a program, newest first."""

TRANSACTION_COLUMNS = (
    col(Transaction.id),
    col(Transaction.kind),
    col(Transaction.status),
    col(Transaction.amount),
    col(Transaction.currency),
    col(Transaction.from_account_id),
    col(Transaction.to_account_id),
    col(Transaction.captured),
    col(Transaction.parent_id),
    col(Transaction.reverses_id),
    col(Transaction.created_at),
    col(Transaction.posted_at),
    col(Transaction.expires_at),
    col(TransactionNote.description),
)
_either_side, _returned = aliased(Account), aliased(Transaction)


def with_notes(transactions: Any) -> Select[Any]:
    """A select of transactions, joined with what was written about them."""
    joined: Select[Any] = transactions.outerjoin(TransactionNote, col(TransactionNote.transaction_id) == Transaction.id)
    return joined


def _visible_transactions(key: Any, *conditions: ColumnElement[bool]) -> Query[TransactionRow]:
    """Return a query for the transactions with such a key that are visible: `identity.visibility` has the rule."""
    touches_visible = (
        select(col(_either_side.id))
        .where(
            col(_either_side.id).in_([Transaction.from_account_id, Transaction.to_account_id]),
            account_is_visible(_either_side, _known),
        )
        .exists()
    )
    is_processed = (
        select(col(Balance.account_id))
        .where(
            col(Balance.account_id).in_([Transaction.from_account_id, Transaction.to_account_id]),
            or_(col(Balance.purpose) == Purpose.CARD_SETTLEMENT, col(Balance.purpose) == Purpose.CLEARING),
        )
        .exists()
    )
    sees_returned = (  # for an EXISTS, the planner may read the whole table
        select(account_is_visible(_either_side, _known))
        .join(_returned, col(_returned.from_account_id) == _either_side.id)
        .where(col(_returned.id) == Transaction.parent_id, col(_returned.kind) == TransactionKind.TRANSFER)
        .correlate(Transaction, _known)
        .scalar_subquery()
    )
    visible = or_(_known.c.sees_all, touches_visible, and_(_known.c.sees_processed, is_processed), sees_returned)
    return Query(
        with_notes(
            select(_known.c.position, *TRANSACTION_COLUMNS).select_from(_known).join(Transaction, key == _known.c.key)
        ).where(visible, *conditions),
        TransactionRow,
    )


_TRANSACTIONS = _visible_transactions(col(Transaction.id))
_REVERSALS = _visible_transactions(col(Transaction.reverses_id))
_RETURNS = _visible_transactions(col(Transaction.parent_id), col(Transaction.kind) != TransactionKind.FEE)
_FEES = _visible_transactions(col(Transaction.parent_id), col(Transaction.kind) == TransactionKind.FEE)
_transactions = with_notes(select(*TRANSACTION_COLUMNS))

_kinds, _statuses = (bindparam(name, type_=ARRAY(Text())) for name in ("kinds", "statuses"))
_since, _until = (bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until"))
_least, _most = (bindparam(name, type_=BigInteger()) for name in ("least", "most"))
_search = bindparam("search", type_=Text())
TRANSACTIONS_OF_ACCOUNTS = Listing(
    _transactions.where(
        or_(_kinds.is_(None), col(Transaction.kind) == any_(_kinds)),
        or_(_statuses.is_(None), col(Transaction.status) == any_(_statuses)),
        or_(_since.is_(None), col(Transaction.created_at) >= _since),
        or_(_until.is_(None), col(Transaction.created_at) < _until),
        or_(_least.is_(None), col(Transaction.amount) >= _least),
        or_(_most.is_(None), col(Transaction.amount) <= _most),
        or_(
            _search.is_(None),
            func.strpos(func.lower(TransactionNote.description), func.lower(_search)) > 0,
            col(Transaction.id) == bindparam("search_id", type_=Uuid()),
        ),
    ),
    parents=[col(Transaction.from_account_id), col(Transaction.to_account_id)],
    by=col(Transaction.id),
    key=uuid_key("Transaction"),
    visible=of_visible_account,
    newest_first=True,
    record=TransactionRow,
)
"""The transactions that touch accounts, newest first, filtered."""


_subject, _user = bindparam("subject", type_=Uuid()), bindparam("user", type_=Uuid())
_OWNED = Query(
    select(col(Account.id)).where(
        or_(
            col(Account.owner_id) == _user,
            any_of(
                col(Account.id),
                select(col(Membership.account_id)).where(col(Membership.user_id) == _user, is_active(Membership)),
            ),
        ),
        any_of(
            col(Account.id),
            select(_subject.label("id")),
            select(col(Transaction.from_account_id)).where(col(Transaction.id) == _subject),
            select(col(Transaction.to_account_id)).where(col(Transaction.id) == _subject),
        ),
    ),
    Row,
)


async def accounts(db: Reads, requested: Sequence[Requested[UUID]]) -> list[AccountRow | None]:
    """The accounts; None where the asker may not see one."""
    return await fetch_rows(db, _ACCOUNTS, requested, Scope.ACCOUNTS_READ)


async def accounts_by_number(db: Reads, requested: Sequence[Requested[str]]) -> list[AccountRow | None]:
    """The accounts with these numbers; None where the asker may not see one."""
    return await fetch_rows(db, _ACCOUNTS_BY_NUMBER, requested, Scope.ACCOUNTS_READ)


async def transactions(db: Reads, requested: Sequence[Requested[UUID]]) -> list[TransactionRow | None]:
    """The transactions; None where one touches no account that the asker may see."""
    return await fetch_rows(db, _TRANSACTIONS, requested, Scope.TRANSACTIONS_READ)


async def reversals(db: Reads, requested: Sequence[Requested[UUID]]) -> list[TransactionRow | None]:
    """What takes the transactions back; None where nothing does, or the asker may not see it."""
    return await fetch_rows(db, _REVERSALS, requested, Scope.TRANSACTIONS_READ)


async def returns(db: Reads, requested: Sequence[Requested[UUID]]) -> list[TransactionRow | None]:
    """Return the transactions that return settled payments to other banks, of which each has one at most."""
    return await fetch_rows(db, _RETURNS, requested, Scope.TRANSACTIONS_READ)


async def fees(db: Reads, requested: Sequence[Requested[UUID]]) -> list[TransactionRow | None]:
    """Return the fees that were charged for transactions, of which each has one at most."""
    return await fetch_rows(db, _FEES, requested, Scope.TRANSACTIONS_READ)


async def balances_at(db: Reads, requested: Sequence[Requested[tuple[UUID, datetime]]]) -> list[int | None]:
    """Return the booked balances of accounts at given times, in minor units; None for an account that is not visible."""
    keys = [(actor, *key) for actor, each in requested for key in each]
    found: list[int | None] = [None] * len(keys)
    rows = await db.fetch(
        _BALANCES_AT,
        accounts=[account for _, account, _ in keys],
        times=[time for _, _, time in keys],
        viewers=[viewer_of(actor, Scope.ACCOUNTS_READ) for actor, _, _ in keys],
        sees_all=[sees_all(actor) for actor, _, _ in keys],
    )
    for row in rows:
        found[row.position - 1] = row.balance
    return found


async def is_party_to(connection: Connection, user_id: UUID, subject_id: UUID) -> bool:
    """Return whether a user owns or shares an account, or one of the accounts of a transaction, whichever has this id."""
    return bool(await connection.fetch(_OWNED, user=user_id, subject=subject_id))
