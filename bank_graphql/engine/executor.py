"""Execute operations: parse and validate documents, run their plans, and fall back to the reference executor."""

import inspect
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    default_field_resolver,
    default_type_resolver,
    get_operation_ast,
    located_error,
    parse,
    specified_rules,
)
from graphql.execution.values import VariableValues
from strawberry import Schema
from strawberry.schema.schema import validate_document

from bank_graphql.engine import complexity
from bank_graphql.engine.context import ExecutionContext
from bank_graphql.engine.documents import Documents, Prepared
from bank_graphql.engine.execution import BreadthFirst, ReferenceExecution
from bank_graphql.engine.fallbacks import reason_of
from bank_graphql.engine.plan import Operation, Planner
from bank_graphql.kit.errors import BadRequest, Refusal, TooComplex, Unavailable

_log = structlog.get_logger(__name__)
_MAX_SOURCE = 100_000
"""Characters of a document."""


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request, as a transport received it.

    Attributes:
        query: the document.
        operation_name: the operation to execute; None if the document has only one.
        variables: the variables as they were given.
        wants_cost: whether the answer is to say what the operation cost.
    """

    query: str
    operation_name: str | None = None
    variables: dict[str, object] | None = None
    wants_cost: bool = False


class NoIntrospection(ASTValidationRule):
    """Refuses the fields that describe the schema. Of `__typename` every client knows the values that it asked for."""

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """Refuse a field, once wherever it is."""
        if node.name.value in {"__schema", "__type"}:
            self.report_error(GraphQLError("Introspection is off at this bank.", node))


class Executor:
    """Executes operations on a schema, for whoever sends them: its caller admits or refuses requests.

    Args:
        schema: the schema.
        to_result: makes the member of a mutation's union that reports a refusal.
        breadth_first: False to execute queries, mutations and events by the reference executor.
        shows_schema: whether clients may learn the schema, by introspection and by suggestions in messages.

    Attributes:
        documents_found: how many operations were of a document that was parsed and validated before.
        documents_parsed: how many documents were parsed.
        fallbacks: how often operations, or events of subscriptions, fell back to the reference executor, by reason.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        to_result: Callable[[Refusal], object],
        breadth_first: bool = True,
        shows_schema: bool = True,
    ) -> None:
        self._schema = schema
        self._core = schema._schema  # noqa: SLF001 - Strawberry's way to the core schema
        self._to_result = to_result
        self._breadth_first = breadth_first
        self.shows_schema = shows_schema
        self._rules = tuple(specified_rules) if shows_schema else (*specified_rules, NoIntrospection)
        self._documents = Documents()
        self.documents_found = 0
        self.documents_parsed = 0
        self.fallbacks: Counter[str] = Counter()

    def find(self, request: Request) -> Prepared | None:
        """Return the operation of a document that was parsed and validated before, or None if there is none."""
        prepared = self._documents.get((request.query, request.operation_name))
        if prepared is not None:
            self.documents_found += 1
        return prepared

    def parse(self, request: Request) -> Prepared:
        """Parse a document and choose the operation to execute. The document is not validated yet.

        Raises:
            GraphQLSyntaxError: it is not GraphQL.
            TooComplex: it is too long, or nested too deeply.
            BadRequest: it has no operation of this name, or several and none is named.
        """
        self.documents_parsed += 1
        return Prepared(self._core, request.query, *_parse(request))

    def validate(self, request: Request, prepared: Prepared) -> list[GraphQLError]:
        """Return the mistakes in a document. One without mistakes is kept for `find`."""
        mistakes = validate_document(self._core, prepared.operation.document, self._rules)
        if not mistakes:
            self._documents.keep((request.query, request.operation_name), prepared)
        return mistakes

    def mistakes_in(self, document: str) -> list[str]:
        """Return what is wrong with a document that may have several operations."""
        try:
            return [error.message for error in validate_document(self._core, parse(document), self._rules)]
        except GraphQLSyntaxError as error:
            return [error.message]

    async def execute(self, operation: Operation, request: Request, context: ExecutionContext) -> ExecutionResult:
        """Execute a query or a mutation of a valid document."""
        variables = operation.variables(request.variables or {})
        if isinstance(variables, list):
            return ExecutionResult(None, variables)
        breadth_first = BreadthFirst(context, variables, self._to_result)
        run = breadth_first.query if operation.node.operation is OperationType.QUERY else breadth_first.mutation
        if self._breadth_first:
            try:
                return ExecutionResult(await run(operation.plan(self._schema, variables)))
            except Exception as error:  # noqa: BLE001 - whatever it is, the reference executor reports it
                self._note_fallback(error)
        return await self._execute_by_reference(operation, variables, context, breadth_first.completed)

    async def subscribe(
        self, operation: Operation, request: Request, context: ExecutionContext
    ) -> AsyncGenerator[tuple[ExecutionResult, Exception | None], None]:
        """Execute a subscription of a valid document.

        Yields:
            The result for each event as it comes, and None; in the end, if the subscription fails, a result with the error, and
            the exception.
        """
        variables = operation.variables(request.variables or {})
        if isinstance(variables, list):
            yield ExecutionResult(None, variables), variables[0]
            return
        source = Planner(self._schema, operation, variables).source()
        breadth_first = BreadthFirst(context, variables, self._to_result)
        try:
            async with aclosing(breadth_first.source(source)) as events:
                async for event in events:
                    context.begin_event()
                    yield await self.execute_event(operation, variables, context, event), None
        except Exception as error:  # noqa: BLE001 - whatever it is, the stream ends with it
            yield ExecutionResult(None, [located_error(error, [source.node], [source.name])]), error

    async def execute_event(
        self, operation: Operation, variables: VariableValues, context: ExecutionContext, event: object
    ) -> ExecutionResult:
        """Execute a subscription for one of its events."""
        if self._breadth_first:
            try:
                plan = operation.plan(self._schema, variables)
                [completed] = await BreadthFirst(context, variables, self._to_result).complete(plan.fields[0].shape, [event])
                return ExecutionResult({plan.names[0]: completed})
            except Exception as error:  # noqa: BLE001 - whatever it is, the reference executor reports it
                self._note_fallback(error)
        result = await self._execute_by_reference(operation, variables, context, {}, root=event)
        if any(isinstance(error.original_error, Unavailable) for error in result.errors or ()):
            raise Unavailable  # without the event and its cursor: a client that resumes gets the event again
        return result

    def _note_fallback(self, error: Exception) -> None:
        reason = reason_of(error)
        self.fallbacks[reason] += 1
        _log.debug("fallback to the reference executor", reason=reason)

    async def _execute_by_reference(
        self,
        operation: Operation,
        variables: VariableValues,
        context: ExecutionContext,
        completed: Mapping[str, object],
        root: object = None,
    ) -> ExecutionResult:
        """Execute an operation by the reference executor, but copy the answers of root fields that are complete."""
        execution = ReferenceExecution(
            self._core,
            operation.definitions,
            operation.fragments,
            context if root is None else root,
            context,
            operation.node,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
        )
        execution.completed = completed
        result: Any = execution.execute_operation()  # which would be incremental if the schema had @defer
        executed: ExecutionResult = await result if inspect.isawaitable(result) else result
        return executed


def _parse(request: Request) -> tuple[DocumentNode, OperationDefinitionNode]:
    try:
        document = parse(
            request.query,
            no_location=False,
            max_lexical_tokens=complexity.MAX_TOKENS,
            max_comments=complexity.MAX_COMMENTS,
            max_source_length=_MAX_SOURCE,
        )
    except RecursionError:
        raise TooComplex("The document is nested too deeply.") from None
    except GraphQLSyntaxError as error:
        if "nested" in error.message:
            raise TooComplex("The document is nested too deeply.") from None
        if "limit" in error.message or "more than" in error.message:
            raise TooComplex(f"The document is too long: it may have {complexity.MAX_TOKENS} tokens.") from None
        raise
    operation = get_operation_ast(document, request.operation_name)
    if operation is None:
        if request.operation_name:
            raise BadRequest("The document has no operation of this name.")
        raise BadRequest("Say with 'operationName' which operation of the document to run: it has none, or several.")
    return document, operation
