"""Limits on documents, checked in one walk before anything expensive is done with them, and what documents cost.

The walk knows the type at each place, and reads there what the schema declares (see `costs`). Each fragment is walked once,
however often it is spread, so a document costs time in proportion to its length.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from bank_graphql.engine.costs import (
    BATCH_DISCOUNT,
    MAX_DISCOUNTED_COST,
    UNKNOWN_FIELD,
    UNKNOWN_TYPE,
    FieldCosts,
    Path,
    Size,
    TypeCosts,
    costs_of,
)
from bank_graphql.kit.errors import TooComplex
from bank_graphql.kit.paging import MAX_SIZE

MAX_TOKENS = 2000
MAX_COMMENTS = 500
MAX_DEPTH = 12
MAX_INTROSPECTION_DEPTH = 20
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 20
MAX_DIRECTIVES = 50
MAX_FIELDS_IN_SET = 50
MAX_FIELDS = 500
MAX_FRAGMENTS = 100
MAX_NAME = 100
MAX_VALUES = 20_000
MAX_LIST = 2000
# What costs in addition to what the schema declares. A cost of 1 is about 10 us of a core: `python -m bench.costs` compares both.
REQUEST_COST = 45
ROOT_FIELD_COST = 4
NEW_DOCUMENT_COST, NEW_DOCUMENT_COST_PER_CHARACTER, MAX_CHARACTERS_CHARGED = 170, 1.5, 16_000
FREE_BYTES, BYTES_PER_COST = 16 * 1024, 250
"""The size of a body that is read free of charge, and how many bytes of a larger one cost 1."""
VALUES_PER_COST = 10
MAX_COST = 5000
MAX_INTROSPECTIONS = 2
# More than any document can cost: so that no product or sum grows out of hand.
_MAX_PRODUCT, _MAX_FIXED = 2 * MAX_COST, 1_000_000


@dataclass(slots=True)
class _Measure:
    """The measures of a selection, with its fragments.

    Attributes:
        depth: levels of fields, this one included.
        width: fields on this very level.
        fields: fields on all levels.
        aliases: fields with an alias.
        directives: directives on fields, fragments and spreads.
        cost: cost that counts for each object of the level above. It has a limit.
        lists: the same, of lists on this very level whose size the level above declares.
        fixed: cost that counts once, however many objects there are.
        introspections: fields on this very level that begin an introspection.
        is_nested: whether there is a field with a `nested_factor` on any level.
    """

    depth: int = 0
    width: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    lists: int = 0
    fixed: int = 0
    introspections: int = 0
    is_nested: bool = False

    def add(self, other: "_Measure") -> None:
        """Add a selection that comes next on the same level."""
        self.depth = max(self.depth, other.depth)
        self.width += other.width
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.cost += other.cost
        self.lists += other.lists
        self.fixed += other.fixed
        self.introspections += other.introspections
        self.is_nested |= other.is_nested


def operation_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
) -> int:
    """Return the cost of an operation.

    A request costs 45, 4 for each of its root fields, 1 for ten values in variables, and what the schema declares: see the
    descriptions of @cost and @listSize. Introspection costs 45 for each of its fields, its lists more, and may be deeper.

    Raises:
        TooComplex: the document, or what its variables hold, is beyond a limit.
    """
    return values_cost(variables) + document_cost(schema, document, operation, variables)


def source_cost(source: str) -> int:
    """Return the cost of reading a document that was not read before: it is parsed, validated and planned."""
    characters = min(len(source), MAX_CHARACTERS_CHARGED)
    return NEW_DOCUMENT_COST + round(characters * NEW_DOCUMENT_COST_PER_CHARACTER)


def document_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
) -> int:
    """Return the part of the cost that comes from the document. It depends on variables only by `sizes_in` them.

    Raises:
        TooComplex: the document is beyond a limit.
    """
    walk = _Walk(schema, document, operation, variables)
    try:
        # All of the document is validated, so all of it is measured, whichever operation is to run.
        for definition in document.definitions:
            match definition:
                case FragmentDefinitionNode():
                    walk.fragment(definition.name.value)
                case OperationDefinitionNode():
                    walk.operation(definition)
        whole = walk.operation(operation)
    except RecursionError:
        raise TooComplex("The document is nested too deeply.") from None
    _require_at_most(MAX_FIELDS, "number of fields", max(walk.fields_written, whole.fields))
    _require_at_most(MAX_FRAGMENTS, "number of fragments", walk.fragments_written)
    _require_at_most(MAX_INTROSPECTION_DEPTH if whole.introspections else MAX_DEPTH, "depth", whole.depth)
    _require_at_most(MAX_ALIASES, "number of aliases", whole.aliases)
    _require_at_most(MAX_ROOT_FIELDS, "number of root fields", whole.width)
    _require_at_most(MAX_INTROSPECTIONS, "number of introspections", whole.introspections)
    _require_at_most(MAX_DIRECTIVES, "number of directives", whole.directives + len(operation.directives or ()))
    selected = whole.cost + whole.lists
    _require_at_most(MAX_COST, "cost", selected)
    return REQUEST_COST + ROOT_FIELD_COST * whole.width + selected + whole.fixed


def values_cost(variables: dict[str, Any]) -> int:
    """Return the part of the cost that comes from how much the variables hold.

    Raises:
        TooComplex: they are beyond a limit.
    """
    waiting: list[Any] = [variables]
    values = 0
    while waiting:
        value = waiting.pop()
        values += len(value)
        if isinstance(value, list):
            _require_at_most(MAX_LIST, "number of items in a list", len(value))
        else:
            value = value.values()
        _require_at_most(MAX_VALUES, "number of values in variables", values)
        waiting += [each for each in value if type(each) is dict or type(each) is list]
    return values // VALUES_PER_COST


def sizes_in(schema: GraphQLSchema, variables: dict[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    """Return all that a document's cost depends on: the sizes that its variables are, or have."""
    fields = costs_of(schema).input_fields
    return tuple([_size_in(variables[name], fields) if name in variables else "absent" for name in names])


def _size_in(value: Any, fields: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return tuple([_size_in(value.get(name), ()) for name in fields])
    if isinstance(value, list):
        return ("list", len(value))
    return _bounded(value) if type(value) is int else None if value is None else "other"


def _require_at_most(maximum: int, what: str, measured: int) -> None:
    if measured > maximum:
        raise TooComplex(f"The document is too complex: its {what} is over {maximum}.")


class _Walk:
    """Measures the selections of one operation."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
    ) -> None:
        self._schema = schema
        self._types = costs_of(schema).types
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._defaults = {v.variable.name.value: v.default_value for v in operation.variable_definitions or ()}
        self._variables = variables
        self._measured: dict[str, _Measure] = {}
        self.fields_written = 0
        self.fragments_written = 0

    def operation(self, node: OperationDefinitionNode) -> _Measure:
        """Return the measures of an operation."""
        root = self._schema.get_root_type(node.operation)
        return self._selection_set(node.selection_set, UNKNOWN_TYPE if root is None else self._types[root.name])

    def fragment(self, name: str) -> _Measure:
        """Return the measures of a fragment. It is walked once, however often it is spread."""
        fragment = self._fragments.get(name)
        if fragment is None:
            return _Measure()
        if name not in self._measured:
            self.fragments_written += 1
            self._measured[name] = _Measure()  # a fragment inside itself adds nothing; validation refuses it
            self._measured[name] = self._selection_set(fragment.selection_set, self._type(fragment.type_condition, UNKNOWN_TYPE))
        return self._measured[name]

    def _type(self, condition: NamedTypeNode | None, around: TypeCosts) -> TypeCosts:
        return around if condition is None else self._types.get(condition.name.value, UNKNOWN_TYPE)

    def _selection_set(self, node: SelectionSetNode, of: TypeCosts) -> _Measure:
        whole = _Measure()
        for selection in node.selections:
            match selection:
                case FieldNode():
                    measure = self._field(selection, of)
                case InlineFragmentNode():
                    measure = self._selection_set(selection.selection_set, self._type(selection.type_condition, of))
                case FragmentSpreadNode():
                    measure = self.fragment(selection.name.value)
                case _:
                    continue
            whole.add(measure)
            whole.directives += len(selection.directives or ())
            # With what fragments add: validation compares all fields of a place with one another.
            _require_at_most(MAX_FIELDS_IN_SET, "number of fields in one place", whole.width)
        return whole

    def _field(self, node: FieldNode, of: TypeCosts) -> _Measure:
        self.fields_written += 1
        name, alias = node.name.value, node.alias
        _require_at_most(MAX_NAME, "length of a name", max(len(name), len(alias.value) if alias else 0))
        costs = of.fields.get(name, UNKNOWN_FIELD)
        measure = self._selection_set(node.selection_set, costs.type) if node.selection_set else _Measure()
        cost, fixed = self._cost(node, costs, measure)
        # What was the selection's becomes the field's.
        measure.depth += 1
        measure.width = 1
        measure.fields += 1
        measure.aliases += alias is not None
        measure.cost, measure.lists = (0, cost) if costs.is_sized else (cost, 0)
        measure.fixed = fixed
        measure.introspections = int(costs.is_introspection)
        measure.is_nested |= costs.nested_factor > 1
        return measure

    def _cost(self, node: FieldNode, costs: FieldCosts, inside: _Measure) -> tuple[int, int]:
        """Return the cost of a field and its selection: the part that counts for each object, and the part that counts once."""
        cost = inside.cost + (costs.type.weight if node.selection_set else 0)
        fixed = costs.weight + inside.fixed * (costs.nested_factor if inside.is_nested else 1)
        if costs.size is None and not costs.arguments and not costs.inputs:
            return min(cost + inside.lists, _MAX_PRODUCT), min(fixed, _MAX_FIXED)
        arguments = {each.name.value: each.value for each in node.arguments or ()}
        if costs.size is None:
            cost += inside.lists
        elif costs.size.is_of_fields:
            cost += inside.lists * self._size(costs.size, arguments, inside.lists, is_mutation=costs.is_mutation)
        else:
            cost += inside.lists
            cost *= self._size(costs.size, arguments, cost, is_mutation=costs.is_mutation)
        for path, weight in costs.arguments:
            if path.argument in arguments:
                items = self._items(path, arguments)
                cost += weight * (1 if items is None else _bounded(items))
        for path, weight in costs.inputs:
            fixed += weight * (self._items(path, arguments) or 0)
        return min(cost, _MAX_PRODUCT), min(fixed, _MAX_FIXED)

    def _size(self, size: Size, arguments: dict[str, ValueNode], item: int, *, is_mutation: bool) -> int:
        """Return how many items of a list count, each of which costs `item`."""
        given = [requested for path in size.paths if (requested := self._requested(path, arguments)) is not None]
        items = max(given, default=size.assumed)
        if not is_mutation:
            return _bounded(items)
        # The items of a mutation come with it, and cost little each unless much is read for them.
        return items if item > MAX_DISCOUNTED_COST else -(-items // BATCH_DISCOUNT)

    def _requested(self, path: Path, arguments: dict[str, ValueNode]) -> int | None:
        """Return how many items a slicing argument requests; None if it does not say."""
        if path.is_list:
            return self._items(path, arguments)
        value = self._value(path, arguments)
        if isinstance(value, ValueNode):
            return _bounded(int(value.value[:6])) if isinstance(value, IntValueNode) else None
        # What is not a plain number counts as the maximum: 100.0, for one, is a number to GraphQL.
        return None if value is None else _bounded(value) if type(value) is int else MAX_SIZE

    def _items(self, path: Path, arguments: dict[str, ValueNode]) -> int | None:
        """Return how many items a value has; None if there is no value."""
        value = self._value(path, arguments)
        if path.is_list and isinstance(value, ListValueNode):
            return len(value.values)
        if path.is_list and isinstance(value, list):
            return len(value)
        return None if value is None else 1  # of which GraphQL makes a list, if need be

    def _value(self, path: Path, arguments: dict[str, ValueNode]) -> Any:
        """Return the value that a field is given: a literal, or one of JSON; None if there is none."""
        value = self._resolved(arguments.get(path.argument))
        if path.field is None:
            return value
        if isinstance(value, ObjectValueNode):
            return self._resolved(next((each.value for each in value.fields if each.name.value == path.field), None))
        return value.get(path.field) if isinstance(value, dict) else None

    def _resolved(self, value: ValueNode | None) -> Any:
        """Return a literal, or the value of a variable, None for null."""
        if isinstance(value, VariableNode):
            name = value.name.value
            if name in self._variables:
                return self._variables[name]
            value = self._defaults.get(name)
        return None if isinstance(value, NullValueNode) else value


def _bounded(size: int) -> int:
    return max(0, min(size, MAX_SIZE))
