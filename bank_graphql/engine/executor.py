"""Runs one operation: parse, measure, validate, execute; and tells what went wrong without repeating what was sent."""

import inspect
import re
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
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

from bank_graphql.api.context import Context
from bank_graphql.engine import complexity
from bank_graphql.engine.documents import Documents, Prepared
from bank_graphql.engine.execution import BreadthFirst, Resumed
from bank_graphql.engine.plan import Operation, Planner
from bank_graphql.kit.errors import BadRequest, Fault, RateLimited, Refusal, TooComplex, Unauthenticated, Unavailable
from bank_graphql.kit.fair_share import FairShare

_log = structlog.get_logger(__name__)
_MAX_SOURCE = 200_000

_QUOTED_INPUT = (
    (re.compile(r"Value '.*' does not exist in '(\w+)' enum.*", re.DOTALL), r"The value does not exist in '\1' enum."),
    (re.compile(r"( cannot represent [\w -]*?value): .*", re.DOTALL), r"\1."),
    (re.compile(r"(, |; |\. )(but encountered error '[^']*'; )?[Ff]ound: .*", re.DOTALL), "."),
    (re.compile(r"not to include unknown field '.*", re.DOTALL), "not to include unknown fields."),
    (re.compile(r"(Syntax Error: .*?(?:found|Unexpected) (?:\w+|<EOF>|'.')).*", re.DOTALL), r"\1."),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request as the transports hand it on."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        executed: False if the request was refused before anything ran.
        status: then, the HTTP status.
        ended_by: why a stream ends with this; None if it goes on.
        is_event: whether it is one of a stream's events.
    """

    body: dict[str, Any]
    executed: bool = True
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    ended_by: Exception | None = None
    is_event: bool = False


class Executor:
    """Runs operations on the schema. One for HTTP, event streams and sockets: all go through the same gate.

    Args:
        schema: the bank's schema.
        user_limit: cost points a minute for a user.
        address_limit: the same for an address that nobody is signed in from.
        breadth_first: False to leave everything to the reference executor.
    """

    def __init__(self, schema: Schema, *, user_limit: int, address_limit: int, breadth_first: bool = True) -> None:
        self._schema = schema
        self._core = schema._schema  # noqa: SLF001 - Strawberry's way to the core schema
        self._user_limit = user_limit
        self._address_limit = address_limit
        self._breadth_first = breadth_first
        self._documents = Documents()
        self._share = FairShare()

    async def run(self, request: Request, context: Context, *, allow_mutation: bool = True) -> Response:
        """Answer a query or mutation; every outcome is an answer."""
        if self._share.must_wait(context.payer):
            await self._share.wait(context.payer)
        admitted = self._admit(request, context, _QUERIES_AND_MUTATIONS if allow_mutation else _QUERIES)
        if isinstance(admitted, Response):
            return admitted
        return _response(await self._execute(admitted.operation, request, context), context)

    async def stream(self, request: Request, context: Context, *, allow_mutation: bool = True) -> AsyncGenerator[Response, None]:
        """Answer any operation: a subscription with an answer for each event, until it ends."""
        await self._share.wait(context.payer)
        admitted = self._admit(request, context, _ALL if allow_mutation else _ALL - {OperationType.MUTATION})
        if isinstance(admitted, Response):
            yield admitted
        elif admitted.operation.node.operation is not OperationType.SUBSCRIPTION:
            yield _response(await self._execute(admitted.operation, request, context), context)
        else:
            async with aclosing(self._follow(admitted.operation, request, context)) as results:
                async for result, ended_by in results:
                    yield replace(_response(result, context), ended_by=ended_by, is_event=True)

    async def require_size(self, size: int, context: Context) -> None:
        """Wait for the turn of a large request, and charge for reading it.

        Args:
            size: of its body, in bytes.
            context: of the request.

        Raises:
            RateLimited: there are not that many points left.
        """
        if size > complexity.FREE_BYTES:
            await self._share.wait(context.payer)
            self._spend(size // complexity.BYTES_PER_COST, context)

    def refusal(self, request: Request, context: Context) -> Response | None:
        """Return why an operation of any kind is refused before anything runs, or None if it is not."""
        admitted = self._admit(request, context, _ALL)
        return admitted if isinstance(admitted, Response) else None

    def _admit(self, request: Request, context: Context, kinds: Collection[OperationType]) -> Prepared | Response:
        """The one gate for all transports: the operation if it may run, or else why not."""
        key = (request.query, request.operation_name)
        prepared = self._documents.get(key)
        is_new, reading = prepared is None, 0
        try:
            if prepared is None:
                reading = complexity.source_cost(request.query)
                self._spend(reading, context)  # it is work, whatever becomes of the document
                prepared = Prepared(self._core, request.query, *_parse(request))
            _check_type(prepared.operation.node, kinds)
            if context.has_bad_token or context.session_has_ended:
                _require_sign_in(prepared.operation)
            self._spend(prepared.cost(request.variables or {}), context, already=reading)
        except GraphQLError as error:
            return _refused([_told(error, "GRAPHQL_PARSE_FAILED")])
        except MethodNotAllowed as error:
            return _refused([_fault(error)], status=405, headers=(("Allow", "POST"),))
        except RateLimited as error:
            return _refused([_fault(error)], status=429, headers=(("Retry-After", str(error.retry_after)),))
        except BadToken as error:
            return _refused([_fault(error)], status=401, headers=(("WWW-Authenticate", 'Bearer error="invalid_token"'),))
        except Fault as error:
            return _refused([_fault(error)])
        if is_new:
            problems = validate_document(self._core, prepared.operation.document, tuple(specified_rules))
            if problems:
                return _refused([_told(problem, "GRAPHQL_VALIDATION_FAILED") for problem in problems[:20]])
            self._documents.keep(key, prepared)
        return prepared

    def _spend(self, cost: int, context: Context, already: int = 0) -> None:
        limit = self._user_limit if context.bearer else self._address_limit
        bucket = context.services.limiter.spend(context.payer, cost, per_minute=limit)
        self._share.record(context.payer, cost)
        context.bucket = replace(bucket, cost=cost + already) if already else bucket

    async def _execute(self, operation: Operation, request: Request, context: Context) -> ExecutionResult:
        variables = operation.variables(request.variables or {})
        if isinstance(variables, list):
            return ExecutionResult(None, variables)
        plan = operation.plan(self._schema, variables) if self._breadth_first else None
        if plan is None:
            return await self._refer(operation, variables, context, {})
        breadth_first = BreadthFirst(context, variables)
        run = breadth_first.query if operation.node.operation is OperationType.QUERY else breadth_first.mutation
        try:
            return ExecutionResult(await run(plan))
        except Exception as error:  # noqa: BLE001 - whatever it is, the reference executor says what comes of it
            _goes_on(error)
            return await self._refer(operation, variables, context, breadth_first.done)

    async def _follow(
        self, operation: Operation, request: Request, context: Context
    ) -> AsyncGenerator[tuple[ExecutionResult, Exception | None], None]:
        """A subscription's events as they come, each completed with what is read for it then; and why it ends, if it does."""
        variables = operation.variables(request.variables or {})
        if isinstance(variables, list):
            yield ExecutionResult(None, variables), variables[0]
            return
        source = Planner(self._schema, operation, variables).source()
        breadth_first = BreadthFirst(context, variables)
        try:
            async with aclosing(breadth_first.source(source)) as events:
                async for event in events:
                    context.begin_event()
                    yield await self._of_event(operation, variables, context, event), None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the stream ends
            yield ExecutionResult(None, [located_error(error, [source.node], [source.name])]), error

    async def _of_event(self, operation: Operation, variables: VariableValues, context: Context, event: Any) -> ExecutionResult:
        plan = operation.plan(self._schema, variables) if self._breadth_first else None
        if plan is not None:
            try:
                [completed] = await BreadthFirst(context, variables).complete(plan.fields[0].shape, [event])
                return ExecutionResult({plan.names[0]: completed})
            except Exception as error:  # noqa: BLE001 - whatever it is, the reference executor says what comes of it
                _goes_on(error)
        result = await self._refer(operation, variables, context, {}, root=event)
        if any(isinstance(error.original_error, Unavailable) for error in result.errors or ()):
            raise Unavailable  # without the event, which has not arrived then: whoever resumes gets it
        return result

    async def _refer(
        self, operation: Operation, variables: VariableValues, context: Context, done: dict[str, Any], root: Any = None
    ) -> ExecutionResult:
        """Run an operation with the reference executor, but for the root fields that are done."""
        result: Any = Resumed(
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
            done=done,
        ).execute_operation()
        told: ExecutionResult = await result if inspect.isawaitable(result) else result
        return told


def _goes_on(error: Exception) -> None:
    _log.debug("the reference executor goes on", reason=type(error).__name__)  # its text may quote what was sent


class MethodNotAllowed(BadRequest):
    """The operation is of a kind that this HTTP method may not ask for."""


@dataclass(eq=False)
class BadToken(Unauthenticated):
    """A token came with the request that is not good, and the document does not sign in (RFC 6750, section 3.1)."""

    message: str = "The access token is not valid, has expired, or its session has ended: refresh it, or sign in again."


_SIGN_INS = frozenset({"signUp", "logIn", "completeLogIn", "refreshSession", "__typename"})


def _require_sign_in(operation: Operation) -> None:
    """Refuse an operation that asks for anything but to sign in.

    Raises:
        BadToken: it does.
    """
    is_mutation = operation.node.operation is OperationType.MUTATION
    if not is_mutation or not _SIGN_INS.issuperset(_root_names(operation.document, operation.node.selection_set, set())):
        raise BadToken


def _root_names(document: DocumentNode, selections: SelectionSetNode, seen: set[str]) -> Iterator[str]:
    """Yield the names of an operation's root fields, those in fragments too."""
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_names(document, node.selection_set, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            for each in document.definitions:
                if isinstance(each, FragmentDefinitionNode) and each.name.value == node.name.value:
                    yield from _root_names(document, each.selection_set, seen)


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


_QUERIES = frozenset({OperationType.QUERY})
_QUERIES_AND_MUTATIONS = _QUERIES | {OperationType.MUTATION}
_ALL = frozenset(OperationType)


def _check_type(operation: OperationDefinitionNode, kinds: Collection[OperationType]) -> None:
    if operation.operation in kinds:
        return
    if operation.operation is OperationType.SUBSCRIPTION:
        raise BadRequest("A subscription needs a socket or an event stream.")
    raise MethodNotAllowed("A mutation needs POST.")


_ABOUT_ARGUMENTS = ("Argument ", "Expected value of non-null type")
"""How messages of graphql-core begin that tell of the request, though they come up only while a field is resolved."""


def _response(result: ExecutionResult, context: Context) -> Response:
    errors = result.errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return _refused([_told(error, BadRequest.code) for error in errors[:20]])
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = [_described(error, context) for error in errors]
    return Response(body)


def _refused(errors: Sequence[dict[str, Any]], *, status: int = 400, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response({"errors": list(errors)}, executed=False, status=status, headers=headers)


def _fault(fault: Fault) -> dict[str, Any]:
    return {"message": str(fault), "extensions": fault.extensions}


def _told(error: GraphQLError, code: str) -> dict[str, Any]:
    """An error of graphql-core about the request, without the values that it quotes."""
    told: dict[str, Any] = {"message": scrub(error.message), "extensions": {"code": code}}
    if error.locations:
        told["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        told["path"] = error.path
    return told


def _described(error: GraphQLError, context: Context) -> dict[str, Any]:
    """An error that happened while a field was resolved."""
    told = _told(error, BadRequest.code)
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        told["message"] = scrub(cause.message)
        cause = cause.original_error
    if isinstance(cause, Fault):
        return {**told, **_fault(cause)}
    if isinstance(cause, Refusal):
        return {**told, "message": str(cause)}
    if cause is None and told["message"].startswith(_ABOUT_ARGUMENTS):
        return told
    request_id = context.origin.request_id
    _log.error("a field failed", path=error.path, exc_info=cause or error)
    return {
        **told,
        "message": "Something went wrong on our side. Tell us the request id if it goes on.",
        "extensions": {"code": "INTERNAL", "requestId": request_id},
    }


def scrub(message: str) -> str:
    """A message of graphql-core without the values that it quotes: they may be passwords or card numbers."""
    for pattern, replacement in _QUOTED_INPUT:
        message = pattern.sub(replacement, message)
    return message
