"""Breadth-first execution: each field of a selection is resolved for all objects at once.

The reference executor takes objects one by one, with a coroutine, a path and an info for each of their fields. Here a field is a
column of values for all objects: attributes are read in one pass, and a loaded field is loaded with a single call of its loader.

Only results that are as planned are answered here. An error, a null where the schema has none, or an object of another class ends
this execution with an exception. Then the reference executor executes the operation again, and its answer is the one sent. It
finds rows that are already loaded in the same loaders, and the outcomes of mutations in the context: none is executed twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from inspect import isawaitable
from itertools import chain, islice
from typing import Any

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bank_graphql.engine.columns import Values
from bank_graphql.engine.context import ExecutionContext
from bank_graphql.engine.fallbacks import NULL, UnplannedError
from bank_graphql.engine.fields import LoadedField
from bank_graphql.engine.plan import Field, Many, Objects, Selection, Shape, Source
from bank_graphql.kit.errors import Refusal


class BreadthFirst:
    """The execution of one request's plan, or of that for one event.

    Args:
        context: the request's context.
        variables: its coerced variables.
        to_result: makes the member of a mutation's union that reports a refusal.
    """

    __slots__ = ("_context", "_to_result", "_variables", "completed")

    def __init__(self, context: ExecutionContext, variables: VariableValues, to_result: Callable[[Refusal], object]) -> None:
        self._context = context
        self._variables = variables
        self._to_result = to_result
        self.completed: dict[str, object] = {}
        """The answers of the mutations that are executed and complete, by their names in the answer."""

    async def query(self, selection: Selection) -> dict[str, object]:
        """Return the answer to a query."""
        [data] = await self.objects(selection, [self._context])
        return data

    async def mutation(self, selection: Selection) -> dict[str, object]:
        """Return the answer to a mutation, whose fields are executed one after another."""
        for name, field in zip(selection.names, selection.fields, strict=True):
            if field.column is not None:
                [self.completed[name]] = field.column([self._context])
            else:
                [self.completed[name]] = await self.complete(field.shape, [await self._execute_mutation(name, field)])
        return self.completed

    def source(self, source: Source) -> AsyncGenerator[object, None]:
        """Return the events of a subscription."""
        arguments = source.arguments(self._variables) if callable(source.arguments) else source.arguments
        return source.resolver(self._context, **arguments)

    async def _execute_mutation(self, name: str, field: Field) -> object:
        """Execute a mutation, note its outcome in the context for a fallback, and return its result.

        Raises:
            Refusal: the mutation is refused, and its union has no member that reports this.
        """
        context = self._context
        outcome: object = None
        arguments = self._arguments(field)
        await context.begin_mutation()
        try:
            outcome = await field.resolver(context, **arguments)  # type: ignore[misc]
        except Refusal as refusal:
            outcome = self._to_result(refusal)
            if not isinstance(field.shape, Objects) or type(outcome) not in field.shape.by_class:
                outcome = refusal
                raise
        except Exception as error:
            outcome = error
            raise
        finally:
            context.outcomes[name] = outcome
        return outcome

    async def objects(self, selection: Selection, sources: Values) -> Sequence[dict[str, object]]:
        """Return the answer's object for each source object."""
        if selection.complete is not None:
            return selection.complete(sources)
        reading = [field for field in selection.fields if field.column is None]
        if len(reading) == 1:
            read = iter([await self._read(reading[0], sources)])
        else:
            read = iter(await asyncio.gather(*[self._read(field, sources) for field in reading]))
        return selection.rows(*[field.column(sources) if field.column else next(read) for field in selection.fields])

    async def _read(self, field: Field, sources: Values) -> Values:
        if field.loaded_field is not None:
            values = await self._load(field.loaded_field, field, sources)
        elif field.resolver is not None:
            value = field.resolver(*sources, **self._arguments(field))
            values = [await value if isawaitable(value) else value]
        else:
            values = field.values_of(sources) if field.values_of else sources
        return await self.complete(field.shape, values)

    def _arguments(self, field: Field) -> Mapping[str, object]:
        return field.arguments(self._variables) if callable(field.arguments) else field.arguments

    async def _load(self, declared: LoadedField, field: Field, sources: Values) -> Values:
        """Return the value of a loaded field for each source object."""
        arguments = self._arguments(field)
        key, then, preloaded = declared.key, declared.then, declared.preloaded
        keys = [key(source, **arguments) for source in sources] if arguments else list(map(key, sources))
        if None not in keys:
            loaded = await self._context.loader(declared.reader(self._context.readers)).load_many(keys)
            return loaded if then is None else list(map(then, sources, loaded))
        values: list[Any] = [None] * len(keys)
        if preloaded is not None:
            values = [preloaded(source) if each is None else None for source, each in zip(sources, keys, strict=True)]
        places = [at for at, each in enumerate(keys) if each is not None]
        if places:
            loaded = await self._context.loader(declared.reader(self._context.readers)).load_many([keys[at] for at in places])
            for at, value in zip(places, loaded, strict=True):
                values[at] = value if then is None else then(sources[at], value)
        return values

    async def complete(self, shape: Shape, values: Values) -> Values:
        """Return the answer's values for a field's values."""
        if shape.complete is not None:
            return shape.complete(values)
        present = [value for value in values if value is not None]
        if len(present) == len(values):
            return await self._present(shape, values)
        if not shape.nullable:
            raise UnplannedError(NULL)
        completed = iter(await self._present(shape, present))
        return [None if value is None else next(completed) for value in values]

    async def _present(self, shape: Many | Objects, values: Values) -> Values:
        if isinstance(shape, Many):
            items = iter(await self.complete(shape.of, list(chain.from_iterable(values))))
            return [list(islice(items, len(value))) for value in values]
        if not values:
            return []
        if shape.selection is not None:
            return await self.objects(shape.selection, values)
        return await self._by_class(shape, values)

    async def _by_class(self, shape: Objects, values: Values) -> Values:
        kinds: dict[type, list[int]] = {}
        for at, value in enumerate(values):
            kinds.setdefault(type(value), []).append(at)
        completed: list[Any] = [None] * len(values)
        for kind, places in kinds.items():
            selection = shape.by_class.get(kind)
            if selection is None:
                raise UnplannedError("an object of a class that backs no type")
            for at, value in zip(places, await self.objects(selection, [values[at] for at in places]), strict=True):
                completed[at] = value
        return completed


class ReferenceExecution(StrawberryGraphQLCoreExecutionContext):
    """Execution by the reference executor, which does not execute root fields again that are complete, but copies their answers.

    Attributes:
        completed: the answers of these fields, by their names in the answer.
    """

    completed: Mapping[str, object]

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: object,
        field_details_list: list[FieldDetails],
        path: Path,
        position_context: Any,
    ) -> object:
        """Execute a field, unless it is a root field that is complete."""
        if path.prev is None and (name := str(path.key)) in self.completed:
            return self.completed[name]
        return super().execute_field(parent_type, source, field_details_list, path, position_context)
