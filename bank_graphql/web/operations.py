"""Operations from HTTP, event streams and sockets: all are admitted or refused by one gate, then executed."""

import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from bank_graphql.api.context import Context
from bank_graphql.engine import complexity
from bank_graphql.engine.documents import Prepared
from bank_graphql.engine.errors import format_error, format_fault, format_field_error, without_suggestions
from bank_graphql.engine.executor import Executor, Request
from bank_graphql.engine.plan import Operation
from bank_graphql.kit.errors import BadRequest, Fault, RateLimited, Unauthenticated
from bank_graphql.kit.fair_share import FairShare

_QUERIES = frozenset({OperationType.QUERY})
_QUERIES_AND_MUTATIONS = _QUERIES | {OperationType.MUTATION}
_ALL = frozenset(OperationType)
_SIGN_INS = frozenset(
    {
        *("signUp", "logIn", "completeLogIn", "refreshSession", "requestPasskeyLogIn", "logInWithPasskey"),
        *("requestPasswordReset", "resetPassword", "__typename"),
    }
)
_MAX_ERRORS = 20
"""How many mistakes of one request are reported."""


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request, or one answer of a stream.

    Attributes:
        body: the answer.
        executed: False if the request was refused before anything was executed.
        status: the HTTP status; not 200 only if nothing was executed.
        headers: HTTP headers that the status needs.
        ended_by: the exception with which a stream ends; None if it goes on.
        is_event: whether it belongs to a subscription.
    """

    body: dict[str, object]
    executed: bool = True
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    ended_by: Exception | None = None
    is_event: bool = False

    @property
    def code(self) -> str:
        """The code of the first error; `OK` without one."""
        errors: Any = self.body.get("errors")
        return errors[0]["extensions"]["code"] if errors else "OK"


class OperationGate:
    """Admits operations and has them executed. One instance serves all transports, so that all have the same gate.

    Args:
        executor: executes what is admitted.
        user_limit: maximum cost per minute for a user.
        address_limit: maximum cost per minute for an address from which nobody is signed in.
        observe: called for each operation that ended, with its context and its duration in seconds.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        user_limit: int,
        address_limit: int,
        observe: Callable[[Context, float], None] = lambda *_: None,
    ) -> None:
        self._executor = executor
        self._observe = observe
        self._user_limit = user_limit
        self._address_limit = address_limit
        self._share = FairShare()

    async def run(
        self, request: Request, context: Context, *, allow_mutation: bool = True, admitted: Prepared | Response | None = None
    ) -> Response:
        """Answer a query or a mutation. Raises nothing: errors are answers too.

        Args:
            request: the request.
            context: its context.
            allow_mutation: whether the operation may be a mutation.
            admitted: what `admit` has returned for it, if it was called already.
        """
        started = time.perf_counter()
        if self._share.must_wait(context.bucket_name):
            await self._share.wait(context.bucket_name)
        admitted = admitted or self._admit(request, context, _QUERIES_AND_MUTATIONS if allow_mutation else _QUERIES)
        if isinstance(admitted, Response):
            response = admitted
        else:
            response = _response(await self._executor.execute(admitted.operation, request, context), context)
        self._end(response, context, started)
        return _with_cost(response, context) if request.wants_cost else response

    async def stream(
        self, request: Request, context: Context, *, allow_mutation: bool = True, admitted: Prepared | None = None
    ) -> AsyncGenerator[Response, None]:
        """Answer an operation of any kind; a subscription with an answer for each event, until it ends.

        Args:
            request: the request.
            context: its context.
            allow_mutation: whether the operation may be a mutation.
            admitted: the operation, if `admit` has admitted it already.
        """
        started, response = time.perf_counter(), None
        prepared = admitted or await self.admit(request, context, allow_mutation=allow_mutation)
        try:
            if isinstance(prepared, Response):
                yield (response := prepared)
            elif not prepared.is_subscription:
                response = _response(await self._executor.execute(prepared.operation, request, context), context)
                yield _with_cost(response, context) if request.wants_cost else response
            else:
                async with aclosing(self._executor.subscribe(prepared.operation, request, context)) as results:
                    async for result, ended_by in results:
                        yield (response := replace(_response(result, context), ended_by=ended_by, is_event=True))
        finally:
            self._end(response, context, started)

    def _end(self, response: Response | None, context: Context, started: float) -> None:
        """Note how an operation ended: with this response, or without any if a stream had no event."""
        if response is not None and "errors" in response.body:
            context.outcome = response.code
        self._observe(context, time.perf_counter() - started)

    async def charge_for_body(self, size: int, context: Context) -> None:
        """Have a large request wait for its turn, and charge for reading it.

        Args:
            size: of its body, in bytes.
            context: of the request.

        Raises:
            RateLimited: the bucket of the request does not hold this cost.
        """
        if size > complexity.FREE_BYTES:
            await self._share.wait(context.bucket_name)
            self._spend(size // complexity.BYTES_PER_COST, context)

    async def admit(self, request: Request, context: Context, *, allow_mutation: bool) -> Prepared | Response:
        """Wait for its turn, charge for an operation of any kind, and return it if it may be executed, or else its refusal."""
        await self._share.wait(context.bucket_name)
        return self._admit(request, context, _ALL if allow_mutation else _ALL - {OperationType.MUTATION})

    def _admit(self, request: Request, context: Context, allowed: Collection[OperationType]) -> Prepared | Response:
        """Return the operation if it may be executed, or else the answer that refuses it. The one gate for all transports."""
        prepared = self._executor.find(request)
        is_new, reading = prepared is None, 0
        try:
            if prepared is None:
                reading = complexity.source_cost(request.query)
                self._spend(reading, context)  # before parsing: that is work, whatever the document turns out to be
                prepared = self._executor.parse(request)
            context.kind = prepared.operation.node.operation.value
            _require_type(prepared.operation.node, allowed)
            if context.has_bad_token or context.session_has_ended:
                _require_sign_in(prepared.operation)
            self._spend(prepared.cost(request.variables or {}), context, already=reading)
        except GraphQLError as error:
            return _refused([format_error(error, "GRAPHQL_PARSE_FAILED")])
        except MethodNotAllowed as error:
            return _refused([format_fault(error)], status=405, headers=(("Allow", "POST"),))
        except RateLimited as error:
            return _refused([format_fault(error)], status=429, headers=(("Retry-After", str(error.retry_after)),))
        except BadToken as error:
            return _refused([format_fault(error)], status=401, headers=(("WWW-Authenticate", 'Bearer error="invalid_token"'),))
        except Fault as error:
            return _refused([format_fault(error)])
        if is_new:
            mistakes = self._executor.validate(request, prepared)
            if mistakes:
                formatted = [format_error(each, "GRAPHQL_VALIDATION_FAILED") for each in mistakes[:_MAX_ERRORS]]
                return _refused(formatted if self._executor.shows_schema else [without_suggestions(each) for each in formatted])
        return prepared

    def _spend(self, cost: int, context: Context, already: int = 0) -> None:
        limit = self._user_limit if context.bearer else self._address_limit
        bucket = context.services.limiter.spend(context.bucket_name, cost, per_minute=limit, shared=True)
        self._share.record(context.bucket_name, cost)
        context.bucket = replace(bucket, cost=cost + already) if already else bucket


class MethodNotAllowed(BadRequest):
    """The HTTP method does not allow an operation of this type."""


@dataclass(eq=False)
class BadToken(Unauthenticated):
    """The request's access token is not valid, and the document does not sign in (RFC 6750, section 3.1)."""

    message: str = (
        "The access token is not valid, has expired, or its session or access grant has ended: refresh it, sign in again, or get "
        "another from whoever made it."
    )


def _require_type(operation: OperationDefinitionNode, allowed: Collection[OperationType]) -> None:
    if operation.operation in allowed:
        return
    if operation.operation is OperationType.SUBSCRIPTION:
        raise BadRequest("A subscription needs a socket or an event stream.")
    raise MethodNotAllowed("A mutation needs POST.")


def _require_sign_in(operation: Operation) -> None:
    """Refuse an operation that does anything but sign in.

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


def _response(result: ExecutionResult, context: Context) -> Response:
    errors = result.errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return _refused([format_error(error, BadRequest.code) for error in errors[:_MAX_ERRORS]])
    body: dict[str, object] = {"data": result.data}
    if errors:
        body["errors"] = [format_field_error(error, context.origin.request_id) for error in errors]
    return Response(body)


def _with_cost(response: Response, context: Context) -> Response:
    """Return an answer that says what the operation cost, and what remains in the bucket that paid."""
    bucket = context.bucket
    if bucket is None:
        return response
    cost = {"cost": bucket.cost, "limit": bucket.limit, "remaining": bucket.remaining}
    return replace(response, body={**response.body, "extensions": {"cost": cost}})


def _refused(errors: Sequence[dict[str, object]], *, status: int = 400, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response({"errors": list(errors)}, executed=False, status=status, headers=headers)
