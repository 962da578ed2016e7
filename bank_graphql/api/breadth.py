"""Breadth-first execution: a selection is worked out for all its objects at once.

The reference executor takes objects one by one, with a coroutine, a path and an info for each of their fields. Here each field
of a selection is one column of values for all objects: leaves by attribute, edges by a single call of their loader.

Only what goes as planned is answered here. At the first sign of anything else (an error, a null where there may be none, an
object of another class) the work is dropped with `UnplannedError` or whatever was raised, and the reference executor does it
again from the value that it began with, whose rows are already loaded: its answer counts.
"""

import asyncio
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from graphql.execution.values import VariableValues
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bank_graphql.api.context import Context
from bank_graphql.api.edges import Edge
from bank_graphql.api.plan import Field, Many, Objects, Operation, Planner, Selection, Shape, UnplannedError


class BreadthFirst:
    """One run of plans, for one request."""

    __slots__ = ("_context", "_variables")

    def __init__(self, context: Context, variables: VariableValues) -> None:
        self._context = context
        self._variables = variables

    async def objects(self, selection: Selection, sources: Sequence[Any]) -> Sequence[dict[str, Any]]:
        """What is selected of each of the objects."""
        if selection.complete is not None:
            return selection.complete(sources)
        reading = [field for field in selection.fields if field.column is None]
        if len(reading) == 1:
            read = iter([await self._read(reading[0], sources)])
        else:
            read = iter(await asyncio.gather(*[self._read(field, sources) for field in reading]))
        return selection.rows(*[field.column(sources) if field.column else next(read) for field in selection.fields])

    async def _read(self, field: Field, sources: Sequence[Any]) -> Sequence[Any]:
        if field.edge is not None:
            values = await self._follow(field.edge, field, sources)
        else:
            values = field.take(sources) if field.take else sources
        return await self.complete(field.shape, values)

    async def _follow(self, edge: Edge, field: Field, sources: Sequence[Any]) -> Sequence[Any]:
        """Where an edge leads from each of the objects."""
        arguments = field.arguments(self._variables) if callable(field.arguments) else field.arguments
        key, then = edge.key, edge.then
        keys = [key(source, **arguments) for source in sources] if arguments else list(map(key, sources))
        if None not in keys:
            loaded = await self._context.loader(edge.reader(self._context.readers)).load_many(keys)
            return loaded if then is None else list(map(then, sources, loaded))
        led = [at for at, each in enumerate(keys) if each is not None]
        values: list[Any] = [None] * len(keys)
        if led:
            loaded = await self._context.loader(edge.reader(self._context.readers)).load_many([keys[at] for at in led])
            for at, value in zip(led, loaded, strict=True):
                values[at] = value if then is None else then(sources[at], value)
        return values

    async def complete(self, shape: Shape, values: Sequence[Any]) -> Sequence[Any]:
        """The values as the answer has them."""
        if shape.complete is not None:
            return shape.complete(values)
        present = [value for value in values if value is not None]
        if len(present) == len(values):
            return await self._present(shape, values)
        if not shape.nullable:
            raise UnplannedError
        completed = iter(await self._present(shape, present))
        return [None if value is None else next(completed) for value in values]

    async def _present(self, shape: Many | Objects, values: Sequence[Any]) -> Sequence[Any]:
        if isinstance(shape, Many):
            items = iter(await self.complete(shape.of, list(chain.from_iterable(values))))
            return [list(islice(items, len(value))) for value in values]
        if not values:
            return []
        if shape.selection is not None:
            return await self.objects(shape.selection, values)
        return await self._by_class(shape, values)

    async def _by_class(self, shape: Objects, values: Sequence[Any]) -> Sequence[Any]:
        kinds: dict[type, list[int]] = {}
        for at, value in enumerate(values):
            kinds.setdefault(type(value), []).append(at)
        completed: list[Any] = [None] * len(values)
        for kind, places in kinds.items():
            selection = shape.by_class.get(kind)
            if selection is None:
                raise UnplannedError
            for at, value in zip(places, await self.objects(selection, [values[at] for at in places]), strict=True):
                completed[at] = value
        return completed


class BreadthFirstExecutor(StrawberryGraphQLCoreExecutionContext):
    """The reference executor, which completes the values of root fields breadth first where there is a plan.

    Root fields themselves are resolved here once and only once: what is done again is below their values.
    """

    def __init__(self, *args: Any, planner: "tuple[Any, Operation]", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._strawberry, self._operation = planner
        self._left: set[Any] = set()

    def complete_value(self, return_type: Any, details: Any, info: Any, path: Any, result: Any, position: Any) -> Any:
        """Complete the value of a field."""
        if path.prev is None and path.key not in self._left and result is not None and not isinstance(result, Exception):
            self._left.add(path.key)
            shape = self._operation.planned(
                path.key,
                self.variable_values,
                lambda: Planner(self._strawberry, self._operation, self.variable_values).shape(return_type, details),
            )
            if isinstance(shape, Many | Objects):
                return self._breadth_first(shape, return_type, details, info, path, result, position)
        return super().complete_value(return_type, details, info, path, result, position)

    async def _breadth_first(self, shape: Shape, *completion: Any) -> Any:
        *_, result, _ = completion
        try:
            [completed] = await BreadthFirst(self.context_value, self.variable_values).complete(shape, [result])
        except Exception:  # noqa: BLE001 - whatever it is, the reference executor says what comes of it
            completed = super().complete_value(*completion)
            return await completed if self.is_awaitable(completed) else completed
        return completed
