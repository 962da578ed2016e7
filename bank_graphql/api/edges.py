"""How types say where their fields lead.

An edge is declared by what it reads with and a function that gives the key for a source object. Both
executors use that one declaration: the reference executor as a resolver for one object, the breadth-first one with a single
call of the loader for all objects of a selection.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry

from bank_graphql.api.context import Info
from bank_graphql.api.loaders import Readers
from bank_graphql.kit.loading import Reader

EDGE = "edge"
"""The name of the edge in a field's metadata."""
_INFO = inspect.Parameter("info", inspect.Parameter.KEYWORD_ONLY, annotation=Info)


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a field leads.

    Attributes:
        reader: what reads it.
        key: the key of the source object, given the field's arguments; None leads nowhere, and the field is null.
        then: makes the field's value of the source object and what was loaded; None if that is the value already.
    """

    reader: Callable[[Readers], Reader[Any, Any]]
    key: Callable[..., Any]
    then: Callable[[Any, Any], Any] | None = None


def edge(
    reader: Callable[[Readers], Reader[Any, Any]],
    *,
    description: str,
    graphql_type: Any = None,
    name: str | None = None,
    then: Callable[[Any, Any], Any] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a field by the function that gives the key for the source object.

    The function's parameters after the first are the field's arguments. At the root of an operation the source object is the
    request's `Context`.
    """

    def declare(key: Callable[..., Any]) -> Any:
        async def resolve(*, root: Any, info: Info, **arguments: Any) -> Any:
            found = key(root, **arguments)
            if found is None:
                return None
            value = await info.context.loader(reader(info.context.readers)).load(found)
            return value if then is None else then(root, value)

        source, *arguments = inspect.signature(key).parameters.values()
        parameters = [source.replace(name="root", kind=inspect.Parameter.KEYWORD_ONLY), _INFO, *arguments]
        resolve.__module__, resolve.__name__, resolve.__qualname__ = key.__module__, key.__name__, key.__qualname__
        resolve.__annotations__ = {each.name: each.annotation for each in parameters}
        resolve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        )
        return strawberry.field(
            resolver=resolve,
            description=description,
            graphql_type=graphql_type,
            name=name,
            metadata={EDGE: Edge(reader, key, then)},
        )

    return declare
