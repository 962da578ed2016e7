"""Fields that say what they do, and leave it to the executors how: edges to other objects, and mutations.

An edge is declared by a function that gives a key, and by the reader that reads what has this key. The reference executor
resolves it object by object; the breadth-first one loads all objects' keys at once. A mutation is declared by what it does.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import strawberry

from bank_graphql.engine.context import ExecutionContext
from bank_graphql.kit.loading import Reader

Info = strawberry.Info[ExecutionContext, None]
EDGE = "edge"
"""The name of the edge in a field's metadata."""
ACT = "act"
"""The name of what a mutation does in its field's metadata."""
_INFO = inspect.Parameter("info", inspect.Parameter.KEYWORD_ONLY, annotation=Info)


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a field leads.

    Attributes:
        reader: what reads it.
        key: the key of the source object, given the field's arguments; None if nothing is to be read.
        then: makes the field's value of the source object and what was loaded; None if that is the value already.
        along: makes the field's value of a source object without a key, of what was read along with that; None if it is null.
    """

    reader: Callable[[Any], Reader[Any, Any]]
    key: Callable[..., Any]
    then: Callable[[Any, Any], Any] | None = None
    along: Callable[[Any], Any] | None = None


def edge(
    reader: Callable[[Any], Reader[Any, Any]],
    *,
    description: str,
    graphql_type: Any = None,
    name: str | None = None,
    then: Callable[[Any, Any], Any] | None = None,
    along: Callable[[Any], Any] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a field by the function that gives the key for the source object.

    The function's parameters after the first are the field's arguments. At the root of an operation the source object is the
    request's `Context`.
    """

    def declare(key: Callable[..., Any]) -> Any:
        async def resolve(*, root: Any, info: Info, **arguments: Any) -> Any:
            found = key(root, **arguments)
            if found is None:
                return None if along is None else along(root)
            value = await info.context.loader(reader(info.context.readers)).load(found)
            return value if then is None else then(root, value)

        return strawberry.field(
            resolver=_with_parameters(resolve, key),
            description=description,
            graphql_type=graphql_type,
            name=name,
            metadata={EDGE: Edge(reader, key, then, along)},
        )

    return declare


def mutation(result: Any, description: str) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """Declare a mutation that answers with `result` by what it does, given the request's context and the arguments."""

    def declare(act: Callable[..., Awaitable[Any]]) -> Any:
        async def resolve(*, root: ExecutionContext, info: Info, **arguments: Any) -> Any:
            name = info.path.key
            if name not in root.outcomes:
                root.begin_mutation()
                return await act(root, **arguments)
            outcome = root.outcomes[name]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return strawberry.mutation(
            resolver=_with_parameters(resolve, act), description=description, graphql_type=result, metadata={ACT: act}
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
