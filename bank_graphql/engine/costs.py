"""What a schema declares about costs: the directives @cost and @listSize, and a table that is made of them once per schema.

The directives are those of IBM's GraphQL Cost Directives (https://ibm.github.io/graphql-specs/cost-spec.html), so that clients
and their tools find them in the schema's text. Where costs are added up differently here, the directives' descriptions say so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_input_object_type,
    is_introspection_type,
    is_list_type,
)
from strawberry.schema_directive import Location

from bank_graphql.kit.paging import MAX_SIZE

T = TypeVar("T")
BATCH_DISCOUNT, MAX_DISCOUNTED_COST = 10, 20
"""How many items of a mutation's list cost as much as one, and up to which cost of an item."""


@strawberry.schema_directive(
    name="cost",
    locations=[
        Location.FIELD_DEFINITION,
        Location.ARGUMENT_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
    ],
    description=(
        "What something adds to the cost of a request, as in IBM's GraphQL Cost Directives. Weights are whole numbers. The "
        "weight of an object, 1 if it declares none, counts for each object that the answer can have; scalars and enums are "
        "free. That of an argument counts for each object that the field is requested of, and for each item of a list. That of "
        "a field counts once for each place in the document, as does that of each item of an input field: the server does this "
        "work for all objects at once."
    ),
)
class Cost:
    """The directive @cost. A field declares it if it takes a statement of its own, or other work."""

    weight: str


@strawberry.schema_directive(
    name="listSize",
    locations=[Location.FIELD_DEFINITION],
    description=(
        "How many items of a list count, as in IBM's GraphQL Cost Directives: the greatest of the slicing arguments that are "
        "given, or else the assumed size, or else 1. A slicing argument is a number, or a list, which counts by its length; "
        "`argument.field` is a field of an input object. If there are sized fields, the lists are those fields of the object "
        f"that the field leads to. A query's list counts {MAX_SIZE} items at most. Of a mutation's list one item in "
        f"{BATCH_DISCOUNT} counts, unless what is selected of an item costs more than {MAX_DISCOUNTED_COST}."
    ),
)
class ListSize:
    """The directive @listSize."""

    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True


MUTATION_COST = Cost(weight="130")
"""What each mutation declares: it commits a transaction, and what it answers with is read anew."""
# GraphQL's own fields, which declare nothing: the first are long lists, all others cost the same.
_INTROSPECTION_COSTS = {"types": 100, "fields": 1000, "args": 100, "possibleTypes": 100}
_OTHER_INTROSPECTION_COST = 45
_FIELDS_IN_FIELDS = 4
"""How many times the selection of a list of fields counts, if it has such a list in it again."""
_EXTENSION = "costs"
"""Where the table is in a schema's extensions."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value is in a field's arguments.

    Attributes:
        argument: the argument's name.
        field: the name of a field of that input object; None for the argument itself.
        is_list: whether the value is a list.
    """

    argument: str
    field: str | None
    is_list: bool


@dataclass(frozen=True, slots=True)
class Size:
    """How many items a list has.

    Attributes:
        paths: the slicing arguments.
        assumed: the size if none of them is given.
        is_of_fields: whether the list is one level below the field that declares the size.
    """

    paths: tuple[Path, ...]
    assumed: int
    is_of_fields: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TypeCosts:
    """The costs of an object type, an interface or a union.

    Attributes:
        weight: the cost of each object.
        fields: the costs of the fields, by their names.
    """

    weight: int
    fields: dict[str, "FieldCosts"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FieldCosts:
    """The costs of a field.

    Attributes:
        type: the costs of the type that it leads to.
        weight: the cost of each place in a document where the field is.
        arguments: the weights of arguments, which count for each object that the field is requested of.
        inputs: the weights of input fields, which count once for each place.
        size: how many items its list has, or the lists one level below.
        is_sized: whether the field one level above declares the size of its list.
        is_mutation: whether it is a mutation.
        is_introspection: whether it begins an introspection.
        nested_factor: how many times its selection counts, if that has such a field in it again. Usually 1.
    """

    type: TypeCosts
    weight: int = 0
    arguments: tuple[tuple[Path, int], ...] = ()
    inputs: tuple[tuple[Path, int], ...] = ()
    size: Size | None = None
    is_sized: bool = False
    is_mutation: bool = False
    is_introspection: bool = False
    nested_factor: int = 1


UNKNOWN_TYPE = TypeCosts(1, {})
UNKNOWN_FIELD = FieldCosts(UNKNOWN_TYPE)
"""What a schema does not have, which validation refuses later; and `__typename`, which is free."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs that a schema declares.

    Attributes:
        types: the costs of object types, interfaces and unions, by their names.
        input_fields: the names of fields of input objects that costs depend on.
    """

    types: dict[str, TypeCosts]
    input_fields: tuple[str, ...]


def costs_of(schema: GraphQLSchema) -> Costs:
    """Return the costs that a schema declares. They are worked out once, and kept with the schema.

    Raises:
        ValueError: a declaration names what does not exist, or says what is not supported.
    """
    costs: Costs | None = schema.extensions.get(_EXTENSION)
    if costs is None:
        costs = schema.extensions[_EXTENSION] = _Table(schema).costs()
    return costs


class _Table:
    """Works out the costs that a schema declares."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._types = {
            name: TypeCosts(self._weight(kind), {}) for name, kind in schema.type_map.items() if is_composite_type(kind)
        }
        self._fields = [
            (kind, name, field)
            for kind in schema.type_map.values()
            if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
            for name, field in kind.fields.items()
        ]
        self._sized = {sized for kind, name, field in self._fields for sized in self._sized_by(f"{kind}.{name}", field)}

    def costs(self) -> Costs:
        """Return all costs."""
        _check_inputs(self._schema)
        for kind, name, field in self._fields:
            costs = self._introspection(name, field) if is_introspection_type(kind) else self._field(kind, name, field)
            self._types[kind.name].fields[name] = costs
        self._add_meta_fields()
        paths = [path for each in self._types.values() for costs in each.fields.values() for path in _paths(costs)]
        return Costs(self._types, tuple(sorted({path.field for path in paths if path.field is not None})))

    def _weight(self, kind: GraphQLNamedType) -> int:
        if is_introspection_type(kind):
            return 0
        if is_abstract_type(kind):
            return max(map(self._weight, self._schema.get_possible_types(kind)), default=1)
        return _weight_of(kind, 1)

    def _type(self, field: GraphQLField) -> TypeCosts:
        return self._types.get(get_named_type(field.type).name, UNKNOWN_TYPE)

    def _field(self, kind: GraphQLNamedType, name: str, field: GraphQLField) -> FieldCosts:
        at = f"{kind}.{name}"
        objects = [(each, get_nullable_type(argument.type)) for each, argument in field.args.items()]
        inputs = [
            (f"{each}.{inner}", weight)
            for each, input_type in objects
            if is_input_object_type(input_type)
            for inner, weight in _weights(input_type.fields)
        ]
        return FieldCosts(
            self._type(field),
            _weight_of(field, 0),
            tuple((_path(at, field, each), weight) for each, weight in _weights(field.args)),
            tuple((_path(at, field, each), weight) for each, weight in inputs),
            _size(at, field),
            is_sized=(kind.name, name) in self._sized,
            is_mutation=kind is self._schema.mutation_type,
        )

    def _introspection(self, name: str, field: GraphQLField) -> FieldCosts:
        weight = _INTROSPECTION_COSTS.get(name, _OTHER_INTROSPECTION_COST)
        return FieldCosts(self._type(field), weight, nested_factor=_FIELDS_IN_FIELDS if name == "fields" else 1)

    def _add_meta_fields(self) -> None:
        for name, costs in self._types.items():
            if name.startswith("__"):
                costs.fields["__typename"] = FieldCosts(UNKNOWN_TYPE, _OTHER_INTROSPECTION_COST)
        if self._schema.query_type is not None:
            fields = self._types[self._schema.query_type.name].fields
            fields["__schema"] = FieldCosts(self._types["__Schema"], is_introspection=True)
            fields["__type"] = FieldCosts(self._types["__Type"], is_introspection=True)

    def _sized_by(self, at: str, field: GraphQLField) -> Iterator[tuple[str, str]]:
        """Yield the types and names of the fields that a field declares the size of."""
        declared, kind = _declared(field, ListSize), get_named_type(field.type)
        kinds = [kind, *self._schema.get_possible_types(kind)] if is_abstract_type(kind) else [kind]
        for name in (declared and declared.sized_fields) or ():
            sized = [(each.name, name) for each in kinds if name in getattr(each, "fields", {})]
            if not sized:
                raise ValueError(f"{at}: @listSize names {name}, which is not a field of {kind}.")
            yield from sized


def _declared(element: Any, directive: type[T]) -> T | None:
    """Return a directive of a part of the schema; None if it does not have that."""
    definition = element.extensions.get("strawberry-definition")
    return next((each for each in getattr(definition, "directives", None) or () if isinstance(each, directive)), None)


def _weight_of(element: Any, default: int) -> int:
    declared = _declared(element, Cost)
    return default if declared is None else int(declared.weight)


def _weights(inputs: Mapping[str, GraphQLArgument | GraphQLInputField]) -> list[tuple[str, int]]:
    return [(name, weight) for name, each in inputs.items() if (weight := _weight_of(each, 0))]


def _path(at: str, field: GraphQLField, text: str) -> Path:
    name, _, inner = text.partition(".")
    argument = field.args.get(name)
    found = argument and get_nullable_type(argument.type)
    if inner and found is not None:
        each = getattr(found, "fields", {}).get(inner)
        found = each and get_nullable_type(each.type)
    if found is None:
        raise ValueError(f"{at}: @listSize names {text}, which is not an argument.")
    return Path(name, inner or None, is_list_type(found))


def _size(at: str, field: GraphQLField) -> Size | None:
    declared = _declared(field, ListSize)
    if declared is None:
        return None
    if not declared.sized_fields and not is_list_type(get_nullable_type(field.type)):
        raise ValueError(f"{at}: @listSize is at a field that is not a list and names no sized fields.")
    paths = tuple(_path(at, field, each) for each in declared.slicing_arguments or ())
    return Size(paths, declared.assumed_size or 1, bool(declared.sized_fields))


def _paths(costs: FieldCosts) -> list[Path]:
    """Return where the values are that the costs of a field depend on."""
    weighted = [path for path, _ in (*costs.arguments, *costs.inputs)]
    return weighted if costs.size is None else [*weighted, *costs.size.paths]


def _check_inputs(schema: GraphQLSchema) -> None:
    """Refuse weights in input objects that are not themselves arguments: they would not be found.

    Raises:
        ValueError: there are some.
    """
    for kind in schema.type_map.values():
        if is_input_object_type(kind):
            inner = [get_named_type(each.type) for each in kind.fields.values()]
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            lists = [each.type for field in kind.fields.values() for each in field.args.values()]
            inner = [get_named_type(each) for each in lists if is_list_type(get_nullable_type(each))]
        else:
            continue
        for each in inner:
            if is_input_object_type(each) and _weights(each.fields):
                raise ValueError(f"{kind}: weights in {each} are not supported here.")
