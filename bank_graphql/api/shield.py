"""Limits on documents, checked in one walk before anything expensive is done with them.

Each fragment is walked once, however often it is spread, so a document costs time in proportion to its length.
"""

from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from bank_graphql.kit.errors import TooComplex
from bank_graphql.kit.paging import DEFAULT_SIZE, MAX_SIZE

MAX_TOKENS = 2000
MAX_COMMENTS = 500
MAX_DEPTH = 12
MAX_INTROSPECTION_DEPTH = 20
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 20
MAX_DIRECTIVES = 50
MAX_FIELDS_IN_SET = 50
MAX_FIELDS = 500
MAX_COST = 10_000
MUTATION_COST = 10
_CONNECTION_FIELDS = frozenset({"edges", "nodes", "pageInfo"})
_FREE = frozenset({"pageInfo"})
_SIZES = frozenset({"first", "last", "ids"})
_INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


@dataclass(frozen=True, slots=True)
class _Measure:
    """What a selection comes to, fragments included.

    Attributes:
        depth: levels of fields, this one included.
        width: fields on this very level.
        fields: fields on all levels.
        aliases: fields with an alias.
        directives: directives on fields, fragments and spreads.
        cost: points.
        connection: whether a field on this level is one that only connections have.
        introspection: whether all fields on this level are introspection.
    """

    depth: int = 0
    width: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    connection: bool = False
    introspection: bool = True

    def beside(self, other: "_Measure") -> "_Measure":
        """The two, one after the other on the same level."""
        return _Measure(
            max(self.depth, other.depth),
            self.width + other.width,
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
            self.connection or other.connection,
            self.introspection and other.introspection,
        )


def cost_of(document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]) -> int:
    """The cost of an operation in points.

    An object costs one point, a list as many times what one of its items costs as it may have items (`first`, `last`, or 20),
    a mutation ten more; scalars are free. Introspection alone costs one point and may be deeper.

    Raises:
        TooComplex: the document is beyond a limit.
    """
    walk = _Walk(document, operation, variables)
    try:
        # All of the document is validated, so all of it is measured, whichever operation is to run.
        for definition in document.definitions:
            if isinstance(definition, ExecutableDefinitionNode):
                walk.selection_set(definition.selection_set)
        _require_at_most(MAX_FIELDS, "number of fields", walk.fields_written)
        whole = walk.selection_set(operation.selection_set)
    except RecursionError:
        raise TooComplex("The document is nested too deeply.") from None
    most_deep = MAX_INTROSPECTION_DEPTH if whole.introspection else MAX_DEPTH
    _require_at_most(most_deep, "depth", whole.depth)
    _require_at_most(MAX_ALIASES, "number of aliases", whole.aliases)
    _require_at_most(MAX_ROOT_FIELDS, "number of root fields", whole.width)
    _require_at_most(MAX_DIRECTIVES, "number of directives", whole.directives + len(operation.directives or ()))
    _require_at_most(MAX_FIELDS, "number of fields", whole.fields)
    if whole.introspection:
        return 1
    _require_at_most(MAX_COST, "cost", whole.cost)
    return 1 + whole.cost + (MUTATION_COST * whole.width if operation.operation is OperationType.MUTATION else 0)


def _require_at_most(most: int, what: str, measured: int) -> None:
    if measured > most:
        raise TooComplex(f"The document is too complex: its {what} is over {most}.")


class _Walk:
    """Measures the selections of one operation."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]) -> None:
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._defaults = {v.variable.name.value: v.default_value for v in operation.variable_definitions or ()}
        self._variables = variables
        self._measured: dict[str, _Measure] = {}
        self.fields_written = 0

    def selection_set(self, node: SelectionSetNode) -> _Measure:
        """What a selection set comes to."""
        _require_at_most(MAX_FIELDS_IN_SET, "number of fields in one place", len(node.selections))
        whole = _Measure()
        for selection in node.selections:
            match selection:
                case FieldNode():
                    measure = self._field(selection)
                case InlineFragmentNode():
                    measure = self.selection_set(selection.selection_set)
                case FragmentSpreadNode():
                    measure = self._fragment(selection.name.value)
                case _:
                    continue
            whole = whole.beside(measure).beside(_Measure(directives=len(selection.directives or ())))
        return whole

    def _field(self, node: FieldNode) -> _Measure:
        self.fields_written += 1
        name = node.name.value
        inside = self.selection_set(node.selection_set) if node.selection_set else _Measure()
        # One measure for the list, whose size is bounded here so that no product grows out of hand.
        times = self._times(node, is_connection=inside.connection)
        cost = min(1 + times * inside.cost, MAX_COST * 2) if node.selection_set else 0
        return _Measure(
            depth=1 + inside.depth,
            width=1,
            fields=1 + inside.fields,
            aliases=inside.aliases + (node.alias is not None),
            directives=inside.directives,
            cost=0 if name in _FREE else cost,
            connection=name in _CONNECTION_FIELDS,
            introspection=name in _INTROSPECTION,
        )

    def _fragment(self, name: str) -> _Measure:
        fragment = self._fragments.get(name)
        if fragment is None:
            return _Measure()
        if name not in self._measured:
            self._measured[name] = _Measure()  # a fragment inside itself adds nothing; validation refuses it
            self._measured[name] = self.selection_set(fragment.selection_set)
        return self._measured[name]

    def _times(self, node: FieldNode, *, is_connection: bool) -> int:
        """How many items the field's list may have; 1 for what is no list."""
        sizes = [self._size(argument) for argument in node.arguments or () if argument.name.value in _SIZES]
        given = [size for size in sizes if size is not None]
        if given:
            return max(given)
        return DEFAULT_SIZE if is_connection else 1

    def _size(self, argument: ArgumentNode) -> int | None:
        value: Any = argument.value
        if isinstance(value, VariableNode):
            name = value.name.value
            given = self._variables.get(name, self._defaults.get(name))
            if not isinstance(given, ValueNode):
                return _bounded(len(given) if isinstance(given, list) else given)
            value = given
        if isinstance(value, ListValueNode):
            return _bounded(len(value.values))
        return _bounded(int(value.value[:6])) if isinstance(value, IntValueNode) else None


def _bounded(size: Any) -> int | None:
    return max(0, min(size, MAX_SIZE)) if isinstance(size, int) else None
