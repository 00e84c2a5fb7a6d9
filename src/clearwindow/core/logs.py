"""Logging, configured once: readable lines on a terminal, JSON lines everywhere else. Each has the request's id.

A line holds nothing that a caller sent: no token, no body, no value of a row.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# PostgreSQL quotes rows and input in these lines of an error, and a row may hold what a caller sent.
_QUOTING_LINES: Final = re.compile(
    r"^(DETAIL|CONTEXT|QUERY|STATEMENT):.*(\n(?![A-Z]+:|Traceback|\S+Error).*)*", re.MULTILINE
)


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Sends all log lines, those of libraries too, to ``stream`` in one format."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=not _shows_unicode(out))
    if out.isatty():
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # As text, and never with local variables: they hold tokens and bodies.
            structlog.processors.format_exc_info,
            without_quotes,
            renderer,
        ],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Our own line for each request says more and has the request's id.
    logging.getLogger("uvicorn.access").disabled = True
    server_log = logging.getLogger("uvicorn.error")
    server_log.setLevel(max(logging.WARNING, root.level))
    server_log.addFilter(_is_not_logged_by_us)
    # The pool logs each try to reconnect. Our own line says once that the work was interrupted.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def _shows_unicode(stream: TextIO) -> bool:
    # A character that the stream cannot write would be replaced by something that is not JSON.
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def _is_not_logged_by_us(record: logging.LogRecord) -> bool:
    # An exception of a route is logged where the answer is made, with the request's id.
    return not record.getMessage().startswith("Exception in ASGI application")


def without_quotes(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Removes from errors what PostgreSQL quotes."""
    for name, value in event.items():
        if isinstance(value, str) and "\n" in value:
            event[name] = _QUOTING_LINES.sub(r"\1: (left out)", value)
    return event
