"""Read the feed: the events of given accounts, of those that somebody owns or shares or, for the hub, of all."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Uuid, and_, any_, bindparam, func, or_, select, true, tuple_, union_all
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.models import Account, GrantedAccount, Membership
from bank_graphql.accounts.visibility import account_is_visible, is_active
from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.events.errors import CursorExpired
from bank_graphql.events.hub import Interest
from bank_graphql.events.models import FeedStart, Position, TransactionEvent, Xid8
from bank_graphql.events.service import EPOCH, POSITION, POSITION_COLUMNS, PositionRow, position_arguments, position_parameters
from bank_graphql.identity.queries import fetch_rows, requested_keys
from bank_graphql.identity.scopes import Scope, viewer_of
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import decode_cursor, encode_cursor
from bank_graphql.kit.statements import Query, Row, any_of, array_of

CURSOR_KIND = "TransactionEvent"
MAX_ACCOUNTS = 100
FIRST = Position(0, 0, 0)
"""The position before all events."""
_LAST = Position(2**31 - 1, 2**63 - 1, 2**63 - 1)
_MAX_SEQUENCE = 10**18 - 1  # the largest number in a cursor
_MALFORMED = "This is not a cursor of the feed: use one that the feed has returned."


class EventRow(PositionRow):
    """An event, with the owner of its account."""

    kind: TransactionEventKind
    account_id: UUID
    transaction_id: UUID
    occurred_at: datetime
    owner_id: UUID

    @property
    def cursor(self) -> str:
        """The event's position, as a cursor."""
        return cursor_of(self.position)

    @property
    def id(self) -> str:
        """The event's position, as text."""
        return _text_of(self.position)


class _HorizonRow(Row):
    epoch: int
    xmin: int
    xmax: int


class _AccountRow(Row):
    id: UUID
    status: AccountStatus


class _VisibleRow(Row):
    id: UUID


class _SharedRow(Row):
    account_id: UUID


_xmin = func.pg_snapshot_xmin(func.pg_current_snapshot(), type_=Xid8())
# An event is final if no other event can appear before it: no database transaction with a lower id than its own still runs.
_is_final = or_(
    col(TransactionEvent.epoch) < EPOCH,
    and_(col(TransactionEvent.epoch) == EPOCH, col(TransactionEvent.writer) < _xmin),
)
_columns = (
    *POSITION_COLUMNS,
    col(TransactionEvent.kind),
    col(TransactionEvent.account_id),
    col(TransactionEvent.transaction_id),
    col(TransactionEvent.occurred_at),
)
_limit = bindparam("limit", type_=BigInteger())
_HORIZON = Query(
    select(
        EPOCH.label("epoch"),
        _xmin.label("xmin"),
        func.pg_snapshot_xmax(func.pg_current_snapshot(), type_=Xid8()).label("xmax"),
    ),
    _HorizonRow,
)
_AFTER = Query(
    select(*_columns, col(Account.owner_id))
    .join(Account, col(Account.id) == TransactionEvent.account_id)
    .where(position_parameters("after") < POSITION, _is_final)
    .order_by(*POSITION_COLUMNS)
    .limit(_limit),
    EventRow,
)


def _replay_of(condition: ColumnElement[bool]) -> Query[EventRow]:
    """Return the query of the next events of accounts that meet a condition: each is read by the index, then all are merged."""
    of_account = (col(TransactionEvent.account_id), *POSITION_COLUMNS)  # the columns of the index, in its order
    event = (
        select(*_columns)
        .where(
            position_parameters("after", col(Account.id)) < tuple_(*of_account),
            position_parameters("until", col(Account.id)) >= tuple_(*of_account),
            _is_final,
        )
        .order_by(*of_account)
        .limit(_limit)
        .correlate(Account)
        .lateral("event")
    )
    statement = select(*event.c, col(Account.owner_id)).join(event, true()).where(condition)
    return Query(statement.order_by(event.c.epoch, event.c.writer, event.c.sequence).limit(_limit), EventRow)


_REPLAY_OWNER = _replay_of(col(Account.owner_id) == bindparam("owner", type_=Uuid()))
_own = aliased(Account)
_REPLAY_BOTH = _replay_of(
    any_of(
        col(Account.id),
        select(col(_own.id)).where(col(_own.owner_id) == bindparam("owner", type_=Uuid())),
        select(func.unnest(array_of("accounts", Uuid()))),
    )
)
_REPLAY_ACCOUNTS = _replay_of(col(Account.id) == any_(array_of("accounts", Uuid())))
_START = Query(select(col(FeedStart.epoch), col(FeedStart.writer), col(FeedStart.sequence)), PositionRow)
_STATUSES = Query(
    select(col(Account.id), col(Account.status)).where(col(Account.id) == any_(array_of("ids", Uuid()))), _AccountRow
)
_requested = requested_keys(Uuid())
_VISIBLE = Query(
    select(_requested.c.position, col(Account.id))
    .select_from(_requested)
    .join(Account, col(Account.id) == _requested.c.key)
    .where(account_is_visible(Account, _requested)),
    _VisibleRow,
)
_user = bindparam("user", type_=Uuid())
_SHARED = Query(
    union_all(
        select(col(Membership.account_id)).where(col(Membership.user_id) == _user, is_active(Membership)),
        select(col(GrantedAccount.account_id)).where(col(GrantedAccount.grant_id) == _user),
    ),
    _SharedRow,
)
"""The accounts that a member shares, or that an access grant gives a program."""


def cursor_of(position: Position) -> str:
    """Return the cursor of a position."""
    return encode_cursor(CURSOR_KIND, _text_of(position))


def position_of(cursor: str) -> Position:
    """Return the position of a cursor.

    Raises:
        BadRequest: it is not a cursor of the feed.
    """
    parts = decode_cursor(cursor, CURSOR_KIND).split(".")
    if len(parts) != len(Position._fields) or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        raise BadRequest(_MALFORMED)
    position = Position(*map(int, parts))
    if position.epoch >= 2**31:
        raise BadRequest(_MALFORMED)
    return position


def _text_of(position: Position) -> str:
    return ".".join(map(str, position))


class Feed:
    """Reads the feed, for the hub and page by page.

    It is read from the database and not from a replica: which events are final depends on the transactions that run on the server
    that is read from, and a replica learns late of those that were rolled back.

    Args:
        db: the database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def head(self) -> Position:
        """Return a position after all events that are final now."""
        [row] = await self._db.fetch(_HORIZON)
        return Position(row.epoch, row.xmin - 1, _MAX_SEQUENCE)

    async def horizon(self) -> tuple[int, int]:
        """Return two ids of database transactions: all below the first have ended, and none from the second on has started."""
        [row] = await self._db.fetch(_HORIZON)
        return row.xmin, row.xmax

    async def after(self, position: Position, limit: int) -> Sequence[EventRow]:
        """Return the next events of all accounts after a position."""
        return await self._db.fetch(_AFTER, **position_arguments("after", position), limit=limit)

    async def replay(self, interest: Interest, after: Position, until: Position, limit: int) -> Sequence[EventRow]:
        """Return the next events of an interest after a position, up to and including another one.

        Raises:
            CursorExpired: some of these events have been deleted.
        """
        query, of_interest = _query_for(interest)
        positions = {**position_arguments("after", after), **position_arguments("until", until)}
        events = await self._db.fetch(query, **of_interest, **positions, limit=limit)
        if after > FIRST:
            await self._require_kept(after)  # last, because one transaction deletes events and sets the start
        return events

    async def page(self, interest: Interest, after: Position | None, limit: int) -> Sequence[EventRow]:
        """Return the next events of an interest, after a position or from the feed's start.

        Raises:
            CursorExpired: some of these events have been deleted.
        """
        return await self.replay(interest, after or FIRST, _LAST, limit)

    async def resume_position(self, cursor: str | None) -> Position | None:
        """Return the position of a cursor; None for no cursor.

        Raises:
            BadRequest: it is not a cursor of the feed.
            CursorExpired: events after it have been deleted.
        """
        if cursor is None:
            return None
        position = position_of(cursor)
        await self._require_kept(position)
        return position

    async def _require_kept(self, position: Position) -> None:
        start = await self._db.fetch_one(_START)
        if start is not None and position < start.position:
            raise CursorExpired

    async def interest_of(self, actor: Actor, account_ids: Sequence[UUID | None] | None) -> Interest:
        """Return the interest in the given accounts; without any, in all of the actor's own, and those shared with the actor now.

        Args:
            actor: who subscribes.
            account_ids: 1 to `MAX_ACCOUNTS` ids; None stands for an invalid id.

        Raises:
            BadRequest: an account does not exist or is not visible to the actor, or there are too many.
        """
        if account_ids is None:
            shared = await self._db.fetch(_SHARED, user=viewer_of(actor, Scope.TRANSACTIONS_READ))
            return Interest(actor.user_id, frozenset(each.account_id for each in shared) or None)
        if not 0 < len(account_ids) <= MAX_ACCOUNTS:
            raise BadRequest(f"Give 1 to {MAX_ACCOUNTS} accounts, or leave 'accountIds' out for all of your own.")
        requested = {account_id for account_id in account_ids if account_id is not None}
        [hidden] = await self.hidden([(actor, frozenset(requested))])
        if None in account_ids or hidden:
            raise BadRequest("There is no such account.")
        return Interest(account_ids=frozenset(requested))

    async def hidden(self, requested: Sequence[tuple[Actor, frozenset[UUID]]]) -> list[bool]:
        """Return for each actor whether any of the accounts is not visible."""
        keys = [(actor, list(account_ids)) for actor, account_ids in requested]
        rows = iter(await fetch_rows(self._db, _VISIBLE, keys, Scope.TRANSACTIONS_READ) if keys else [])
        return [None in [next(rows) for _ in account_ids] for _, account_ids in keys]

    async def closed_among(self, account_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of the accounts that are closed."""
        rows = await self._db.fetch(_STATUSES, ids=list(account_ids))
        return {row.id for row in rows if row.status == AccountStatus.CLOSED}


def _query_for(interest: Interest) -> tuple[Query[EventRow], Mapping[str, object]]:
    """Return the query of an interest's events, and the arguments that say which accounts they are of."""
    if interest.account_ids is None:
        return _REPLAY_OWNER, {"owner": interest.owner_id}
    accounts = {"accounts": list(interest.account_ids)}
    return (_REPLAY_ACCOUNTS, accounts) if interest.owner_id is None else (_REPLAY_BOTH, {"owner": interest.owner_id, **accounts})
