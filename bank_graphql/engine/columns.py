"""Columns: functions that make a list of values from a list of values."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from graphql import GraphQLEnumType, GraphQLLeafType

from bank_graphql.engine.fallbacks import NULL, UnplannedError

Values = Sequence[Any]
"""A list of values of any class."""
Column = Callable[[Values], Values]
"""Makes values from values, one for each."""


def lists(complete: Column) -> Column:
    """Return a column that completes lists, by completing the items of all lists at once."""

    def complete_lists(values: Values) -> Values:
        items = iter(complete(list(chain.from_iterable(values))))
        return [list(islice(items, len(value))) for value in values]

    return complete_lists


def nulls(complete: Column, *, nullable: bool) -> Column:
    """Return a column that completes values among which there are nulls.

    Args:
        complete: completes the other values.
        nullable: whether the schema allows nulls; if not, the column raises `UnplannedError` for one.
    """

    def complete_with_nulls(values: Values) -> Values:
        present = [value for value in values if value is not None]
        if len(present) == len(values):
            return complete(values)
        if not nullable:
            raise UnplannedError(NULL)
        completed = iter(complete(present))
        return [None if value is None else next(completed) for value in values]

    return complete_with_nulls


def leaf(kind: GraphQLLeafType, *, nullable: bool) -> Column:
    """Return a column that completes values of a scalar or an enum as the reference executor does.

    Args:
        kind: the type.
        nullable: whether the schema allows nulls; if not, the column raises `UnplannedError` for one.
    """
    coerce = kind.coerce_output_value
    if isinstance(kind, GraphQLEnumType):
        return _Names(coerce, nullable=nullable)
    unchanged = _UNCHANGED.get(kind.name)

    def complete(values: Values) -> Values:
        classes = set(map(type, values))
        if len(classes) == 1 and unchanged in classes:
            return values
        if type(None) not in classes:
            completed = list(map(coerce, values))
        elif nullable:
            completed = [None if value is None else coerce(value) for value in values]
        else:
            raise UnplannedError(NULL)
        if completed.count(None) != values.count(None):
            raise UnplannedError("a scalar that makes null of a value")
        return completed

    return complete


_UNCHANGED: Mapping[str, type] = {"String": str, "ID": str, "Decimal": str, "Boolean": bool}
"""The class of the values that a scalar does not change."""


class _Names(dict[object, object]):
    """A column of an enum's names. The name of each value is computed once."""

    def __init__(self, coerce: Callable[[object], object], *, nullable: bool) -> None:
        super().__init__({None: None} if nullable else {})
        self._coerce = coerce

    def __missing__(self, value: object) -> object:
        if value is None:
            raise UnplannedError(NULL)
        self[value] = name = self._coerce(value)
        return name

    def __call__(self, values: Values) -> Values:
        return [self[value] for value in values]
