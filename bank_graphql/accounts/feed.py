"""The feed as an actor may read it: the events of one's own accounts; with `READ_ANY`, of any."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, and_, any_, bindparam, func, or_, select, true, tuple_
from sqlmodel import col

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.models import Account
from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.events.errors import CursorExpired
from bank_graphql.events.hub import Interest
from bank_graphql.events.models import FeedStart, Position, TransactionEvent, Xid8
from bank_graphql.events.service import EPOCH, ORDER, POSITION, PositionRow, arguments_of, position_named
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import decode_cursor, encode_cursor
from bank_graphql.kit.statements import Query, Row, array_of

CURSOR = "TransactionEvent"
MOST_ACCOUNTS = 100
FROM_THE_START = Position(0, 0, 0)
_LAST = 10**18 - 1  # the largest number that cursors have
_WITHOUT_END = Position(2**31 - 1, 2**63 - 1, 2**63 - 1)


class EventRow(PositionRow):
    """An event, and whose account it is about."""

    kind: TransactionEventKind
    account_id: UUID
    transaction_id: UUID
    occurred_at: Any
    owner_id: UUID

    @property
    def cursor(self) -> str:
        """Its position, as clients send it back."""
        return cursor_of(self.position)

    @property
    def id(self) -> str:
        """What its cursor is made of."""
        return ".".join(map(str, self.position))


class _HorizonRow(Row):
    epoch: int
    xmin: int
    xmax: int


class _AccountRow(Row):
    id: UUID
    owner_id: UUID
    status: AccountStatus


_xmin = func.pg_snapshot_xmin(func.pg_current_snapshot(), type_=Xid8())
# Below the oldest transaction that is still under way nothing can appear any more.
_settled = or_(
    col(TransactionEvent.epoch) < EPOCH,
    and_(col(TransactionEvent.epoch) == EPOCH, col(TransactionEvent.writer) < _xmin),
)
_columns = (
    *ORDER,
    col(TransactionEvent.kind),
    col(TransactionEvent.account_id),
    col(TransactionEvent.transaction_id),
    col(TransactionEvent.occurred_at),
)
_most = bindparam("most", type_=BigInteger())
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
    .where(position_named("after") < POSITION, _settled)
    .order_by(*ORDER)
    .limit(_most),
    EventRow,
)


def _of(whose: Any) -> Query[EventRow]:
    """The events of some accounts: the first of each, and of these the first."""
    of_account = (col(TransactionEvent.account_id), *ORDER)  # as the index has them, and no other
    event = (
        select(*_columns)
        .where(
            position_named("after", Account.id) < tuple_(*of_account),
            position_named("until", Account.id) >= tuple_(*of_account),
            _settled,
        )
        .order_by(*of_account)
        .limit(_most)
        .correlate(Account)
        .lateral("event")
    )
    statement = select(*event.c, col(Account.owner_id)).join(event, true()).where(whose)
    return Query(statement.order_by(event.c.epoch, event.c.writer, event.c.sequence).limit(_most), EventRow)


_OF_OWNER = _of(col(Account.owner_id) == bindparam("owner", type_=Uuid()))
_OF_ACCOUNTS = _of(col(Account.id) == any_(array_of("accounts", Uuid())))
_START = Query(select(col(FeedStart.epoch), col(FeedStart.writer), col(FeedStart.sequence)), PositionRow)
_ACCOUNTS = Query(
    select(col(Account.id), col(Account.owner_id), col(Account.status)).where(col(Account.id) == any_(array_of("ids", Uuid()))),
    _AccountRow,
)


def cursor_of(position: Position) -> str:
    """A position in the feed, as clients send it back."""
    return encode_cursor(CURSOR, ".".join(map(str, position)))


def position_of(cursor: str) -> Position:
    """The position that a cursor names.

    Raises:
        BadRequest: it is not a cursor of the feed.
    """
    parts = decode_cursor(cursor, CURSOR).split(".")
    if len(parts) != len(Position._fields) or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        raise BadRequest("The cursor is damaged: take one that the feed has given.")
    position = Position(*map(int, parts))
    if position.epoch >= 2**31:
        raise BadRequest("The cursor is damaged: take one that the feed has given.")
    return position


class Feed:
    """Reads the feed: for the hub, page by page, and what one may see of it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def head(self) -> Position:
        """The position behind all that may be read now."""
        [row] = await self._db.fetch(_HORIZON)
        return Position(row.epoch, row.xmin - 1, _LAST)

    async def horizon(self) -> tuple[int, int]:
        """The ids of transactions: below the first all have ended; the second and all above have not begun."""
        [row] = await self._db.fetch(_HORIZON)
        return row.xmin, row.xmax

    async def after(self, position: Position, most: int) -> Sequence[EventRow]:
        """The next events of all accounts behind a position."""
        return await self._db.fetch(_AFTER, **arguments_of("after", position), most=most)

    async def of(self, interest: Interest, after: Position, until: Position, most: int) -> Sequence[EventRow]:
        """The next events of some accounts behind a position, up to another one.

        Raises:
            CursorExpired: some of them were deleted meanwhile.
        """
        arguments: dict[str, Any] = {**arguments_of("after", after), **arguments_of("until", until)}
        if interest.accounts is None:
            query, arguments["owner"] = _OF_OWNER, interest.owner_id
        else:
            query, arguments["accounts"] = _OF_ACCOUNTS, list(interest.accounts)
        events = await self._db.fetch(query, **arguments, most=most)
        if after > FROM_THE_START:
            await self._require_kept(after)  # afterwards, for events are deleted and the start moved in one transaction
        return events

    async def page(self, interest: Interest, after: Position | None, most: int) -> Sequence[EventRow]:
        """The next events of some accounts, from the feed's start or behind a position."""
        return await self.of(interest, after or FROM_THE_START, _WITHOUT_END, most)

    async def since(self, cursor: str | None) -> Position | None:
        """The position that a cursor names.

        Raises:
            BadRequest: it is not a cursor of the feed.
            CursorExpired: what came behind it is no longer kept.
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

    async def interest(self, actor: Actor, accounts: Sequence[UUID | None] | None) -> Interest:
        """What an actor may follow: all own accounts, or these.

        Raises:
            BadRequest: there is no such account (or it is not the actor's to see), or there are too many.
        """
        if accounts is None:
            return Interest(owner_id=actor.user_id)
        if not 0 < len(accounts) <= MOST_ACCOUNTS:
            raise BadRequest(f"Name 1 to {MOST_ACCOUNTS} accounts, or leave 'accountIds' out for all.")
        wanted = {account for account in accounts if account is not None}
        rows = await self._db.fetch(_ACCOUNTS, ids=list(wanted))
        visible = {row.id for row in rows if row.owner_id == actor.user_id or actor.is_allowed(Permission.READ_ANY)}
        if None in accounts or visible != wanted:
            raise BadRequest("There is no such account.")
        return Interest(accounts=frozenset(wanted))

    async def are_closed(self, accounts: Sequence[UUID]) -> set[UUID]:
        """Which of the accounts are closed."""
        return {row.id for row in await self._db.fetch(_ACCOUNTS, ids=list(accounts)) if row.status == AccountStatus.CLOSED}
