"""Keyset pagination: the page that a client requests, and lists that are read page by page, for many parents with one statement.

The cost of a page does not depend on its position in the list: the statement enters the index at the cursor, and reads one row
more than the page has.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
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

from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import decode_cursor, parse_serial, parse_uuid
from bank_graphql.kit.statements import Query, Reads, Row, array_of

DEFAULT_SIZE = 20
MAX_SIZE = 100

T = TypeVar("T")
R = TypeVar("R", bound=Row)
Key = UUID | int
_Column = Any  # a mapped column, which SQLModel types as its value
_Select = Select[*tuple[Any, ...]]
_FENCE: ColumnElement[int] = literal_column("0")
"""An offset of no rows. The planner does not merge a subquery with an offset into the statement around it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A requested page of a list. It is hashable, so that loaders can group by it.

    Attributes:
        size: the maximum number of items, 0 to `MAX_SIZE`.
        backward: whether the page is at the end of the selected part of the list (`last`), not at its start (`first`).
        after: the key that the items come after, or None.
        before: the key that the items come before, or None.
    """

    size: int = DEFAULT_SIZE
    backward: bool = False
    after: Key | None = None
    before: Key | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """The items of a page, in the order of the list, and whether there are more items after and before them."""

    items: Sequence[T]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class KeyType:
    """The type of the keys that a list is ordered by.

    Attributes:
        kind: the name of the list in its cursors.
        parse: returns the key in the text of a cursor, or None if there is none.
        lowest: a key below all keys.
        highest: a key above all keys.
    """

    kind: str
    parse: Callable[[str], Key | None]
    lowest: Key
    highest: Key


def uuid_key(kind: str) -> KeyType:
    """Return the key type of a list that is ordered by UUIDv7, and so by the time of creation."""
    return KeyType(kind, parse_uuid, UUID(int=0), UUID(int=2**128 - 1))


def serial_key(kind: str) -> KeyType:
    """Return the key type of a list that is ordered by a bigint identity."""
    return KeyType(kind, parse_serial, 0, 2**63 - 1)


def page_of(
    key: KeyType, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
) -> Page:
    """Return the page that the arguments of a Relay connection request.

    Raises:
        BadRequest: both `first` and `last` are given, a size is not 0 to `MAX_SIZE`, or a cursor is not one of this list.
    """
    if first is not None and last is not None:
        raise BadRequest("Give 'first' or 'last', not both.")
    size = first if first is not None else last if last is not None else DEFAULT_SIZE
    if not 0 <= size <= MAX_SIZE:
        raise BadRequest(f"A page has 0 to {MAX_SIZE} items.")
    return Page(size, last is not None, _position(after, key), _position(before, key))


def _position(cursor: str | None, key: KeyType) -> Key | None:
    if cursor is None:
        return None
    position = key.parse(decode_cursor(cursor, key.kind))
    if position is None:
        raise BadRequest("The cursor is damaged: use one that this list has returned.")
    return position


class Listing(Generic[R]):
    """A list of items under each of many parents, such as the entries of accounts, that is read page by page.

    Args:
        rows: the select of all items of all parents. It may depend on the user who reads, the column `viewer`.
        parents: the columns that refer to the parent of an item. There are several if an item can be in several lists.
        by: the column that the list is ordered by.
        key: the type of that column's values.
        visible: returns the condition that a requested list is visible, given the table of the requested lists, whose columns are
            `listed_parent`, `viewer` and `sees_all` (whether the viewer sees everything). A list that is not visible is empty.
        newest_first: whether the list is ordered from high keys to low ones.
        record: the type of the items.
    """

    def __init__(
        self,
        rows: _Select,
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
            _compile(rows, parents, by, visible, record, descending=descending) for descending in (False, True)
        )

    async def fetch(
        self,
        db: Reads,
        requested: Sequence[tuple[Hashable, Page]],
        viewers: Sequence[UUID],
        sees_all: Sequence[bool],
        **arguments: object,
    ) -> list[Slice[R]]:
        """Return a page of the list under each requested parent.

        Args:
            db: the database, or its replica.
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


class RootListing(Generic[R]):
    """A list that has no parent, such as all users, and is read page by page.

    Args:
        rows: the select of all items.
        by: the column that the list is ordered by. The newest item, with the highest key, comes first.
        key: the type of that column's values.
        record: the type of the items.
    """

    def __init__(self, rows: _Select, *, by: _Column, key: KeyType, record: type[R]) -> None:
        self.key = key
        bounded = rows.where(by > bindparam("low", type_=by.type), by < bindparam("high", type_=by.type))
        limit = bindparam("fetch", type_=BigInteger())
        self._ascending, self._descending = (
            Query(bounded.order_by(_direction(by, descending=descending)).limit(limit), record) for descending in (False, True)
        )

    async def fetch(self, db: Reads, page: Page, **arguments: object) -> Slice[R]:
        """Return a page of the list. `arguments` are further arguments of the select."""
        rows = await db.fetch(
            self._ascending if page.backward else self._descending,
            low=self.key.lowest if page.before is None else page.before,
            high=self.key.highest if page.after is None else page.after,
            fetch=page.size + 1,
            **arguments,
        )
        return _cut(rows, page)


def _compile(
    rows: _Select,
    parents: Sequence[_Column],
    by: _Column,
    visible: Callable[[TableValuedAlias], ColumnElement[bool]],
    record: type[R],
    *,
    descending: bool,
) -> Query[R]:
    """Return the statement that reads the pages of a `Listing` in one direction. The arguments are those of `Listing`."""
    requested = _requested_lists(parents[0], by)
    limit = bindparam("fetch", type_=BigInteger())
    by_parent = [_items_under(parent, requested, rows, by, limit, descending=descending) for parent in parents]
    if len(by_parent) == 1:
        item = by_parent[0].correlate(requested).lateral("item")
    else:
        subqueries = [each.correlate(requested).subquery() for each in by_parent]
        merged = union_all(*(select(each.lateral()) for each in subqueries)).subquery()
        item = select(merged).order_by(_direction(merged.c[by.key], descending=descending)).limit(limit).lateral("item")
    statement = (
        select(requested.c.listed_position, *item.c)
        .select_from(requested.join(item, true()))
        .where(visible(requested))
        .order_by(requested.c.listed_position, _direction(item.c[by.key], descending=descending))
    )
    return Query(statement, record)


def _requested_lists(parent: _Column, by: _Column) -> TableValuedAlias:
    """Return the table of the requested lists, made of array parameters."""
    types = {"listed_parents": parent.type, "lows": by.type, "highs": by.type, "viewers": Uuid(), "sees_all": Boolean()}
    columns = map(column, ("listed_parent", "low", "high", "viewer", "sees_all"), types.values())
    unnested = func.unnest(*map(array_of, types, types.values()))
    return unnested.table_valued(*columns, with_ordinality="listed_position", name="listed").render_derived()


def _items_under(
    parent: _Column,
    requested: TableValuedAlias,
    rows: _Select,
    by: _Column,
    limit: BindParameter[int],
    *,
    descending: bool,
) -> _Select:
    """Return the select of the items on a page whose column `parent` refers to a requested list."""
    if parent.class_ is by.class_:
        # Compared and ordered as pairs: only the index on both columns has this order, so the planner uses no other.
        low, high = (tuple_(requested.c.listed_parent, key) for key in (requested.c.low, requested.c.high))
        order = [_direction(each, descending=descending) for each in (parent, by)]
        return rows.where(tuple_(parent, by) > low, tuple_(parent, by) < high).order_by(*order).limit(limit)
    of_parent = rows.where(parent == requested.c.listed_parent, by > requested.c.low, by < requested.c.high).offset(_FENCE)
    items = of_parent.correlate(requested).subquery()
    return select(items).order_by(_direction(items.c[by.key], descending=descending)).limit(limit)


def _direction(by: _Column, *, descending: bool) -> _Column:
    return by.desc() if descending else by.asc()


def _cut(rows: Sequence[R], page: Page) -> Slice[R]:
    has_more = len(rows) > page.size
    items = rows[: page.size]
    if page.backward:
        return Slice(items[::-1], has_next=page.before is not None, has_previous=has_more)
    return Slice(items, has_next=has_more, has_previous=page.after is not None)
