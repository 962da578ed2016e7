"""Statements, compiled once; and the rows that come back, the driver's own records with attributes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import Any, Generic, TypeVar

import asyncpg
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    TableValuedAlias,
    any_,
    bindparam,
    column,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

_DIALECT = dialect.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]
"""The driver's dialect, but with parameters as `%(name)s` (and `%` as `%%`), so that they can be numbered from any number on."""


class Row(asyncpg.Record):
    """A row of a result. Subclasses name the columns, and so their types, as annotations without values.

    Columns that are named so are also the quickest to read: in as little time as an item of the record.
    """

    def __init_subclass__(cls) -> None:
        for name in cls.__annotations__:
            setattr(cls, name, property(itemgetter(name)))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


R = TypeVar("R", bound=Row)


class Query(Generic[R]):
    """A statement compiled once, at its first use, and the type of the rows that it gives.

    To compile all of them takes half a second, which no start should wait for. The driver would cut a Decimal to an integer and
    take a naive datetime for local time; both are refused here.
    """

    __slots__ = ("_statement", "_template", "checked", "defaults", "names", "record", "sql")

    _template: str
    sql: str
    names: tuple[str, ...]
    defaults: dict[str, Any]
    checked: tuple[tuple[str, bool, Callable[[Any], bool]], ...]

    def __init__(self, statement: ClauseElement, record: type[R]) -> None:
        self._statement = statement
        self.record = record

    def __getattr__(self, name: str) -> Any:
        """Compile the statement when something of it is first asked for."""
        if name not in Query.__slots__:
            raise AttributeError(name)
        compiled = self._statement.compile(dialect=_DIALECT)
        self._template = compiled.string
        self.names = tuple(compiled.params)
        self.sql = self.numbered(0)
        self.defaults = {name: _plain(value) for name, value in compiled.params.items()}
        self.checked = tuple(_checks(compiled.binds))  # type: ignore[attr-defined]
        return getattr(self, name)

    def numbered(self, offset: int) -> str:
        """Return the SQL with its parameters numbered from `$(offset + 1)` on."""
        return self._template % {name: f"${number}" for number, name in enumerate(self.names, offset + 1)}

    def arguments(self, given: dict[str, Any]) -> list[Any]:
        """The statement's arguments in their order, `given` before what was written into the statement.

        Raises:
            TypeError: something else than an int for an integer, or a datetime without a zone.
        """
        for name, is_array, fits in self.checked:
            value = given.get(name)
            if value is not None and not (all(map(fits, value)) if is_array else fits(value)):
                raise TypeError(f"wrong type of value for {name}")
        defaults = self.defaults
        return [given[name] if name in given else defaults[name] for name in self.names]


class _OfRows:
    """A statement on many rows of one table, which are given column by column as arrays.

    Args:
        columns: what the rows have.
        shared: columns that mostly have one value for all rows. Where they do, it is sent once: to encode an array of times takes
            the driver as long as all other columns together.
        statement: makes the statement of a table of the rows, and of the values of all columns.
    """

    __slots__ = ("_columns", "_if_shared", "_shared", "query")

    def __init__(
        self,
        model: type[SQLModel],
        columns: Sequence[str],
        shared: Sequence[str],
        statement: "Callable[[TableValuedAlias, dict[str, Any]], ClauseElement]",
    ) -> None:
        types = {name: model.__table__.c[name].type for name in columns}  # type: ignore[attr-defined]
        self._columns = columns
        self._shared = tuple(map(columns.index, shared))
        self.query, self._if_shared = (Query(statement(*_rows(types, once)), Row) for once in ((), shared))

    def of(self, rows: Sequence[Sequence[Any]]) -> tuple[Query[Any], dict[str, Any]]:
        """The statement for these rows, and its arguments."""
        values: list[Any] = list(map(list, zip(*rows, strict=True)))
        query = self.query
        if self._shared and all(values[at].count(values[at][0]) == len(rows) for at in self._shared):
            query = self._if_shared
            for at in self._shared:
                values[at] = values[at][0]
        return query, dict(zip(self._columns, values, strict=True))


def _rows(types: Mapping[str, TypeEngine[Any]], once: Sequence[str]) -> "tuple[TableValuedAlias, dict[str, Any]]":
    """A table of rows whose columns are arguments, and the values of all columns; of those that are the same for all, `once`."""
    varied = {name: kind for name, kind in types.items() if name not in once}
    new = (
        func.unnest(*map(array_of, varied, varied.values()))
        .table_valued(*map(column, varied, varied.values()), with_ordinality="position", name="new")
        .render_derived()
    )
    return new, {name: new.c[name] if name in varied else bindparam(name, type_=kind) for name, kind in types.items()}


class Insert(_OfRows):
    """Inserts rows in the order given, so that identities rise in that order.

    Args:
        model: the table.
        columns: what the rows have.
        skip_existing: leave out rows whose key is there already.
        shared: columns in which rows mostly have one value.
        also: what all rows have in common, as SQL.
    """

    __slots__ = ()

    def __init__(
        self,
        model: type[SQLModel],
        *columns: str,
        skip_existing: bool = False,
        shared: Sequence[str] = (),
        also: Mapping[str, Any] | None = None,
    ) -> None:
        def statement(new: TableValuedAlias, values: dict[str, Any]) -> ClauseElement:
            values |= also or {}
            rows = select(*values.values()).select_from(new).order_by(new.c.position)
            inserted = insert(model).from_select(list(values), rows)
            return inserted.on_conflict_do_nothing() if skip_existing else inserted

        super().__init__(model, columns, shared, statement)


class Update(_OfRows):
    """Changes rows, which are known by their first column.

    Args:
        model: the table.
        columns: what is given of the rows: their key, and what changes.
        shared: columns in which rows mostly have one value.
    """

    __slots__ = ()

    def __init__(self, model: type[SQLModel], *columns: str, shared: Sequence[str] = ()) -> None:
        def statement(_: TableValuedAlias, values: dict[str, Any]) -> ClauseElement:
            key, *changed = columns
            return (
                update(model)
                .where(model.__table__.c[key] == values[key])  # type: ignore[attr-defined]
                .values({name: values[name] for name in changed})
            )

        super().__init__(model, columns, shared, statement)


class Writes:
    """Statements that change data, gathered to be run as one: a round trip, however many tables are written.

    They all see the database as it was before, and none of the others' changes; foreign keys and constraint triggers are checked
    when all are done.
    """

    __slots__ = ("_arguments", "_queries")

    def __init__(self) -> None:
        self._queries: list[Query[Any]] = []
        self._arguments: list[Any] = []

    def add(self, query: Query[Any], **arguments: Any) -> None:
        """Add a statement. It has no result."""
        self._queries.append(query)
        self._arguments += query.arguments(arguments)

    def insert(self, into: Insert, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to insert; none are none."""
        self._of_rows(into, rows)

    def update(self, what: Update, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to change; none are none."""
        self._of_rows(what, rows)

    def _of_rows(self, what: _OfRows, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            query, arguments = what.of(rows)
            self.add(query, **arguments)

    @property
    def statement(self) -> tuple[str, list[Any]] | None:
        """The one statement and its arguments; None if there is nothing to do."""
        return (_together(tuple(self._queries)), self._arguments) if self._queries else None


@lru_cache(maxsize=256)
def _together(queries: tuple[Query[Any], ...]) -> str:
    parts, before = [], 0
    for query in queries:
        parts.append(query.numbered(before))
        before += len(query.names)
    *others, last = parts
    return f"WITH {', '.join(f'w{n} AS ({part})' for n, part in enumerate(others))} {last}" if others else last


def array_of(name: str, type_: TypeEngine[Any]) -> BindParameter[Any]:
    """A parameter that is an array, for `= ANY`: one statement text whatever the number of values."""
    return bindparam(name, type_=ARRAY(type_))


def any_of(column: Any, *selects: Select[Any]) -> ColumnElement[bool]:
    """Whether the column has one of the values that are selected.

    They are made an array, which is then looked up in the column's index; of an `IN` the planner may think better.
    """
    found: ColumnElement[bool] = column == any_(func.array(union_all(*selects).scalar_subquery(), type_=ARRAY(column.type)))
    return found


def _checks(binds: dict[str, BindParameter[Any]]) -> Iterator[tuple[str, bool, Callable[[Any], bool]]]:
    for name, bind in binds.items():
        is_array = isinstance(bind.type, ARRAY)
        item = bind.type.item_type if isinstance(bind.type, ARRAY) else bind.type
        if isinstance(item, Integer):
            yield name, is_array, _is_int
        elif isinstance(item, DateTime):
            yield name, is_array, _is_aware


def _is_int(value: Any) -> bool:
    return value is None or type(value) is int


def _is_aware(value: Any) -> bool:
    return value is None or (isinstance(value, datetime) and value.tzinfo is not None)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
