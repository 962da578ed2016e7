"""Format errors for answers. graphql-core quotes the values that it refuses, whole input objects included: these are removed."""

import re

import structlog
from graphql import GraphQLError

from bank_graphql.kit.errors import BadRequest, Fault, Refusal

_log = structlog.get_logger(__name__)

_QUOTED_INPUT = (
    (re.compile(r"Value '.*' does not exist in '(\w+)' enum.*", re.DOTALL), r"The value does not exist in '\1' enum."),
    (re.compile(r"( cannot represent [\w -]*?value): .*", re.DOTALL), r"\1."),
    (re.compile(r"(, |; |\. )(but encountered error '[^']*'; )?[Ff]ound: .*", re.DOTALL), "."),
    (re.compile(r"not to include unknown field '.*", re.DOTALL), "not to include unknown fields."),
    (re.compile(r"(Syntax Error: .*?(?:found|Unexpected) (?:\w+|<EOF>|'.')).*", re.DOTALL), r"\1."),
)
_SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)
_ABOUT_ARGUMENTS = ("Argument ", "Expected value of non-null type")
"""The beginnings of messages about the request that graphql-core raises only while a field is resolved."""


def format_error(error: GraphQLError, code: str) -> dict[str, object]:
    """Return an error about the request for the answer, without the values that its message quotes.

    Args:
        error: the error of graphql-core.
        code: the code in its extensions.
    """
    formatted: dict[str, object] = {"message": scrub(error.message), "extensions": {"code": code}}
    if error.locations:
        formatted["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        formatted["path"] = error.path
    return formatted


def format_field_error(error: GraphQLError, request_id: str | None) -> dict[str, object]:
    """Return an error of a field for the answer. An unexpected error is logged, and the answer does not show its text.

    Args:
        error: the error of graphql-core, with the exception of the resolver.
        request_id: the id in the log, which the answer shows with an unexpected error.
    """
    message, cause = error.message, error.original_error
    while isinstance(cause, GraphQLError):
        message, cause = cause.message, cause.original_error
    formatted = {**format_error(error, BadRequest.code), "message": scrub(message)}
    if isinstance(cause, Fault):
        return {**formatted, **format_fault(cause)}
    if isinstance(cause, Refusal):
        return {**formatted, "message": str(cause)}
    if cause is None and message.startswith(_ABOUT_ARGUMENTS):
        return formatted
    _log.error("a field failed", path=error.path, exc_info=cause or error)
    return {
        **formatted,
        "message": "Something went wrong on our side. If it happens again, report this request id.",
        "extensions": {"code": "INTERNAL", "requestId": request_id},
    }


def format_fault(fault: Fault) -> dict[str, object]:
    """Return a fault for the answer: its message and extensions."""
    return {"message": str(fault), "extensions": fault.extensions}


def without_suggestions(formatted: dict[str, object]) -> dict[str, object]:
    """Return a formatted error about a document without the names of the schema that its message suggests."""
    return {**formatted, "message": _SUGGESTION.sub("", str(formatted["message"]))}


def scrub(message: str) -> str:
    """Return a message of graphql-core without the values that it quotes: they may be passwords or card numbers."""
    for pattern, replacement in _QUOTED_INPUT:
        message = pattern.sub(replacement, message)
    return message
