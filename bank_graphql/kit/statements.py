"""SQL statements that are compiled once, the rows that they return, and statements that write many rows at a time."""

from abc import ABC, abstractmethod
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
_SQLType = TypeEngine[Any]
_Values = dict[str, ColumnElement[Any]]
"""The SQL expression of each column that is written."""


class Row(asyncpg.Record):
    """A row of a result, with its columns as attributes.

    A subclass names columns and their types as annotations without values. Reading these is as fast as reading an item of the
    record; reading another column as an attribute is slower.
    """

    def __init_subclass__(cls) -> None:
        for name in cls.__annotations__:
            setattr(cls, name, property(itemgetter(name)))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


R_co = TypeVar("R_co", bound=Row, covariant=True)


class Query(Generic[R_co]):
    """A statement that is compiled once, when it is first used: to compile all statements at the start would take half a second.

    Attributes:
        sql: the SQL, with parameters as `$1`, `$2` and so on.
        names: the names of the parameters, in the order of their numbers.
        defaults: the values of the parameters that were written into the statement.
        checks: for each parameter that is an integer or a time: its name, whether it is an array, and the check of one value.
            The driver would truncate a Decimal to an integer and take a naive datetime for local time, so both are refused.
        record: the type of the rows.
    """

    __slots__ = ("_statement", "_template", "checks", "defaults", "names", "record", "sql")

    _template: str
    sql: str
    names: tuple[str, ...]
    defaults: dict[str, object]
    checks: tuple[tuple[str, bool, Callable[[object], bool]], ...]

    def __init__(self, statement: ClauseElement, record: type[R_co]) -> None:
        self._statement = statement
        self.record = record

    def __getattr__(self, name: str) -> object:
        """Compile the statement when an attribute that needs this is first read."""
        if name not in Query.__slots__:
            raise AttributeError(name)
        compiled = self._statement.compile(dialect=_DIALECT)
        self._template = compiled.string
        self.names = tuple(compiled.params)
        self.sql = self.numbered(0)
        self.defaults = {name: value.value if isinstance(value, Enum) else value for name, value in compiled.params.items()}
        self.checks = tuple(_checks(compiled.binds))  # type: ignore[attr-defined]
        return getattr(self, name)

    def numbered(self, offset: int) -> str:
        """Return the SQL with its parameters numbered from `$(offset + 1)` on."""
        return self._template % {name: f"${number}" for number, name in enumerate(self.names, offset + 1)}

    def arguments(self, given: Mapping[str, object]) -> list[object]:
        """Return the arguments of the statement in the order of their numbers: the given ones, and the defaults of the others.

        Raises:
            TypeError: a value for an integer is not an int, or a datetime has no time zone.
        """
        for name, is_array, is_valid in self.checks:
            value: Any = given.get(name)
            if value is not None and not (all(map(is_valid, value)) if is_array else is_valid(value)):
                raise TypeError(f"wrong type of value for {name}")
        defaults = self.defaults
        return [given[name] if name in given else defaults[name] for name in self.names]


R = TypeVar("R", bound=Row)


class Reads(ABC):
    """Runs statements that only read: on the database, or on a replica of it."""

    @abstractmethod
    async def fetch(self, query: Query[R], **arguments: object) -> list[R]:
        """Run a read and return its rows.

        Raises:
            Unavailable: the database cannot be reached.
        """

    async def fetch_one(self, query: Query[R], **arguments: object) -> R | None:
        """Run a read as `fetch`, and return its first row, or None if it has none."""
        rows = await self.fetch(query, **arguments)
        return rows[0] if rows else None


class _BulkStatement:
    """A statement that writes many rows of one table. The rows are passed column by column, as arrays.

    Args:
        model: the table.
        columns: the columns of the rows.
        shared: columns that mostly have the same value in all rows. Then the value is passed once: for the driver, to encode an
            array of times takes as long as to encode all other columns.
        statement: returns the statement, given the table of the rows and the expressions of all columns.
    """

    __slots__ = ("_columns", "_query_if_shared", "_shared", "query")

    def __init__(
        self,
        model: type[SQLModel],
        columns: Sequence[str],
        shared: Sequence[str],
        statement: Callable[[TableValuedAlias, _Values], ClauseElement],
    ) -> None:
        types = {name: model.__table__.c[name].type for name in columns}  # type: ignore[attr-defined]
        self._columns = columns
        self._shared = tuple(map(columns.index, shared))
        self.query, self._query_if_shared = (Query(statement(*_table_of_rows(types, once)), Row) for once in ((), shared))

    def bind(self, rows: Sequence[Sequence[object]]) -> tuple[Query[Row], dict[str, object]]:
        """Return the query that writes these rows, and its arguments."""
        values: list[list[object]] = list(map(list, zip(*rows, strict=True)))
        arguments: dict[str, object] = dict(zip(self._columns, values, strict=True))
        if not self._shared or any(values[index].count(values[index][0]) < len(rows) for index in self._shared):
            return self.query, arguments
        for index in self._shared:
            arguments[self._columns[index]] = values[index][0]
        return self._query_if_shared, arguments


def _table_of_rows(types: Mapping[str, _SQLType], shared: Sequence[str]) -> tuple[TableValuedAlias, _Values]:
    """Return a table whose columns are array parameters, and the expressions of all columns. The shared are plain parameters."""
    varying = {name: type_ for name, type_ in types.items() if name not in shared}
    new = (
        func.unnest(*map(array_of, varying, varying.values()))
        .table_valued(*map(column, varying, varying.values()), with_ordinality="position", name="new")
        .render_derived()
    )
    return new, {name: new.c[name] if name in varying else bindparam(name, type_=type_) for name, type_ in types.items()}


class Insert(_BulkStatement):
    """Inserts rows in the given order, so that their identities rise in that order.

    Args:
        model: the table.
        columns: the columns of the rows.
        skip_existing: skip rows whose key exists already, instead of raising an error.
        shared: columns that mostly have the same value in all rows.
        constants: SQL expressions of further columns, the same for all rows.
    """

    __slots__ = ()

    def __init__(
        self,
        model: type[SQLModel],
        *columns: str,
        skip_existing: bool = False,
        shared: Sequence[str] = (),
        constants: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> None:
        def statement(new: TableValuedAlias, values: _Values) -> ClauseElement:
            values |= constants or {}
            rows = select(*values.values()).select_from(new).order_by(new.c.position)
            inserted = insert(model).from_select(list(values), rows)
            return inserted.on_conflict_do_nothing() if skip_existing else inserted

        super().__init__(model, columns, shared, statement)


class Update(_BulkStatement):
    """Updates rows, which are identified by their first column.

    Args:
        model: the table.
        columns: the columns of the rows: the key, and then those that are updated.
        shared: columns that mostly have the same value in all rows.
    """

    __slots__ = ()

    def __init__(self, model: type[SQLModel], *columns: str, shared: Sequence[str] = ()) -> None:
        def statement(_: TableValuedAlias, values: _Values) -> ClauseElement:
            key, *updated = columns
            return (
                update(model)
                .where(model.__table__.c[key] == values[key])  # type: ignore[attr-defined]
                .values({name: values[name] for name in updated})
            )

        super().__init__(model, columns, shared, statement)


class Writes:
    """Writing statements that are collected and run as one: a single round trip, however many tables are written.

    All of them see the database as it was before, and not each other's changes. Foreign keys and constraint triggers are checked
    at the end.
    """

    __slots__ = ("_arguments", "_queries")

    def __init__(self) -> None:
        self._queries: list[Query[Row]] = []
        self._arguments: list[object] = []

    def add(self, query: Query[Row], **arguments: object) -> None:
        """Add a statement. Its result is discarded."""
        self._queries.append(query)
        self._arguments += query.arguments(arguments)

    def insert(self, into: Insert, rows: Sequence[Sequence[object]]) -> None:
        """Add an insert of the rows, if there are any."""
        self._add_rows(into, rows)

    def update(self, what: Update, rows: Sequence[Sequence[object]]) -> None:
        """Add an update of the rows, if there are any."""
        self._add_rows(what, rows)

    def _add_rows(self, statement: _BulkStatement, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            query, arguments = statement.bind(rows)
            self.add(query, **arguments)

    @property
    def statement(self) -> tuple[str, list[object]] | None:
        """The SQL of all statements as one, and its arguments. None if there are no statements."""
        return (_combined(tuple(self._queries)), self._arguments) if self._queries else None


@lru_cache(maxsize=256)
def _combined(queries: tuple[Query[Row], ...]) -> str:
    """Return the SQL that runs all queries: each but the last is a common table expression of the last."""
    parts, offset = [], 0
    for query in queries:
        parts.append(query.numbered(offset))
        offset += len(query.names)
    *others, last = parts
    return f"WITH {', '.join(f'w{n} AS ({part})' for n, part in enumerate(others))} {last}" if others else last


def array_of(name: str, type_: _SQLType) -> BindParameter[Any]:
    """Return an array parameter, for `= ANY` and `unnest`: the SQL is the same for any number of values."""
    return bindparam(name, type_=ARRAY(type_))


def any_of(column: Any, *selects: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that the column has one of the values that the selects return.

    The values are collected in an array, and then looked up in the column's index. For an `IN` the planner may choose to read
    the whole table.
    """
    found: ColumnElement[bool] = column == any_(func.array(union_all(*selects).scalar_subquery(), type_=ARRAY(column.type)))
    return found


def _checks(parameters: Mapping[str, BindParameter[Any]]) -> Iterator[tuple[str, bool, Callable[[object], bool]]]:
    for name, parameter in parameters.items():
        is_array = isinstance(parameter.type, ARRAY)
        item = parameter.type.item_type if isinstance(parameter.type, ARRAY) else parameter.type
        if isinstance(item, Integer):
            yield name, is_array, _is_int
        elif isinstance(item, DateTime):
            yield name, is_array, _is_aware


def _is_int(value: object) -> bool:
    return value is None or type(value) is int


def _is_aware(value: object) -> bool:
    return value is None or (isinstance(value, datetime) and value.tzinfo is not None)
