"""Declare fields that both executors understand: fields whose values are loaded by key, and mutations.

A loaded field is declared by a function that returns the key for a source object, and by the reader that reads by this key. The
reference executor loads one key for each object; breadth-first execution loads the keys of all objects at once. A mutation is
declared by its resolver.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import strawberry

from bank_graphql.engine.context import ExecutionContext
from bank_graphql.kit.loading import Reader

Info = strawberry.Info[ExecutionContext, None]
LOADED_FIELD = "loaded_field"
"""The name of a `LoadedField` in a Strawberry field's metadata."""
RESOLVER = "resolver"
"""The name of a mutation's resolver in its Strawberry field's metadata."""
_INFO = inspect.Parameter("info", inspect.Parameter.KEYWORD_ONLY, annotation=Info)


@dataclass(frozen=True, slots=True)
class LoadedField:
    """A field whose value is loaded by a key.

    Attributes:
        reader: chooses the reader among the schema's readers.
        key: returns the key for a source object and the field's arguments, or None if nothing is to be loaded.
        then: makes the field's value from the source object and the loaded value; None if the loaded value is the field's value.
        preloaded: makes the field's value from a source object that has no key; None if the field is null then.
    """

    reader: Callable[[Any], Reader[Any, Any]]
    key: Callable[..., Any]
    then: Callable[[Any, Any], Any] | None = None
    preloaded: Callable[[Any], Any] | None = None


def loaded_field(
    reader: Callable[[Any], Reader[Any, Any]],
    *,
    description: str,
    graphql_type: Any = None,
    name: str | None = None,
    then: Callable[[Any, Any], Any] | None = None,
    preloaded: Callable[[Any], Any] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a `LoadedField` by the function that returns its key.

    The function's first parameter is the source object, which for root fields is the request's context. The others are the
    field's arguments.
    """

    def declare(key: Callable[..., Any]) -> Any:
        async def resolve(*, root: Any, info: Info, **arguments: Any) -> Any:
            found = key(root, **arguments)
            if found is None:
                return None if preloaded is None else preloaded(root)
            value = await info.context.loader(reader(info.context.readers)).load(found)
            return value if then is None else then(root, value)

        return strawberry.field(
            resolver=_with_parameters(resolve, key),
            description=description,
            graphql_type=graphql_type,
            name=name,
            metadata={LOADED_FIELD: LoadedField(reader, key, then, preloaded)},
        )

    return declare


def mutation(result: Any, description: str) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """Declare a mutation with the result type `result` by its resolver, which takes the request's context and the arguments."""

    def declare(resolver: Callable[..., Awaitable[Any]]) -> Any:
        async def resolve(*, root: ExecutionContext, info: Info, **arguments: Any) -> Any:
            name = info.path.key
            if name not in root.outcomes:
                root.begin_mutation()
                return await resolver(root, **arguments)
            outcome = root.outcomes[name]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return strawberry.mutation(
            resolver=_with_parameters(resolve, resolver),
            description=description,
            graphql_type=result,
            metadata={RESOLVER: resolver},
        )

    return declare


def _with_parameters(resolve: Callable[..., Any], declared: Callable[..., Any]) -> Callable[..., Any]:
    """Give a resolver of any arguments the parameters that a function declares after its first, for Strawberry to see."""
    function = declared.__func__ if isinstance(declared, staticmethod) else declared
    source, *arguments = inspect.signature(function).parameters.values()
    parameters = [source.replace(name="root", kind=inspect.Parameter.KEYWORD_ONLY), _INFO, *arguments]
    resolve.__module__, resolve.__name__, resolve.__qualname__ = function.__module__, function.__name__, function.__qualname__
    resolve.__annotations__ = {each.name: each.annotation for each in parameters}
    resolve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    )
    return resolve
