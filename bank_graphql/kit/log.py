"""Structured logs without secrets: lines for people on a terminal, and JSON elsewhere.

Values whose names suggest a secret are redacted. An exception is logged as its type and its traceback, never with its message:
database errors quote rows, and libraries quote input.
"""

import logging
import sys
import traceback

import asyncpg
import structlog
from structlog.typing import EventDict, Processor

_SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "number", "code", "key", "dsn", "variables", "query")
_HARMLESS = {"exit_code"}
"""Names that contain a secret word, but hold no secret."""


def configure(*, level: str = "INFO", json: bool | None = None) -> None:
    """Configure logging for this process.

    Args:
        level: the lowest level that is logged.
        json: whether to write JSON; by default, unless standard error is a terminal.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        replace_exception,
        redact,
    ]
    as_json = not sys.stderr.isatty() if json is None else json
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # `sys.stderr` as it is when a line is written
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)  # a lost connection is logged where it is needed
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Redact the values whose names suggest a secret. A processor of structlog."""
    for name in event:
        if name not in _HARMLESS and any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "[redacted]"
    return event


def replace_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace exception information by the formatted exception. A processor of structlog."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = format_error(error)
    return event


def format_error(error: BaseException) -> list[str]:
    """Return lines about an exception and its causes: type, SQLSTATE and constraint of a database error, and traceback."""
    lines = []
    current: BaseException | None = error
    while current is not None:
        detail = ""
        if isinstance(current, asyncpg.PostgresError):
            detail = f" (SQLSTATE {current.sqlstate}, constraint {getattr(current, 'constraint_name', None)})"
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}{detail}")
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(current.__traceback__)]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return lines
