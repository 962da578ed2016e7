"""Structured logs: a line for people on a terminal, JSON elsewhere. No secret gets in.

Values under names that hold secrets are blotted out, and an exception is logged as its type and where it was raised, never
with its text: database errors quote rows, and libraries quote input.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import asyncpg
import structlog

_SECRET_WORDS = (
    "password",
    "token",
    "secret",
    "authorization",
    "cookie",
    "number",
    "code",
    "key",
    "dsn",
    "variables",
    "query",
)
_HARMLESS = {"exit_code"}


def configure(*, level: str = "INFO", json: bool | None = None) -> None:
    """Set up logging for this process.

    Args:
        level: the least severe level that is shown.
        json: JSON lines or lines for people; by default JSON unless standard error is a terminal.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
        redact,
    ]
    as_json = not sys.stderr.isatty() if json is None else json
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whichever it is when a line is written
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)  # a database that is gone shows where it is needed
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out values under names that hold secrets."""
    for name in event:
        if name not in _HARMLESS and any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "[redacted]"
    return event


def describe_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace exception information by the exception's type and the places it came through."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def describe(error: BaseException) -> list[str]:
    """An exception and its causes: types, SQLSTATE and constraint of a database error, and the places, innermost last."""
    lines = []
    seen: BaseException | None = error
    while seen is not None:
        detail = ""
        if isinstance(seen, asyncpg.PostgresError):
            detail = f" (SQLSTATE {seen.sqlstate}, constraint {getattr(seen, 'constraint_name', None)})"
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__}{detail}")
        lines += [f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(seen.__traceback__)]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return lines
