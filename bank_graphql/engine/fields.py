"""Declare fields that both executors understand: fields whose values are loaded by key, and mutations.

A loaded field is declared by a function that returns the key for a source object, and by the reader that reads by this key. The
reference executor loads one key for each object; breadth-first execution loads the keys of all objects at once. A mutation is
declared by its resolver.

The first parameter of a declared function is the source object, which for root fields is the request's context. The others are
the field's arguments: Strawberry reads them from the function.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from typing import Any, Generic, TypeVar

from strawberry import Info
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from bank_graphql.engine.context import ExecutionContext
from bank_graphql.engine.costs import MUTATION_COST
from bank_graphql.kit.loaders import Reader

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
DECLARATION = "declaration"
"""The name of a `LoadedField` or a `Mutation` in the metadata of its Strawberry field."""


@dataclass(frozen=True, slots=True)
class LoadedField:
    """A field whose value is loaded by a key.

    Attributes:
        reader: chooses the reader among the schema's readers.
        key: returns the key for a source object and the field's arguments, or None if nothing is to be loaded.
        then: makes the field's value from the source object and the loaded value; None if the loaded value is the field's value.
        preloaded: makes the field's value from a source object without a key; None if the field of such an object is null.
    """

    reader: Callable[[Any], Reader[Any, Any]]
    key: Callable[..., Any]
    then: Callable[[Any, Any], object] | None
    preloaded: Callable[[Any], object] | None

    async def resolve(self, source: object, info: Info[ExecutionContext, None], arguments: dict[str, object]) -> object:
        """Resolve the field for one object. The reference executor calls this."""
        key, context = self.key(source, **arguments), info.context
        if key is None:
            return None if self.preloaded is None else self.preloaded(source)
        value = await context.loader(self.reader(context.readers)).load(key)
        return value if self.then is None else self.then(source, value)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutation.

    Attributes:
        resolver: executes it, given the request's context and the arguments.
    """

    resolver: Callable[..., Awaitable[object]]

    async def resolve(self, source: object, info: Info[ExecutionContext, None], arguments: dict[str, object]) -> object:  # noqa: ARG002 - its source is the context
        """Execute the mutation, or after a fallback return or raise its outcome. The reference executor calls this."""
        context, name = info.context, str(info.path.key)
        if name not in context.outcomes:
            await context.begin_mutation()
            try:
                context.outcomes[name] = await self.resolver(context, **arguments)
            except Exception as error:
                context.outcomes[name] = error
                raise
        outcome = context.outcomes[name]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@dataclass(frozen=True, slots=True)
class BackingClasses:
    """The classes of a type's objects. It is the type's `is_type_of`."""

    classes: tuple[type, ...]

    def __call__(self, value: object, info: object) -> bool:  # noqa: ARG002 - graphql-core's signature
        """Return whether an object is of the type."""
        return type(value) in self.classes


def backed_by(*classes: type) -> BackingClasses:
    """Return the `is_type_of` of a type whose objects are of exactly these classes, most often rows."""
    return BackingClasses(classes)


class LoadedFields(Generic[R]):
    """Declares loaded fields of schemas whose readers are an `R`."""

    def __call__(
        self,
        reader: Callable[[R], Reader[K, V]],
        *,
        description: str,
        graphql_type: object,
        name: str | None = None,
        then: Callable[[Any, V], object] | None = None,
        preloaded: Callable[[Any], object] | None = None,
        directives: Sequence[object] = (),
    ) -> Callable[[Callable[..., K | None]], StrawberryField]:
        """Declare a `LoadedField` by the function that returns its key.

        Args:
            reader: see `LoadedField`.
            description: for the schema.
            graphql_type: the field's type in the schema.
            name: its name in the schema, if that is not the function's.
            then: see `LoadedField`.
            preloaded: see `LoadedField`.
            directives: schema directives of the field.
        """

        def declare(key: Callable[..., K | None]) -> StrawberryField:
            declaration = LoadedField(reader, _function(key), then, preloaded)
            return _declared(
                declaration, key, graphql_type=graphql_type, description=description, name=name, directives=directives
            )

        return declare


def mutation(
    result: object, description: str, *, scope: str | None = None, directives: Sequence[object] = ()
) -> Callable[[Callable[..., Awaitable[object]]], StrawberryField]:
    """Declare a mutation by its resolver. It has the cost of a mutation.

    Args:
        result: its type in the schema.
        description: for the schema.
        scope: what a program must be allowed to do; None for a mutation that programs may not send.
        directives: further schema directives of the field.
    """

    def declare(resolver: Callable[..., Awaitable[object]]) -> StrawberryField:
        execute = _function(resolver)

        async def execute_if_allowed(context: ExecutionContext, **arguments: object) -> object:
            await context.require_scope(scope, execute.__name__)
            return await execute(context, **arguments)

        return _declared(
            Mutation(execute_if_allowed),
            resolver,
            graphql_type=result,
            description=description,
            directives=[MUTATION_COST, *directives],
        )

    return declare


def _declared(
    declaration: LoadedField | Mutation,
    function: Callable[..., object],
    *,
    graphql_type: object,
    description: str,
    name: str | None = None,
    directives: Sequence[object] = (),
) -> StrawberryField:
    field = _DeclaredField(
        graphql_name=name,
        type_annotation=StrawberryAnnotation.from_annotation(graphql_type),
        description=description,
        directives=directives,
        metadata={DECLARATION: declaration},
    )
    return field(_DeclaredFunction(function))


def _function(declared: Callable[..., V]) -> Callable[..., V]:
    return declared.__func__ if isinstance(declared, staticmethod) else declared


class _DeclaredField(StrawberryField):
    """A field that Strawberry resolves by its declaration, instead of calling the function that declares it."""

    @cached_property
    def is_async(self) -> bool:
        return True

    def get_result(
        self,
        source: object,
        info: Info[ExecutionContext, None] | None,
        args: object,  # noqa: ARG002 - Strawberry's signature
        kwargs: dict[str, object],
    ) -> object:
        if info is None:
            raise TypeError("A declared field was resolved without an info.")
        declaration: LoadedField | Mutation = self.metadata[DECLARATION]
        return declaration.resolve(source, info, kwargs)


class _FirstParameter:
    """The parameter of a declared function that is no argument of the field."""

    def find(self, parameters: tuple[Parameter, ...], resolver: object) -> Parameter | None:  # noqa: ARG002 - Strawberry's protocol
        return parameters[0]


class _DeclaredFunction(StrawberryResolver[Any]):
    """A function that declares a field, from which Strawberry reads the field's arguments."""

    RESERVED_PARAMSPEC = (_FirstParameter(),)
