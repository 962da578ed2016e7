"""Statements, compiled once; and the rows that come back, the driver's own records with attributes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from typing import Any, Generic, TypeVar

import asyncpg
from sqlalchemy import ARRAY, BindParameter, DateTime, Integer, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]


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
    """A statement compiled once, and the type of the rows that it gives.

    The driver would cut a Decimal to an integer and take a naive datetime for local time; both are refused here.
    """

    __slots__ = ("checked", "defaults", "names", "record", "sql")

    def __init__(self, statement: ClauseElement, record: type[R]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        self.defaults: dict[str, Any] = {name: _plain(value) for name, value in compiled.params.items()}
        self.checked = tuple(_checks(compiled.binds))  # type: ignore[attr-defined]
        self.record = record

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


class Insert:
    """Inserts many rows of one table with one statement, in the order given (so that identities rise in that order).

    Args:
        model: the table.
        columns: what the rows have.
        skip_existing: leave out rows whose key is there already.
        also: what all rows have in common, as SQL.
    """

    __slots__ = ("columns", "query")

    def __init__(
        self, model: type[SQLModel], *columns: str, skip_existing: bool = False, also: Mapping[str, Any] | None = None
    ) -> None:
        table = model.__table__  # type: ignore[attr-defined]
        self.columns = columns
        arrays = [bindparam(name, type_=ARRAY(table.c[name].type)) for name in columns]
        new = (
            func.unnest(*arrays)
            .table_valued(*(column(name, table.c[name].type) for name in columns), with_ordinality="position", name="new")
            .render_derived()
        )
        values = also or {}
        rows = select(*(new.c[name] for name in columns), *values.values()).order_by(new.c.position)
        statement = insert(table).from_select([*columns, *values], rows)
        self.query = Query(statement.on_conflict_do_nothing() if skip_existing else statement, Row)

    def arguments(self, rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
        """The rows, column by column."""
        return dict(zip(self.columns, map(list, zip(*rows, strict=True)), strict=True))


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
        if rows:
            self.add(into.query, **into.arguments(rows))

    @property
    def statement(self) -> tuple[str, list[Any]] | None:
        """The one statement and its arguments; None if there is nothing to do."""
        return (_together(tuple(self._queries)), self._arguments) if self._queries else None


@lru_cache(maxsize=256)
def _together(queries: tuple[Query[Any], ...]) -> str:
    parts, before = [], 0
    for query in queries:
        parts.append(_renumbered(query.sql, before))
        before += len(query.names)
    *others, last = parts
    return f"WITH {', '.join(f'w{n} AS ({part})' for n, part in enumerate(others))} {last}" if others else last


def _renumbered(sql: str, by: int) -> str:
    """The statement with all parameters' numbers raised."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", sql)


def array_of(name: str, type_: TypeEngine[Any]) -> BindParameter[Any]:
    """A parameter that is an array, for `= ANY`: one statement text whatever the number of values."""
    return bindparam(name, type_=ARRAY(type_))


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
