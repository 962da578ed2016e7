"""Convert coerced values to input objects, by converters made once for each input type.

Strawberry examines the type of every field again for every value, which for a batch of transfers is most of the work. Types that
these converters do not cover are converted by Strawberry.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

import strawberry
from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition, StrawberryOptional, StrawberryType
from strawberry.types.maybe import Some

Convert = Callable[[Any, InputContext], Any]
"""Converts one coerced value."""


def compile_inputs(schema: strawberry.Schema) -> None:
    """Make a schema convert its input objects by converters."""
    core = schema._schema  # noqa: SLF001 - Strawberry's way to the core schema
    for kind in core.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            definition: StrawberryObjectDefinition = kind.extensions["strawberry-definition"]
            definition.from_input = _Converter(kind, definition)


class _Converter:
    """Converts values to input objects of one type."""

    def __init__(self, kind: GraphQLInputObjectType, definition: StrawberryObjectDefinition) -> None:
        self._absent = {
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        }
        fields = {field.python_name: field for field in definition.fields}
        names = {name: core.extensions["strawberry-definition"].python_name for name, core in kind.fields.items()}
        self._fields: list[tuple[str, str, Convert | None]] = [
            (name, names[name], conversion_of(core.type, fields[names[name]].resolve_type(type_definition=definition), name))
            for name, core in kind.fields.items()
        ]

    def __call__(self, kind: type, value: Mapping[str, object], context: InputContext) -> object:
        given: dict[str, object] = dict(self._absent)
        for name, python_name, convert in self._fields:
            if name in value:
                given[python_name] = value[name] if convert is None else convert(value[name], context)
        return kind(**given)


def conversion_of(core: GraphQLInputType, declared: StrawberryType | type, name: str) -> Convert | None:
    """Return how coerced values of a type are converted, or None if they stay as they are.

    Args:
        core: the type in the schema.
        declared: the type as Strawberry knows it.
        name: the argument's or the field's name.
    """
    named = get_named_type(core)
    if isinstance(declared, StrawberryMaybe):
        if is_leaf_type(named) and not isinstance(declared.of_type, StrawberryOptional):
            return lambda value, context: Some(value) if value is not None else context.convert(value, declared, name)
    elif is_leaf_type(named):
        return None if not _has_list(core) else lambda value, context: context.convert(value, declared, name)
    elif isinstance(named, GraphQLInputObjectType):
        one, items = _input_of(named), get_nullable_type(core)
        if not is_list_type(items):
            return lambda value, context: None if value is None else one(value, context)
        if is_non_null_type(items.of_type) and not is_list_type(items.of_type.of_type):
            return lambda values, context: None if values is None else [one(value, context) for value in values]
    return lambda value, context: context.convert(value, declared, name)


def _input_of(kind: GraphQLInputObjectType) -> Convert:
    definition: StrawberryObjectDefinition = kind.extensions["strawberry-definition"]

    def build(value: Any, context: InputContext) -> object:
        if definition.from_input is None:
            return context.convert(value, definition.origin)
        return definition.from_input(definition.origin, value, context)

    return build


def _has_list(core: GraphQLInputType) -> bool:
    return is_list_type(get_nullable_type(core))
