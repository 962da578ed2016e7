"""How mutations are declared."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension

from bank_graphql.api.context import Info


class _ReadAfresh(FieldExtension):
    """What was read before a mutation is not what is told after it."""

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **arguments: Any) -> Any:
        info.context.begin_mutation()
        return await next_(source, info, **arguments)


def mutation(result: Any, description: str) -> Any:
    """A mutation that answers with `result`."""
    return strawberry.mutation(description=description, graphql_type=result, extensions=[_ReadAfresh()])
