"""What an actor may see: one's own accounts and what moved on them; with `READ_ANY`, everyone's.

Something that one may not see is left out, exactly as if it did not exist.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Text, Uuid, any_, bindparam, case, func, or_, select, true
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.models import Account, AccountKind, AccountStatus, FrozenBy
from bank_graphql.identity.models import User
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.paging import Listing, uuid_key
from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.models import Balance, Entry, Transaction, TransactionKind, TransactionNote, TransactionStatus
from bank_graphql.ledger.queries import ENTRY_COLUMNS, EntryRow


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


class CounterpartyRow(Row):
    """One side of a transaction as the viewer may know it: a name, and a number only if it is the viewer's own."""

    account_id: UUID
    purpose: str | None
    full_name: str | None
    account_number: str | None


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
_viewer = bindparam("viewer", type_=Uuid())
_sees_all = bindparam("sees_all", type_=Boolean()) == true()
_own = or_(col(Account.owner_id) == _viewer, _sees_all)

_ACCOUNTS = Query(_accounts.where(col(Account.id) == any_(array_of("ids", Uuid())), _own), AccountRow)
_ACCOUNTS_BY_NUMBER = Query(_accounts.where(col(Account.number) == any_(array_of("numbers", Text())), _own), AccountRow)
ACCOUNTS_OF_USERS = Listing(
    _accounts,
    parents=[col(Account.owner_id)],
    by=col(Account.id),
    key=uuid_key("Account"),
    newest_first=False,
    record=AccountRow,
)
"""The accounts of users, in the order in which they were opened."""

_transactions = select(
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
).outerjoin(TransactionNote, col(TransactionNote.transaction_id) == Transaction.id)
_either_side = aliased(Account)
_visible_transactions = _transactions.where(
    or_(
        _sees_all,
        select(col(_either_side.id))
        .where(
            col(_either_side.id).in_([Transaction.from_account_id, Transaction.to_account_id]),
            col(_either_side.owner_id) == _viewer,
        )
        .exists(),
    )
)
_TRANSACTIONS = Query(_visible_transactions.where(col(Transaction.id) == any_(array_of("ids", Uuid()))), TransactionRow)
_REVERSALS = Query(_visible_transactions.where(col(Transaction.reverses_id) == any_(array_of("ids", Uuid()))), TransactionRow)
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
    newest_first=True,
    record=TransactionRow,
)
"""The transactions that touch accounts, newest first, filtered."""

_visible_entries = (
    select(*ENTRY_COLUMNS)
    .join(Transaction, col(Transaction.id) == Entry.transaction_id)
    .join(Account, col(Account.id) == Entry.account_id)
    .where(_own)
    .order_by(col(Entry.id))
)
_ENTRIES = Query(_visible_entries.where(col(Entry.id) == any_(array_of("ids", BigInteger()))), EntryRow)
_ENTRIES_OF_TRANSACTIONS = Query(_visible_entries.where(col(Entry.transaction_id) == any_(array_of("ids", Uuid()))), EntryRow)
_COUNTERPARTIES = Query(
    select(
        col(Balance.account_id),
        col(Balance.purpose),
        col(User.full_name),
        case(
            (col(Account.owner_id) == _viewer, col(Account.number)),
            else_=func.concat("••••", func.right(Account.number, 4)),
        ).label("account_number"),
    )
    .outerjoin(Account, col(Account.id) == Balance.account_id)
    .outerjoin(User, col(User.id) == Account.owner_id)
    .where(col(Balance.account_id) == any_(array_of("ids", Uuid()))),
    CounterpartyRow,
)


async def accounts(db: Database, actor: Actor, ids: Sequence[UUID]) -> list[AccountRow]:
    """Those of the accounts that the actor may see."""
    return await db.fetch(_ACCOUNTS, ids=ids, viewer=actor.user_id, sees_all=actor.may(Permission.READ_ANY))


async def accounts_by_number(db: Database, actor: Actor, numbers: Sequence[str]) -> list[AccountRow]:
    """Those of the accounts with these numbers that the actor may see."""
    return await db.fetch(_ACCOUNTS_BY_NUMBER, numbers=numbers, viewer=actor.user_id, sees_all=actor.may(Permission.READ_ANY))


async def transactions(db: Database, actor: Actor, ids: Sequence[UUID]) -> list[TransactionRow]:
    """Those of the transactions that touch an account that the actor may see."""
    return await db.fetch(_TRANSACTIONS, ids=ids, viewer=actor.user_id, sees_all=actor.may(Permission.READ_ANY))


async def reversals(db: Database, actor: Actor, ids: Sequence[UUID]) -> list[TransactionRow]:
    """The transactions that take these back, if the actor may see them."""
    return await db.fetch(_REVERSALS, ids=ids, viewer=actor.user_id, sees_all=actor.may(Permission.READ_ANY))


async def entries(db: Database, actor: Actor, ids: Sequence[int]) -> list[EntryRow]:
    """Those of the entries that are on accounts that the actor may see."""
    return await db.fetch(_ENTRIES, ids=ids, viewer=actor.user_id, sees_all=actor.may(Permission.READ_ANY))


async def entries_of_transactions(db: Database, actor: Actor, ids: Sequence[UUID]) -> list[EntryRow]:
    """The entries of transactions that are on accounts that the actor may see."""
    return await db.fetch(_ENTRIES_OF_TRANSACTIONS, ids=ids, viewer=actor.user_id, sees_all=actor.may(Permission.READ_ANY))


async def counterparties(db: Database, actor: Actor, account_ids: Sequence[UUID]) -> list[CounterpartyRow]:
    """Who is behind accounts, anyone's, as far as the actor may know: a name, and four digits of others' numbers."""
    return await db.fetch(_COUNTERPARTIES, ids=account_ids, viewer=actor.user_id)
