"""Limits on documents, checked in one walk before anything expensive is done with them.

Each fragment is walked once, however often it is spread, so a document costs time in proportion to its length.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
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
MAX_FRAGMENTS = 100
MAX_NAME = 100
MAX_VALUES = 20_000
MAX_LIST = 2000
VALUES_PER_COST = 10
BATCH_DISCOUNT = 10
CHEAP = 20
MAX_COST = 5000
MAX_INTROSPECTIONS = 2
FILTER_COST = 100
NODE_COST = 2
FREE_BYTES, BYTES_PER_COST = 16 * 1024, 250
"""The size of a body that is read free of charge, and how many bytes of a larger one cost 1."""
# The cost of a request in addition to what it selects. 1 is about 10 us of a core: `python -m bench.costs` compares both.
REQUEST_COST = 45
ROOT_FIELD_COST = 4
MUTATION_COST = 130
TRANSFER_COST = 12
STATEMENT_COSTS = {"sessions": 100, "feedCursor": 60, "transactionEvents": 60, "balanceAt": 20, "ledgerVerification": 60}
"""Fields that are read by a statement of their own."""
INTROSPECTION_COSTS = {"types": 100, "fields": 1000, "args": 100, "possibleTypes": 100}
OTHER_INTROSPECTION_COST = 45
FIELDS_IN_FIELDS = 4
"""How many times a list of fields costs that is selected of each field in another one."""
MAX_INTROSPECTION_COST = 1_000_000
NEW_DOCUMENT_COST, NEW_DOCUMENT_COST_PER_CHARACTER, MAX_CHARACTERS_CHARGED = 170, 1.5, 16_000
_CONNECTION_FIELDS = frozenset({"edges", "nodes", "pageInfo"})
_FREE = frozenset({"pageInfo"})
_SIZES = frozenset({"first", "last", "ids"})
_INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class _Measure:
    """What a selection comes to, fragments included.

    Attributes:
        depth: levels of fields, this one included.
        width: fields on this very level.
        fields: fields on all levels.
        aliases: fields with an alias.
        directives: directives on fields, fragments and spreads.
        cost: of what is selected, which is bounded.
        more: cost in addition to that, of what a batch or an introspection does.
        connection: whether a field on this level is one that only connections have.
        introspections: introspection fields on this very level.
        introspected: cost of the fields on all levels, if they are those of an introspection.
        nested_fields: whether a field on any level is the introspection's `fields`.
    """

    depth: int = 0
    width: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    more: int = 0
    connection: bool = False
    introspections: int = 0
    introspected: int = 0
    nested_fields: bool = False

    def combined_with(self, other: "_Measure") -> "_Measure":
        """The two, one after the other on the same level."""
        return _Measure(
            max(self.depth, other.depth),
            self.width + other.width,
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
            self.more + other.more,
            self.connection or other.connection,
            self.introspections + other.introspections,
            self.introspected + other.introspected,
            self.nested_fields or other.nested_fields,
        )


def operation_cost(document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]) -> int:
    """Return the cost of an operation.

    A request costs 45, and 4 for each of its root fields. An object costs one more, a list as many times what one of its
    items costs as it may have items (`first`, `last`, or 20), a filtered list 100 more, ten values in variables one; scalars are
    free. A mutation costs 130 more, and each transfer of a batch 12; what is selected of each transfer counts a tenth as often as
    there are transfers, or as often if it costs over 20. Introspection costs 45 for each of its fields, its
    lists more, and may be deeper. A few fields that take a statement of their own cost 20 to 100.

    Raises:
        TooComplex: the document, or what its variables hold, is beyond a limit.
    """
    return values_cost(variables) + document_cost(document, operation, variables)


def source_cost(source: str) -> int:
    """Return what it costs to read a document that was not read before: it is parsed, validated and planned."""
    characters = min(len(source), MAX_CHARACTERS_CHARGED)
    return NEW_DOCUMENT_COST + round(characters * NEW_DOCUMENT_COST_PER_CHARACTER)


def document_cost(document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]) -> int:
    """The part of the cost that comes from the document. It depends on variables only by `sizes_in` them.

    Raises:
        TooComplex: the document is beyond a limit.
    """
    walk = _Walk(document, operation, variables)
    try:
        # All of the document is validated, so all of it is measured, whichever operation is to run.
        for definition in document.definitions:
            match definition:
                case FragmentDefinitionNode():
                    walk.fragment(definition.name.value)
                case OperationDefinitionNode():
                    walk.selection_set(definition.selection_set)
        whole = walk.selection_set(operation.selection_set)
    except RecursionError:
        raise TooComplex("The document is nested too deeply.") from None
    _require_at_most(MAX_FIELDS, "number of fields", max(walk.fields_written, whole.fields))
    _require_at_most(MAX_FRAGMENTS, "number of fragments", walk.fragments_written)
    _require_at_most(MAX_INTROSPECTION_DEPTH if whole.introspections else MAX_DEPTH, "depth", whole.depth)
    _require_at_most(MAX_ALIASES, "number of aliases", whole.aliases)
    _require_at_most(MAX_ROOT_FIELDS, "number of root fields", whole.width)
    _require_at_most(MAX_INTROSPECTIONS, "number of introspections", whole.introspections)
    _require_at_most(MAX_DIRECTIVES, "number of directives", whole.directives + len(operation.directives or ()))
    _require_at_most(MAX_COST, "cost", whole.cost)
    mutations = whole.width if operation.operation is OperationType.MUTATION else 0
    return REQUEST_COST + ROOT_FIELD_COST * whole.width + whole.cost + whole.more + MUTATION_COST * mutations


def values_cost(variables: dict[str, Any]) -> int:
    """The part of the cost that comes from how much the variables hold.

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


def sizes_in(variables: dict[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    """What a document's cost can depend on: the sizes that its variables are, or have."""
    return tuple(_size_of(variables[name]) if name in variables else "absent" for name in names)


def _size_of(value: Any) -> Any:
    if isinstance(value, dict):
        transfers = value.get("transfers")
        return ("batch", len(transfers)) if isinstance(transfers, list) else "object"
    if isinstance(value, list):
        return ("list", len(value))
    return _bounded(value) if type(value) is int else None if value is None else "other"


def _require_at_most(maximum: int, what: str, measured: int) -> None:
    if measured > maximum:
        raise TooComplex(f"The document is too complex: its {what} is over {maximum}.")


class _Walk:
    """Measures the selections of one operation."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]) -> None:
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._defaults = {v.variable.name.value: v.default_value for v in operation.variable_definitions or ()}
        self._variables = variables
        self._measured: dict[str, _Measure] = {}
        self.fields_written = 0
        self.fragments_written = 0

    def selection_set(self, node: SelectionSetNode) -> _Measure:
        """What a selection set comes to."""
        whole = _Measure()
        for selection in node.selections:
            match selection:
                case FieldNode():
                    measure = self._field(selection)
                case InlineFragmentNode():
                    measure = self.selection_set(selection.selection_set)
                case FragmentSpreadNode():
                    measure = self.fragment(selection.name.value)
                case _:
                    continue
            whole = whole.combined_with(measure).combined_with(_Measure(directives=len(selection.directives or ())))
            # With what fragments add: validation compares all fields of a place with one another.
            _require_at_most(MAX_FIELDS_IN_SET, "number of fields in one place", whole.width)
        return whole

    def _field(self, node: FieldNode) -> _Measure:
        self.fields_written += 1
        name = node.name.value
        _require_at_most(MAX_NAME, "length of a name", max(len(name), len(node.alias.value) if node.alias else 0))
        inside = self.selection_set(node.selection_set) if node.selection_set else _Measure()
        cost, more = 0, inside.more
        if node.selection_set and name not in _FREE:
            # Bounded, so that no product grows out of hand.
            of_item = inside.cost + (NODE_COST if self._is_of_ids(node) else 0)
            cost = min(1 + self._times(node, is_connection=inside.connection) * of_item, MAX_COST * 2)
            if items := self._batch(node):
                more += TRANSFER_COST * items
                # Read together and cheap each, unless much is asked of each.
                cost = min(cost * (items if inside.cost > CHEAP else -(-items // BATCH_DISCOUNT)), MAX_COST * 2)
        introspected = inside.introspected + INTROSPECTION_COSTS.get(name, OTHER_INTROSPECTION_COST)
        if name == "fields":
            introspected += inside.introspected * (FIELDS_IN_FIELDS - 1) if inside.nested_fields else 0
        if name in _INTROSPECTION:
            cost, more = 0, inside.introspected
        elif any(argument.name.value == "filter" for argument in node.arguments or ()):
            cost += FILTER_COST
        more += STATEMENT_COSTS.get(name, 0)
        return _Measure(
            depth=1 + inside.depth,
            width=1,
            fields=1 + inside.fields,
            aliases=inside.aliases + (node.alias is not None),
            directives=inside.directives,
            cost=cost,
            more=more,
            connection=name in _CONNECTION_FIELDS,
            introspections=int(name in _INTROSPECTION),
            introspected=min(introspected, MAX_INTROSPECTION_COST),
            nested_fields=inside.nested_fields or name == "fields",
        )

    def fragment(self, name: str) -> _Measure:
        """What a fragment comes to; walked once, however often it is spread."""
        fragment = self._fragments.get(name)
        if fragment is None:
            return _Measure()
        if name not in self._measured:
            self.fragments_written += 1
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

    def _is_of_ids(self, node: FieldNode) -> bool:
        """Whether the field reads things by their ids, each by itself."""
        return any(argument.name.value == "ids" for argument in node.arguments or ())

    def _batch(self, node: FieldNode) -> int:
        """How many transfers a batch has; 0 of what is none."""
        for argument in node.arguments or ():
            value: Any = argument.value
            if isinstance(value, VariableNode):
                value = self._variables.get(value.name.value)
                transfers = value.get("transfers") if isinstance(value, dict) else None
            elif isinstance(value, ObjectValueNode):
                transfers = next((each.value for each in value.fields if each.name.value == "transfers"), None)
                if isinstance(transfers, VariableNode):
                    transfers = self._variables.get(transfers.name.value)
            else:
                continue
            if isinstance(transfers, list | ListValueNode):
                return len(transfers.values if isinstance(transfers, ListValueNode) else transfers)
        return 0

    def _size(self, argument: ArgumentNode) -> int | None:
        """The size that an argument asks for; None if it asks for none."""
        value: Any = argument.value
        if isinstance(value, VariableNode):
            name = value.name.value
            value = self._variables.get(name, self._defaults.get(name))
        if isinstance(value, ListValueNode):
            return _bounded(len(value.values))
        if isinstance(value, ValueNode):
            return _bounded(int(value.value[:6])) if isinstance(value, IntValueNode) else None
        if value is None:
            return None
        # Whatever is no plain number, e.g. 100.0, which GraphQL takes for one, counts as much as can be.
        return _bounded(len(value) if isinstance(value, list) else value if type(value) is int else MAX_SIZE)


def _bounded(size: int) -> int:
    return max(0, min(size, MAX_SIZE))
