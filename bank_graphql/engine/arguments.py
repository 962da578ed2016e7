"""Make the arguments of a field at its place in a document, from a request's variables.

Most arguments are plain variables or constants, and how to make these is decided once for each place. All others are coerced by
graphql-core and converted by Strawberry.
"""

from collections.abc import Callable, Mapping

import strawberry
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    GraphQLArgument,
    GraphQLField,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    StringValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    coerce_input_literal,
    get_argument_values,
    is_non_null_type,
)
from graphql.execution.values import VariableValues
from strawberry.types.arguments import InputContext, StrawberryArgument, convert_arguments
from strawberry.types.base import StrawberryMaybe
from strawberry.types.field import StrawberryField

from bank_graphql.engine.conversion import Convert, conversion_of

Given = Mapping[str, object]
"""The arguments of a resolver, by their names in Python."""
Make = Callable[[VariableValues], Given]
Arguments = Given | Make
"""The arguments of a resolver, or a function that makes them from a request's variables."""
_CONSTANTS = (IntValueNode, FloatValueNode, StringValueNode, BooleanValueNode, EnumValueNode)


def arguments_of(
    schema: strawberry.Schema, core: GraphQLField, field: StrawberryField, node: FieldNode, variables: VariableValues
) -> Arguments:
    """Return the arguments of a field at one place in a document.

    Args:
        schema: the schema.
        core: the field as graphql-core knows it.
        field: the field as Strawberry knows it.
        node: its place in the document.
        variables: those of the first request; if the arguments do not depend on variables, they are made with these.
    """
    registry, config = schema.schema_converter.scalar_registry, schema.config

    def by_strawberry(values: VariableValues) -> Given:
        given = get_argument_values(core, node, values)
        return convert_arguments(given, field.arguments, scalar_registry=registry, config=config)

    if not any(_has_variables(each.value) for each in node.arguments or ()):
        return by_strawberry(variables)
    given = {each.name.value for each in node.arguments or ()}
    if any(name not in given and argument.default_value is not Undefined for name, argument in core.args.items()):
        return by_strawberry
    declared = {config.name_converter.from_argument(each): each for each in field.arguments}
    plain = _Plain(by_strawberry, InputContext(None, config, registry, ()))
    for each in node.arguments or ():
        name = each.name.value
        if not plain.add(core.args[name], declared[name], each.value):
            return by_strawberry
    return plain


class _Plain:
    """Makes arguments that are plain variables and constants.

    Args:
        otherwise: makes the arguments if a variable is null or absent where these are special cases.
        context: for the conversion of input objects.
    """

    def __init__(self, otherwise: Make, context: InputContext) -> None:
        self._otherwise = otherwise
        self._context = context
        self._constants: dict[str, object] = {}
        self._variables: list[tuple[str, str, Convert | None, bool]] = []

    def add(self, argument: GraphQLArgument, declared: StrawberryArgument, value: ValueNode) -> bool:
        """Add an argument. Return False if it is neither a plain variable nor a constant."""
        convert = conversion_of(argument.type, declared.type, declared.python_name)
        if isinstance(value, VariableNode):
            is_optional = argument.default_value is Undefined and not is_non_null_type(argument.type)
            can_be_absent = is_optional and not isinstance(declared.type, StrawberryMaybe)
            self._variables.append((declared.python_name, value.name.value, convert, can_be_absent))
            return True
        if isinstance(value, _CONSTANTS) and convert is None:
            self._constants[declared.python_name] = coerce_input_literal(value, argument.type)
            return True
        return False

    def __call__(self, values: VariableValues) -> Given:
        arguments, coerced = self._constants.copy(), values.coerced
        for python_name, variable, convert, can_be_absent in self._variables:
            value = coerced.get(variable)
            if value is not None:
                arguments[python_name] = value if convert is None else convert(value, self._context)
            elif not can_be_absent:
                return self._otherwise(values)
            elif variable in coerced:
                arguments[python_name] = None
        return arguments


def _has_variables(value: ValueNode) -> bool:
    """Return whether a literal contains variables."""
    if isinstance(value, ListValueNode):
        return any(map(_has_variables, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variables(each.value) for each in value.fields)
    return isinstance(value, VariableNode)
