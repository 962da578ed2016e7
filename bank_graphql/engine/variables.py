"""Coerce variables as graphql-core does, by functions made once for each type.

Values that these functions do not accept are left to graphql-core, which knows all special cases and reports what is wrong.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
    get_variable_values,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.utilities.coerce_input_value import coerce_default_value

Coerce = Callable[[Any], object]
"""Coerces one value. Raises any exception for a value that it does not accept."""


class _UnusualError(Exception):
    """A value is left to graphql-core."""


class Variables:
    """The variables that an operation declares."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema = schema
        self._definitions = definitions
        self._plain: list[tuple[GraphQLVariableSignature, Coerce]] | None = None

    def coerce(self, given: dict[str, object]) -> VariableValues | list[GraphQLError]:
        """Return the coerced values, or the errors in them."""
        if self._plain is None:  # types are looked up once the document is valid
            found = [get_variable_signature(self._schema, each) for each in self._definitions]
            self._plain = [(each, _coercer(each.type)) for each in found if not isinstance(each, GraphQLError)]
        sources, coerced = {}, {}
        try:
            for signature, coerce in self._plain:
                name = signature.name
                if name not in given and _may_be_absent(signature):
                    sources[name] = VariableValueSource(signature)
                    continue
                value = given[name]
                coerced[name] = coerce(value)
                sources[name] = VariableValueSource(signature, value)
        except Exception:  # noqa: BLE001 - whatever it is, graphql-core reports it
            return get_variable_values(self._schema, self._definitions, given, max_errors=50)
        return VariableValues(sources, coerced)


def _may_be_absent(signature: GraphQLVariableSignature) -> bool:
    return signature.default is None and not is_non_null_type(signature.type)


def _coercer(kind: GraphQLInputType) -> Coerce:
    """Return the function that coerces values of a type."""
    # Only functions for named types are cached: documents make any number of wrapping types.
    if is_non_null_type(kind):
        return _required(_coercer(kind.of_type))
    if is_list_type(kind):
        return _list(_coercer(kind.of_type))
    if is_input_object_type(kind):
        return _input_object(kind)
    if is_leaf_type(kind):
        return _leaf(kind.coerce_input_value)
    raise _UnusualError


def _required(coerce: Coerce) -> Coerce:
    def required(value: object) -> object:
        if value is None:
            raise _UnusualError
        return coerce(value)

    return required


def _leaf(coerce: Coerce) -> Coerce:
    return lambda value: None if value is None else coerce(value)


def _list(coerce: Coerce) -> Coerce:
    def items(value: object) -> object:
        if value is None:
            return None
        if type(value) is not list:
            raise _UnusualError
        return [coerce(item) for item in value]

    return items


@cache
def _input_object(kind: GraphQLInputObjectType) -> "_InputObject":
    return _InputObject(kind)


class _InputObject:
    """Coerces input objects of one type."""

    def __init__(self, kind: GraphQLInputObjectType) -> None:
        self._kind = kind
        self._fields: list[tuple[str, str, Coerce, object]] | None = None  # at first use: types may refer to themselves

    def __call__(self, value: object) -> object:
        if value is None:
            return None
        if type(value) is not dict:
            raise _UnusualError
        if self._fields is None:
            self._fields = [
                (name, field.out_name or name, _coercer(field.type), _absent(field)) for name, field in self._kind.fields.items()
            ]
        coerced, known = {}, 0
        for name, out_name, coerce, absent in self._fields:
            if name in value:
                known += 1
                coerced[out_name] = coerce(value[name])
            elif absent is _UnusualError:
                raise _UnusualError
            elif absent is not Undefined:
                coerced[out_name] = absent
        if known != len(value) or (self._kind.is_one_of and (known != 1 or None in coerced.values())):
            raise _UnusualError
        return self._kind.out_type(coerced)


def _absent(field: GraphQLInputField) -> object:
    """Return the value of a field that is not given: its default, `Undefined`, or `_UnusualError` if graphql-core must decide."""
    if is_required_input_field(field):
        return _UnusualError
    default = coerce_default_value(field)
    return default if default is Undefined or isinstance(default, bool | int | str | None) else _UnusualError
