"""Keyset pages: what a client asks for, and how lists are read page by page, for many parents with one statement.

A page's cost does not depend on how deep it lies: the statement enters the index at the cursor and reads one row more than
the page has.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Select,
    TableValuedAlias,
    Uuid,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)

from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import decode_cursor, parse_serial, parse_uuid
from bank_graphql.kit.statements import Query, Row, array_of

DEFAULT_SIZE = 20
MAX_SIZE = 100

T = TypeVar("T")
R = TypeVar("R", bound=Row)
Key = UUID | int
_Column = Any  # a mapped column: SQLModel types it as its value
_FENCE: Any = literal_column("0")  # an offset; what has one is read as it is written


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, asked for from its front or from its back. Hashable, so that loaders can group by it.

    Attributes:
        size: how many items, 0 to `MAX_SIZE`.
        backward: whether the page is counted from the list's end (`last`).
        after: the key that the page lies behind, or None.
        before: the key that the page lies in front of, or None.
    """

    size: int = DEFAULT_SIZE
    backward: bool = False
    after: Key | None = None
    before: Key | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """The items of a page in the list's order, and whether there are more on either side."""

    items: Sequence[T]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class KeyType:
    """What a list is ordered by.

    Attributes:
        kind: the list's name in its cursors.
        parse: reads a key from a cursor's text; None if it is none.
        lowest: below every key.
        highest: above every key.
    """

    kind: str
    parse: Callable[[str], Key | None]
    lowest: Key
    highest: Key


def uuid_key(kind: str) -> KeyType:
    """Lists ordered by a UUIDv7, and so by when things were made."""
    return KeyType(kind, parse_uuid, UUID(int=0), UUID(int=2**128 - 1))


def serial_key(kind: str) -> KeyType:
    """Lists ordered by a bigint identity."""
    return KeyType(kind, parse_serial, 0, 2**63 - 1)


def page_of(
    key: KeyType, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
) -> Page:
    """The page that Relay's arguments ask for.

    Raises:
        BadRequest: both sizes, a size outside 0 to `MAX_SIZE`, or a cursor of another list.
    """
    if first is not None and last is not None:
        raise BadRequest("Ask for 'first' or for 'last', not for both.")
    size = first if first is not None else last if last is not None else DEFAULT_SIZE
    if not 0 <= size <= MAX_SIZE:
        raise BadRequest(f"A page has 0 to {MAX_SIZE} items.")
    return Page(size, last is not None, _position(after, key), _position(before, key))


def _position(cursor: str | None, key: KeyType) -> Key | None:
    if cursor is None:
        return None
    position = key.parse(decode_cursor(cursor, key.kind))
    if position is None:
        raise BadRequest("The cursor is damaged: take one that this very list has given.")
    return position


class Listing(Generic[R]):
    """A list under each of many parents, such as the entries of accounts, that is read page by page.

    Args:
        rows: the select of all items of all parents. It may depend on the user who reads, the column `viewer`.
        parents: the column that names an item's parent; several if an item may be under one parent or another.
        by: the column that orders the list.
        key: what kind of key that is.
        visible: makes the condition that a requested list is visible, from the table of requested lists, whose columns are
            `listed_parent`, `viewer` and `sees_all` (whether the viewer sees everything). A list that is not visible is empty.
        newest_first: whether the list runs from high keys to low ones.
        record: the type of the items.
    """

    def __init__(
        self,
        rows: Select[*tuple[Any, ...]],
        *,
        parents: Sequence[_Column],
        by: _Column,
        key: KeyType,
        visible: Callable[[TableValuedAlias], ColumnElement[bool]],
        newest_first: bool,
        record: type[R],
    ) -> None:
        self.key = key
        self._newest_first = newest_first
        self._ascending, self._descending = (
            self._compile(rows, parents, by, visible, record, descending=descending) for descending in (False, True)
        )

    async def fetch(
        self,
        db: Database,
        requested: Sequence[tuple[Hashable, Page]],
        viewers: Sequence[UUID],
        sees_all: Sequence[bool],
        **arguments: Any,
    ) -> list[Slice[R]]:
        """Return a page of the list under each requested parent.

        Args:
            db: the database.
            requested: the parents and pages. All pages have the same size and direction.
            viewers: for each of them, the id of the user who reads.
            sees_all: for each of them, whether that user sees what anybody owns.
            arguments: further arguments of the select.
        """
        page = requested[0][1]
        upwards = page.backward == self._newest_first
        lows, highs = [self._low(page) for _, page in requested], [self._high(page) for _, page in requested]
        rows = await db.fetch(
            self._ascending if upwards else self._descending,
            listed_parents=[parent for parent, _ in requested],
            lows=lows,
            highs=highs,
            viewers=viewers,
            sees_all=sees_all,
            fetch=page.size + 1,
            **arguments,
        )
        found: list[list[R]] = [[] for _ in requested]
        for row in rows:
            found[row[0] - 1].append(row)
        return [_cut(items, page) for items, (_, page) in zip(found, requested, strict=True)]

    def _low(self, page: Page) -> Key:
        low = page.before if self._newest_first else page.after
        return self.key.lowest if low is None else low

    def _high(self, page: Page) -> Key:
        high = page.after if self._newest_first else page.before
        return self.key.highest if high is None else high

    @staticmethod
    def _compile(
        rows: Select[Any],
        parents: Sequence[_Column],
        by: _Column,
        visible: Callable[[TableValuedAlias], ColumnElement[bool]],
        record: type[R],
        *,
        descending: bool,
    ) -> Query[R]:
        parent = (
            func.unnest(
                array_of("listed_parents", parents[0].type),
                array_of("lows", by.type),
                array_of("highs", by.type),
                array_of("viewers", Uuid()),
                array_of("sees_all", Boolean()),
            )
            .table_valued(
                column("listed_parent", parents[0].type),
                column("low", by.type),
                column("high", by.type),
                column("viewer", Uuid()),
                column("sees_all", Boolean()),
                with_ordinality="listed_position",
                name="listed",
            )
            .render_derived()
        )
        fetch = bindparam("fetch", type_=BigInteger())

        def branch(of: _Column) -> Select[Any]:
            low, high = (tuple_(parent.c.listed_parent, key) for key in (parent.c.low, parent.c.high))
            if of.class_ is by.class_:  # written so, only the index on both columns gives the order: by no other path is it read
                order = [_direction(each, descending=descending) for each in (of, by)]
                return rows.where(tuple_(of, by) > low, tuple_(of, by) < high).order_by(*order).limit(fetch)
            all_of_it = rows.where(of == parent.c.listed_parent, by > parent.c.low, by < parent.c.high).offset(_FENCE)
            items = all_of_it.correlate(parent).subquery()
            return select(items).order_by(_direction(items.c[by.key], descending=descending)).limit(fetch)

        if len(parents) == 1:
            item = branch(parents[0]).correlate(parent).lateral("item")
        else:
            branches = [branch(of).correlate(parent).subquery() for of in parents]
            both = union_all(*(select(one.lateral()) for one in branches)).subquery()
            item = select(both).order_by(_direction(both.c[by.key or ""], descending=descending)).limit(fetch).lateral("item")
        order = _direction(item.c[by.key or ""], descending=descending)
        statement = (
            select(parent.c.listed_position, *item.c)
            .select_from(parent.join(item, true()))
            .where(visible(parent))
            .order_by(parent.c.listed_position, order)
        )
        return Query(statement, record)


def _direction(of: _Column, *, descending: bool) -> _Column:
    return of.desc() if descending else of.asc()


def _cut(rows: Sequence[R], page: Page) -> Slice[R]:
    more = len(rows) > page.size
    items = rows[: page.size]
    if page.backward:
        return Slice(items[::-1], has_next=page.before is not None, has_previous=more)
    return Slice(items, has_next=more, has_previous=page.after is not None)
