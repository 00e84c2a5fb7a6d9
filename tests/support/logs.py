"""Logging, as a test found it, for the test after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import structlog

from clearwindow.core import logs

_CHANGED: Final = ("", "uvicorn.access", "uvicorn.error", "psycopg.pool")


@contextmanager
def own_logging() -> Iterator[None]:
    """Ends with the block what commands and servers in it configure.

    A logger that is used meanwhile, if only by the end of an earlier test's request, does not keep it either: a
    later test would look for its lines in vain.
    """
    configure, before = logs.configure_logging, structlog.get_config()
    loggers = [logging.getLogger(name) for name in _CHANGED]
    kept = [(each.level, each.disabled, list(each.handlers), list(each.filters)) for each in loggers]

    def configure_for_now(level: str = "info", stream: TextIO | None = None) -> None:
        configure(level, stream)
        structlog.configure(cache_logger_on_first_use=False)

    logs.configure_logging = configure_for_now
    try:
        yield
    finally:
        logs.configure_logging = configure
        structlog.configure(**before)
        for logger, (level, disabled, handlers, filters) in zip(loggers, kept, strict=True):
            logger.disabled, logger.handlers, logger.filters = disabled, handlers, filters
            logger.setLevel(level)
