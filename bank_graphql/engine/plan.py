"""Plans: the selections of an operation as steps over whole lists of objects, made once for each document.

A plan is a tree of selections. Each field of a selection says how to get its values from a list of source objects (an attribute,
a function of the object, or a loaded field) and which shape these values have in the answer. A query, a mutation or
an event without a plan is executed by the reference executor.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    Visitor,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.language import DirectiveNode, DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, VariableNode
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from bank_graphql.engine.arguments import Arguments, arguments_of
from bank_graphql.engine.columns import Column, leaf, lists, nulls
from bank_graphql.engine.fallbacks import UnplannedError, reason_of
from bank_graphql.engine.fields import DECLARATION, BackingClasses, LoadedField, Mutation
from bank_graphql.engine.rows import Rows, rows_of
from bank_graphql.engine.variables import Variables


@dataclass(frozen=True, slots=True)
class Leaf:
    """The shape of scalars and enums.

    Attributes:
        complete: makes the answer's values from the field's values.
    """

    complete: Column


@dataclass(frozen=True, slots=True)
class Many:
    """The shape of lists.

    Attributes:
        nullable: whether a null may take the place of a list.
        of: the shape of the items.
        complete: makes the answer's values from the field's values; None if something must be loaded for them.
    """

    nullable: bool
    of: "Shape"
    complete: Column | None


@dataclass(frozen=True, slots=True)
class Objects:
    """The shape of objects, of one type or of several.

    Attributes:
        nullable: whether a null may take the place of an object.
        selection: what is selected of them, if they are of one type.
        by_class: what is selected of objects of each class, if they are of several types.
        complete: makes the answer's values from the field's values; None if something must be loaded for them.
    """

    nullable: bool
    selection: "Selection | None"
    by_class: "Mapping[type, Selection]"
    complete: Column | None


Shape = Leaf | Many | Objects


@dataclass(frozen=True, slots=True)
class Field:
    """How to resolve a field for a list of source objects. Of column, values_of, loaded_field and resolver, exactly one is given.

    Attributes:
        shape: the shape of the field's values.
        column: makes the answer's values from the source objects, if nothing must be loaded for them.
        values_of: makes the field's values from the source objects, if something must be loaded below them.
        loaded_field: loads the field's values.
        resolver: resolves a root field, given the request's context.
        arguments: the arguments of the loaded field or the resolver.
    """

    shape: Shape
    column: Column | None = None
    values_of: Column | None = None
    loaded_field: LoadedField | None = None
    resolver: Callable[..., Any] | None = None
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected of objects of one type.

    Attributes:
        names: the fields' names in the answer.
        fields: how to resolve them, in the same order.
        rows: makes the answer's objects from columns of values, one for each field.
        complete: makes the answer's objects from the source objects; None if something must be loaded for them.
    """

    names: tuple[str, ...]
    fields: tuple[Field, ...]
    rows: Rows
    complete: Column | None


@dataclass(frozen=True, slots=True)
class Source:
    """The source stream of a subscription.

    Attributes:
        name: the field's name in the answer.
        node: the field in the document.
        resolver: returns the events, given the request's context.
        arguments: the arguments of the resolver.
    """

    name: str
    node: FieldNode
    resolver: Callable[..., AsyncGenerator[object, None]]
    arguments: Arguments


class Operation:
    """An operation of a document, with the plans that were made for it so far.

    A selection depends on variables only by `@skip` and `@include`, so there is one plan for each combination of their values.
    """

    _MAX_PLANS = 32

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self.document = document
        self.node = node
        self.definitions = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.fragments = {name: FragmentDetails(definition) for name, definition in self.definitions.items()}
        self._variables = Variables(schema, node.variable_definitions or ())
        switches = _Switches()
        visit(document, switches)
        self._switches = tuple(sorted(switches.names))
        self._plans: dict[tuple[object, ...], Selection | str] = {}

    def variables(self, given: dict[str, object]) -> VariableValues | list[GraphQLError]:
        """Return the coerced variables, or the errors in them."""
        return self._variables.coerce(given)

    def plan(self, schema: strawberry.Schema, variables: VariableValues) -> Selection:
        """Return the plan of the operation, made at its first use.

        Raises:
            UnplannedError: there can be none.
        """
        key = tuple([variables.coerced.get(name) for name in self._switches])
        if key not in self._plans:
            if len(self._plans) >= self._MAX_PLANS:
                self._plans.clear()
            try:
                self._plans[key] = Planner(schema, self, variables).root()
            except Exception as error:  # noqa: BLE001 - whatever it is, the reference executor reports it
                self._plans[key] = reason_of(error)
        plan = self._plans[key]
        if isinstance(plan, str):
            raise UnplannedError(plan)
        return plan


class _Switches(Visitor):
    """Finds the variables in the arguments of directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        self.names |= {each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)}


class Planner:
    """Makes the plan of one operation for one set of variables, which switch its parts on and off."""

    def __init__(self, schema: strawberry.Schema, operation: Operation, variables: VariableValues) -> None:
        self._schema = schema
        self._core = schema._schema  # noqa: SLF001 - Strawberry's way to the core schema
        self._operation = operation
        self._variables = variables

    def root(self) -> Selection:
        """Return the plan of the whole operation.

        Raises:
            UnplannedError: there can be none.
        """
        operation = self._operation
        kind = self._core.get_root_type(operation.node.operation)
        if kind is None:
            raise UnplannedError("an operation that the schema does not have")
        collected = collect_fields(self._core, operation.fragments, self._variables, kind, operation.node)
        return self._selection(kind, collected.grouped_field_set, self._root_field)

    def source(self) -> Source:
        """Return the source stream of a subscription.

        Raises:
            UnplannedError: it takes more than the request's context and its arguments.
        """
        kind = self._core.subscription_type
        if kind is None:
            raise UnplannedError("an operation that the schema does not have")
        operation = self._operation
        collected = collect_fields(self._core, operation.fragments, self._variables, kind, operation.node)
        [(name, details)] = collected.grouped_field_set.items()
        node = details[0].node
        core = kind.fields[node.name.value]
        declared: StrawberryField = core.extensions["strawberry-definition"]
        return Source(name, node, _resolver(declared), arguments_of(self._schema, core, declared, node, self._variables))

    def shape(self, kind: GraphQLOutputType, details: list[FieldDetails]) -> Shape:
        """Return the shape of values of a type.

        Args:
            kind: the type.
            details: the places in the document where something is selected of these values.

        Raises:
            UnplannedError: something is selected for which there can be no plan.
        """
        nullable = not is_non_null_type(kind)
        if is_non_null_type(kind):
            kind = kind.of_type
        if is_list_type(kind):
            of = self.shape(kind.of_type, details)
            return Many(nullable, of, of.complete and nulls(lists(of.complete), nullable=nullable))
        if is_leaf_type(kind):
            return Leaf(leaf(kind, nullable=nullable))
        if is_object_type(kind):
            selection = self._subselection(kind, details)
            return Objects(nullable, selection, {}, selection.complete and nulls(selection.complete, nullable=nullable))
        if is_abstract_type(kind):
            possible = self._core.get_possible_types(kind)
            selections = {each: self._subselection(each, details) for each in possible}
            by_class = {objects: selection for each, selection in selections.items() for objects in _classes_of(each)}
            return Objects(nullable, None, by_class, None)
        raise UnplannedError("a type of an unknown kind")

    def _subselection(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> Selection:
        operation = self._operation
        collected = collect_subfields(self._core, operation.fragments, self._variables, operation.node, kind, details)
        return self._selection(kind, collected.grouped_field_set)

    def _selection(
        self,
        kind: GraphQLObjectType,
        grouped: Mapping[str, list[FieldDetails]],
        make: "Callable[[GraphQLObjectType, list[FieldDetails]], Field] | None" = None,
    ) -> Selection:
        names, make = tuple(grouped), make or self._field
        fields = tuple(make(kind, details) for details in grouped.values())
        if not fields:
            return Selection(names, fields, list, lambda sources: [{} for _ in sources])
        rows = rows_of(names)
        columns = [each.column for each in fields if each.column is not None]
        if len(columns) < len(fields):
            return Selection(names, fields, rows, None)
        return Selection(names, fields, rows, lambda sources: rows(*[column(sources) for column in columns]))

    def _root_field(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> Field:
        node = details[0].node
        core = kind.fields.get(node.name.value)
        declared: StrawberryField | None = core and core.extensions["strawberry-definition"]
        declaration = declared and declared.metadata.get(DECLARATION)
        if core is None or declared is None or isinstance(declaration, LoadedField):
            return self._field(kind, details)
        resolver = declaration.resolver if isinstance(declaration, Mutation) else _resolver(declared)
        arguments = arguments_of(self._schema, core, declared, node, self._variables)
        return Field(self.shape(core.type, details), resolver=resolver, arguments=arguments)

    def _field(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> Field:
        node = details[0].node
        if node.name.value == "__typename":
            return Field(Leaf(list), column=lambda sources: [kind.name] * len(sources))
        core = kind.fields.get(node.name.value)
        if core is None:
            raise UnplannedError("introspection")
        declared: StrawberryField = core.extensions["strawberry-definition"]
        shape = self.shape(core.type, details)
        declaration = declared.metadata.get(DECLARATION)
        if isinstance(declaration, LoadedField):
            arguments = arguments_of(self._schema, core, declared, node, self._variables)
            return Field(shape, loaded_field=declaration, arguments=arguments)
        values_of, complete = _values_of(declared), shape.complete
        if complete is None:
            return Field(shape, values_of=values_of)
        return Field(shape, column=lambda sources: complete(values_of(sources)))


def _resolver(field: StrawberryField) -> Callable[..., Any]:
    """Return the resolver of a root field.

    Raises:
        UnplannedError: there is none, or it takes more than the request's context and the field's arguments.
    """
    resolver = field.base_resolver
    if resolver is None or resolver.info_parameter or not resolver.root_parameter:
        raise UnplannedError("a root field that takes more than the context and its arguments")
    return _function(resolver)


def _function(resolver: StrawberryResolver[Any]) -> Callable[..., Any]:
    """Return the function of a resolver, which takes less time to call than the resolver."""
    function = resolver.wrapped_func
    return function.__func__ if isinstance(function, staticmethod | classmethod) else function


def _values_of(field: StrawberryField) -> Column:
    """Return a function that makes a field's values from source objects.

    Raises:
        UnplannedError: the field is neither an attribute of the object nor a plain function of it.
    """
    resolver = field.base_resolver
    of: Callable[[object], object] = attrgetter(field.python_name)
    if resolver is not None:
        if resolver.is_async or resolver.arguments or resolver.info_parameter or not resolver.root_parameter:
            raise UnplannedError("a field that is no plain function of its source object")
        of = _function(resolver)
    return lambda objects: list(map(of, objects))


def _classes_of(kind: GraphQLObjectType) -> tuple[type, ...]:
    """Return the classes of the objects of a type."""
    origin: type = kind.extensions["strawberry-definition"].origin
    backing = getattr(origin, "is_type_of", None)
    return backing.classes if isinstance(backing, BackingClasses) else (origin,)
